package agents_test

import (
	"context"
	"errors"
	"reflect"
	"testing"

	mabeam "mabeam-top/internal/runtime"
	"mabeam-top/internal/runtime/agents"
	"mabeam-top/internal/runtime/mabeamtest"
)

func TestDemoAgent(t *testing.T) {
	s := mabeamtest.Start(t, mabeam.Options{})
	var heard []mabeam.Event
	hear := func(_ context.Context, e mabeam.Event) { heard = append(heard, e) }
	if _, err := s.Bus().SubscribePattern("demo_*", hear, mabeam.SubscribeOptions{}); err != nil {
		t.Fatal(err)
	}
	spec := agents.Demo()
	spec.ID = "d"
	mabeamtest.StartAgent(t, s, spec)
	ctx := context.Background()
	for _, c := range []struct {
		action  string
		params  map[string]any
		want    any
		err     error
		version uint64
	}{
		{"ping", nil, "pong", nil, 0},
		{"increment", nil, 1, nil, 1},
		{"increment", map[string]any{"amount": 4}, 5, nil, 2},
		{"increment", map[string]any{"amount": -1.0}, 4, nil, 3},
		{"add_message", map[string]any{"message": "a"}, 1, nil, 4},
		{"add_message", map[string]any{"message": "b"}, 2, nil, 5},
		{"get_messages", nil, []string{"a", "b"}, nil, 5},
		{"get_state", nil, agents.DemoState{Counter: 4, Messages: []string{"a", "b"}}, nil, 5},
		{"clear_messages", nil, nil, nil, 6},
		{"get_messages", nil, []string(nil), nil, 6},
		{"simulate_error", nil, nil, agents.ErrSimulated, 6},
		{"dance", nil, nil, mabeam.ErrUnknownAction, 6},
	} {
		got, err := s.Execute(ctx, "d", c.action, c.params)
		if !errors.Is(err, c.err) || !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: %v, %v; want %v, %v", c.action, got, err, c.want, c.err)
		}
		if info, err := s.Agent("d"); err != nil || info.Version != c.version {
			t.Errorf("after %s: version %d, want %d (%v)", c.action, info.Version, c.version, err)
		}
	}
	for action, params := range map[string]map[string]any{"increment": {"amount": "x"}, "add_message": nil} {
		if _, err := s.Execute(ctx, "d", action, params); err == nil {
			t.Errorf("%s with %v: no error", action, params)
		}
	}
	if err := s.Bus().Publish(ctx, mabeam.Event{Type: "system_status"}); err != nil {
		t.Fatal(err)
	}
	if err := s.Stop(ctx); err != nil {
		t.Fatal(err)
	}
	var types []string
	for _, e := range heard {
		types = append(types, e.Type)
		if e.Source != "d" {
			t.Errorf("%s comes from %q", e.Type, e.Source)
		}
	}
	want := []string{
		"demo_ping", "demo_increment", "demo_increment", "demo_increment",
		"demo_message_added", "demo_message_added", "demo_messages_cleared", "demo_error", "demo_status_response",
	}
	if !reflect.DeepEqual(types, want) {
		t.Errorf("heard %v, want %v", types, want)
	}
	if status := heard[len(heard)-1].Data; status != (agents.DemoStatus{AgentID: "d", Counter: 4}) {
		t.Errorf("status %+v", status)
	}
}

// A state that was handed out does not change under its reader.
func TestDemoStatesAreImmutable(t *testing.T) {
	s := mabeamtest.Start(t, mabeam.Options{})
	id := mabeamtest.StartAgent(t, s, agents.Demo())
	ctx := context.Background()
	var states []agents.DemoState
	for _, m := range []string{"a", "b", "c"} {
		if _, err := s.Execute(ctx, id, "add_message", map[string]any{"message": m}); err != nil {
			t.Fatal(err)
		}
		info, err := s.Agent(id)
		if err != nil {
			t.Fatal(err)
		}
		states = append(states, info.State.(agents.DemoState))
	}
	if got := states[0].Messages; !reflect.DeepEqual(got, []string{"a"}) {
		t.Errorf("the first state is now %v", got)
	}
}
