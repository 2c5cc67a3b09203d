package mabeam

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"mabeam-top/internal/runtime/guard"
)

// An error of an action tells whether its agent has surely not begun it.
func TestActionErrorTellsWhatWasNotBegun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := start(t, Options{Mailbox: 3, Breaker: &guard.BreakerOptions{Failures: 1}, Rates: map[guard.Operation]guard.Rate{OperationAction: {PerSecond: 1e-3, Burst: 11}}})
		hangs := func(ctx context.Context, _ *Agent, _ string, params any) (any, error) {
			switch params {
			case "hand on":
				return nil, ErrStopping // another one's
			case "panic":
				panic(errOwn)
			}
			<-ctx.Done()
			return nil, ctx.Err()
		}
		ask := func(id string, params any) <-chan error {
			answer := make(chan error, 1)
			go func() {
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				_, err := s.Execute(ctx, id, "x", params)
				answer <- err
			}()
			synctest.Wait()
			return answer
		}
		check := func(what string, err error, reason error, unbegun bool) {
			t.Helper()
			var failed *ActionError
			if !errors.As(err, &failed) || !errors.Is(err, reason) || failed.NotBegun != unbegun {
				t.Errorf("%s: %#v, want %v, not begun: %v", what, err, reason, unbegun)
			}
			if _, is := failed.Err.(notBegun); is { //nolint:errorlint // as it is
				t.Errorf("%s: the reason is wrapped", what)
			}
		}
		for _, id := range []string{"kill", "batch", "crash", "late", "hands on"} {
			startAgent(t, s, Spec{ID: id, Behaviour: &scripted{action: hangs}})
		}
		killed, waiting := ask("kill", nil), ask("kill", nil)
		s.KillAgent("kill")
		check("at work when killed", <-killed, ErrKilled, false)
		check("waiting when killed", <-waiting, ErrKilled, true)
		_ = s.SuspendAgent("batch") // so that it takes all at once
		first, second, third := ask("batch", nil), ask("batch", nil), ask("batch", nil)
		_ = s.ResumeAgent("batch")
		synctest.Wait()
		s.KillAgent("batch")
		check("at work, of a batch", <-first, ErrKilled, false)
		check("second of a batch", <-second, ErrKilled, true)
		check("third of a batch", <-third, ErrKilled, true)
		_ = s.SuspendAgent("crash")
		crashed, behind := ask("crash", "panic"), ask("crash", nil)
		_ = s.ResumeAgent("crash")
		check("panicked", <-crashed, errOwn, false)
		check("behind a panic", <-behind, ErrCrashed, true)
		check("late", <-ask("late", nil), ErrTimeout, false)
		check("its circuit is open", <-ask("late", nil), ErrCircuitOpen, true)
		check("handed on", <-ask("hands on", "hand on"), ErrStopping, false)
		check("nobody", <-ask("nobody", nil), ErrUnknownAgent, true)
		check("too many", <-ask("hands on", nil), ErrRateLimited, true)
		check("told to nobody", s.Tell(t.Context(), "nobody", "x", nil), ErrUnknownAgent, true)
		_, err := s.Ask(t.Context(), "nobody", "x", nil).Await(t.Context())
		check("asked of nobody", err, ErrUnknownAgent, true)
	})
}

// How much an agent has to do counts what it does on its caller's goroutine too.
func TestRefWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := start(t, Options{})
		goOn := make(chan struct{})
		id := startAgent(t, s, Spec{Behaviour: &scripted{action: func(context.Context, *Agent, string, any) (any, error) {
			<-goOn
			return nil, nil
		}}})
		ref, _ := s.Ref(id)
		want := func(n int) {
			t.Helper()
			synctest.Wait()
			if got := ref.Waiting(); got != n {
				t.Errorf("%d wait, want %d", got, n)
			}
		}
		want(0)
		go func() { _, _ = ref.Execute(context.Background(), "inline", nil) }()
		want(1)
		for range 3 {
			_ = ref.Tell(t.Context(), "told", nil)
		}
		want(4)
		close(goOn)
		want(0)
		s.KillAgent(id)
		want(0)
	})
}
