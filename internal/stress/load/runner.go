package load

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"mabeam-top/internal/stress/report"
)

// A Runner runs the loads of one step, one at a time, and counts their
// operations. While the loads are paused no operation starts, and no load begins.
// What a measurement does between its loads is not paused.
type Runner struct {
	// Meter observes how late the generators of open loads are.
	Meter LagMeter

	control  *Control
	counters counters
	earlier  atomic.Int64 // operations of the loads before the current one
	steered  atomic.Bool  // a load was paused, or its rate changed

	// Guarded by control.mu.
	watch    Stopwatch // of the current load
	arrivals *arrivals // of the open load that runs; nil if none does
}

// NewRunner returns a runner whose loads obey the control.
func NewRunner(c *Control) *Runner { return &Runner{control: c} }

// Run runs a load and returns when every operation that it started has ended: at
// its end, or soon after ctx ends. Errors of operations go to failed. While the
// load runs, during is in effect: it is called at the start, and what it returns
// at the end. Run returns false, and no load has run, if ctx ends before it
// begins.
func (r *Runner) Run(ctx context.Context, p *Prepared, op Operation, failed func(error), during func(context.Context) (end func())) (Result, bool) {
	before, lateBefore := r.counters.totals(), r.Meter.late.Load()
	r.earlier.Store(before.Attempted)
	settings := r.control.settings(p.Load)
	defer func() {
		if r.control.settings(p.Load) != settings || settings.rate != 1 {
			r.steered.Store(true)
		}
	}()
	if !r.begin(ctx, p.Load) {
		return Result{}, false
	}
	if p.IsOpen() {
		r.Meter.begin(before.Attempted)
		defer r.Meter.end()
	}
	end := during(ctx)
	r.carryOut(ctx, p, op, failed)
	took := r.watch.Elapsed()
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
	return result, true
}

// carryOut runs the workers of a load that has begun.
func (r *Runner) carryOut(ctx context.Context, p *Prepared, op Operation, failed func(error)) {
	defer r.setArrivals(nil)
	for i := range p.workers {
		w := &p.workers[i]
		w.cell, w.failed = &r.counters.cells[i%counterCells], failed
	}
	var work func(context.Context, *worker)
	if p.IsOpen() {
		open := newOpenLoad(r, op, p.FixedRate)
		defer open.waiter.close()
		work = open.work
	} else {
		work = (&closedLoad{Load: p.Load, operation: op, control: r.control, watch: r.watch}).work
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

// Steered reports whether a load was paused, or its rate changed.
func (r *Runner) Steered() bool { return r.steered.Load() }

// begin begins a load. While the loads are paused it waits. It returns false if
// ctx ends.
func (r *Runner) begin(ctx context.Context, l Load) bool {
	r.control.mu.Lock()
	defer r.control.mu.Unlock()
	if !r.control.waitWhilePaused(ctx) {
		return false
	}
	r.watch = r.control.start()
	if l.IsOpen() {
		r.arrivals = newArrivals(l.Stages)
	}
	return true
}

func (r *Runner) setArrivals(a *arrivals) {
	r.control.mu.Lock()
	defer r.control.mu.Unlock()
	r.arrivals = a
}

// dueNow returns how many operations of the open load that runs are due; 0 if
// none runs.
func (r *Runner) dueNow(now time.Time) int64 {
	r.control.mu.Lock()
	defer r.control.mu.Unlock()
	if r.arrivals == nil {
		return 0
	}
	return int64(r.arrivals.dueBy(r.watch.at(now)))
}

// A timetable says when operations of an open load are due, until the next change
// of the control.
type timetable struct {
	*arrivals
	origin  time.Time // of the arrivals
	version uint64    // of the control
	changed <-chan struct{}
}

// timetable returns the current timetable. While the loads are paused it waits. It
// returns false if ctx ends.
func (r *Runner) timetable(ctx context.Context, fixedRate bool) (timetable, bool) {
	c := r.control
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.waitWhilePaused(ctx) {
		return timetable{}, false
	}
	now := time.Now()
	at := r.watch.at(now)
	if !fixedRate && r.arrivals.factor != c.rate {
		r.arrivals = r.arrivals.scale(at, c.rate)
	}
	return timetable{arrivals: r.arrivals, origin: now.Add(-at), version: c.version.Load(), changed: c.changed}, true
}
