package mabeam

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func TestStartAndStopManyAgents(t *testing.T) {
	s := start(t, Options{})
	specs := make([]Spec, 100)
	for i := range specs {
		specs[i] = DemoSpec()
		specs[i].ID = fmt.Sprint("agent ", i)
	}
	for _, concurrency := range []int{0, 1, 7, 1000} {
		ids, err := s.StartAgents(context.Background(), specs, concurrency)
		if err != nil {
			t.Fatal(err)
		}
		for i, id := range ids {
			if id != specs[i].ID {
				t.Errorf("number %d is %q", i, id)
			}
		}
		if err := s.StopAgents(context.Background(), ids, concurrency); err != nil {
			t.Fatal(err)
		}
		if n := s.Registry().Count(); n != 0 {
			t.Errorf("%d agents are left", n)
		}
	}
	if ids, err := s.StartAgents(context.Background(), nil, 0); len(ids) != 0 || err != nil {
		t.Errorf("none: %v, %v", ids, err)
	}
	if _, err := s.StartAgents(context.Background(), specs, -1); err == nil || s.Registry().Count() != 0 {
		t.Errorf("concurrency -1: %v", err)
	}
}

// Each that fails is told, in the order of the input, and the others start.
func TestStartAgentsTellsEachFailure(t *testing.T) {
	s := start(t, Options{})
	specs := make([]Spec, 20)
	for i := range specs {
		specs[i] = Spec{Behaviour: &scripted{init: func(*Agent) error {
			if i%3 == 0 {
				return errOwn
			}
			return nil
		}}}
	}
	specs[3].ID = "three"
	ids, err := s.StartAgents(context.Background(), specs, 4)
	var failed *BatchError
	if !errors.As(err, &failed) || !errors.Is(err, errOwn) || failed.Of != 20 || len(failed.Failures) != 7 {
		t.Fatalf("%v", err)
	}
	for i, f := range failed.Failures {
		if f.Index != 3*i || !errors.Is(f.Err, errOwn) || (f.ID == "three") != (f.Index == 3) {
			t.Errorf("failure %d: %+v", i, f)
		}
	}
	for i, id := range ids {
		if (id == "") != (i%3 == 0) {
			t.Errorf("number %d is %q", i, id)
		}
	}
	if text := err.Error(); !strings.HasPrefix(text, "start agents: 7 of 20 failed: number 0: ") || !strings.HasSuffix(text, "; and 4 more") {
		t.Errorf("the error reads %q", text)
	}
}

// No more than asked for start at once, and no fewer.
func TestStartAgentsSideBySide(t *testing.T) {
	for concurrency, want := range map[int]int32{1: 1, 3: 3, 0: int32(runtime.GOMAXPROCS(0))} {
		synctest.Test(t, func(t *testing.T) {
			s := start(t, Options{})
			var now, most atomic.Int32
			specs := make([]Spec, 30)
			for i := range specs {
				specs[i] = Spec{Behaviour: &scripted{init: func(*Agent) error {
					if n := now.Add(1); n > most.Load() {
						most.Store(n)
					}
					time.Sleep(time.Second)
					now.Add(-1)
					return nil
				}}}
			}
			if _, err := s.StartAgents(t.Context(), specs, concurrency); err != nil {
				t.Fatal(err)
			}
			if n := most.Load(); n != min(want, 30) {
				t.Errorf("concurrency %d: %d at once, want %d", concurrency, n, want)
			}
		})
	}
}

// When ctx ends, what has begun is finished, and the rest is told as not begun.
func TestBatchEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := start(t, Options{})
		ctx, cancel := context.WithTimeout(t.Context(), 2500*time.Millisecond)
		defer cancel()
		specs := make([]Spec, 10)
		for i := range specs {
			specs[i] = Spec{Behaviour: &scripted{init: func(*Agent) error { time.Sleep(time.Second); return nil }}}
		}
		ids, err := s.StartAgents(ctx, specs, 2)
		var failed *BatchError
		if !errors.As(err, &failed) || !errors.Is(err, ErrTimeout) || len(failed.Failures) != 4 || failed.Failures[0].Index != 6 {
			t.Errorf("start: %v", err)
		}
		if err := s.StopAgents(ctx, ids[:6], 2); !errors.As(err, &failed) || len(failed.Failures) != 6 || failed.Failures[5].ID != ids[5] {
			t.Errorf("stop: %v", err)
		}
		if n := s.Registry().Count(); n != 6 {
			t.Errorf("%d agents live, want 6", n)
		}
		if err := s.StopAgents(t.Context(), append(ids[:6], "nobody"), 0); err != nil {
			t.Errorf("stop all: %v", err)
		}
	})
}

// A start that ends its goroutine costs the others nothing.
func TestBatchSurvivesTheEndOfAGoroutine(t *testing.T) {
	s := start(t, Options{})
	specs := []Spec{
		{ID: "a", Behaviour: &scripted{init: func(*Agent) error { runtime.Goexit(); return nil }}},
		{ID: "b", Behaviour: &scripted{}},
		{ID: "c", Behaviour: &scripted{}},
	}
	ids, err := s.StartAgents(t.Context(), specs, 1)
	var failed *BatchError
	if !errors.As(err, &failed) || len(failed.Failures) != 1 || failed.Failures[0].Index != 0 {
		t.Errorf("got %v, want that the first failed", err)
	}
	if want := []string{"", "b", "c"}; !slices.Equal(ids, want) {
		t.Errorf("started %q, want %q", ids, want)
	}
}
