package coordination

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"testing"
	"testing/synctest"
	"time"

	mabeam "mabeam-top/internal/runtime"
	"mabeam-top/internal/runtime/mabeamtest"
)

// Why a step of a test's script failed, if it did.
func outcome(r StepResult) string {
	var mismatch *MismatchError
	var panicked *mabeam.PanicError
	switch {
	case r.Err == nil:
		return "ok"
	case errors.Is(r.Err, ErrSkipped):
		return "skipped"
	case errors.As(r.Err, &mismatch):
		return fmt.Sprintf("got %v, not %v", mismatch.Got, mismatch.Expected)
	case errors.As(r.Err, &panicked):
		return "panic"
	case errors.Is(r.Err, mabeam.ErrTimeout):
		return "timeout"
	case errors.Is(r.Err, mabeam.ErrUnknownAgent):
		return "unknown agent"
	case errors.Is(r.Err, mabeam.ErrUnknownAction):
		return "unknown action"
	}
	return r.Err.Error()
}

// adder is an agent that adds up numbers, and answers some more.
func adder(id string) mabeam.Spec {
	sum := 0
	return mabeam.Spec{ID: id, Behaviour: &mabeamtest.Script{OnAction: func(_ context.Context, _ *mabeam.Agent, action string, params any) (any, error) {
		switch action {
		case "add":
			sum += params.(int)
			return sum, nil
		case "ping":
			return "pong", nil
		case "list":
			return []string{"x"}, nil
		case "nothing":
			return nil, nil
		}
		return nil, mabeam.ErrUnknownAction
	}}}
}

func TestScript(t *testing.T) {
	ids := []string{"a", "b", "nobody"}
	add := func(agent int, amount, expected any) Step {
		return Step{Agent: agent, Action: "add", Params: amount, Expected: expected}
	}
	for _, c := range []struct {
		name               string
		steps              []Step
		inSequence, byside []string
	}{
		{
			"all as expected",
			[]Step{add(0, 1, 1), add(1, 5, 5.0), add(0, 1, 2), {Agent: 0, Action: "ping", Expected: "pong"}, {Agent: 1, Action: "nothing"}},
			[]string{"ok", "ok", "ok", "ok", "ok"},
			[]string{"ok", "ok", "ok", "ok", "ok"},
		},
		{
			"a mismatch",
			[]Step{add(0, 1, 1), add(0, 1, 3), add(1, 1, 1), add(0, 1, 3), add(1, 1, 2)},
			[]string{"ok", "got 2, not 3", "skipped", "skipped", "skipped"},
			[]string{"ok", "got 2, not 3", "ok", "skipped", "ok"},
		},
		{
			"what is not looked at",
			[]Step{add(0, 1, nil), add(0, 1, 2)},
			[]string{"ok", "ok"},
			[]string{"ok", "ok"},
		},
		{
			"an agent that is not there",
			[]Step{{Agent: 2, Action: "ping"}, {Agent: 2, Action: "ping"}, {Agent: 0, Action: "ping"}},
			[]string{"unknown agent", "skipped", "skipped"},
			[]string{"unknown agent", "skipped", "ok"},
		},
		{
			"an action that is not there",
			[]Step{{Agent: 1, Action: "dance"}, {Agent: 0, Action: "ping"}},
			[]string{"unknown action", "skipped"},
			[]string{"unknown action", "ok"},
		},
		{
			"lists and nothing",
			[]Step{
				{Agent: 0, Action: "list", Expected: []string{"x"}},
				{Agent: 0, Action: "nothing", Expected: "x"},
			},
			[]string{"ok", "got <nil>, not x"},
			[]string{"ok", "got <nil>, not x"},
		},
	} {
		for mode, want := range map[ScriptMode][]string{InSequence: c.inSequence, SideBySide: c.byside} {
			s := mabeamtest.Start(t, mabeam.Options{})
			for _, id := range ids[:2] {
				mabeamtest.StartAgent(t, s, adder(id))
			}
			results, err := RunScript(t.Context(), s, ids, c.steps, mode)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for i, r := range results {
				got = append(got, outcome(r))
				if r.Agent != ids[c.steps[i].Agent] {
					t.Errorf("%s: step %d is of %q", c.name, i, r.Agent)
				}
			}
			if !reflect.DeepEqual(got, want) {
				t.Errorf("%s, mode %d: %q, want %q", c.name, mode, got, want)
			}
		}
	}
}

