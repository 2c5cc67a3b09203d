package mabeam

import (
	"context"
	"fmt"
	"testing"
)

// BenchmarkTypedActions compares a table of actions with a switch over the same ones, by
// the last of them, for the call of the behaviour alone and for a whole action.
func BenchmarkTypedActions(b *testing.B) {
	for _, c := range []struct {
		name      string
		behaviour Behaviour
	}{
		{"switch", byHand{}},
		{"table", NewActions(
			Handle("ping", func(context.Context, *Agent, any) (string, error) { return "pong", nil }),
			Handle("reset", func(_ context.Context, self *Agent, _ struct{}) (any, error) { self.SetState(0); return nil, nil }),
			Handle("sum", func(_ context.Context, self *Agent, _ struct{}) (int, error) { return StateOf[int](self), nil }),
			Handle("next", func(_ context.Context, _ *Agent, n int) (int, error) { return n + 1, nil }),
		)},
	} {
		s := startBench(b, Options{})
		id, err := s.StartAgent(context.Background(), Spec{Behaviour: c.behaviour, State: 0})
		if err != nil {
			b.Fatal(err)
		}
		agent := s.agents.Get(id)
		var n any = 5
		ctx := context.Background()
		deadline, cancel := context.WithCancel(ctx)
		defer cancel()
		for name, do := range map[string]func() (any, error){
			"alone":   func() (any, error) { return agent.behaviour.HandleAction(ctx, agent, "next", n) },
			"inline":  func() (any, error) { return s.Execute(ctx, id, "next", n) },
			"mailbox": func() (any, error) { return s.Execute(deadline, id, "next", n) },
		} {
			b.Run(fmt.Sprintf("%s/%s", name, c.name), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					if v, err := do(); v != 6 || err != nil {
						b.Fatal(v, err)
					}
				}
			})
		}
	}
}

// byHand is what a table of actions spares its user.
type byHand struct{ Defaults }

func (byHand) HandleAction(_ context.Context, self *Agent, action string, params any) (any, error) {
	switch action {
	case "ping":
		return "pong", nil
	case "reset":
		self.SetState(0)
		return nil, nil
	case "sum":
		return self.State().(int), nil
	case "next":
		n, ok := params.(int)
		if !ok {
			return nil, fmt.Errorf("want a whole number, got %v", params)
		}
		return n + 1, nil
	}
	return nil, ErrUnknownAction
}
