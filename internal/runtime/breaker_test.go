package mabeam

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"
)

// A modelCircuit is a target as the documents describe it: closed until so many
// failures in a row, open for a pause, then on trial.
type modelCircuit struct {
	state            CircuitState
	failures         int
	heard            time.Duration // of a failure, a trial or a change
	trials           int           // counts the times that trials were let in
	begun, succeeded int
}

// A modelCall is one that was let through.
type modelCall struct {
	target string
	trial  int // which of the target's trials; 0 if it is none
	given  uint64
}

// A breakerModel is a breaker with no regard for speed, locks or memory.
type breakerModel struct {
	o       BreakerOptions
	now     time.Duration
	targets map[string]*modelCircuit
	told    []string
}

func (m *breakerModel) move(target string, c *modelCircuit, to CircuitState) {
	if c.state != to {
		m.told = append(m.told, fmt.Sprint(target, " ", to))
	}
	c.state, c.heard, c.begun, c.succeeded = to, m.now, 0, 0
	if to == CircuitClosed {
		c.failures = 0
	}
}

func (m *breakerModel) circuit(target string) *modelCircuit {
	c := m.targets[target]
	if m.now-c.heard >= 10*time.Minute {
		m.move(target, c, CircuitClosed)
	}
	return c
}

func (m *breakerModel) begin(target string) (call modelCall, refused bool) {
	c := m.circuit(target)
	paused := m.now-c.heard >= m.o.OpenFor
	call = modelCall{target: target}
	if c.state == CircuitClosed {
		return call, false
	}
	if c.state == CircuitOpen && paused {
		m.move(target, c, CircuitHalfOpen)
		c.trials++
	} else if c.state == CircuitHalfOpen && paused && c.begun == m.o.Trials {
		c.begun = c.succeeded
		c.trials++
	}
	if c.state == CircuitOpen || c.begun == m.o.Trials {
		return call, true
	}
	c.begun++
	c.heard = m.now
	call.trial = c.trials
	return call, false
}

func (m *breakerModel) end(call modelCall, v verdict) {
	c := m.circuit(call.target)
	switch {
	case c.state == CircuitClosed && call.trial == 0 && v == success:
		c.failures = 0
	case c.state == CircuitClosed && call.trial == 0 && v == failure:
		c.failures++
		c.heard = m.now
		if c.failures == m.o.Failures {
			m.move(call.target, c, CircuitOpen)
		}
	case c.state == CircuitHalfOpen && call.trial == c.trials:
		switch v {
		case inconclusive:
			c.begun--
		case failure:
			c.failures++
			m.move(call.target, c, CircuitOpen)
		case success:
			c.succeeded++
			if c.succeeded == m.o.Trials {
				m.move(call.target, c, CircuitClosed)
			}
		}
	}
}

// A breakerStep lets time pass, and then begins a call of a target or ends one
// of those that have begun.
type breakerStep struct {
	Pause  time.Duration
	Begin  bool
	Target string
	Which  int // of those that have begun, from the oldest on
	Ends   verdict
}

// Whatever calls begin and end, in whatever order, a breaker lets through,
// refuses and tells what the state machine does, and holds nothing for a target
// that does not fail.
func TestBreakerIsItsStateMachine(t *testing.T) {
	// Most steps take no time, some the whole pause, and few so long that all
	// is forgotten.
	pauses := slices.Concat(
		slices.Repeat([]time.Duration{0}, 30), slices.Repeat([]time.Duration{10 * time.Second}, 6),
		[]time.Duration{time.Second, 9 * time.Second, 10*time.Second - 1, 10*time.Minute - 1, 10 * time.Minute},
	)
	rapid.Check(t, func(r *rapid.T) {
		o := BreakerOptions{
			Failures: rapid.IntRange(1, 3).Draw(r, "failures"), OpenFor: 10 * time.Second,
			Trials: rapid.IntRange(1, 3).Draw(r, "trials"),
		}
		steps := rapid.SliceOfN(rapid.Custom(func(r *rapid.T) breakerStep {
			return breakerStep{
				Pause: rapid.SampledFrom(pauses).Draw(r, "pause"), Begin: rapid.Bool().Draw(r, "begin"),
				Target: rapid.SampledFrom([]string{"a", "a", "a", "a", "a", "b"}).Draw(r, "target"),
				Which:  rapid.IntRange(0, 5).Draw(r, "which"),
				Ends:   rapid.SampledFrom([]verdict{failure, failure, failure, success, success, inconclusive}).Draw(r, "ends"),
			}
		}), 50, 300).Draw(r, "steps")
		var problem string
		synctest.Test(t, func(*testing.T) { problem = compareBreaker(o, steps) })
		if problem != "" {
			r.Fatal(problem)
		}
	})
}

