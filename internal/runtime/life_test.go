package mabeam

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// A stuck agent's actions hang until they are released, whatever becomes of their
// contexts.
type stuck struct {
	Defaults
	release chan struct{}
}

func (b *stuck) HandleAction(context.Context, *Agent, string, any) (any, error) {
	<-b.release
	return "late", nil
}

// callers call an agent with a deadline, and note what each gets and when.
type callers struct {
	wg   sync.WaitGroup
	mu   sync.Mutex
	errs []error
	last time.Time
}

func (c *callers) call(s *System, id string) {
	c.wg.Go(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Hour)
		defer cancel()
		_, err := s.Execute(ctx, id, "hang", nil)
		c.mu.Lock()
		defer c.mu.Unlock()
		c.errs, c.last = append(c.errs, err), time.Now()
	})
}

// However an agent ends whose handler hangs, all who wait for it are told so at once:
// for what is at work, for what was taken out of the mailbox with that, and for what came
// afterwards.
func TestEndAnswersEverybodyAtOnce(t *testing.T) {
	ends := map[string]struct {
		end  func(t *testing.T, s *System) error
		took time.Duration // until the agent is killed
		want error         // of the end
	}{
		"kill": {
			end: func(_ *testing.T, s *System) error { s.KillAgent("a"); return nil },
		},
		"stop, and kill when the time is up": {
			end: func(t *testing.T, s *System) error {
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				life, err := s.Ref("a")
				if err != nil {
					return err
				}
				err = life.Stop(ctx)
				life.Kill()
				return err
			},
			took: time.Second, want: ErrTimeout,
		},
		"stop of the system": {
			end: func(t *testing.T, s *System) error {
				ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
				defer cancel()
				return s.Stop(ctx)
			},
			took: 300 * time.Millisecond, want: ErrTimeout,
		},
	}
	for name, c := range ends {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, err := Start(context.Background(), Options{})
				if err != nil {
					t.Fatal(err)
				}
				b := &stuck{release: make(chan struct{})}
				startAgent(t, s, Spec{ID: "a", Behaviour: b})
				var waiting callers
				// Three that are taken out of the mailbox together, and two that come
				// when the first of these is at work.
				if err := s.SuspendAgent("a"); err != nil {
					t.Fatal(err)
				}
				for range 3 {
					waiting.call(s, "a")
				}
				synctest.Wait()
				if err := s.ResumeAgent("a"); err != nil {
					t.Fatal(err)
				}
				synctest.Wait()
				for range 2 {
					waiting.call(s, "a")
				}
				synctest.Wait()

				began := time.Now()
				if err := c.end(t, s); !errors.Is(err, c.want) {
					t.Errorf("the end: %v, want %v", err, c.want)
				}
				waiting.wg.Wait()
				if took := waiting.last.Sub(began); took != c.took {
					t.Errorf("the last of those who waited was told after %v, want %v", took, c.took)
				}
				for _, err := range waiting.errs {
					if !errors.Is(err, ErrKilled) {
						t.Errorf("one who waited was told %v", err)
					}
				}
				tel := s.Telemetry()
				if tel.MailboxDepth != 0 || tel.ActionsFailed != 5 || tel.ActionsDone != 0 || tel.HandlersAbandoned != 1 {
					t.Errorf("%d in mailboxes, %d failed, %d done, %d abandoned", tel.MailboxDepth, tel.ActionsFailed, tel.ActionsDone, tel.HandlersAbandoned)
				}
				if list := s.AbandonedHandlers(); len(list) != 1 || list[0].AgentID != "a" {
					t.Errorf("abandoned: %+v", list)
				}

				close(b.release)
				synctest.Wait()
				tel = s.Telemetry()
				if tel.MailboxDepth != 0 || tel.ActionsFailed != 5 || tel.ActionsDone != 0 || tel.HandlersAbandoned != 0 {
					t.Errorf("afterwards %d in mailboxes, %d failed, %d done, %d abandoned", tel.MailboxDepth, tel.ActionsFailed, tel.ActionsDone, tel.HandlersAbandoned)
				}
				if err := s.Stop(t.Context()); name != "stop of the system" && err != nil {
					t.Error(err)
				}
				if n := s.Goroutines(); n != 0 {
					t.Errorf("%d goroutines left", n)
				}
			})
		})
	}
}

// A handler that goes on after its agent's end has a place under the limit on agents
// until it returns.
func TestAbandonedHandlerHasAPlace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := start(t, Options{MaxAgents: 1})
		b := &stuck{release: make(chan struct{})}
		id := startAgent(t, s, Spec{Behaviour: b})
		if err := s.Tell(t.Context(), id, "hang", nil); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		s.KillAgent(id)
		refused(t, s, "agents: 1 of 1")
		close(b.release)
		synctest.Wait()
		startAgent(t, s, Spec{Behaviour: adder{}})
	})
}

