package mabeam

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// An agent that was answered may be asked back at once: that is no ring.
func TestNoDeadlockAfterAnAnswer(t *testing.T) {
	for _, deadline := range []bool{false, true} {
		t.Run(fmt.Sprint("deadline ", deadline), func(t *testing.T) {
			s := start(t, Options{})
			const rounds = 5000
			var wrong atomic.Int64
			var first atomic.Pointer[error]
			done := make(chan struct{}, 1)
			startAgent(t, s, Spec{ID: "b", Behaviour: &scripted{
				action: func(ctx context.Context, self *Agent, action string, _ any) (any, error) {
					if action == "give" {
						return nil, self.System().Tell(ctx, "b", "ask back", nil)
					}
					if _, err := self.Execute(ctx, "a", "nothing", nil); err != nil {
						wrong.Add(1)
						first.CompareAndSwap(nil, &err)
					}
					done <- struct{}{}
					return nil, nil
				},
			}})
			startAgent(t, s, Spec{ID: "a", Behaviour: &scripted{
				action: func(ctx context.Context, self *Agent, action string, _ any) (any, error) {
					if action == "nothing" {
						return nil, nil
					}
					return self.Execute(ctx, "b", "give", nil)
				},
			}})
			ctx := context.Background()
			if deadline {
				var cancel context.CancelFunc
				ctx, cancel = context.WithTimeout(ctx, time.Minute)
				defer cancel()
			}
			for range rounds {
				if _, err := s.Execute(ctx, "a", "take", nil); err != nil {
					t.Fatal(err)
				}
				<-done
			}
			if n := wrong.Load(); n != 0 {
				t.Errorf("%d of %d asks that followed an answer failed, the first with %v", n, rounds, *first.Load())
			}
		})
	}
}

// Workers that report to the one that has handed out work, while it hands out more, are
// no ring.
func TestNoDeadlockAmongWorkers(t *testing.T) {
	s := start(t, Options{})
	const workers, rounds = 8, 500
	var wrong atomic.Int64
	var reports sync.WaitGroup
	startAgent(t, s, Spec{ID: "boss", Behaviour: &scripted{
		action: func(ctx context.Context, self *Agent, action string, _ any) (any, error) {
			if action == "report" {
				return nil, nil
			}
			for i := range workers {
				if _, err := self.Execute(ctx, fmt.Sprint(i), "work", nil); err != nil {
					wrong.Add(1)
				}
			}
			return nil, nil
		},
	}})
	for i := range workers {
		startAgent(t, s, Spec{ID: fmt.Sprint(i), Behaviour: &scripted{
			action: func(ctx context.Context, self *Agent, action string, _ any) (any, error) {
				if action == "work" {
					reports.Add(1)
					return nil, self.System().Tell(ctx, self.ID(), "report", nil)
				}
				defer reports.Done()
				if _, err := self.Execute(ctx, "boss", "report", nil); err != nil {
					wrong.Add(1)
				}
				return nil, nil
			},
		}})
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for range rounds {
		if _, err := s.Execute(ctx, "boss", "hand out", nil); err != nil {
			t.Fatal(err)
		}
		reports.Wait() // or the boss would ask one that waits for it
	}
	if n := wrong.Load(); n != 0 {
		t.Errorf("%d of %d calls failed", n, 2*workers*rounds)
	}
}

// A ring of waits is found at once, whatever calls it is made of, and by the context of a
// callback alone.
func TestRingOfAnyCallsIsFound(t *testing.T) {
	waits := map[string]func(ctx context.Context, self *Agent, other string) error{
		"Agent.Execute": func(ctx context.Context, self *Agent, other string) error {
			_, err := self.Execute(ctx, other, "go", nil)
			return err
		},
		"System.Execute": func(ctx context.Context, self *Agent, other string) error {
			_, err := self.System().Execute(ctx, other, "go", nil)
			return err
		},
		"a deadline of its own": func(ctx context.Context, self *Agent, other string) error {
			ctx, cancel := context.WithTimeout(ctx, time.Hour)
			defer cancel()
			_, err := self.System().Execute(ctx, other, "go", nil)
			return err
		},
		"Request": func(ctx context.Context, self *Agent, other string) error {
			_, err := self.System().Request(ctx, Message{Type: "go", Target: other, Timeout: time.Hour})
			return err
		},
		"Gather": func(ctx context.Context, self *Agent, other string) error {
			answers, err := self.System().Gather(ctx, []string{other}, "go", nil)
			if err != nil {
				return err
			}
			return answers[0].Err
		},
		"StopAgent": func(ctx context.Context, self *Agent, other string) error {
			return self.System().StopAgent(ctx, other)
		},
		"RestartAgent": func(ctx context.Context, self *Agent, other string) error {
			return self.System().RestartAgent(ctx, other)
		},
	}
	for first, ask := range waits {
		for second, askBack := range waits {
			for _, self := range []bool{false, true} {
				if self && first != second {
					continue
				}
				t.Run(fmt.Sprintf("%s, %s, self %v", first, second, self), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						s := start(t, Options{})
						errs := make(chan error, 2)
						spec := func(id, other string, ask func(context.Context, *Agent, string) error) Spec {
							asked := false
							return Spec{ID: id, Behaviour: &scripted{
								action: func(ctx context.Context, self *Agent, _ string, _ any) (any, error) {
									if asked {
										return nil, nil // of its next life
									}
									asked = true
									time.Sleep(time.Second) // so that both have begun
									err := ask(ctx, self, other)
									errs <- err
									return nil, err
								},
							}}
						}
						began := time.Now()
						if self {
							startAgent(t, s, spec("a", "a", ask))
							_ = s.Tell(t.Context(), "a", "go", nil)
						} else {
							startAgent(t, s, spec("a", "b", ask))
							startAgent(t, s, spec("b", "a", askBack))
							_ = s.Tell(t.Context(), "a", "go", nil)
							_ = s.Tell(t.Context(), "b", "go", nil)
							defer func() { <-errs }()
						}
						err := <-errs
						var ring *DeadlockError
						if !errors.As(err, &ring) {
							t.Fatalf("got %v, want a deadlock", err)
						}
						want := []string{"a"}
						if !self {
							want = append(want, "b")
						}
						if got := slices.Sorted(slices.Values(ring.Ring)); !slices.Equal(got, want) {
							t.Errorf("the ring is %v", ring.Ring)
						}
						if took := time.Since(began); took != time.Second {
							t.Errorf("found after %v", took)
						}
					})
				})
			}
		}
	}
}

