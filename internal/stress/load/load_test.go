package load

import (
	"context"
	"errors"
	"math"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"
)

func TestSchedule(t *testing.T) {
	for _, c := range []struct {
		name   string
		stages []Stage
		count  int
		due    map[int]time.Duration
	}{
		{
			"even",
			[]Stage{{Rate: 100, For: 2 * time.Second}},
			200,
			map[int]time.Duration{0: 0, 1: 10 * time.Millisecond, 199: 1990 * time.Millisecond},
		},
		{
			"two stages",
			[]Stage{{Rate: 10, For: time.Second}, {Rate: 100, For: time.Second}},
			110,
			map[int]time.Duration{9: 900 * time.Millisecond, 10: time.Second, 11: 1010 * time.Millisecond, 109: 1990 * time.Millisecond},
		},
		{ // n = 50 t², so t = sqrt(n/50)
			"ramp from nothing",
			[]Stage{{Rate: 100, For: time.Second, Ramp: true}},
			50,
			map[int]time.Duration{0: 0, 2: 200 * time.Millisecond, 8: 400 * time.Millisecond, 32: 800 * time.Millisecond},
		},
		{ // from 100 down to 0 in a second: n = 100 t − 50 t²
			"ramp down",
			[]Stage{{Rate: 100, For: time.Second}, {Rate: 0, For: time.Second, Ramp: true}},
			150,
			map[int]time.Duration{100: time.Second, 118: 1200 * time.Millisecond, 148: 1800 * time.Millisecond},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newArrivals(c.stages)
			if n := s.count(); n != c.count {
				t.Errorf("%d operations, want %d", n, c.count)
			}
			for n, want := range c.due {
				if at, _ := s.due(n); (at - want).Abs() > time.Microsecond {
					t.Errorf("operation %d is due at %v, want %v", n, at, want)
				}
			}
		})
	}
}

// Due times never fall and never leave the schedule, and the rate is kept.
func TestScheduleIsInOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		stages := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) Stage {
			return Stage{
				Rate: rapid.Float64Range(0.5, 10_000).Draw(t, "rate"),
				For:  time.Duration(rapid.Int64Range(int64(time.Millisecond), int64(2*time.Second)).Draw(t, "for")),
				Ramp: rapid.Bool().Draw(t, "ramp"),
			}
		}), 1, 4).Draw(t, "stages")
		s := newArrivals(stages)
		last := time.Duration(0)
		for n := range min(s.count(), 5000) {
			at, interval := s.due(n)
			if at < last-time.Microsecond || at > s.elapsed+time.Microsecond || interval < 0 {
				t.Fatalf("operation %d of %d is due at %v (interval %v), after one at %v; the schedule ends at %v", n, s.count(), at, interval, last, s.elapsed)
			}
			last = at
		}
	})
}

// runLoad runs a load and returns what became of it.
func runLoad(ctx context.Context, l Load, op Operation) (*Histogram, *Runner, []error) {
	var mu sync.Mutex
	var errs []error
	r, p := NewRunner(NewControl()), l.Prepare()
	r.begin(ctx, l)
	r.carryOut(ctx, p, op, func(err error) {
		mu.Lock()
		defer mu.Unlock()
		errs = append(errs, err)
	})
	return p.recorder.Total(), r, errs
}

func TestClosedLoadCounts(t *testing.T) {
	failure := errors.New("failure")
	var seen [100]atomic.Int32
	h, c, errs := runLoad(context.Background(), Load{Workers: 7, Operations: 100}, func(_ context.Context, op Op) error {
		seen[op.N].Add(1)
		switch op.N % 10 {
		case 3:
			return failure
		case 5:
			return ErrDropped
		}
		return nil
	})
	for n := range seen {
		if seen[n].Load() != 1 {
			t.Errorf("operation %d was carried out %d times", n, seen[n].Load())
		}
	}
	got := c.Operations()
	if got.Attempted != 100 || got.Succeeded != 80 || got.Failed != 10 || got.Dropped != 10 || c.InFlight() != 0 {
		t.Errorf("counted %+v, %d under way", got, c.InFlight())
	}
	if h.Count() != 100 || len(errs) != 10 {
		t.Errorf("%d recorded, %d errors", h.Count(), len(errs))
	}
}

func TestClosedLoadForATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, c, _ := runLoad(context.Background(), Load{Workers: 4, For: time.Second}, func(context.Context, Op) error {
			time.Sleep(2 * time.Millisecond)
			return nil
		})
		if n := c.Operations().Succeeded; n != 4*500 {
			t.Errorf("%d operations of 2 ms by 4 workers in 1 s", n)
		}
		if h.Mean() != 2*time.Millisecond || h.max != 2*time.Millisecond {
			t.Errorf("an operation of exactly 2 ms was measured as %v (max %v)", h.Mean(), h.max)
		}
	})
}

// Workers that claim operations in batches keep no other from what it could carry
// out: 4 workers end 100 operations of 2 ms at the earliest time, and each of
// them has its operations in order, also where fast ones come before slow ones.
func TestClosedLoadSharesItsOperations(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		last := make([]int, 4)
		_, c, _ := runLoad(t.Context(), Load{Workers: 4, Operations: 10_100}, func(_ context.Context, op Op) error {
			if op.N < last[op.Worker] {
				t.Errorf("worker %d carries out %d after %d", op.Worker, op.N, last[op.Worker])
			}
			last[op.Worker] = op.N
			if op.N >= 10_000 {
				time.Sleep(2 * time.Millisecond)
			} else {
				time.Sleep(time.Microsecond)
			}
			return nil
		})
		if n := c.Operations().Succeeded; n != 10_100 {
			t.Errorf("%d operations", n)
		}
		// Of the last 100 each worker has claimed half of its share at most when
		// the first slow one comes.
		if took := time.Since(began); took > 2500*time.Microsecond+54*time.Millisecond {
			t.Errorf("took %v", took)
		}
		began = time.Now()
		runLoad(t.Context(), Load{Workers: 4, Operations: 100}, func(context.Context, Op) error {
			time.Sleep(2 * time.Millisecond)
			return nil
		})
		if took := time.Since(began); took != 50*time.Millisecond {
			t.Errorf("4 workers took %v for 100 operations of 2 ms", took)
		}
	})
}

// Whoever reads the counters and latencies of a load sees what its workers have
// done up to a tenth of a millisecond ago, and each operation once.
func TestLoadIsPublishedWhileItRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, p := NewRunner(NewControl()), Load{Workers: 2, For: 100 * time.Millisecond}.Prepare()
		recorder := p.recorder
		r.begin(t.Context(), p.Load)
		go r.carryOut(t.Context(), p, func(context.Context, Op) error {
			time.Sleep(10 * time.Microsecond)
			return nil
		}, func(error) {})
		var recorded int64
		for ms := int64(1); ms <= 100; ms++ {
			time.Sleep(time.Millisecond)
			recorder.Recent(func(h *Histogram) { recorded += h.Count() })
			got := r.Operations()
			if done := ms * 200; got.Succeeded > done || got.Succeeded < done-2*11 || recorded > done || recorded < done-2*11 {
				t.Fatalf("after %d ms %d counted and %d recorded, want %d", ms, got.Succeeded, recorded, done)
			}
			if got.Attempted != got.Succeeded+r.InFlight() {
				t.Errorf("%+v do not add up", got)
			}
		}
		synctest.Wait()
		recorder.Recent(func(h *Histogram) { recorded += h.Count() })
		if got := r.Operations(); got.Succeeded != 20_000 || got.Attempted != 20_000 || recorded != 20_000 {
			t.Errorf("counted %+v, recorded %d, want 20,000", got, recorded)
		}
	})
}

