package stress

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"mabeam-top/internal/probes/probe"
	mabeam "mabeam-top/internal/runtime"
	"mabeam-top/internal/stress/inspect"
	"mabeam-top/internal/stress/profile"
	"mabeam-top/internal/stress/reference"
	"mabeam-top/internal/stress/resources"
	"mabeam-top/internal/stress/scenario"
	"mabeam-top/internal/stress/stream"
)

// A repetition is a job that runs in this process.
type repetition struct {
	executor *inProcess
	job      job
	observer observer
	system   *mabeam.System
	parts    []*partRun
	stopped  bool        // the system is
	measured atomic.Bool // samples belong to the measured part

	mu        sync.Mutex // one sample at a time, in the order of time
	inspector inspect.Inspector
}

// start starts a system for a job.
func (e *inProcess) start(ctx context.Context, j job, o observer) (*repetition, error) {
	s := &e.plan.Scenarios[j.Scenario]
	options, err := systemOptions(s.System)
	if err != nil {
		return nil, err
	}
	system, err := mabeam.Start(ctx, options)
	if err != nil {
		return nil, err
	}
	e.system.Store(system)
	r := &repetition{executor: e, job: j, observer: o, system: system, parts: make([]*partRun, len(j.Parts))}
	for i := range r.parts {
		r.parts[i] = newPartRun(r, i, s.Seed, options)
	}
	e.setParts(r.parts)
	return r, nil
}

// systemOptions returns the runtime's options for a system.
func systemOptions(s scenario.System) (mabeam.Options, error) {
	policy, err := mabeam.ParseQueuePolicy(s.BusPolicy)
	return mabeam.Options{MaxAgents: s.MaxAgents, Mailbox: s.Mailbox, BusQueue: s.Mailbox, BusPolicy: policy}, err
}

// measure runs all parts to their end while the probes are sampled.
func (r *repetition) measure(ctx context.Context) (profiled profile.Part) {
	sampling, stop := context.WithCancel(context.WithoutCancel(ctx))
	var samples, parts sync.WaitGroup
	samples.Go(func() { _ = r.executor.sampler.Run(sampling, r.sample) }) // its only error is that of the context
	var recorder profile.Recorder
	if r.job.Number > 0 {
		recorder.Begin(r.job.Profiles)
		r.measured.Store(true)
	}
	r.sample(r.executor.sampler.Sample())
	for _, p := range r.parts {
		parts.Go(func() { p.run(ctx) })
	}
	parts.Wait()
	r.sample(r.executor.sampler.Sample())
	r.measured.Store(false)
	if r.job.Number > 0 {
		profiled = recorder.End()
	}
	stop()
	samples.Wait()
	r.inspector.Close()
	return profiled
}

// sample passes a sample on, and the intervals of the loads that it ends.
func (r *repetition) sample(at time.Time, values probe.Sample) {
	r.mu.Lock() // another goroutine takes the last sample of a repetition
	defer r.mu.Unlock()
	// While the loads are paused there is nothing to measure.
	measured := r.measured.Load() && !r.executor.control.Paused()
	for part, intervals := range r.executor.loads.take() {
		for _, i := range intervals {
			if measured {
				r.observer.interval(i.at, part, i.with(values))
			}
		}
	}
	r.observer.event(at, stream.Event{Type: stream.SampleTaken, Sample: values, Inspection: r.inspect(at)}, measured)
}

// flush passes on the intervals of a part up to now.
func (r *repetition) flush(part int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, i := range r.executor.loads.flush(part) {
		r.observer.interval(i.at, part, i)
	}
}

// inspect returns what a viewer wants to see of the system, or nil if that is
// nothing or it is too soon.
func (r *repetition) inspect(now time.Time) *stream.Inspection {
	request := r.executor.inspectRequest.Load()
	if request == nil || *request == (stream.Inspect{}) {
		r.inspector.Close()
		return nil
	}
	return r.inspector.Inspect(r.executor.system.Load(), *request, now)
}

// stop stops the system.
func (r *repetition) stop(ctx context.Context) error {
	timeout := stopTimeout
	if ctx.Err() != nil {
		timeout = abandonTimeout
	}
	stopping, cancel := context.WithTimeout(context.WithoutCancel(ctx), timeout)
	defer cancel()
	r.stopped = true
	if err := r.system.Stop(stopping); err != nil && ctx.Err() == nil {
		return fmt.Errorf("the system did not stop: %w", err)
	}
	return nil
}

// close releases what the repetition holds, also if something in it panicked.
func (r *repetition) close(ctx context.Context) {
	r.inspector.Close()
	r.executor.setParts(nil)
	r.executor.system.Store(nil)
	if !r.stopped {
		_ = r.stop(ctx)
	}
}

// checkGoroutines finds goroutines that the system left behind: those that were
// not there before it started. It uses the count of the process, so a system that
// counts its own goroutines cannot hide them.
func (r *repetition) checkGoroutines(ctx context.Context, before int) {
	left := 0
	resources.WaitWhile(ctx, func() bool {
		left = resources.Goroutines() - before
		return left > 0
	})
	if left > 0 {
		r.addFinding("goroutines that the system started are still running after it stopped", int64(left))
	}
}

func (r *repetition) addFinding(message string, count int64) {
	for _, p := range r.parts {
		p.env.Finding(message, count)
	}
}

// outcomes returns the outcomes of all parts, with figures of reference works.
func (r *repetition) outcomes(figures []reference.Figures) []outcome {
	all := make([]outcome, len(r.parts))
	for i, p := range r.parts {
		all[i] = p.env.outcome()
		all[i].Failure, all[i].Steered = p.failure, p.env.loads.Steered()
		all[i].Reference = append(all[i].Reference, figures...)
	}
	return all
}
