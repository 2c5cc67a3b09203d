package load

import (
	"context"
	"sync/atomic"
	"time"
)

const (
	// lagShare is the share of the interval between operations by which an
	// operation can be late and still count as in time.
	lagShare = 0.1
	// lagFloor is the delay up to which an operation is never late. At high rates
	// no machine keeps to a tenth of the interval: waking an idle processor of a
	// virtual machine takes 35 to 75 µs at the median, and a hypervisor that
	// shares its processors takes them away for 1 to 4 ms a few times a second.
	// Below the floor the latencies include the delay, because they count from
	// due times, but the load is the one that was asked for: at 10,000/s its rate
	// over any 20 ms differs by a tenth at most.
	lagFloor = 2 * time.Millisecond
	// drainFor is how long after the end of an open load operations that were due
	// in time can still start.
	drainFor = time.Second
	// mostAges is how many different ages of operations that never started are
	// recorded. If there are more, neighbours get the age of the first of them.
	mostAges = 100_000
)

// An openLoad is an open load that runs. Free workers queue for its turn; the one
// that has the turn waits until the next operation is due and then carries it out,
// while the next worker takes the turn.
type openLoad struct {
	runner    *Runner
	operation Operation
	fixedRate bool
	start     time.Time

	turn   chan struct{} // has room for one worker
	queued atomic.Int64  // workers that wait for the turn
	// The worker that has the turn owns what follows.
	next      int
	timetable timetable
	waiter    *waiter
	// freeSince is since when some worker has been free at any time. It is zero
	// if the last worker that had the turn left no free one behind, at noneSince.
	freeSince, noneSince time.Time
	// The backlog from a time without a free worker should be gone at catchUp.
	// For operations that were due before behind, only the time since then counts
	// as the generator's delay.
	catchUp, behind time.Time
}

func newOpenLoad(r *Runner, op Operation, fixedRate bool) *openLoad {
	return &openLoad{runner: r, operation: op, fixedRate: fixedRate, start: time.Now(), turn: make(chan struct{}, 1), waiter: newWaiter()}
}

// work carries out operations until none is left, or ctx ends.
func (o *openLoad) work(ctx context.Context, w *worker) {
	defer w.rest()
	// A worker is free from the start, even if it gets a processor later.
	for free := o.start; ; {
		n, due, ok := o.claim(ctx, w, free)
		if !ok {
			return
		}
		w.begin()
		err := o.operation(ctx, Op{Worker: w.id, N: n, Due: due})
		took := time.Since(due)
		if interrupted(ctx, err) {
			return
		}
		w.end(took, err)
		w.rest()
		free = due.Add(took)
	}
}

// claim waits until the next operation is due, for a worker that has been free
// since a moment. It returns false when no operation is left, or ctx has ended.
func (o *openLoad) claim(ctx context.Context, w *worker, free time.Time) (n int, due time.Time, ok bool) {
	o.queued.Add(1)
	o.turn <- struct{}{}
	o.queued.Add(-1)
	if o.freeSince.IsZero() {
		o.freeSince, o.behind = free, free
		if again := free.Add(free.Sub(o.noneSince)); !o.noneSince.IsZero() && again.After(o.catchUp) {
			o.catchUp = again
		}
	}
	defer func() {
		if o.queued.Load() == 0 {
			o.freeSince, o.noneSince = time.Time{}, time.Now()
		}
		<-o.turn
	}()
	due, now, interval, ok := o.await(ctx)
	if !ok {
		return 0, time.Time{}, false
	}
	if now.Sub(o.timetable.origin) > o.timetable.elapsed+drainFor {
		// The rest never starts: the system was too slow, unless a worker was
		// free in time.
		left := o.miss(w, now)
		if o.freeSince.Before(due) {
			o.runner.Meter.CountLate(left)
		}
		return 0, time.Time{}, false
	}
	n = o.next
	o.next++
	o.countLag(due, now, interval)
	return n, due, true
}

// countLag counts by how much an operation starts late.
//
// While no worker was free, the system under test kept them all: the generator
// itself is late only by the time since. It may take as long again to start the
// backlog, one operation after the other.
func (o *openLoad) countLag(due, now time.Time, interval time.Duration) {
	since := due
	if o.behind.After(due) {
		since = o.behind
		if now.Before(o.catchUp) {
			o.behind = now
		}
	}
	lag := now.Sub(since)
	// Only the worker that has the turn raises it; the probes reset it to 0.
	if longest := &o.runner.counters.lag; int64(lag) > longest.Load() {
		longest.Store(int64(lag))
	}
	if lag > max(time.Duration(lagShare*float64(interval)), lagFloor) {
		o.runner.Meter.CountLate(1)
	}
}

// miss gives up the operations that are left, and returns their number. They count
// as dropped, and in the latencies with the time since they were due: otherwise the
// latencies of a load that collapses would end where the load was given up.
func (o *openLoad) miss(w *worker, now time.Time) (left int64) {
	count := o.timetable.count()
	left = int64(count - o.next)
	w.cell.dropped.Add(left)
	step := 1 + int(left)/mostAges
	for ; o.next < count; o.next += step {
		if w.missed != nil {
			at, _ := o.timetable.due(o.next)
			w.missed.recordTimes(now.Sub(o.timetable.origin.Add(at)), int64(min(step, count-o.next)))
		}
	}
	o.next = count
	return left
}

// await waits until the next operation is due, for the worker that has the turn.
// It returns when that was, the time now, and the interval to the operation after
// it; false if no operation is left, or ctx has ended.
func (o *openLoad) await(ctx context.Context) (due, now time.Time, interval time.Duration, ok bool) {
	for {
		if o.timetable.arrivals == nil || o.timetable.version != o.runner.control.version.Load() {
			if o.timetable, ok = o.runner.timetable(ctx, o.fixedRate); !ok {
				return
			}
		}
		if o.next >= o.timetable.count() {
			return due, now, 0, false
		}
		at, interval := o.timetable.due(o.next)
		due = o.timetable.origin.Add(at)
		if now, ok = o.waiter.until(ctx, due, o.timetable.changed); !ok {
			return due, now, 0, false
		}
		if o.timetable.version == o.runner.control.version.Load() {
			return due, now, interval, true
		}
	}
}
