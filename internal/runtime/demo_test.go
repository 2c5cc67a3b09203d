package mabeam

import (
	"context"
	"errors"
	"reflect"
	"testing"
)

func TestDemoAgent(t *testing.T) {
	s := start(t, Options{})
	var heard inbox
	if _, err := s.Bus().SubscribePattern("demo_*", heard.handle, SubscribeOptions{}); err != nil {
		t.Fatal(err)
	}
	spec := DemoSpec()
	spec.ID = "d"
	startAgent(t, s, spec)
	ctx := context.Background()
	for _, c := range []struct {
		action  string
		params  Params
		want    any
		err     error
		version uint64
	}{
		{"ping", nil, "pong", nil, 0},
		{"increment", nil, 1, nil, 1},
		{"increment", Params{"amount": 4}, 5, nil, 2},
		{"increment", Params{"amount": -1.0}, 4, nil, 3},
		{"add_message", Params{"message": "a"}, 1, nil, 4},
		{"add_message", Params{"message": "b"}, 2, nil, 5},
		{"get_messages", nil, []string{"a", "b"}, nil, 5},
		{"get_state", nil, DemoState{Counter: 4, Messages: []string{"a", "b"}}, nil, 5},
		{"clear_messages", nil, nil, nil, 6},
		{"get_messages", nil, []string(nil), nil, 6},
		{"simulate_error", nil, nil, ErrSimulated, 6},
		{"dance", nil, nil, ErrUnknownAction, 6},
	} {
		got, err := s.Execute(ctx, "d", c.action, c.params)
		if !errors.Is(err, c.err) || !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: %v, %v; want %v, %v", c.action, got, err, c.want, c.err)
		}
		if info, err := s.Agent("d"); err != nil || info.Version != c.version {
			t.Errorf("after %s: version %d, want %d (%v)", c.action, info.Version, c.version, err)
		}
	}
	for action, params := range map[string]Params{"increment": {"amount": "x"}, "add_message": nil} {
		if _, err := s.Execute(ctx, "d", action, params); err == nil {
			t.Errorf("%s with %v: no error", action, params)
		}
	}
	if err := s.Bus().Publish(ctx, Event{Type: "system_status"}); err != nil {
		t.Fatal(err)
	}
	if err := s.Stop(ctx); err != nil {
		t.Fatal(err)
	}
	var types []string
	for _, e := range heard.events {
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
	if status := heard.events[len(heard.events)-1].Data; status != (DemoStatus{AgentID: "d", Counter: 4}) {
		t.Errorf("status %+v", status)
	}
}

// A state that was handed out does not change under its reader.
func TestDemoStatesAreImmutable(t *testing.T) {
	s := start(t, Options{})
	id := startAgent(t, s, DemoSpec())
	ctx := context.Background()
	var states []DemoState
	for _, m := range []string{"a", "b", "c"} {
		if _, err := s.Execute(ctx, id, "add_message", Params{"message": m}); err != nil {
			t.Fatal(err)
		}
		info, err := s.Agent(id)
		if err != nil {
			t.Fatal(err)
		}
		states = append(states, info.State.(DemoState))
	}
	if got := states[0].Messages; !reflect.DeepEqual(got, []string{"a"}) {
		t.Errorf("the first state is now %v", got)
	}
}

func TestComplexAgent(t *testing.T) {
	s := start(t, Options{})
	ctx := context.Background()
	id := startAgent(t, s, ComplexSpec(ComplexOptions{Held: 1000, Hashed: 700}))
	var sums [][32]byte
	for round := 1; round <= 3; round++ {
		if n, err := s.Execute(ctx, id, "work", nil); n != round || err != nil {
			t.Errorf("work: %v, %v", n, err)
		}
		state, err := s.Execute(ctx, id, "get_state", nil)
		if err != nil {
			t.Fatal(err)
		}
		sums = append(sums, state.(ComplexState).Sum)
	}
	if sums[0] == sums[1] || sums[1] == sums[2] {
		t.Error("work does not show in the state")
	}
	for _, c := range []struct {
		action string
		params Params
		ok     bool
	}{
		{"ping", nil, true},
		{"hold", Params{"bytes": 10}, true},
		{"work", nil, true},
		{"hold", Params{"bytes": -1}, false},
		{"sleep", Params{"for": "1us"}, true},
		{"sleep", nil, false},
		{"dance", nil, false},
	} {
		if _, err := s.Execute(ctx, id, c.action, c.params); (err == nil) != c.ok {
			t.Errorf("%s %v: %v", c.action, c.params, err)
		}
	}
}