// Every callback's context, and what was begun with it, ends with the agent's life, and
// not before, but for that of an action that somebody waited for: it ends with the
// action. So does the context of the life itself.
func TestContextEndsWithTheLife(t *testing.T) {
	ends := map[string]struct {
		end   func(s *System)
		cause error
	}{
		"kill":  {func(s *System) { s.KillAgent("a") }, ErrKilled},
		"stop":  {func(s *System) { _ = s.StopAgent(context.Background(), "a") }, ErrStopping},
		"crash": {func(s *System) { _ = s.Tell(context.Background(), "a", "crash", nil) }, ErrCrashed},
	}
	for how, c := range ends {
		t.Run(how, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := start(t, Options{})
				var mu sync.Mutex
				contexts := map[string]context.Context{}
				keep := func(callback string, ctx context.Context) {
					mu.Lock()
					defer mu.Unlock()
					contexts[callback] = ctx
					within, cancel := context.WithCancel(ctx)
					t.Cleanup(cancel)
					contexts["made of that of "+callback] = within
				}
				startAgent(t, s, Spec{ID: "a", Behaviour: &contextKeeper{keep: keep}})
				deadline, cancel := context.WithTimeout(t.Context(), time.Hour)
				defer cancel()
				for name, ctx := range map[string]context.Context{"inline": context.Background(), "deadline": deadline} {
					if _, err := s.Execute(ctx, "a", name, nil); err != nil {
						t.Fatal(err)
					}
				}
				err := errors.Join(s.Tell(t.Context(), "a", "tell", nil), s.Signal(Signal{Type: "s"}, "a"), s.Bus().Publish(t.Context(), Event{Type: "e"}))
				if err != nil {
					t.Fatal(err)
				}
				synctest.Wait()
				if len(contexts) != 2*7 {
					t.Errorf("%d contexts", len(contexts))
				}
				for callback, ctx := range contexts {
					ended := false
					select {
					case <-ctx.Done():
						ended = true
					default:
					}
					if want := strings.HasSuffix(callback, "deadline"); ended != want || (ctx.Err() != nil) != want {
						t.Errorf("that of %s ended before: %v, %v, want %v", callback, ended, ctx.Err(), want)
					}
				}
				c.end(s)
				synctest.Wait()
				for callback, ctx := range contexts {
					select {
					case <-ctx.Done():
					default:
						t.Errorf("that of %s goes on", callback)
					}
					if !errors.Is(ctx.Err(), context.Canceled) {
						t.Errorf("that of %s: %v", callback, ctx.Err())
					}
				}
				if cause := context.Cause(contexts["life"]); !errors.Is(cause, c.cause) {
					t.Errorf("the cause is %v, want %v", cause, c.cause)
				}
			})
		})
	}
}

// A contextKeeper keeps the contexts of its callbacks.
type contextKeeper struct {
	Defaults
	keep func(callback string, ctx context.Context)
}

func (b *contextKeeper) Init(ctx context.Context, self *Agent) error {
	b.keep("life", self.Context())
	b.keep("init", ctx)
	_, err := self.Subscribe("e")
	return err
}

func (b *contextKeeper) HandleAction(ctx context.Context, _ *Agent, action string, _ any) (any, error) {
	if action == "crash" {
		panic("on purpose")
	}
	b.keep(action, ctx)
	return nil, nil
}

func (b *contextKeeper) HandleSignal(ctx context.Context, _ *Agent, _ Signal) { b.keep("signal", ctx) }

func (b *contextKeeper) HandleEvent(ctx context.Context, _ *Agent, _ Event) { b.keep("event", ctx) }

// The context of an action ends with its caller's too, and has its values.
func TestContextEndsWithTheCaller(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		type key struct{}
		s := start(t, Options{})
		ended := make(chan error, 1)
		id := startAgent(t, s, Spec{Behaviour: &scripted{
			action: func(ctx context.Context, _ *Agent, _ string, _ any) (any, error) {
				<-ctx.Done()
				ended <- fmt.Errorf("%v: %w", ctx.Value(key{}), ctx.Err())
				return nil, nil
			},
		}})
		ctx, cancel := context.WithTimeout(context.WithValue(t.Context(), key{}, "value"), time.Second)
		defer cancel()
		if _, err := s.Execute(ctx, id, "wait", nil); !errors.Is(err, ErrTimeout) {
			t.Errorf("%v", err)
		}
		if err := <-ended; !errors.Is(err, context.DeadlineExceeded) || err.Error() != "value: context deadline exceeded" {
			t.Errorf("the action saw %v", err)
		}
	})
}

