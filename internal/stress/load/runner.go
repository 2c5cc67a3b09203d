package load

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"mabeam-top/internal/stress/report"
)

// A Runner runs the loads of one step, one at a time, and counts their
// operations. What a measurement does between its loads is not paused.
//
// While the loads are paused no operation starts, and the runner's clock is
// stopped: in an open load at once, because its schedule stops too, and in a
// closed load once its last operation in flight has ended. A load that is about
// to begin waits.
type Runner struct {
	// Meter observes how late the generators of open loads are.
	Meter LagMeter

	control  *Control
	clock    Clock
	counters counters
	earlier  atomic.Int64 // operations of the loads before the current one

	// Guarded by control.mu.
	active  *activeLoad // nil if none runs
	rates   rateHistory // of the current load, or of the previous one; none of a closed load
	waiting bool        // a load is about to begin
	steered bool        // a load was paused, or its rate changed
}

// NewRunner returns a runner whose loads obey the control.
func NewRunner(c *Control) *Runner { return &Runner{control: c} }

// An activeLoad is the state of a load that runs.
type activeLoad struct {
	began time.Time // by the runner's clock
	// arrivals are those of an open load; nil of a closed one.
	arrivals  *arrivals
	fixedRate bool
	// working and parked count the workers of a closed load that carry out
	// operations, and those that wait because of a pause.
	working, parked int
}

// isAdjustable reports whether it is a load whose rate can change.
func (a *activeLoad) isAdjustable() bool { return a != nil && a.arrivals != nil && !a.fixedRate }

// Clock returns the clock of the loads.
func (r *Runner) Clock() *Clock { return &r.clock }

// Run runs a load and returns when every operation that it started has ended: at
// its end, or soon after ctx ends. Errors of operations go to failed. While the
// load runs, during is in effect: it is called at the start, and what it returns
// at the end. Run returns false, and no load has run, if ctx ends before it
// begins.
func (r *Runner) Run(ctx context.Context, p *Prepared, op Operation, failed func(error), during func(context.Context) (end func())) (Result, bool) {
	before, lateBefore := r.counters.totals(), r.Meter.late.Load()
	r.earlier.Store(before.Attempted)
	if !r.begin(ctx, p.Load) {
		return Result{}, false
	}
	start := r.clock.Now()
	if p.IsOpen() {
		r.Meter.begin(before.Attempted)
		defer r.Meter.end()
	}
	end := during(ctx)
	r.carryOut(ctx, p, op, failed)
	took := r.clock.Now().Sub(start)
	end()
	after := r.counters.totals()
	result := Result{Took: took, Late: r.Meter.late.Load() - lateBefore, Operations: report.Operations{
		Attempted: after.Attempted - before.Attempted, Succeeded: after.Succeeded - before.Succeeded,
		Failed: after.Failed - before.Failed, Dropped: after.Dropped - before.Dropped,
	}}
	if p.Recorder == nil {
		result.Latency = p.recorder.Total()
	}
	r.Meter.sample(after.Attempted)
	if result.Lagged() {
		result.Lag = r.Meter.diagnose(float64(result.Late) / float64(result.Attempted))
	}
	result.rates = r.rateHistory()
	return result, true
}

// carryOut runs the workers of a load that has begun.
func (r *Runner) carryOut(ctx context.Context, p *Prepared, op Operation, failed func(error)) {
	defer r.end()
	for i := range p.workers {
		w := &p.workers[i]
		w.cell, w.failed = &r.counters.cells[i%counterCells], failed
	}
	var work func(context.Context, *worker)
	if p.IsOpen() {
		open := newOpenLoad(r, op)
		defer open.waiter.close()
		work = open.work
	} else {
		work = (&closedLoad{Load: p.Load, operation: op, runner: r, start: r.clock.Now()}).work
	}
	var wg sync.WaitGroup
	for i := range p.workers {
		wg.Go(func() { work(ctx, &p.workers[i]) })
	}
	wg.Wait()
}

// Rehearse runs a load that nobody observes, so that what grows with the first
// load of its kind (pools, stacks) has grown before a measurement. It returns the
// first error of an operation, or that of ctx.
func Rehearse(ctx context.Context, l Load, op Operation) error {
	var first atomic.Pointer[error]
	r, p := NewRunner(NewControl()), &Prepared{Load: l, workers: newWorkers(l, nil)}
	if !r.begin(ctx, l) {
		return ctx.Err()
	}
	r.carryOut(ctx, p, op, func(err error) { first.CompareAndSwap(nil, &err) })
	if err := first.Load(); err != nil {
		return *err
	}
	return ctx.Err()
}

// Operations returns the operations of all loads so far. Attempted includes those
// in flight.
func (r *Runner) Operations() report.Operations { return r.counters.totals() }

