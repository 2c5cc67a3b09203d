package mabeam

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// ringSpec describes an agent that hands every action on to the next one.
func ringSpec(id, next string, ask func(ctx context.Context, self *Agent, id, action string) (any, error)) Spec {
	return Spec{ID: id, Behaviour: &scripted{
		action: func(ctx context.Context, self *Agent, action string, _ any) (any, error) {
			return ask(ctx, self, next, action)
		},
	}}
}

// Agents that ask each other in a ring get an error that names all of them,
// whether they run on their callers' goroutines or not.
func TestRingIsNamed(t *testing.T) {
	ask := func(ctx context.Context, self *Agent, id, action string) (any, error) {
		return self.Execute(ctx, id, action, nil)
	}
	for _, n := range []int{1, 2, 3, 10} {
		for _, deadline := range []bool{false, true} {
			t.Run(fmt.Sprintf("%d agents, deadline %v", n, deadline), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					s := start(t, Options{})
					want := make([]string, n)
					for i := range n {
						want[i] = fmt.Sprint("agent-", i)
						startAgent(t, s, ringSpec(want[i], fmt.Sprint("agent-", (i+1)%n), ask))
					}
					ctx := context.Background()
					if deadline {
						var cancel context.CancelFunc
						ctx, cancel = context.WithTimeout(ctx, time.Hour)
						defer cancel()
					}
					began := time.Now()
					_, err := s.Execute(ctx, "agent-0", "go", nil)
					var ring *DeadlockError
					if !errors.As(err, &ring) {
						t.Fatalf("got %v, want a deadlock", err)
					}
					got := slices.Sorted(slices.Values(ring.Ring))
					if slices.Sort(want); !slices.Equal(got, want) || !strings.Contains(err.Error(), " → "+ring.Ring[0]) {
						t.Errorf("%v names %v, want %v", err, ring.Ring, want)
					}
					if took := time.Since(began); took != 0 {
						t.Errorf("it took %v to notice", took)
					}
				})
			})
		}
	}
}

// A ring of plain calls without any deadline ends too: nobody waits for his
// turn for ever.
func TestRingOfPlainCallsEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := start(t, Options{WaitTimeout: 3 * time.Second})
		ask := func(_ context.Context, self *Agent, id, action string) (any, error) {
			return self.System().Execute(context.Background(), id, action, nil)
		}
		startAgent(t, s, ringSpec("a", "b", ask))
		startAgent(t, s, ringSpec("b", "a", ask))
		began := time.Now()
		_, err := s.Execute(context.Background(), "a", "go", nil)
		if took := time.Since(began); !errors.Is(err, ErrTimeout) || took != 3*time.Second {
			t.Errorf("%v after %v, want a timeout after 3s", err, took)
		}
	})
}

// Who has no deadline waits for a long action that has begun as long as it
// takes.
func TestCallWithoutDeadlineWaitsForWhatHasBegun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := start(t, Options{})
		id := startAgent(t, s, Spec{Behaviour: &scripted{
			action: func(_ context.Context, _ *Agent, _ string, params any) (any, error) {
				time.Sleep(params.(time.Duration))
				return "done", nil
			},
		}})
		if err := s.Tell(t.Context(), id, "sleep", time.Second); err != nil {
			t.Fatal(err)
		}
		synctest.Wait() // the agent is busy, so the call waits for its turn
		if got, err := s.Execute(context.Background(), id, "sleep", time.Minute); got != "done" || err != nil {
			t.Errorf("%v, %v after a minute", got, err)
		}
	})
}

// Agents that ask each other at random, rings included, always get an answer.
func TestRandomAsksAlwaysEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const n = 6
		s := start(t, Options{})
		for i := range n {
			startAgent(t, s, Spec{ID: fmt.Sprint(i), Behaviour: &scripted{
				action: func(ctx context.Context, self *Agent, action string, params any) (any, error) {
					path := params.([]int)
					time.Sleep(time.Duration(i+1) * time.Millisecond)
					if len(path) == 0 {
						return nil, nil
					}
					return self.Execute(ctx, fmt.Sprint(path[0]), action, path[1:])
				},
			}})
		}
		var wg sync.WaitGroup
		for first := range n {
			for second := range n {
				wg.Go(func() {
					_, err := s.Execute(context.Background(), fmt.Sprint(first), "go", []int{second, (first + 1) % n, first})
					var ring *DeadlockError
					if err != nil && !errors.As(err, &ring) && !errors.Is(err, ErrTimeout) {
						t.Errorf("%d, %d: %v", first, second, err)
					}
				})
			}
		}
		wg.Wait()
	})
}