// Terminate runs after every end but a kill, once, and is told why.
func TestTerminateIsToldWhy(t *testing.T) {
	ends := map[string]struct {
		end  func(s *System)
		want []error
	}{
		"stop":    {func(s *System) { _ = s.StopAgent(context.Background(), "a") }, []error{ErrStopping}},
		"kill":    {func(s *System) { s.KillAgent("a") }, nil},
		"panic":   {func(s *System) { _, _ = s.Execute(context.Background(), "a", "crash", nil) }, []error{ErrCrashed}},
		"restart": {func(s *System) { _ = s.RestartAgent(context.Background(), "a") }, []error{ErrRestarting}},
	}
	for how, c := range ends {
		t.Run(how, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := start(t, Options{})
				b := &terminated{}
				startAgent(t, s, Spec{ID: "a", Behaviour: b})
				c.end(s)
				synctest.Wait()
				if len(b.reasons) != len(c.want) {
					t.Fatalf("%v, want %v", b.reasons, c.want)
				}
				for i, reason := range b.reasons {
					if !errors.Is(reason, c.want[i]) {
						t.Errorf("%v, want %v", reason, c.want[i])
					}
				}
				var panicked *PanicError
				if how == "panic" && (!errors.As(b.reasons[0], &panicked) || panicked.Value != "on purpose") {
					t.Errorf("%v does not tell the panic", b.reasons[0])
				}
			})
		})
	}
}

// terminated notes why it is.
type terminated struct {
	Defaults
	reasons []error
}

func (*terminated) HandleAction(context.Context, *Agent, string, any) (any, error) {
	panic("on purpose")
}

func (b *terminated) Terminate(_ context.Context, _ *Agent, reason error) {
	b.reasons = append(b.reasons, reason)
}

// A reference tells when its life has ended, and why.
func TestRefTellsTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := start(t, Options{})
		id := startAgent(t, s, Spec{Behaviour: adder{}})
		ref, err := s.Ref(id)
		if err != nil {
			t.Fatal(err)
		}
		select {
		case <-ref.Done():
			t.Error("it has not ended")
		default:
		}
		if ref.Err() != nil {
			t.Errorf("%v before the end", ref.Err())
		}
		s.KillAgent(id)
		<-ref.Done()
		if !errors.Is(ref.Err(), ErrKilled) {
			t.Errorf("%v", ref.Err())
		}
	})
}

// A countingContext knows how many wait for its end.
type countingContext struct {
	context.Context
	waiting atomic.Int64
}

// Value hides that it is a context of the standard library, which would be told itself.
func (c *countingContext) Value(any) any { return nil }

// AfterFunc is how the standard library waits for the end of any other context.
func (c *countingContext) AfterFunc(f func()) (stop func() bool) {
	c.waiting.Add(1)
	forget := context.AfterFunc(c.Context, f)
	return func() bool {
		c.waiting.Add(-1)
		return forget()
	}
}

// What an action's context takes to end with its caller's is given back when the action
// returns, or panics: a caller's context may last for long.
func TestCallbackContextLeavesNothing(t *testing.T) {
	forever, cancel := context.WithCancel(t.Context())
	defer cancel()
	caller := &countingContext{Context: forever}
	s := start(t, Options{})
	most := int64(0)
	b := &scripted{action: func(ctx context.Context, _ *Agent, action string, _ any) (any, error) {
		select {
		case <-ctx.Done():
		default:
		}
		most = max(most, caller.waiting.Load())
		if action == "panic" {
			panic("on purpose")
		}
		return nil, nil
	}}
	startAgent(t, s, Spec{ID: "a", Behaviour: b})
	for range 3 {
		if _, err := s.Execute(caller, "a", "do", nil); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.Execute(caller, "a", "panic", nil); err == nil {
		t.Error("no panic")
	}
	if most != 1 || caller.waiting.Load() != 0 {
		t.Errorf("%d waited for the end of the caller's context at once, %d still do", most, caller.waiting.Load())
	}
}

// However close the end of an agent is to the end of what it does, nothing stays counted as
// abandoned.
func TestAbandonedHandlersComeBack(t *testing.T) {
	s := start(t, Options{})
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute) // so that the action has a goroutine of its own
	defer cancel()
	for range 20_000 {
		id := startAgent(t, s, Spec{Behaviour: adder{}})
		if _, err := s.Execute(ctx, id, "add", nil); err != nil {
			t.Fatal(err)
		}
		s.KillAgent(id) // while what has carried out the action comes to its end
	}
	if err := s.Stop(context.Background()); err != nil {
		t.Fatal(err)
	}
	if left := s.AbandonedHandlers(); len(left) > 0 {
		t.Errorf("%d are left", len(left))
	}
}

// The cause of a life's end is known also to who has asked for it only afterwards.
func TestCauseOfTheEnd(t *testing.T) {
	s := start(t, Options{})
	var life context.Context
	id := startAgent(t, s, Spec{Behaviour: &scripted{init: func(self *Agent) error { life = self.Context(); return nil }}})
	if cause := context.Cause(life); cause != nil {
		t.Errorf("%v before the end", cause)
	}
	s.KillAgent(id)
	if cause := context.Cause(life); !errors.Is(cause, ErrKilled) {
		t.Errorf("the cause is %v", cause)
	}
}