// compareBreaker says where a breaker and the model part; nothing if they do not.
func compareBreaker(o BreakerOptions, steps []breakerStep) (problem string) {
	m := &breakerModel{o: o, targets: map[string]*modelCircuit{"a": {}, "b": {}}}
	var told []string
	o.OnChange = func(_ context.Context, c CircuitChange) { told = append(told, fmt.Sprint(c.Target, " ", c.State)) }
	b := newBreaker(o)
	ctx := context.Background()
	var begun []modelCall
	for i, step := range steps {
		time.Sleep(step.Pause)
		m.now += step.Pause
		switch {
		case step.Begin:
			call, refused := m.begin(step.Target)
			given, err := b.admit(ctx, step.Target)
			if refused != errors.Is(err, ErrCircuitOpen) {
				return fmt.Sprintf("step %d: want it refused: %v, got %v", i, refused, err)
			}
			call.given = given
			if !refused {
				begun = append(begun, call)
			}
		case len(begun) > 0:
			which := step.Which % len(begun)
			m.end(begun[which], step.Ends)
			b.report(ctx, begun[which].target, begun[which].given, step.Ends)
			begun = slices.Delete(begun, which, which+1)
		}
		failing := 0
		for target := range m.targets {
			c := m.targets[target]
			if state := b.State(target); state != c.state && m.now-c.heard < b.forgetAfter {
				return fmt.Sprintf("step %d: %s is %v, want %v", i, target, state, c.state)
			}
			if c.failures > 0 {
				failing++
			}
		}
		if b.known > failing {
			return fmt.Sprintf("step %d: %d targets are known, %d have failed", i, b.known, failing)
		}
	}
	// Those that are forgotten at the same time are told in any order.
	for _, target := range []string{"a", "b"} {
		is := func(change string) bool { return change[:1] != target }
		got, want := slices.DeleteFunc(slices.Clone(told), is), slices.DeleteFunc(slices.Clone(m.told), is)
		if n := min(len(got), len(want)); !slices.Equal(got[:n], want[:n]) || max(len(got), len(want))-n > 1 {
			return fmt.Sprintf("told %v, want %v", got, want)
		}
	}
	return ""
}

// Do judges by the error, and by a panic or the end of the goroutine.
func TestBreakerDo(t *testing.T) {
	for name, c := range map[string]struct {
		f    func(context.Context) error
		want CircuitState
	}{
		"success":    {func(context.Context) error { return nil }, CircuitClosed},
		"error":      {func(context.Context) error { return errOwn }, CircuitOpen},
		"timeout":    {func(context.Context) error { return ErrTimeout }, CircuitOpen},
		"cancelled":  {func(context.Context) error { return context.Canceled }, CircuitClosed},
		"panic":      {func(context.Context) error { panic(errOwn) }, CircuitOpen},
		"goroutine ": {func(context.Context) error { runtime.Goexit(); return nil }, CircuitOpen},
	} {
		b, err := NewBreaker(BreakerOptions{Failures: 1})
		if err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		wg.Go(func() {
			defer func() {
				if v := recover(); v != nil && v != any(errOwn) {
					t.Errorf("%s: panicked with %v", name, v)
				}
			}()
			_ = b.Do(context.Background(), "x", c.f)
		})
		wg.Wait()
		if state := b.State("x"); state != c.want {
			t.Errorf("%s: %v, want %v", name, state, c.want)
		}
		err = b.Do(context.Background(), "x", func(context.Context) error { return nil })
		if errors.Is(err, ErrCircuitOpen) != (c.want == CircuitOpen) {
			t.Errorf("%s: the next call: %v", name, err)
		}
	}
	if _, err := NewBreaker(BreakerOptions{Trials: -1}); err == nil {
		t.Error("a breaker with -1 trials")
	}
}

