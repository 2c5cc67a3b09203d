package mabeam

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
)

type point struct{ x, y int }

// returns is a table of one action, do, that returns its parameters.
func returns[P any]() *Actions {
	return NewActions(Handle("do", func(_ context.Context, _ *Agent, p P) (P, error) { return p, nil }))
}

// An action gets its parameters as its own type, or is not called.
func TestTypedParameters(t *testing.T) {
	s := start(t, Options{})
	var none *point
	for _, c := range []struct {
		name         string
		table        *Actions
		params, want any
		err          string
	}{
		{"a number", returns[int](), 3, 3, ""},
		{"a struct", returns[point](), point{1, 2}, point{1, 2}, ""},
		{"a pointer that is nil", returns[*point](), none, none, ""},
		{"an interface", returns[error](), io.EOF, io.EOF, ""},
		{"anything", returns[any](), 3, 3, ""},
		{"none", returns[struct{}](), struct{}{}, struct{}{}, ""},
		{"nil for a pointer", returns[*point](), nil, none, ""},
		{"nil for a map", returns[map[string]int](), nil, map[string]int(nil), ""},
		{"nil for anything", returns[any](), nil, nil, ""},
		{"nil for none", returns[struct{}](), nil, struct{}{}, ""},
		{"another number", returns[int](), int64(3), nil, "parameters: want int, got int64"},
		{"a value for a pointer", returns[*point](), point{}, nil, "parameters: want *mabeam.point, got mabeam.point"},
		{"not that interface", returns[error](), 3, nil, "parameters: want error, got int"},
		{"something for none", returns[struct{}](), 3, nil, "parameters: want struct {}, got int"},
		{"nil for a number", returns[int](), nil, nil, "parameters: want int, got nil"},
		{"nil for a struct", returns[point](), nil, nil, "parameters: want mabeam.point, got nil"},
	} {
		id := startAgent(t, s, Spec{Behaviour: c.table})
		got, err := s.Execute(t.Context(), id, "do", c.params)
		if fmt.Sprintf("%#v", got) != fmt.Sprintf("%#v", c.want) {
			t.Errorf("%s: got %#v, want %#v", c.name, got, c.want)
		}
		checkTypeError(t, c.name, err, id, c.err)
	}
}

// checkTypeError compares the error of action do with that of a wrong type; empty for none.
func checkTypeError(t *testing.T, name string, err error, id, want string) {
	t.Helper()
	var wrong *TypeError
	switch isWrong := errors.As(err, &wrong); {
	case want == "" && err != nil:
		t.Errorf("%s: %v", name, err)
	case want != "" && (!isWrong || err.Error() != fmt.Sprintf("action %q of agent %q: %s", "do", id, want)):
		t.Errorf("%s: %v, want %s", name, err, want)
	}
}

// The caller of an action gets the result as the type that it wants, or an error.
func TestTypedResults(t *testing.T) {
	s := start(t, Options{})
	id := startAgent(t, s, Spec{Behaviour: &scripted{action: func(_ context.Context, _ *Agent, action string, params any) (any, error) {
		if action == "fail" {
			return params, errOwn
		}
		return params, nil
	}}})
	ctx := t.Context()
	if n, err := Call[int](ctx, s, id, "do", 3); n != 3 || err != nil {
		t.Errorf("a number: %v, %v", n, err)
	}
	if v, err := Call[error](ctx, s, id, "do", io.EOF); !errors.Is(v, io.EOF) || err != nil {
		t.Errorf("an interface: %v, %v", v, err)
	}
	if v, err := Call[any](ctx, s, id, "do", nil); v != nil || err != nil {
		t.Errorf("nil as anything: %v, %v", v, err)
	}
	if v, err := Call[[]int](ctx, s, id, "do", nil); v != nil || err != nil {
		t.Errorf("nil as a slice: %v, %v", v, err)
	}
	if _, err := Call[struct{}](ctx, s, id, "do", nil); err != nil {
		t.Errorf("nil as nothing: %v", err)
	}
	n, err := Call[int](ctx, s, id, "do", "three")
	checkTypeError(t, "a text as a number", err, id, "result: want int, got string")
	if n != 0 {
		t.Errorf("a text as a number is %d", n)
	}
	_, err = Call[int](ctx, s, id, "do", nil)
	checkTypeError(t, "nil as a number", err, id, "result: want int, got nil")
	var wrong *TypeError
	if _, err := Call[int](ctx, s, id, "fail", "three"); !errors.Is(err, errOwn) || errors.As(err, &wrong) {
		t.Errorf("an action that fails: %v", err)
	}
	if _, err := Call[int](ctx, s, "nobody", "do", 3); !errors.Is(err, ErrUnknownAgent) {
		t.Errorf("no agent: %v", err)
	}
}

