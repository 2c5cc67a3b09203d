package stress

import (
	"context"
	"slices"
	"time"

	"mabeam-top/internal/probes/probe"
	"mabeam-top/internal/stress/load"
	"mabeam-top/internal/stress/scenario"
)

// A PreparedLoad is a load of a step that can run once. All the memory that its
// recording takes is allocated, so a measurement of memory around Run does not see
// it.
type PreparedLoad struct {
	env  *Env
	load *load.Prepared
}

// PrepareLoad prepares a load.
func (e *Env) PrepareLoad(l load.Load) *PreparedLoad {
	if e.warmup.Operations > 0 {
		l = l.Limit(e.warmup.Operations)
	}
	return &PreparedLoad{e, l.Prepare()}
}

// RunLoad prepares a load and runs it.
func (e *Env) RunLoad(ctx context.Context, l load.Load, op load.Operation) (load.Result, error) {
	return e.PrepareLoad(l).Run(ctx, op)
}

// Run runs the load and adds its operations to those of the step. A measurement
// runs one load at a time. The probes show it while it runs. Errors of operations
// are counted by their message. A threshold can end the load early; then what was
// measured so far counts. Run returns an error only if ctx has ended.
func (p *PreparedLoad) Run(ctx context.Context, op load.Operation) (load.Result, error) {
	e := p.env
	loading, stop := context.WithCancel(ctx)
	defer stop()
	defer context.AfterFunc(e.aborted, stop)()
	defer e.observeLoad(p.load)()
	if e.Aborted() {
		return load.Result{Latency: load.NewHistogram()}, ctx.Err()
	}
	result, ran := e.loads.Run(loading, p.load, op, e.Failed, e.faults.During)
	if !ran {
		return load.Result{Latency: load.NewHistogram()}, ctx.Err()
	}
	e.mu.Lock()
	e.operations.Add(result.Operations)
	e.ended.Add(result.Operations)
	e.mu.Unlock()
	if !p.load.MayLag {
		e.judgeDelivery(result)
	}
	return result, ctx.Err()
}

// observeLoad makes the probes and the windows observe a load until end is called.
func (e *Env) observeLoad(l *load.Prepared) (end func()) {
	e.flush() // what was before does not belong to this load
	e.mu.Lock()
	if r := l.Latencies(); !slices.Contains(e.recorders, r) {
		e.recorders = append(e.recorders, r)
	}
	e.mu.Unlock()
	e.loadChanged(loadState{Running: true, Metrics: l.Metrics, Adjustable: l.IsAdjustable()})
	return func() {
		e.flush() // up to here
		if l.Recorder == nil {
			e.Drained()
			return
		}
		e.loadChanged(loadState{Draining: true, Metrics: l.Metrics})
	}
}

// judgeDelivery makes the repetition inconclusive if the load was not delivered
// through no fault of the system under test.
func (e *Env) judgeDelivery(r load.Result) {
	if r.Lag.Cause == load.SystemUnderTest {
		e.Note("the load generator was late because of the system under test: "+r.Lag.String(), 1)
	}
	if r.Undelivered() {
		e.inconclude(r.Lag.String(), r.Lag.Cause == load.OtherPrograms)
	}
}

// Drained ends the observation of a load whose operations record their latencies
// themselves: the measurement calls it when the last of them has ended.
func (e *Env) Drained() {
	e.flush()
	e.loadChanged(loadState{})
	e.mu.Lock()
	defer e.mu.Unlock()
	e.recorders = nil
}

// Due returns how many operations of all loads so far were due by now.
func (e *Env) Due() int64 { return e.loads.Due(time.Now()) }

// LoadOf returns the load that the parameters describe. A closed load without a
// duration has that many operations.
func LoadOf(p scenario.Params, operations int) load.Load {
	l := load.Load{Workers: p.Int("concurrency")}
	for _, s := range p.Stages("stages") {
		l.Stages = append(l.Stages, load.Stage(s))
	}
	if p.Has("duration") {
		l.For = p.Duration("duration")
	} else {
		l.Operations = operations
	}
	if p.Has("rate") {
		l.Stages = []load.Stage{{Rate: p.Float("rate"), For: l.For}}
	}
	if l.IsOpen() {
		l.Workers = max(l.Workers, load.MinOpenWorkers)
		l.For, l.Operations = 0, 0
	}
	return l
}

// Supply replaces a probe, for thresholds with a window, by what the measurement counts
// itself: the probe of the system includes other steps. Read returns the count since the
// repetition began.
func (e *Env) Supply(name probe.Name, read func() int64) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.supplied == nil {
		e.supplied = map[probe.Name]func() int64{}
	}
	e.supplied[name] = read
}