func TestScriptIsRefused(t *testing.T) {
	s := mabeamtest.Start(t, mabeam.Options{})
	ids := manyIDs(2)
	startNamed(t, s, ids, func(string, string, any) (any, error) { return nil, nil })
	fine := Step{Agent: 1, Action: "x"}
	for name, c := range map[string]struct {
		steps []Step
		mode  ScriptMode
	}{
		"no steps":        {nil, InSequence},
		"an index beyond": {[]Step{fine, {Agent: 2, Action: "x"}}, SideBySide},
		"an index below":  {[]Step{fine, {Agent: -1, Action: "x"}}, InSequence},
		"an unknown mode": {[]Step{fine}, SideBySide + 1},
	} {
		if _, err := RunScript(t.Context(), s, ids, c.steps, c.mode); !errors.Is(err, mabeam.ErrBadCoordination) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if n := s.Telemetry().ActionsDone; n != 0 {
		t.Errorf("%d steps were run", n)
	}
}

// Side by side, an agent that hangs or panics costs the others nothing, and
// what one agent does stays in order.
func TestScriptSideBySide(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := mabeamtest.Start(t, mabeam.Options{})
		hold := make(chan struct{})
		defer close(hold)
		const agents, rounds = maxLanes + 100, 3
		ids := manyIDs(agents)
		started := time.Now()
		calls := make([]int, agents) // each touched by its agent alone
		startNamed(t, s, ids, func(id, _ string, params any) (any, error) {
			switch id {
			case ids[1]:
				<-hold
			case ids[2]:
				panic("at a step")
			}
			i := params.(int)
			calls[i]++
			time.Sleep(time.Second)
			return calls[i], nil
		})
		var steps []Step
		for round := range rounds {
			for i := range agents {
				steps = append(steps, Step{Agent: i, Action: "x", Params: i, Expected: round + 1})
			}
		}
		// More than fit side by side take a turn later: two times three seconds.
		results, err := RunScript(t.Context(), s, ids, steps, SideBySide)
		if err != nil {
			t.Fatal(err)
		}
		if took := time.Since(started); took != mabeam.CoordinationTimeout {
			t.Errorf("it took %v, want its deadline", took)
		}
		counts := map[string]int{}
		for i, r := range results {
			got := outcome(r)
			counts[got]++
			if first := i < agents; i%agents == 1 && first != (got == "timeout") || i%agents == 2 && first != (got == "panic") {
				t.Errorf("step %d: %s", i, got)
			}
		}
		// The lanes taken later had two seconds left.
		if n := counts["ok"]; n < (maxLanes-2)*rounds || counts["panic"] != 1 {
			t.Errorf("%v", counts)
		}
	})
}

func TestSameValue(t *testing.T) {
	type named int
	for _, c := range []struct {
		expected, got any
		same          bool
	}{
		{1, 1, true},
		{1, 2, false},
		{1, 1.0, true},
		{1.0, 1, true},
		{uint64(1), 1, true},
		{1, uint64(1), true},
		{uint64(1 << 63), uint64(1 << 63), true},
		{-1, ^uint64(0), false},
		{^uint64(0), -1, false},
		{named(3), 3.0, true},
		{float32(0.5), 0.5, true},
		{1.5, 1, false},
		{1<<60 + 1, 1 << 60, false},
		{1, "1", false},
		{"1", 1, false},
		{1, nil, false},
		{true, 1, false},
		{"a", "a", true},
		{[]any{1, "a"}, []any{1, "a"}, true},
		{[]any{1}, []any{1.0}, false}, // only the value itself is taken for a number
		{map[string]any{"a": 1}, map[string]any{"a": 1}, true},
	} {
		if got := sameValue(c.expected, c.got); got != c.same {
			t.Errorf("%v (%T) and %v (%T): %v", c.expected, c.expected, c.got, c.got, got)
		}
	}
}
