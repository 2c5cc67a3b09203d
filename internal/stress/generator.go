package stress

import (
	"context"
	"runtime"
	"sync/atomic"
	"time"
)

// A generator starts the operations of an open load. Free workers line up at
// its door; the one inside waits until the next operation is due and then
// carries it out, while the next steps in.
type generator struct {
	operation operation
	start     time.Time
	gate      *gate
	counters  *loadCounters

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

func newGenerator(op operation, gate *gate, counters *loadCounters) *generator {
	return &generator{operation: op, start: time.Now(), gate: gate, counters: counters, door: make(chan struct{}, 1)}
}

// work carries out operations until none is left, or ctx ends.
func (g *generator) work(ctx context.Context, w *worker) {
	defer w.rest()
	// A worker is free from the start, even if it gets a processor later.
	for free := g.start; ; {
		n, due, ok := g.claim(ctx, w, free)
		if !ok {
			return
		}
		w.begin(due)
		err := g.operation(ctx, Op{Worker: w.id, N: n, Due: due})
		took := time.Since(due)
		if interrupted(ctx, err) {
			return
		}
		w.end(took, err)
		w.rest()
		free = due.Add(took)
	}
}

// claim waits for the next operation to be due, for a worker that has been
// free since then. It says false when there is none left, or ctx has ended.
func (g *generator) claim(ctx context.Context, w *worker, free time.Time) (n int, due time.Time, ok bool) {
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
		w.cell.dropped.Add(left)
		if g.freeSince.Before(due) {
			g.counters.late.Add(left)
		}
		return 0, time.Time{}, false
	}
	n = g.next
	g.next++
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
