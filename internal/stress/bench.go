package stress

import (
	"context"
	"fmt"
	"math/rand/v2"
	"runtime"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"mabeam-top/internal/probes"
	"mabeam-top/internal/stress/fault"
	"mabeam-top/internal/stress/scenario"

	mabeam "mabeam-top/internal/runtime"
	"mabeam-top/internal/stress/load"
	"mabeam-top/internal/stress/profile"
	"mabeam-top/internal/stress/reference"
	"mabeam-top/internal/stress/report"
	"mabeam-top/internal/stress/stream"
)

const (
	// stopWithin is how long a system may take to stop after its repetition.
	stopWithin = 10 * time.Second
	// abandonWithin is how long it may take when the run was interrupted.
	abandonWithin = 500 * time.Millisecond
)

// A rig is where repetitions are carried out, one at a time: in this process
// (a bench), or in one of their own (a child).
type rig interface {
	// run carries a job out and tells what goes on meanwhile. There is an
	// outcome for each part of the job. The error says that the repetition did
	// not come to its end; what is known of it is in the outcomes all the same.
	run(ctx context.Context, j job, w watcher) ([]outcome, profile.Part, error)
	// command does what a viewer asks of the load. It does not wait. The error
	// says why it is not done; what a process of its own cannot do, it logs.
	command(c stream.Command) error
	// close ends the rig and waits until nothing of it is left. The error says
	// what is left all the same.
	close() error
}

// A watcher is told what goes on while a job is carried out, by several
// goroutines at once.
type watcher interface {
	// pass passes an event on, which happened at that time. Measured says of a
	// sample that it was taken in the measured part.
	pass(at time.Time, e stream.Event, measured bool)
	// driving says that a part begins or ends a load.
	driving(at time.Time, part int, l loadState)
	// took says what a part's own load has done since the sample before.
	took(at time.Time, part int, i interval)
}

// A loadState says that a load begins, and which, or ends.
type loadState struct {
	Running bool `json:"on"`
	// Metrics are what it is for; none means all.
	Metrics []string `json:"metrics,omitempty"`
	// Draining says that no operation begins any more, and some are still under way.
	Draining bool `json:"draining,omitempty"`
	// Adjustable says that its rate can be changed manually.
	Adjustable bool `json:"follows,omitempty"`
}

// A job is one repetition of steps of a group, side by side on a fresh system.
type job struct {
	// Scenario and Group are places in the plan.
	Scenario int `json:"scenario"`
	Group    int `json:"group"`
	// Number is that of the repetition, from 1; 0 is the warm-up.
	Number   int           `json:"number"`
	Parts    []part        `json:"parts"`
	Profiles profile.Files `json:"profiles"`
	// Reference says that reference works are to be measured around the repetition.
	Reference bool `json:"reference,omitempty"`
}

// A part is a step's part of a job.
type part struct {
	Step int `json:"step"`
	// Elapsed is the step's own time before this repetition.
	Elapsed time.Duration `json:"elapsed"`
	// Limit is when a warm-up by time ends; 0 means that it does not.
	Limit time.Duration `json:"limit"`

	// aborted ends when a threshold ends the step's loads.
	aborted context.Context
}

// An outcome is what a repetition says of one step, at its end or so far.
type outcome struct {
	Results    map[string]sample `json:"results"`
	Operations report.Operations `json:"operations"`
	Errors     []report.Error    `json:"errors"`
	// Reference are the rounds of reference works around the repetition.
	Reference []reference.Figures `json:"reference,omitempty"`
	// Inconclusive says why the repetition is inconclusive.
	Inconclusive string `json:"inconclusive"`
	// Disturbed says that it is because the machine was busy with other things.
	Disturbed bool `json:"disturbed,omitempty"`
	// Steered says that its loads were held, or had another rate than planned.
	Steered bool `json:"steered,omitempty"`
	// Failure says why the measurement came to nothing. It is empty if the
	// repetition was cut off.
	Failure string `json:"failure"`
}

// A bench carries repetitions out in this process. The system, the probes and
// the loads belong to it.
type bench struct {
	plan      scenario.Plan
	catalogue Catalogue
	sampler   *probes.Sampler
	system    atomic.Pointer[mabeam.System] // what the probes read
	load      loadSource
	// lacking is what each step is told that this process could not be made
	// to be; empty for nothing.
	lacking string
	// steerable says that a viewer may disturb the loads.
	steerable bool
	control   *load.Control
	inspect   atomic.Pointer[stream.Inspect] // what a viewer wants to see

	jobMu sync.Mutex // guards parts
	parts []*partRun // of the running job, for commands
}

// newBench returns a bench for the plan's repetitions. Steerable says that a viewer
// may disturb the loads by hand. It fails only if the probes cannot be read.
func newBench(plan scenario.Plan, cat Catalogue, steerable bool) (*bench, error) {
	process, err := probes.Process()
	if err != nil {
		return nil, fmt.Errorf("read this process's probes: %w", err)
	}
	b := &bench{plan: plan, catalogue: cat, control: load.NewControl(), steerable: steerable}
	b.sampler = probes.New(scenario.SampleInterval,
		probes.GoMetrics(), process, probes.HostLoad(), probes.System(b.system.Load), &b.load)
	return b, nil
}

// close implements rig.
func (b *bench) close() error { return nil }