// A call with the context of a callback is that agent's: it closes a ring.
func TestTypedCallsInARing(t *testing.T) {
	s := start(t, Options{})
	next := map[string]string{"a": "b", "b": "a"}
	ask := NewActions(Handle("ask", func(ctx context.Context, self *Agent, n int) (int, error) {
		return Call[int](ctx, self.System(), next[self.ID()], "ask", n)
	}))
	for id := range next {
		startAgent(t, s, Spec{ID: id, Behaviour: ask})
	}
	var ring *DeadlockError
	if _, err := Call[int](context.Background(), s, "a", "ask", 1); !errors.As(err, &ring) {
		t.Errorf("got %v", err)
	}
}

func TestStateOf(t *testing.T) {
	s := start(t, Options{})
	table := NewActions(
		Handle("set", func(_ context.Context, self *Agent, v any) (any, error) { self.SetState(v); return nil, nil }),
		Handle("do", func(_ context.Context, self *Agent, _ struct{}) (int, error) { return StateOf[int](self), nil }),
	)
	id := startAgent(t, s, Spec{Behaviour: table})
	for _, state := range []any{nil, 5, "five"} {
		if _, err := s.Execute(t.Context(), id, "set", state); err != nil {
			t.Fatal(err)
		}
		n, err := Call[int](t.Context(), s, id, "do", nil)
		var crash *PanicError
		switch state {
		case "five":
			checkTypeError(t, "a text", err, id, "panic: state: want int, got string")
			if !errors.As(err, &crash) {
				t.Errorf("a text: %v", err)
			}
		default:
			if want, _ := state.(int); n != want || err != nil {
				t.Errorf("%v: %v, %v", state, n, err)
			}
		}
	}
}

// Every action of a table is found, and no other, however many there are.
func TestTablesOfActions(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for _, n := range []int{0, 1, 2, 3, 8, 100} {
		names := map[string]int{}
		var handlers []ActionHandler
		for len(names) < n {
			// Few letters, so that many names have the same length, beginning and end.
			name := strings.Repeat("ab", random.IntN(3)) + fmt.Sprint(random.IntN(n))[:1] + strings.Repeat("b", random.IntN(2*n))
			if _, has := names[name]; has {
				continue
			}
			names[name] = len(names)
			handlers = append(handlers, Handle(name, func(context.Context, *Agent, any) (int, error) { return names[name], nil }))
		}
		table := NewActions(handlers...)
		for name, want := range names {
			if got, err := table.HandleAction(t.Context(), nil, name, nil); got != want || err != nil {
				t.Errorf("%q of %d: %v, %v; want %d", name, n, got, err, want)
			}
		}
		for _, name := range []string{"", "x", "abab", "bbbbb/"} {
			if _, has := names[name]; has {
				continue
			}
			if _, err := table.HandleAction(t.Context(), nil, name, nil); !errors.Is(err, ErrUnknownAction) {
				t.Errorf("%q, which is not among %d: %v", name, n, err)
			}
		}
	}
	if _, err := new(Actions).HandleAction(t.Context(), nil, "x", nil); !errors.Is(err, ErrUnknownAction) {
		t.Errorf("the zero value: %v", err)
	}
}

func TestActionHandledTwice(t *testing.T) {
	defer func() {
		if v := recover(); v != `mabeam: action "do" is handled twice` {
			t.Errorf("panicked with %v", v)
		}
	}()
	twice := Handle("do", func(context.Context, *Agent, any) (any, error) { return nil, nil })
	NewActions(twice, twice)
}

// A typed action takes no more memory than one written by hand: none.
func TestAllocationsOfTypedActions(t *testing.T) {
	if raceDetector {
		t.Skip("the race detector allocates by itself")
	}
	s := start(t, Options{})
	id := startAgent(t, s, Spec{Behaviour: returns[*point]()})
	p := &point{}
	ctx := context.Background()
	allocs := testing.AllocsPerRun(1000, func() {
		if got, err := Call[*point](ctx, s, id, "do", p); got != p || err != nil {
			t.Fatal(got, err)
		}
	})
	if allocs > 0 {
		t.Errorf("%v allocations", allocs)
	}
}
