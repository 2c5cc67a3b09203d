package stress

import (
	"context"
	"fmt"
	"math/rand/v2"
	"runtime/debug"
	"time"

	mabeam "mabeam-top/internal/runtime"
	"mabeam-top/internal/stress/fault"
	"mabeam-top/internal/stress/load"
	"mabeam-top/internal/stress/scenario"
	"mabeam-top/internal/stress/stream"
)

// A partRun is a part of a job that runs.
type partRun struct {
	env     *Env
	limit   time.Duration
	failure string
}

// newPartRun returns part i of a repetition. The seed is that of the scenario.
func newPartRun(r *repetition, i int, seed uint64, options mabeam.Options) *partRun {
	e, j := r.executor, r.job
	step := &e.plan.Scenarios[j.Scenario].Groups[j.Group][j.Parts[i].Step]
	seed = repetitionSeed(seed, step.Name, j.Number)
	env := &Env{
		Params: step.Params, Rand: rand.New(rand.NewPCG(seed, uint64(j.Number))),
		measurement: e.catalogue.Find(step.Measurement.Name), system: r.system, options: options, shared: len(j.Parts) > 1,
		watch: e.system.Store,
		began: time.Now().Add(-j.Parts[i].Elapsed), aborted: j.Parts[i].aborted, results: map[string]sample{},
		loads: load.NewRunner(e.control),
	}
	if j.Number == 0 {
		env.warmup, env.loadChanged, env.flush = step.Warmup, func(loadState) {}, func() {}
	} else {
		env.loadChanged = func(l loadState) { r.observer.loadChanged(time.Now(), i, l) }
		env.flush = func() { r.flush(i) }
		env.faults = fault.New(r.faults(step, env, seed))
	}
	if e.missingLimit != "" {
		env.Note(e.missingLimit, 1)
	}
	return &partRun{env: env, limit: j.Parts[i].Limit}
}

// faults returns the faults of a step.
func (r *repetition) faults(step *scenario.Step, env *Env, seed uint64) fault.Config {
	return fault.Config{
		Faults: step.Faults, Manual: r.executor.steerable, Control: r.executor.control, Seed: seed, System: r.system,
		Injected: func(kind scenario.FaultKind, target string, manual bool) {
			r.observer.event(time.Now(), stream.Event{Type: stream.FaultInjected, Fault: &stream.Fault{Step: step.Name, Fault: string(kind), Target: target, ByHand: manual}}, true)
		},
		Missed: env.Note,
		Refused: func(message string) {
			r.observer.event(time.Now(), stream.Event{Type: stream.Logged, Log: &stream.Log{Level: "warn", Message: step.Name + ": " + message, ByHand: true}}, true)
		},
	}
}

// run runs the measurement.
func (p *partRun) run(ctx context.Context) {
	limited, stop := ctx, func() {}
	if p.limit > 0 {
		limited, stop = context.WithTimeout(ctx, p.limit)
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
