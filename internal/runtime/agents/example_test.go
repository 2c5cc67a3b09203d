package agents_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"testing"

	mabeam "mabeam-top/internal/runtime"
	"mabeam-top/internal/runtime/mabeamtest"
)

// docs/how-to/write-an-agent.md shows this file.

// Tally describes an agent that adds numbers up.
func Tally() mabeam.Spec {
	return mabeam.Spec{Type: "tally", Behaviour: tally{}, Capabilities: []string{"add"}}
}

// A tally is the behaviour of such an agent. Its state is the sum, an int.
type tally struct{ mabeam.Defaults }

func (tally) Init(_ context.Context, self *mabeam.Agent) error {
	self.SetState(0)
	return nil
}

func (tally) HandleAction(ctx context.Context, self *mabeam.Agent, action string, params any) (any, error) {
	switch action {
	case "add":
		n, ok := params.(int)
		if !ok {
			return nil, fmt.Errorf("add needs an int, not %T", params)
		}
		sum := self.State().(int) + n
		self.SetState(sum)
		return sum, self.Publish(ctx, "tally.added", n)
	case "sum":
		return self.State(), nil
	}
	return nil, mabeam.ErrUnknownAction
}

func Example() {
	ctx := context.Background()
	system, err := mabeam.Start(ctx, mabeam.Options{})
	if err != nil {
		log.Fatal(err)
	}
	id, err := system.StartAgent(ctx, Tally())
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(system.Execute(ctx, id, "add", 3))
	fmt.Println(system.Execute(ctx, id, "add", 4))
	fmt.Println(system.Stop(ctx))
	// Output:
	// 3 <nil>
	// 7 <nil>
	// <nil>
}

func TestTally(t *testing.T) {
	system := mabeamtest.Start(t, mabeam.Options{})
	id := mabeamtest.StartAgent(t, system, Tally())
	added := mabeamtest.Listen(t, system, "tally.*")

	if sum, err := system.Execute(t.Context(), id, "add", 3); sum != 3 || err != nil {
		t.Errorf("got %v, %v; want 3", sum, err)
	}
	if e := added.Next(t, nil); e.Source != id || e.Data != 3 {
		t.Errorf("published %+v", e)
	}
	if _, err := system.Execute(t.Context(), id, "divide", 0); !errors.Is(err, mabeam.ErrUnknownAction) {
		t.Errorf("got %v", err)
	}
}