// InFlight returns the number of operations in flight.
func (r *Runner) InFlight() int64 { return r.counters.inFlight() }

// Due returns how many operations of all loads were due by a moment: those that
// have started, and those of an open load that no worker was free for.
func (r *Runner) Due(now time.Time) int64 {
	return max(r.counters.totals().Attempted, r.earlier.Load()+r.dueNow(now))
}

// TakeLag returns the longest delay of a start since the previous call.
func (r *Runner) TakeLag() time.Duration { return time.Duration(r.counters.lag.Swap(0)) }

// SampleProcessors has the meter read how the processors are used.
func (r *Runner) SampleProcessors() { r.Meter.sample(r.counters.totals().Attempted) }

// TakeSteered reports whether a load was paused, or its rate changed, since the
// previous call.
func (r *Runner) TakeSteered() bool {
	r.control.mu.Lock()
	defer r.control.mu.Unlock()
	steered := r.steered
	r.steered = false
	return steered
}

// updateClock stops or starts the clock; the control's lock is held.
func (r *Runner) updateClock(now time.Time) {
	idle := r.waiting
	if a := r.active; a != nil {
		idle = a.arrivals != nil || a.working == 0 && a.parked > 0
	}
	stopped := idle && r.control.paused.Load()
	r.steered = r.steered || stopped
	r.clock.SetStopped(stopped, now)
	r.control.updateClock(now)
}

// begin begins a load. While the loads are paused it waits. It returns false if
// ctx ends.
func (r *Runner) begin(ctx context.Context, l Load) bool {
	c := r.control
	c.mu.Lock()
	defer c.mu.Unlock()
	r.waiting = true
	r.updateClock(time.Now())
	ok := c.waitUntilRunning(ctx)
	r.waiting = false
	now := time.Now()
	if ok {
		a := &activeLoad{began: r.clock.At(now), fixedRate: l.FixedRate, working: l.Workers}
		if l.IsOpen() {
			a.arrivals = newArrivals(l.Stages)
		}
		if a.isAdjustable() && c.rate != 1 {
			a.arrivals = a.arrivals.scale(0, c.rate)
			r.steered = true
		}
		r.active, r.rates = a, nil
		if a.arrivals != nil {
			r.rates.add(0, a.arrivals)
		}
	}
	r.updateClock(now)
	return ok
}

// end notes that the load has ended.
func (r *Runner) end() {
	r.control.mu.Lock()
	defer r.control.mu.Unlock()
	r.active = nil
	r.updateClock(time.Now())
}

// dueNow returns how many operations of the open load that runs are due; 0 if
// none runs.
func (r *Runner) dueNow(now time.Time) int64 {
	r.control.mu.Lock()
	defer r.control.mu.Unlock()
	if r.active == nil || r.active.arrivals == nil {
		return 0
	}
	return int64(r.active.arrivals.dueBy(r.clock.At(now).Sub(r.active.began)))
}

// rateHistory returns the rates of the load that ran last.
func (r *Runner) rateHistory() rateHistory {
	r.control.mu.Lock()
	defer r.control.mu.Unlock()
	return r.rates
}

// park keeps a worker of a closed load waiting while the loads are paused, or
// until ctx ends.
func (r *Runner) park(ctx context.Context) {
	c := r.control
	c.mu.Lock()
	defer c.mu.Unlock()
	for c.paused.Load() && ctx.Err() == nil {
		r.active.working--
		r.active.parked++
		r.updateClock(time.Now())
		resumed := c.waitForResume(ctx)
		select {
		case <-resumed: // SetPaused has counted the worker as working
		default:
			r.active.working++
			r.active.parked--
			r.updateClock(time.Now())
		}
	}
}

// leave notes that a worker of a closed load has ended its last operation.
func (r *Runner) leave() {
	r.control.mu.Lock()
	defer r.control.mu.Unlock()
	r.active.working--
	r.updateClock(time.Now())
}

// A timetable says when operations of an open load are due, until the next change
// of the control.
type timetable struct {
	*arrivals
	origin  time.Time // of the arrivals
	version uint64    // of the control
	changed <-chan struct{}
}

// timetable returns the timetable from operation next on. While the loads are
// paused it waits. It returns false if ctx ends.
func (r *Runner) timetable(ctx context.Context, next int) (timetable, bool) {
	c := r.control
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.waitUntilRunning(ctx) {
		return timetable{}, false
	}
	r.active.arrivals.forget(next)
	origin := r.active.began.Add(r.clock.missed(time.Now()))
	return timetable{arrivals: r.active.arrivals, origin: origin, version: c.version.Load(), changed: c.changed}, true
}
