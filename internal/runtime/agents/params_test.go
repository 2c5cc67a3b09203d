package agents_test

import (
	"errors"
	"math"
	"testing"

	mabeam "mabeam-top/internal/runtime"
	"mabeam-top/internal/runtime/agents"
	"mabeam-top/internal/runtime/coordination"
	"mabeam-top/internal/runtime/mabeamtest"
)

type (
	named map[string]any
	key   string
	keyed map[key]any
)

// Parameters are read whatever the type of their map and of their numbers is.
func TestParametersThatAreRead(t *testing.T) {
	s := mabeamtest.Start(t, mabeam.Options{})
	id := mabeamtest.StartAgent(t, s, agents.Demo())
	want := 0
	for _, c := range []struct {
		params any
		amount int
	}{
		{nil, 1},
		{named(nil), 1},
		{map[string]any{}, 1},
		{named{"other": 5}, 1},
		{map[string]any{"amount": 5}, 5},
		{named{"amount": 5}, 5},
		{keyed{"amount": 5}, 5},
		{keyed{"amount": nil}, 1},
		{named{"amount": int8(-5)}, -5},
		{named{"amount": uint64(5)}, 5},
		{named{"amount": float32(5)}, 5},
	} {
		want += c.amount
		if got, err := s.Execute(t.Context(), id, "increment", c.params); got != want || err != nil {
			t.Errorf("increment %#v: %v, %v; want %d", c.params, got, err, want)
		}
	}
}

// What cannot be read is an error that names it, and changes nothing.
func TestParametersThatCannotBeRead(t *testing.T) {
	s := mabeamtest.Start(t, mabeam.Options{})
	for _, c := range []struct {
		spec   mabeam.Spec
		action string
		params any
		want   string
	}{
		{agents.Demo(), "increment", 5, "parameters: want a map with string keys and any values, got int"},
		{agents.Demo(), "increment", map[string]int{"amount": 5}, "parameters: want a map with string keys and any values, got map[string]int"},
		{agents.Demo(), "increment", map[int]any{1: 5}, "parameters: want a map with string keys and any values, got map[int]interface {}"},
		{agents.Demo(), "increment", named{"amount": "5"}, `parameter "amount": want a whole number, got 5 (string)`},
		{agents.Demo(), "increment", named{"amount": 0.5}, `parameter "amount": want a whole number, got 0.5 (float64)`},
		{agents.Demo(), "increment", named{"amount": math.NaN()}, `parameter "amount": want a whole number, got NaN (float64)`},
		{agents.Demo(), "increment", named{"amount": math.Exp2(63)}, `parameter "amount": want a whole number, got 9.223372036854776e+18 (float64)`},
		{agents.Demo(), "increment", named{"amount": uint64(math.MaxUint64)}, `parameter "amount": want a whole number, got 18446744073709551615 (uint64)`},
		{agents.Demo(), "add_message", "a", "parameters: want a map with string keys and any values, got string"},
		{agents.Demo(), "add_message", nil, `parameter "message": want a string, got <nil> (<nil>)`},
		{agents.Complex(agents.ComplexOptions{}), "sleep", "1us", "parameters: want a map with string keys and any values, got string"},
		{agents.Complex(agents.ComplexOptions{}), "hold", 5, "parameters: want a map with string keys and any values, got int"},
		{agents.Complex(agents.ComplexOptions{}), coordination.ActionVote, []any{"red"}, "parameters: want a map with string keys and any values, got []interface {}"},
	} {
		id := mabeamtest.StartAgent(t, s, c.spec)
		before, _ := s.Agent(id)
		_, err := s.Execute(t.Context(), id, c.action, c.params)
		var failed *mabeam.ActionError
		if !errors.As(err, &failed) || failed.Err.Error() != c.want {
			t.Errorf("%s %v: %v; want %s", c.action, c.params, err, c.want)
		}
		if after, _ := s.Agent(id); after.Version != before.Version {
			t.Errorf("%s %v has changed the state", c.action, c.params)
		}
	}
}
