package stress

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

// ErrDropped marks an operation that was thrown away before it was carried
// out, for lack of room; it counts as dropped instead of failed.
var ErrDropped = errors.New("dropped")

// A Load says when operations are started. It is closed or open.
//
// In a closed load (no Stages), each of Workers starts an operation when its
// last one has ended; latency leaves out any waiting to start. In an open load
// operations are due by the clock, whatever the answers, and latency counts
// from when one was due: a stall is seen by all it delays.
type Load struct {
	// Workers is how many operations may be under way at once.
	Workers int
	// Operations bounds a closed load by their number; 0 means no bound.
	Operations int
	// For bounds a closed load by time; 0 means no bound.
	For time.Duration
	// Stages are the rates of an open load, one after the other.
	Stages []Stage

	// Steady says that the rate of an open load is not to be changed by hand:
	// the measurement looks for one by itself.
	Steady bool
	// Metrics are what this load is for, of the metrics that probes show:
	// thresholds that have to hold in every window are watched on these while
	// it runs. None means all.
	Metrics []string
	// MayLag says that an open load which the generator itself cannot deliver
	// does not make the step inconclusive: the measurement looks at Driven.Late
	// and judges by itself.
	MayLag bool
	// Recorder collects latencies. If it is nil, Drive records each operation
	// from its due time to its end; otherwise the operations record what they
	// find in it themselves.
	Recorder *Recorder
}

// An Op says which operation of a load is to be carried out.
type Op struct {
	// Worker carries it out: 0 to Workers-1.
	Worker int
	// N counts the load's operations from 0.
	N int
	// Due is when it should start: by the schedule of an open load, and as
	// soon as its worker is free in a closed one.
	Due time.Time
}

// An operation carries out one operation of a load. It is called by several
// workers at once.
type operation func(context.Context, Op) error

const (
	// lagShare is the share of the interval between operations by which the
	// generator may be late.
	lagShare = 0.1
	// lagFloor is what no machine keeps to with certainty: a hypervisor that
	// shares its processors takes them away for one to four milliseconds a few
	// times a second. Below it, being late is in the measured latency, which
	// counts from the due time, but does not make the load another one than was
	// asked for.
	lagFloor = 2 * time.Millisecond
	// lateShare is the share of the operations that may be late.
	lateShare = 0.01
	// leastMargin and mostMargin bound how long before an operation is due the
	// generator stops to sleep, and yields instead.
	leastMargin, mostMargin = 100 * time.Microsecond, 10 * time.Millisecond
	// drainFor is how long, after an open load's end, operations that were
	// due in time may still be started.
	drainFor = time.Second
)

// loadCounters are what a running load tells the probes.
type loadCounters struct {
	offered, succeeded, failed, dropped, inflight atomic.Int64
	// lag is the largest delay, in nanoseconds, by which the generator
	// started an operation too late since the probes looked last.
	lag atomic.Int64
	// late counts the operations that the generator started too late.
	late atomic.Int64
}

// drive carries the load out, which has begun to pass the gate, and returns when
// every operation it started has ended: at its end, or soon after ctx ends.
func (l Load) drive(ctx context.Context, op operation, shards []*Shard, counters *loadCounters, gate *gate, fail func(error)) {
	end := func(err error) {
		counters.inflight.Add(-1)
		switch {
		case err == nil:
			counters.succeeded.Add(1)
		case errors.Is(err, ErrDropped):
			counters.dropped.Add(1)
		default:
			counters.failed.Add(1)
			fail(err)
		}
	}
	defer gate.end()
	var wg sync.WaitGroup
	defer wg.Wait()
	if len(l.Stages) > 0 {
		g := newGenerator(gate, counters)
		for worker := range l.Workers {
			wg.Go(func() { g.work(ctx, worker, op, shards[worker], end) })
		}
		return
	}
	var next atomic.Int64
	start := gate.clock.now()
	for worker := range l.Workers {
		shard := shards[worker]
		wg.Go(func() {
			defer gate.leave()
			began := time.Now()
			for {
				if gate.helm.held.Load() {
					gate.park(ctx)
					began = time.Now()
				}
				if ctx.Err() != nil || l.For > 0 && gate.clock.at(began).Sub(start) >= l.For {
					return
				}
				n := int(next.Add(1)) - 1
				if l.Operations > 0 && n >= l.Operations {
					return
				}
				counters.offered.Add(1)
				counters.inflight.Add(1)
				err := op(ctx, Op{Worker: worker, N: n, Due: began})
				now := time.Now()
				if interrupted(ctx, err) {
					counters.inflight.Add(-1)
					counters.offered.Add(-1) // cut off by us, so it says nothing
					return
				}
				shard.record(now.Sub(began))
				end(err)
				if err != nil {
					now = time.Now() // counting an error takes its time
				}
				// An operation begins when the one before has ended: one look
				// at the clock for both.
				began = now
			}
		})
	}
}

// interrupted says whether an operation failed because its load was stopped.
func interrupted(ctx context.Context, err error) bool {
	return err != nil && ctx.Err() != nil
}

// A generator starts the operations of an open load. Free workers line up at
// its door; the one inside waits until the next operation is due and then
// carries it out, while the next steps in.
type generator struct {
	start    time.Time
	gate     *gate
	counters *loadCounters

	door  chan struct{} // has room for the one who is inside
	ready atomic.Int64  // workers that wait at the door
	// These are of who is inside.
	next int
	pace pace
	wait waiter
	// freeSince is since when a worker has been free at any time; zero if the
	// last one that was inside left none behind, which was at noneSince.
	freeSince, noneSince time.Time
	// What gathered while no worker was free is caught up with until then at the
	// latest. Of what was due before behind, only the time since then is the
	// generator's.
	catchUp, behind time.Time
}