// In an open load a stall is seen by all that it delays: what was due during
// a stall of 200 ms waits for the rest of it.
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
			t.Errorf("the generator takes the blame for %d", c.Meter.late.Load())
		}
	})
}

// A stall that holds all workers at once is not the generator's fault, neither
// while it lasts nor while they catch up side by side.
func TestGeneratorIsNotBlamedForAStall(t *testing.T) {
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
			t.Errorf("the generator takes the blame for %d, by %v", c.Meter.late.Load(), time.Duration(c.counters.lag.Load()))
		}
	})
}

// What could not be begun because every worker was stuck is counted as dropped, and
// in the latencies for as long as it had been due.
func TestOpenLoadCountsWhatWasNeverBegun(t *testing.T) {
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
			t.Errorf("the generator takes the blame for %d", c.Meter.late.Load())
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

// A generator that comes too late although workers were free says so.
func TestGeneratorTellsItsLag(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		c := NewRunner(NewControl())
		c.begin(t.Context(), Load{Stages: []Stage{{Rate: 100, For: time.Second}}})
		g := newOpenLoad(c, nil)
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

// To begin what gathered while the system kept all workers takes time. It is the
// system's, as long as the generator begins one operation after the other, and
// no longer than the workers were kept.
func TestGeneratorCatchesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		c := NewRunner(NewControl())
		c.begin(t.Context(), Load{Stages: []Stage{{Rate: 1000, For: time.Second}}})
		g := newOpenLoad(c, nil)
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

func TestLoadStopsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for name, l := range map[string]Load{
			"closed": {Workers: 3, For: time.Hour},
			"open":   {Workers: 3, Stages: []Stage{{Rate: 10, For: time.Hour}}},
			"slow":   {Workers: 3, Stages: []Stage{{Rate: 0.001, For: time.Hour}}},
		} {
			ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
			began := time.Now()
			_, c, errs := runLoad(ctx, l, func(ctx context.Context, _ Op) error {
				Sleep(ctx, 300*time.Millisecond)
				return ctx.Err()
			})
			cancel()
			if took := time.Since(began); took != time.Minute {
				t.Errorf("%s: stopped after %v", name, took)
			}
			// Those that were cut off are not the system's failures.
			got := c.Operations()
			if got.Failed != 0 || len(errs) != 0 || got.Attempted != got.Succeeded || c.InFlight() != 0 {
				t.Errorf("%s: counted %+v, %d under way, errors %v", name, got, c.InFlight(), errs)
			}
		}
	})
}

func TestWaiterKeepsTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWaiter()
		defer w.close()
		for _, wait := range []time.Duration{0, -time.Second, time.Microsecond, time.Millisecond, time.Hour} {
			at := time.Now().Add(wait)
			if now, ok := w.until(t.Context(), at, nil); !ok || now != time.Now() || now.Before(at) || now.Sub(at) > max(-wait, 0) {
				t.Errorf("waited for %v until %v after it", wait, time.Since(at))
			}
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		began := time.Now()
		if _, ok := w.until(ctx, began.Add(time.Hour), nil); ok || time.Since(began) != time.Second {
			t.Errorf("its context ended after 1 s, and it waited for %v", time.Since(began))
		}
		// A change of the rate ends the wait.
		turned := make(chan struct{})
		time.AfterFunc(time.Minute, func() { close(turned) })
		began = time.Now()
		if now, ok := w.until(t.Context(), began.Add(time.Hour), turned); !ok || now.Sub(began) != time.Minute {
			t.Errorf("the rate changed after 1 min, and it waited for %v", now.Sub(began))
		}
		// What was set for the wait that ended early does not end the next one.
		at := time.Now().Add(2 * time.Hour)
		if now, ok := w.until(t.Context(), at, nil); !ok || now != at {
			t.Errorf("waited until %v after the time", now.Sub(at))
		}
	})
}
