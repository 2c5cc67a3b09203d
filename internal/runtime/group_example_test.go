package mabeam_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	mabeam "mabeam-top/internal/runtime"
	"mabeam-top/internal/runtime/guard"
)

// A nurse belongs to a shift.
type nurse struct {
	mabeam.Defaults
	shift string
	heard chan string
}

func (n nurse) Init(_ context.Context, self *mabeam.Agent) error { return self.Join(n.shift) }

func (n nurse) HandleAction(context.Context, *mabeam.Agent, string, any) (any, error) {
	return nil, mabeam.ErrUnknownAction
}

func (n nurse) HandleSignal(_ context.Context, self *mabeam.Agent, signal mabeam.Signal) {
	n.heard <- self.ID() + " hears " + signal.Type
}

// Agents join groups by themselves, and are out of them when they have ended.
func ExampleSystem_Group() {
	ctx := context.Background()
	system := start(mabeam.Options{})
	defer system.Stop(ctx)
	for _, id := range []string{"ada", "bob", "eve"} {
		system.StartAgent(ctx, mabeam.Spec{ID: id, Behaviour: nurse{shift: "night"}})
	}
	system.KillAgent("bob")

	for member := range system.Group("night").All() {
		fmt.Println(member.ID())
	}
	// Output:
	// ada
	// eve
}

// A signal goes to whoever belongs to a group now. The error names who refused.
func ExampleSystem_SignalTo() {
	ctx := context.Background()
	system := start(mabeam.Options{Mailbox: 1})
	defer system.Stop(ctx)
	heard := make(chan string, 1)
	system.StartAgent(ctx, mabeam.Spec{ID: "nurse.ada", Type: "nurse", Behaviour: nurse{shift: "day", heard: heard}})
	system.StartAgent(ctx, mabeam.Spec{ID: "nurse.bob", Type: "nurse", Behaviour: nurse{shift: "night", heard: heard}})

	fmt.Println(system.SignalTo(mabeam.Signal{Type: "shift begins"}, mabeam.ToGroup("night")))
	fmt.Println(<-heard)
	fmt.Println(system.SignalTo(mabeam.Signal{Type: "shift begins"}, mabeam.ToMatching("nurse.a*")))
	fmt.Println(<-heard)
	// Output:
	// <nil>
	// nurse.bob hears shift begins
	// <nil>
	// nurse.ada hears shift begins
}

// The error of a batch tells how much of it was published.
func ExampleBus_PublishAll() {
	ctx := context.Background()
	system := start(mabeam.Options{Rates: map[guard.Operation]guard.Rate{
		mabeam.OperationPublish: {PerSecond: 0.001, Burst: 2},
	}})
	defer system.Stop(ctx)
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()

	err := system.Bus().PublishAll(ctx, []mabeam.Event{{Type: "tick"}, {Type: "tick"}, {Type: "tick"}})
	var batch *mabeam.PublishAllError
	fmt.Println(errors.As(err, &batch), batch.Published, batch.Missed, errors.Is(err, mabeam.ErrRateLimited))
	// Output: true 2 0 true
}