// What an agent's goroutine asks for is not what the agent waits for.
func TestNoRingByAGoroutine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := start(t, Options{})
		answered := make(chan error, 1)
		id := startAgent(t, s, Spec{Behaviour: &scripted{
			action: func(_ context.Context, self *Agent, action string, _ any) (any, error) {
				if action == "begin" {
					ctx := self.Context()
					go func() {
						_, err := self.System().Execute(ctx, self.ID(), "answer", nil)
						answered <- err
					}()
				}
				return nil, nil
			},
		}})
		if _, err := s.Execute(t.Context(), id, "begin", nil); err != nil {
			t.Fatal(err)
		}
		if err := <-answered; err != nil {
			t.Error(err)
		}
	})
}

// Who tells an agent that has no room waits for Options.WaitTimeout in all, also in a
// ring, and to itself.
func TestTellEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const agents, patience = 4, 100 * time.Millisecond
		s := start(t, Options{Mailbox: 1, WaitTimeout: patience})
		type end struct {
			err  error
			took time.Duration
		}
		ends := make(chan end, agents)
		for i := range agents {
			startAgent(t, s, Spec{ID: fmt.Sprint(i), Behaviour: &scripted{
				action: func(ctx context.Context, self *Agent, action string, _ any) (any, error) {
					if action == "nothing" {
						return nil, nil
					}
					time.Sleep(time.Second)
					next := fmt.Sprint((i + 1) % agents)
					began := time.Now()
					err := self.System().Tell(ctx, next, "nothing", nil)
					ends <- end{err, time.Since(began)}
					return nil, nil
				},
			}})
		}
		for i := range agents {
			if err := s.Tell(t.Context(), fmt.Sprint(i), "go", nil); err != nil {
				t.Fatal(err)
			}
		}
		late := 0
		for range agents { // when the first has given up, the one before it has room
			e := <-ends
			if errors.Is(e.err, ErrTimeout) {
				late++
			}
			if e.took != patience || e.err != nil && !errors.Is(e.err, ErrTimeout) {
				t.Errorf("%v after %v", e.err, e.took)
			}
		}
		if late == 0 {
			t.Error("nobody had to give up")
		}
	})
}

// A wait is over before its asker has the answer, which may make it ask back at once.
func TestWaitIsOverBeforeTheAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &wait{asker: &Agent{}, target: &Agent{}}
		c := &call{answer: make(chan struct{}), wait: w} // who answers waits for the asker
		go c.give(callAnswered, nil, nil)
		synctest.Wait()
		if !w.over.Load() {
			t.Error("it goes on")
		}
		<-c.answer
	})
}
