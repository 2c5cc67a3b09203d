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

// A partRun is a step's part of a job while it is carried out.
type partRun struct {
	env     *Env
	limit   time.Duration
	failure string
}

func newPartRun(b *inProcess, j job, i int, seed uint64, system *mabeam.System, options mabeam.Options, w observer) *partRun {
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
		env.loadChanged = func(l loadState) { w.loadChanged(time.Now(), i, l) }
		env.faults = fault.New(fault.Config{
			Faults: step.Faults, Manual: b.steerable, Clock: env.loads.Clock(), Seed: seed, System: system,
			Injected: func(kind scenario.FaultKind, target string, manual bool) {
				w.event(time.Now(), stream.Event{Type: stream.FaultInjected, Fault: &stream.Fault{Step: step.Name, Fault: string(kind), Target: target, ByHand: manual}}, true)
			},
			Missed: env.Note,
			Refused: func(message string) {
				w.event(time.Now(), stream.Event{Type: stream.Logged, Log: &stream.Log{Level: "warn", Message: step.Name + ": " + message, ByHand: true}}, true)
			},
		})
	}
	if b.missingLimit != "" {
		env.Note(b.missingLimit, 1)
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
