package mabeam

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"mabeam-top/internal/runtime/guard"
)

// What tells about an agent that it does not work opens its circuit, and
// nothing else does.
func TestWhatOpensAnAgentsCircuit(t *testing.T) {
	nested := &ActionError{Agent: "other", Err: ErrUnknownAgent}
	for name, c := range map[string]struct {
		action func(ctx context.Context) error // of the agent; nil if there is none
		opens  bool
	}{
		"unknown agent":         {nil, true},
		"panic":                 {func(context.Context) error { panic("boom") }, true},
		"panic for another":     {func(context.Context) error { panic(nested) }, true},
		"timeout":               {func(ctx context.Context) error { <-ctx.Done(); return nil }, true},
		"own error":             {func(context.Context) error { return errOwn }, false},
		"error of another":      {func(context.Context) error { return nested }, false},
		"unknown action":        {func(context.Context) error { return ErrUnknownAction }, false},
		"nobody to blame, done": {func(context.Context) error { return nil }, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := start(t, Options{Breaker: &guard.BreakerOptions{Failures: 1}})
				id := "nobody"
				if c.action != nil {
					id = startAgent(t, s, Spec{Behaviour: &scripted{action: func(ctx context.Context, _ *Agent, _ string, _ any) (any, error) {
						return nil, c.action(ctx)
					}}})
				}
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				_, first := s.Execute(ctx, id, "do", nil)
				if errors.Is(first, ErrCircuitOpen) {
					t.Error("the first call was refused")
				}
				_, second := s.Execute(t.Context(), id, "do", nil)
				var action *ActionError
				if got := errors.Is(second, ErrCircuitOpen); got != c.opens || got && !errors.As(second, &action) {
					t.Errorf("after %v: %v", first, second)
				}
			})
		})
	}
}

// A full mailbox opens the circuit, a caller who gives up or comes too late does
// not, and Tell does not heed it.
func TestCallersAndTheCircuit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := start(t, Options{Mailbox: 1, Breaker: &guard.BreakerOptions{Failures: 1}})
		behaviour, began, hold := blocker()
		id := startAgent(t, s, Spec{Behaviour: behaviour})
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		if _, err := s.Execute(ctx, id, "wait", nil); !errors.Is(err, context.Canceled) || s.Breaker().State(id) != guard.Closed {
			t.Errorf("given up: %v, %v", err, s.Breaker().State(id))
		}
		<-began
		late, cancelLate := context.WithDeadline(t.Context(), time.Now())
		defer cancelLate()
		if _, err := s.Execute(late, id, "wait", nil); !errors.Is(err, ErrTimeout) || s.Breaker().State(id) != guard.Closed {
			t.Errorf("too late: %v, %v", err, s.Breaker().State(id))
		}
		if _, err := s.Execute(t.Context(), id, "wait", nil); !errors.Is(err, ErrMailboxFull) || s.Breaker().State(id) != guard.Open {
			t.Errorf("full: %v, %v", err, s.Breaker().State(id))
		}
		if _, err := s.Execute(t.Context(), id, "wait", nil); !errors.Is(err, ErrCircuitOpen) {
			t.Errorf("open: %v", err)
		}
		close(hold)
		if err := s.Tell(t.Context(), id, "wait", nil); err != nil {
			t.Errorf("tell: %v", err)
		}
		<-began
		if n := s.Telemetry().CircuitRefused; n != 1 {
			t.Errorf("%d calls counted as refused, want 1", n)
		}
	})
}

// The changes of a circuit are told on the bus and to the options' function,
// and the circuit is that of references too.
func TestCircuitChangesAreTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var heard []guard.StateChange
		s := start(t, Options{Breaker: &guard.BreakerOptions{
			Failures: 2, OpenFor: time.Minute,
			OnChange: func(_ context.Context, c guard.StateChange) { heard = append(heard, c) },
		}})
		began := time.Now()
		broken := true
		id := startAgent(t, s, Spec{Behaviour: &scripted{action: func(context.Context, *Agent, string, any) (any, error) {
			if broken {
				return nil, ErrMailboxFull // as if it had no room
			}
			return "well", nil
		}}})
		ref, err := s.Ref(id)
		if err != nil {
			t.Fatal(err)
		}
		for range 3 {
			_, err = ref.Execute(t.Context(), "do", nil)
		}
		if !errors.Is(err, ErrCircuitOpen) {
			t.Errorf("after two failures: %v", err)
		}
		broken = false
		time.Sleep(time.Minute)
		if result, err := s.Execute(t.Context(), id, "do", nil); result != "well" || err != nil {
			t.Errorf("on trial: %v, %v", result, err)
		}
		want := []guard.StateChange{
			{Target: id, State: guard.Open, Failures: 2, Since: began},
			{Target: id, State: guard.HalfOpen, Failures: 2, Since: began.Add(time.Minute)},
			{Target: id, State: guard.Closed, Since: began.Add(time.Minute)},
		}
		if !slices.Equal(heard, want) {
			t.Errorf("told %+v, want %+v", heard, want)
		}
		var types []string
		for _, e := range s.Bus().History(0) {
			if c, ok := e.Data.(guard.StateChange); ok && e.Source == id {
				types = append(types, e.Type)
				if c != want[len(types)-1] {
					t.Errorf("published %+v, want %+v", c, want[len(types)-1])
				}
			}
		}
		if want := []string{EventCircuitOpened, EventCircuitHalfOpen, EventCircuitClosed}; !slices.Equal(types, want) {
			t.Errorf("published %v, want %v", types, want)
		}
	})
}

// Without the option nothing guards the agents.
func TestNoBreaker(t *testing.T) {
	s := start(t, Options{})
	for range 20 {
		if _, err := s.Execute(context.Background(), "nobody", "do", nil); !errors.Is(err, ErrUnknownAgent) {
			t.Fatal(err)
		}
	}
}

// What an action itself fails with says nothing about its agent, whatever it
// wraps.
func TestOwnErrorsOpenNoCircuit(t *testing.T) {
	s := start(t, Options{Breaker: &guard.BreakerOptions{Failures: 1}})
	id := startAgent(t, s, Spec{Behaviour: &scripted{action: func(_ context.Context, self *Agent, action string, _ any) (any, error) {
		if action == "signal nobody" {
			return nil, self.Signal(Signal{Type: "s"}, "nobody")
		}
		return nil, fmt.Errorf("fetch: %w", context.DeadlineExceeded)
	}}})
	for _, action := range []string{"signal nobody", "fetch", "fetch"} {
		if _, err := s.Execute(t.Context(), id, action, nil); err == nil || errors.Is(err, ErrCircuitOpen) {
			t.Errorf("%s: %v", action, err)
		}
	}
}