// run implements rig.
func (b *bench) run(ctx context.Context, j job, w watcher) (_ []outcome, _ profile.Part, err error) {
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
		within := stopWithin
		if ctx.Err() != nil {
			within = abandonWithin
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
	b.load.watch(parts)
	defer b.load.watch(nil)
	b.attend(parts)
	defer b.attend(nil)

	var recorder profile.Recorder
	var measured atomic.Bool
	var lookMu sync.Mutex
	var look looking
	defer look.close()
	sample := func(at time.Time, values map[string]float64) {
		lookMu.Lock() // the last sample of a repetition is taken by another goroutine
		defer lookMu.Unlock()
		// While the load is held there is nothing to measure.
		counts := measured.Load() && !b.control.Stopped()
		for i, intervals := range b.load.take() {
			for _, one := range intervals {
				if counts {
					w.took(one.at, i, one.with(values))
				}
			}
		}
		w.pass(at, stream.Event{Type: stream.SampleTaken, Sample: values, Inspection: b.look(&look, at)}, counts)
	}
	if j.Number > 0 {
		for i, p := range parts {
			p.env.flush = func() {
				lookMu.Lock() // in the order of time
				defer lookMu.Unlock()
				for _, one := range b.load.flush(i) {
					w.took(one.at, i, one)
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
		tellLeftBehind(ctx, parts, goroutines)
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

// leftWithin is how long goroutines of a system that has stopped may take to be gone.
const leftWithin = time.Second

// tellLeftBehind tells of goroutines that are there after the repetition's system has
// stopped and were not before it started. What keeps them, a system that counts its
// own goroutines cannot hide.
func tellLeftBehind(ctx context.Context, parts []*partRun, before int) {
	left := 0
	Settle(ctx, leftWithin, func() bool {
		left = Goroutines() - before
		return left > 0
	})
	if left <= 0 {
		return
	}
	for _, p := range parts {
		p.env.Finding("goroutines are still there after the system was stopped that were not before it started", int64(left))
	}
}

// attend says which parts commands are for from now on.
func (b *bench) attend(parts []*partRun) {
	b.jobMu.Lock()
	b.parts = parts
	b.jobMu.Unlock()
	var runners []*load.Runner
	for _, p := range parts {
		runners = append(runners, p.env.loads)
	}
	b.control.SetRunners(runners)
}

// A partRun is a step's part of a job while it is carried out.
type partRun struct {
	env     *Env
	limit   time.Duration
	failure string
}

func newPartRun(b *bench, j job, i int, seed uint64, system *mabeam.System, options mabeam.Options, w watcher) *partRun {
	own := j.Parts[i]
	step := &b.plan.Scenarios[j.Scenario].Groups[j.Group][own.Step]
	seed = repetitionSeed(seed, step.Name, j.Number)
	env := &Env{
		Params: step.Params, Rand: rand.New(rand.NewPCG(seed, uint64(j.Number))),
		measurement: b.catalogue.Find(step.Measurement.Name), system: system, options: options, shared: len(j.Parts) > 1,
		watch: func(other *mabeam.System) { b.system.Store(other) },
		began: time.Now().Add(-own.Elapsed), aborted: own.aborted, results: map[string]sample{},
		loads: load.NewRunner(b.control),
	}
	env.loadChanged, env.flush = func(loadState) {}, func() {}
	if j.Number == 0 {
		env.warmup = step.Warmup
	} else {
		env.loadChanged = func(l loadState) { w.driving(time.Now(), i, l) }
		env.faults = fault.New(fault.Config{
			Faults: step.Faults, Manual: b.steerable, Clock: env.loads.Clock(), Seed: seed, System: system,
			Injected: func(kind scenario.FaultKind, target string, manual bool) {
				w.pass(time.Now(), stream.Event{Type: stream.FaultInjected, Fault: &stream.Fault{Step: step.Name, Fault: string(kind), Target: target, ByHand: manual}}, true)
			},
			Missed: env.Note,
			Refused: func(message string) {
				w.pass(time.Now(), stream.Event{Type: stream.Logged, Log: &stream.Log{Level: "warn", Message: step.Name + ": " + message, ByHand: true}}, true)
			},
		})
	}
	if b.lacking != "" {
		env.Note(b.lacking, 1)
	}
	return &partRun{env: env, limit: own.Limit}
}

// run carries the part out.
func (p *partRun) run(ctx context.Context) {
	limited, stop := ctx, func() {}
	if p.limit > 0 {
		limited, stop = p.env.loads.Clock().WithTimeout(ctx, p.limit, context.DeadlineExceeded)
	}
	defer stop()
	p.env.cutOff = ctx
	err := p.measure(limited)
	p.env.faults.Finish()
	if err != nil && limited.Err() == nil {
		p.failure = err.Error()
	}
}

// measure calls the measurement; a panic in it is its error.
func (p *partRun) measure(ctx context.Context) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("measurement %s panicked: %v\n%s", p.env.measurement.Name, v, debug.Stack())
		}
	}()
	return p.env.measurement.Run(ctx, p.env)
}

// systemOptions returns the runtime's options for a system of this kind.
func systemOptions(s scenario.System) (mabeam.Options, error) {
	policy, err := mabeam.ParseQueuePolicy(s.BusPolicy)
	return mabeam.Options{MaxAgents: s.MaxAgents, Mailbox: s.Mailbox, BusQueue: s.Mailbox, BusPolicy: policy}, err
}
