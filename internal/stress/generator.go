package stress

import (
	"context"
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
	wait *waiter
	// freeSince is since when a worker has been free at any time; zero if the
	// last one that was inside left none behind, which was at noneSince.
	freeSince, noneSince time.Time
	// What gathered while no worker was free is caught up with until then at the
	// latest. Of what was due before behind, only the time since then is the
	// generator's.
	catchUp, behind time.Time
}

func newGenerator(op operation, gate *gate, counters *loadCounters) *generator {
	return &generator{operation: op, start: time.Now(), gate: gate, counters: counters, door: make(chan struct{}, 1), wait: newWaiter()}
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
		w.begin()
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
	due, now, interval, ok := g.await(ctx)
	if !ok {
		return 0, time.Time{}, false
	}
	if now.Sub(g.pace.origin) > g.pace.elapsed+drainFor {
		// These were never begun: the system was too slow, unless a worker was
		// free in time.
		left := g.miss(w, now)
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

// miss gives up the operations that are left, and returns how many they are. They
// count as dropped, and in the latencies for as long as they have been due: without
// them the latencies of a load that collapses would end where the load was given up.
func (g *generator) miss(w *worker, now time.Time) (left int64) {
	count := g.pace.count()
	left = int64(count - g.next)
	w.cell.dropped.Add(left)
	step := 1 + int(left)/mostAges
	for ; g.next < count; g.next += step {
		if w.missed != nil {
			at, _ := g.pace.due(g.next)
			w.missed.recordTimes(now.Sub(g.pace.origin.Add(at)), int64(min(step, count-g.next)))
		}
	}
	g.next = count
	return left
}

// await waits until the next operation is due, for the worker that is inside. It
// returns when that was, the time now, and the interval to the operation after it;
// false if there is none left, or ctx has ended.
func (g *generator) await(ctx context.Context) (due, now time.Time, interval time.Duration, ok bool) {
	for {
		if g.pace.tempo == nil || g.pace.turn != g.gate.helm.turns.Load() {
			if g.pace, ok = g.gate.pace(ctx, g.next); !ok {
				return
			}
		}
		if g.next >= g.pace.count() {
			return due, now, 0, false
		}
		at, interval := g.pace.due(g.next)
		due = g.pace.origin.Add(at)
		if now, ok = g.wait.until(ctx, due, g.pace.turned); !ok {
			return due, now, 0, false
		}
		if g.pace.turn == g.gate.helm.turns.Load() {
			return due, now, interval, true
		}
	}
}
