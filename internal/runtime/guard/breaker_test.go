package guard

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
	state            State
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

func (m *breakerModel) move(target string, c *modelCircuit, to State) {
	if c.state != to {
		m.told = append(m.told, fmt.Sprint(target, " ", to))
	}
	c.state, c.heard, c.begun, c.succeeded = to, m.now, 0, 0
	if to == Closed {
		c.failures = 0
	}
}

func (m *breakerModel) circuit(target string) *modelCircuit {
	c := m.targets[target]
	if m.now-c.heard >= 10*time.Minute {
		m.move(target, c, Closed)
	}
	return c
}

func (m *breakerModel) begin(target string) (call modelCall, refused bool) {
	c := m.circuit(target)
	paused := m.now-c.heard >= m.o.OpenFor
	call = modelCall{target: target}
	if c.state == Closed {
		return call, false
	}
	if c.state == Open && paused {
		m.move(target, c, HalfOpen)
		c.trials++
	} else if c.state == HalfOpen && paused && c.begun == m.o.Trials {
		c.begun = c.succeeded
		c.trials++
	}
	if c.state == Open || c.begun == m.o.Trials {
		return call, true
	}
	c.begun++
	c.heard = m.now
	call.trial = c.trials
	return call, false
}

func (m *breakerModel) end(call modelCall, v Verdict) {
	c := m.circuit(call.target)
	switch {
	case c.state == Closed && call.trial == 0 && v == Success:
		c.failures = 0
	case c.state == Closed && call.trial == 0 && v == Failure:
		c.failures++
		c.heard = m.now
		if c.failures == m.o.Failures {
			m.move(call.target, c, Open)
		}
	case c.state == HalfOpen && call.trial == c.trials:
		switch v {
		case Inconclusive:
			c.begun--
		case Failure:
			c.failures++
			m.move(call.target, c, Open)
		case Success:
			c.succeeded++
			if c.succeeded == m.o.Trials {
				m.move(call.target, c, Closed)
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
	Ends   Verdict
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
				Ends:   rapid.SampledFrom([]Verdict{Failure, Failure, Failure, Success, Success, Inconclusive}).Draw(r, "ends"),
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
	o.OnChange = func(_ context.Context, c StateChange) { told = append(told, fmt.Sprint(c.Target, " ", c.State)) }
	b, err := NewBreaker(o)
	if err != nil {
		return err.Error()
	}
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
		if int(b.failing.Load()) > failing {
			return fmt.Sprintf("step %d: %d targets are known, %d have failed", i, int(b.failing.Load()), failing)
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
		want State
	}{
		"success":   {func(context.Context) error { return nil }, Closed},
		"error":     {func(context.Context) error { return errOwn }, Open},
		"timeout":   {func(context.Context) error { return context.DeadlineExceeded }, Open},
		"cancelled": {func(context.Context) error { return context.Canceled }, Closed},
		"panic":     {func(context.Context) error { panic(errOwn) }, Open},
		"goexit":    {func(context.Context) error { runtime.Goexit(); return nil }, Open},
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
		if errors.Is(err, ErrCircuitOpen) != (c.want == Open) {
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
		b, err := NewBreaker(BreakerOptions{Failures: 1, OnChange: func(_ context.Context, c StateChange) {
			if c.State == Closed {
				closed++
			}
		}})
		if err != nil {
			t.Fatal(err)
		}
		fail := func(context.Context) error { return errOwn }
		for i := range maxFailing + 10 {
			_ = b.Do(t.Context(), fmt.Sprint(i), fail)
		}
		if err := b.Do(t.Context(), "one too many", fail); !errors.Is(err, errOwn) || int(b.failing.Load()) != maxFailing {
			t.Errorf("%d targets are known, and one more: %v", int(b.failing.Load()), err)
		}
		time.Sleep(b.forgetAfter)
		_ = b.Do(t.Context(), "new", fail)
		if int(b.failing.Load()) != 1 || closed != maxFailing || b.State("new") != Open || b.State("1") != Closed {
			t.Errorf("%d targets are known, and %d were closed", int(b.failing.Load()), closed)
		}
	})
}

// A circuit is remembered for twice the time that it is open, if that is longer than
// ten minutes.
func TestLongOpenCircuit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, err := NewBreaker(BreakerOptions{Failures: 1, OpenFor: time.Hour})
		if err != nil {
			t.Fatal(err)
		}
		_ = b.Do(t.Context(), "x", func(context.Context) error { return errOwn })
		time.Sleep(time.Hour - 1)
		if err := b.Do(t.Context(), "x", func(context.Context) error { return nil }); !errors.Is(err, ErrCircuitOpen) {
			t.Errorf("before its time: %v", err)
		}
		if n := b.Refused(); n != 1 {
			t.Errorf("%d counted as refused, want 1", n)
		}
		time.Sleep(time.Hour)
		if state := b.State("x"); state != Open {
			t.Errorf("before it is forgotten: %v", state)
		}
		time.Sleep(time.Nanosecond)
		if state := b.State("x"); state != Closed {
			t.Errorf("then: %v", state)
		}
	})
}

func TestStateString(t *testing.T) {
	for state, want := range map[State]string{Closed: "closed", Open: "open", HalfOpen: "half-open", -1: "-1", 3: "3"} {
		if got := state.String(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// Who is told of a change may use the breaker, and many calls at once leave it
// whole.
func TestBreakerSideBySide(t *testing.T) {
	var b *Breaker
	b, err := NewBreaker(BreakerOptions{Failures: 2, OpenFor: time.Nanosecond, Trials: 2, OnChange: func(_ context.Context, c StateChange) {
		b.State(c.Target)
	}})
	if err != nil {
		t.Fatal(err)
	}
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
	if int(b.failing.Load()) != 0 {
		t.Errorf("%d targets are known, all have recovered", int(b.failing.Load()))
	}
}
