package load

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

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

// Workers that claim batches do not withhold operations from others: 4 workers finish 100
// operations of 2 ms as early as possible, and each has its operations in order, also if fast
// operations precede slow ones.
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

// The counters and latencies of a running load are at most a tenth of a millisecond old, and
// have each operation once.
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
