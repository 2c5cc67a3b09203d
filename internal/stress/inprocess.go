package stress

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"mabeam-top/internal/probes"
	mabeam "mabeam-top/internal/runtime"
	"mabeam-top/internal/stress/load"
	"mabeam-top/internal/stress/profile"
	"mabeam-top/internal/stress/reference"
	"mabeam-top/internal/stress/scenario"
	"mabeam-top/internal/stress/stream"
)

const (
	// stopWithin is how long a system may take to stop after its repetition.
	stopTimeout = 10 * time.Second
	// abandonWithin is how long it may take when the run was interrupted.
	abandonTimeout = 500 * time.Millisecond
)

// A bench carries repetitions out in this process. The system, the probes and
// the loads belong to it.
type inProcess struct {
	plan      scenario.Plan
	catalogue Catalogue
	sampler   *probes.Sampler
	system    atomic.Pointer[mabeam.System] // what the probes read
	load      loadProbes
	// lacking is what each step is told that this process could not be made
	// to be; empty for nothing.
	missingLimit string
	// steerable says that a viewer may disturb the loads.
	steerable      bool
	control        *load.Control
	inspectRequest atomic.Pointer[stream.Inspect] // what a viewer wants to see

	jobMu sync.Mutex // guards parts
	parts []*partRun // of the running job, for commands
}

// newBench returns a bench for the plan's repetitions. Steerable says that a viewer
// may disturb the loads by hand. It fails only if the probes cannot be read.
func newInProcess(plan scenario.Plan, cat Catalogue, steerable bool) (*inProcess, error) {
	process, err := probes.Process()
	if err != nil {
		return nil, fmt.Errorf("read this process's probes: %w", err)
	}
	b := &inProcess{plan: plan, catalogue: cat, control: load.NewControl(), steerable: steerable}
	b.sampler = probes.New(scenario.SampleInterval,
		probes.GoMetrics(), process, probes.HostLoad(), probes.System(b.system.Load), &b.load)
	return b, nil
}

// close implements rig.
func (b *inProcess) close() error { return nil }

// run implements rig.
func (b *inProcess) run(ctx context.Context, j job, w observer) (_ []outcome, _ profile.Part, err error) {
	// What the last repetition left behind is not this one's.
	runtime.GC()
	var figures []reference.Figures
	if j.Reference {
		figures = append(figures, measureReference())
	}
	goroutines := Goroutines()
	scenario := &b.plan.Scenarios[j.Scenario]
	options, err := systemOptions(scenario.System)
	var system *mabeam.System
	if err == nil {
		system, err = mabeam.Start(ctx, options)
	}
	if err != nil {
		return make([]outcome, len(j.Parts)), profile.Part{}, fmt.Errorf("start the system: %w", err)
	}
	stopped := false
	stop := func() error {
		within := stopTimeout
		if ctx.Err() != nil {
			within = abandonTimeout
		}
		stopping, cancel := context.WithTimeout(context.WithoutCancel(ctx), within)
		defer cancel()
		stopped = true
		if err := system.Stop(stopping); err != nil && ctx.Err() == nil {
			return fmt.Errorf("the system did not stop: %w", err)
		}
		return nil
	}
	defer func() { // if something below panics; else it has stopped already
		if !stopped {
			_ = stop()
		}
	}()
	b.system.Store(system)
	defer b.system.Store(nil)
	parts := make([]*partRun, len(j.Parts))
	for i := range parts {
		parts[i] = newPartRun(b, j, i, scenario.Seed, system, options, w)
	}
	b.load.setParts(parts)
	defer b.load.setParts(nil)
	b.setParts(parts)
	defer b.setParts(nil)

	var recorder profile.Recorder
	var measured atomic.Bool
	var lookMu sync.Mutex
	var look inspecting
	defer look.close()
	sample := func(at time.Time, values map[string]float64) {
		lookMu.Lock() // the last sample of a repetition is taken by another goroutine
		defer lookMu.Unlock()
		// While the load is held there is nothing to measure.
		counts := measured.Load() && !b.control.Stopped()
		for i, intervals := range b.load.take() {
			for _, one := range intervals {
				if counts {
					w.interval(one.at, i, one.with(values))
				}
			}
		}
		w.event(at, stream.Event{Type: stream.SampleTaken, Sample: values, Inspection: b.inspect(&look, at)}, counts)
	}
	if j.Number > 0 {
		for i, p := range parts {
			p.env.flush = func() {
				lookMu.Lock() // in the order of time
				defer lookMu.Unlock()
				for _, one := range b.load.flush(i) {
					w.interval(one.at, i, one)
				}
			}
		}
	}
	sampling, stopSampling := context.WithCancel(context.WithoutCancel(ctx))
	var samples, loads sync.WaitGroup
	samples.Go(func() { _ = b.sampler.Run(sampling, sample) }) // it ends only when told to
	if j.Number > 0 {
		recorder.Begin(j.Profiles)
		measured.Store(true)
	}
	sample(b.sampler.Sample())
	for _, p := range parts {
		loads.Go(func() { p.run(ctx) })
	}
	loads.Wait()
	sample(b.sampler.Sample())
	measured.Store(false)
	var profiled profile.Part
	if j.Number > 0 {
		profiled = recorder.End()
	}
	stopSampling()
	samples.Wait()
	look.close()
	if failure := stop(); failure != nil {
		for _, p := range parts {
			p.env.Finding(failure.Error(), 1)
		}
	} else if ctx.Err() == nil {
		reportLeftGoroutines(ctx, parts, goroutines)
	}
	if j.Reference {
		figures = append(figures, measureReference())
	}
	outcomes := make([]outcome, len(parts))
	for i, p := range parts {
		outcomes[i] = p.env.outcome()
		outcomes[i].Failure, outcomes[i].Steered = p.failure, p.env.loads.TakeSteered()
		outcomes[i].Reference = append(outcomes[i].Reference, figures...)
	}
	return outcomes, profiled, nil
}

// measureReference carries out a round of reference works in this process.
func measureReference() reference.Figures {
	figures := reference.Measure()
	figures[reference.EntryMemory] = reference.EntryBytes() // measured once
	return figures
}

// attend says which parts commands are for from now on.
func (b *inProcess) setParts(parts []*partRun) {
	b.jobMu.Lock()
	b.parts = parts
	b.jobMu.Unlock()
	var runners []*load.Runner
	for _, p := range parts {
		runners = append(runners, p.env.loads)
	}
	b.control.SetRunners(runners)
}