func newGenerator(gate *gate, counters *loadCounters) *generator {
	return &generator{start: time.Now(), gate: gate, counters: counters, door: make(chan struct{}, 1)}
}

func (g *generator) work(ctx context.Context, worker int, op operation, shard *Shard, end func(error)) {
	// A worker is free from the start, even if it gets a processor later.
	for free := g.start; ; free = time.Now() {
		n, due, ok := g.claim(ctx, free)
		if !ok {
			return
		}
		g.counters.inflight.Add(1)
		err := op(ctx, Op{Worker: worker, N: n, Due: due})
		if interrupted(ctx, err) {
			g.counters.inflight.Add(-1)
			g.counters.offered.Add(-1)
			return
		}
		shard.record(time.Since(due))
		end(err)
	}
}

// claim waits for the next operation to be due, for a worker that has been
// free since then. It says false when there is none left, or ctx has ended.
func (g *generator) claim(ctx context.Context, free time.Time) (n int, due time.Time, ok bool) {
	g.ready.Add(1)
	g.door <- struct{}{}
	g.ready.Add(-1)
	if g.freeSince.IsZero() {
		g.freeSince, g.behind = free, free
		if again := free.Add(free.Sub(g.noneSince)); !g.noneSince.IsZero() && again.After(g.catchUp) {
			g.catchUp = again
		}
	}
	defer func() {
		if g.ready.Load() == 0 {
			g.freeSince, g.noneSince = time.Time{}, time.Now()
		}
		<-g.door
	}()
	due, interval, ok := g.await(ctx)
	if !ok {
		return 0, time.Time{}, false
	}
	now := time.Now()
	if now.Sub(g.pace.origin) > g.pace.elapsed+drainFor {
		// These were never begun: the system was too slow, unless a worker was
		// free in time.
		left := int64(g.pace.count() - g.next)
		g.next = g.pace.count()
		g.counters.offered.Add(left)
		g.counters.dropped.Add(left)
		if g.freeSince.Before(due) {
			g.counters.late.Add(left)
		}
		return 0, time.Time{}, false
	}
	n = g.next
	g.next++
	g.counters.offered.Add(1)
	// While no worker was free, the system under test kept them all: the
	// generator is late by itself only for the time since. To begin what gathered
	// meanwhile, one after the other, takes its time too, for which it has as long
	// again.
	since := due
	if g.behind.After(due) {
		since = g.behind
		if now.Before(g.catchUp) {
			g.behind = now
		}
	}
	lag := now.Sub(since)
	// Only who is inside raises it; the probes set it back to 0.
	if int64(lag) > g.counters.lag.Load() {
		g.counters.lag.Store(int64(lag))
	}
	if lag > max(time.Duration(lagShare*float64(interval)), lagFloor) {
		g.counters.late.Add(1)
	}
	return n, due, true
}

// await waits until the next operation is due, for who is inside, and tells when
// that was and the interval to the one after it. It says false when there is
// none left, or ctx has ended.
func (g *generator) await(ctx context.Context) (due time.Time, interval time.Duration, ok bool) {
	for {
		if g.pace.tempo == nil || g.pace.turn != g.gate.helm.turns.Load() {
			if g.pace, ok = g.gate.pace(ctx, g.next); !ok {
				return time.Time{}, 0, false
			}
		}
		if g.next >= g.pace.count() {
			return time.Time{}, 0, false
		}
		at, interval := g.pace.due(g.next)
		due := g.pace.origin.Add(at)
		if !g.wait.until(ctx, due, g.pace.turned) {
			return time.Time{}, 0, false
		}
		if g.pace.turn == g.gate.helm.turns.Load() {
			return due, interval, true
		}
	}
}

// A waiter waits for points in time. Sleep ends too late, by a tenth of a
// millisecond on one machine and by five on a virtual one whose processors have
// to be woken: a waiter learns by how much, and yields for that long instead of
// sleeping. It is for one goroutine at a time.
type waiter struct {
	margin time.Duration // how long before the time it stops to sleep
}

// until returns at the given time, or before when turned is closed, or says
// false when ctx ends before. It does not yield where the clock stands still
// meanwhile, as a coarse or synthetic one does.
func (w *waiter) until(ctx context.Context, at time.Time, turned <-chan struct{}) bool {
	var last time.Time
	for ctx.Err() == nil {
		select {
		case <-turned:
			return true
		default:
		}
		w.margin = max(w.margin, leastMargin)
		now := time.Now()
		wait := at.Sub(now)
		switch {
		case wait <= 0:
			return true
		case wait > w.margin:
			if sleepUnless(ctx, wait-w.margin, turned) {
				w.learn(time.Since(now) - (wait - w.margin))
			}
		case now.Equal(last):
			sleepUnless(ctx, wait, turned)
		default:
			last = now
			runtime.Gosched()
		}
	}
	return false
}

// learn takes note that a sleep ended too late by so much. The margin grows at
// once, because a late operation is worse than some idling, and shrinks slowly.
func (w *waiter) learn(late time.Duration) {
	if late > w.margin/2 {
		w.margin = min(2*late, mostMargin)
		return
	}
	w.margin -= (w.margin - leastMargin) / 64
}

// Sleep waits, or says false when ctx ends before.
func Sleep(ctx context.Context, d time.Duration) bool { return sleepUnless(ctx, d, nil) }

// sleepUnless waits, or says false when ctx ends or turned is closed before.
func sleepUnless(ctx context.Context, d time.Duration, turned <-chan struct{}) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-turned:
	case <-ctx.Done():
	}
	return false
}