// The targets that a breaker knows are bounded, and those that are not heard of
// any more are forgotten, and told as closed.
func TestBreakerForgets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		closed := 0
		b := newBreaker(BreakerOptions{Failures: 1, OnChange: func(_ context.Context, c CircuitChange) {
			if c.State == CircuitClosed {
				closed++
			}
		}})
		fail := func(context.Context) error { return errOwn }
		for i := range maxCircuits + 10 {
			_ = b.Do(t.Context(), fmt.Sprint(i), fail)
		}
		if err := b.Do(t.Context(), "one too many", fail); !errors.Is(err, errOwn) || b.known != maxCircuits {
			t.Errorf("%d targets are known, and one more: %v", b.known, err)
		}
		time.Sleep(b.forgetAfter)
		_ = b.Do(t.Context(), "new", fail)
		if b.known != 1 || closed != maxCircuits || b.State("new") != CircuitOpen || b.State("1") != CircuitClosed {
			t.Errorf("%d targets are known, and %d were closed", b.known, closed)
		}
	})
}

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
				s := start(t, Options{Breaker: &BreakerOptions{Failures: 1}})
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
		s := start(t, Options{Mailbox: 1, Breaker: &BreakerOptions{Failures: 1}})
		behaviour, began, hold := blocker()
		id := startAgent(t, s, Spec{Behaviour: behaviour})
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		if _, err := s.Execute(ctx, id, "wait", nil); !errors.Is(err, context.Canceled) || s.Breaker().State(id) != CircuitClosed {
			t.Errorf("given up: %v, %v", err, s.Breaker().State(id))
		}
		<-began
		late, cancelLate := context.WithDeadline(t.Context(), time.Now())
		defer cancelLate()
		if _, err := s.Execute(late, id, "wait", nil); !errors.Is(err, ErrTimeout) || s.Breaker().State(id) != CircuitClosed {
			t.Errorf("too late: %v, %v", err, s.Breaker().State(id))
		}
		if _, err := s.Execute(t.Context(), id, "wait", nil); !errors.Is(err, ErrMailboxFull) || s.Breaker().State(id) != CircuitOpen {
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
		var heard []CircuitChange
		s := start(t, Options{Breaker: &BreakerOptions{
			Failures: 2, OpenFor: time.Minute,
			OnChange: func(_ context.Context, c CircuitChange) { heard = append(heard, c) },
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
		want := []CircuitChange{
			{Target: id, State: CircuitOpen, Failures: 2, Since: began},
			{Target: id, State: CircuitHalfOpen, Failures: 2, Since: began.Add(time.Minute)},
			{Target: id, State: CircuitClosed, Since: began.Add(time.Minute)},
		}
		if !slices.Equal(heard, want) {
			t.Errorf("told %+v, want %+v", heard, want)
		}
		var types []string
		for _, e := range s.Bus().History(0) {
			if c, ok := e.Data.(CircuitChange); ok && e.Source == id {
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

// Who is told of a change may use the breaker, and many calls at once leave it
// whole.
func TestBreakerSideBySide(t *testing.T) {
	var b *Breaker
	b = newBreaker(BreakerOptions{Failures: 2, OpenFor: time.Nanosecond, Trials: 2, OnChange: func(_ context.Context, c CircuitChange) {
		b.State(c.Target)
	}})
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			for i := range 2000 {
				_ = b.Do(context.Background(), fmt.Sprint(i%3), func(context.Context) error {
					if (i/7+g)%2 == 0 {
						return errOwn
					}
					return nil
				})
			}
		})
	}
	wg.Wait()
	for i := range 3 {
		for range 10 { // trials that were under way have ended
			_ = b.Do(context.Background(), fmt.Sprint(i), func(context.Context) error { return nil })
		}
	}
	if b.known != 0 {
		t.Errorf("%d targets are known, all have recovered", b.known)
	}
}

// What an action itself fails with says nothing about its agent, whatever it
// wraps.
func TestOwnErrorsOpenNoCircuit(t *testing.T) {
	s := start(t, Options{Breaker: &BreakerOptions{Failures: 1}})
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
