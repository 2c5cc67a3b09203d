package load

import (
	"context"
	"math"
	"testing"
	"testing/synctest"
	"time"
)

// In an open load a stall of 200 ms shows in the latency of every operation that was due
// during it.
func TestOpenLoadCountsFromDue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		one := make(chan struct{}, 1) // one thing at a time, like an agent
		h, c, _ := runLoad(context.Background(), Load{Workers: 300, Stages: []Stage{{Rate: 1000, For: 2 * time.Second}}},
			func(_ context.Context, op Op) error {
				one <- struct{}{}
				defer func() { <-one }()
				if op.N == 500 {
					time.Sleep(200 * time.Millisecond)
				}
				return nil
			})
		if n := c.Operations().Succeeded; n != 2000 {
			t.Fatalf("%d of 2,000 operations", n)
		}
		if h.max != 200*time.Millisecond {
			t.Errorf("max %v, want 200 ms", h.max)
		}
		// 200 of the 2,000 were delayed, by 200 ms down to 1: the slowest
		// hundredth (20 of them) by more than 180.
		if p99 := h.Quantile(0.99); math.Abs(float64(p99-180*time.Millisecond)) > float64(4*time.Millisecond) {
			t.Errorf("p99 %v, want 180 ms", p99)
		}
		if p50 := h.Quantile(0.5); p50 > time.Microsecond {
			t.Errorf("p50 %v: those that were not delayed took no time", p50)
		}
		if c.Meter.late.Load() != 0 {
			t.Errorf("%d operations count as late", c.Meter.late.Load())
		}
	})
}

// A stall of all workers does not count as lag of the generator, neither while it lasts nor
// while the workers catch up.
func TestStallIsNotLag(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		h, c, _ := runLoad(context.Background(), Load{Workers: 10, Stages: []Stage{{Rate: 1000, For: time.Second}}},
			func(context.Context, Op) error {
				if at := time.Since(begin); at >= 500*time.Millisecond && at < 700*time.Millisecond {
					time.Sleep(time.Until(begin.Add(700 * time.Millisecond)))
				}
				return nil
			})
		if h.max != 200*time.Millisecond || c.Operations().Succeeded != 1000 {
			t.Errorf("max %v of %d operations, want 200 ms of 1,000", h.max, c.Operations().Succeeded)
		}
		if c.Meter.late.Load() != 0 || c.counters.lag.Load() != 0 {
			t.Errorf("%d operations count as late, by %v", c.Meter.late.Load(), time.Duration(c.counters.lag.Load()))
		}
	})
}

// Operations that never started because every worker was stuck count as dropped, and in the
// latencies with the time since they were due.
func TestOpenLoadCountsWhatNeverStarted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, c, _ := runLoad(context.Background(), Load{Workers: 10, Stages: []Stage{{Rate: 100, For: time.Second}}},
			func(context.Context, Op) error {
				time.Sleep(10 * time.Second)
				return nil
			})
		got := c.Operations()
		if got.Attempted != 100 || got.Succeeded != 10 || got.Dropped != 90 {
			t.Errorf("counted %+v", got)
		}
		if c.Meter.late.Load() != 0 {
			t.Errorf("%d operations count as late", c.Meter.late.Load())
		}
		// Ten took 10 s. The others were due at 100 to 990 ms, and were given up
		// when the first worker was free, at 10 s.
		mean := (10*10*time.Second + 90*10*time.Second - 90*545*time.Millisecond) / 100
		if h.Count() != 100 || h.min != 9010*time.Millisecond || h.max != 10*time.Second || (h.Mean()-mean).Abs() > time.Microsecond {
			t.Errorf("%d latencies from %v to %v, mean %v, want 100 with mean %v", h.Count(), h.min, h.max, h.Mean(), mean)
		}
		if p50, want := h.Quantile(0.5), 9500*time.Millisecond; (p50 - want).Abs() > want/100 {
			t.Errorf("p50 %v, want %v", p50, want)
		}
	})
}

// The generator counts operations that start late although a worker was free.
func TestGeneratorCountsLag(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		c := NewRunner(NewControl())
		c.begin(t.Context(), Load{Stages: []Stage{{Rate: 100, For: time.Second}}})
		g := newOpenLoad(c, nil, false)
		w := &worker{cell: &c.counters.cells[0]}
		time.Sleep(3 * time.Millisecond)
		if _, due, ok := g.claim(t.Context(), w, start.Add(-time.Second)); !ok || due != start {
			t.Fatalf("claimed %v, %v", due, ok)
		}
		if c.counters.lag.Load() != int64(3*time.Millisecond) || c.Meter.late.Load() != 1 {
			t.Errorf("3 ms late with an interval of 10 ms: lag %v, %d late", time.Duration(c.counters.lag.Load()), c.Meter.late.Load())
		}
		time.Sleep(8 * time.Millisecond) // the next was due 1 ms ago
		if _, _, ok := g.claim(t.Context(), w, start); !ok || c.Meter.late.Load() != 1 {
			t.Errorf("1 ms late with an interval of 10 ms: %d late", c.Meter.late.Load())
		}
		time.Sleep(20 * time.Millisecond)
		g.queued.Add(1) // another one comes free at the same moment, and waits
		if _, _, ok := g.claim(t.Context(), w, time.Now()); !ok || c.Meter.late.Load() != 1 {
			t.Errorf("all workers were busy until now: %d late", c.Meter.late.Load())
		}
		// That one has been free since then: the system under test has not kept
		// them all.
		time.Sleep(20 * time.Millisecond)
		if _, _, ok := g.claim(t.Context(), w, time.Now()); !ok || c.Meter.late.Load() != 2 {
			t.Errorf("20 ms late with a free worker: %d late", c.Meter.late.Load())
		}
		// What it never begins, although a worker was free, is dropped by it.
		time.Sleep(10 * time.Second)
		if _, _, ok := g.claim(t.Context(), w, start); ok || c.Meter.late.Load() != 2+96 || c.Operations().Dropped != 96 {
			t.Errorf("%d late and %d dropped, want all 96 that were left besides 2", c.Meter.late.Load(), c.Operations().Dropped)
		}
	})
}

// Starting the backlog after a stall of all workers does not count as lag, as long as the
// generator starts one operation after the other, and for no longer than the stall.
func TestGeneratorCatchesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		c := NewRunner(NewControl())
		c.begin(t.Context(), Load{Stages: []Stage{{Rate: 1000, For: time.Second}}})
		g := newOpenLoad(c, nil, false)
		w := &worker{cell: &c.counters.cells[0]}
		claim := func(free time.Time) {
			if _, _, ok := g.claim(t.Context(), w, free); !ok {
				t.Fatal("nothing to claim")
			}
		}
		claim(start)
		time.Sleep(50 * time.Millisecond) // the worker is kept
		free := time.Now()
		g.queued.Add(1) // and others wait from now on
		for range 60 {  // which takes 48 ms, in which 48 more are due
			claim(free)
			time.Sleep(800 * time.Microsecond)
		}
		if late := c.Meter.late.Load(); late != 0 {
			t.Errorf("%d late while it catches up", late)
		}
		for range 10 {
			claim(free)
			time.Sleep(3 * time.Millisecond) // the generator itself is slow
		}
		if late := c.Meter.late.Load(); late < 8 {
			t.Errorf("%d late of a generator that is slow for longer than the workers were kept", late)
		}
	})
}
