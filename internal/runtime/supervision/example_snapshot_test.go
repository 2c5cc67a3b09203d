package supervision_test

import (
	"context"
	"fmt"

	mabeam "mabeam-top/internal/runtime"
	"mabeam-top/internal/runtime/supervision"
)

// A till adds amounts up, and wants the sum back in its next life.
type till struct{ mabeam.Defaults }

func (till) HandleAction(_ context.Context, self *mabeam.Agent, _ string, params any) (any, error) {
	sum := mabeam.StateOf[int](self) + params.(int) // panics if it is no number
	self.SetState(sum)
	return sum, nil
}

// Snapshot keeps the state after each action.
func (till) Snapshot(self *mabeam.Agent) (any, bool) { return self.State(), true }

// The state of a child that gives snapshots survives a crash, but not a stop of the child.
func ExampleStart_snapshots() {
	ctx := context.Background()
	system := start()
	defer system.Stop(ctx)
	restarted := make(chan struct{})
	system.Bus().Subscribe(mabeam.EventAgentRestarted, func(context.Context, mabeam.Event) {
		restarted <- struct{}{}
	}, mabeam.SubscribeOptions{})
	child := supervision.Child{ID: "till", New: func() mabeam.Spec { return mabeam.Spec{Behaviour: till{}} }}
	supervisor, _ := supervision.Start(ctx, system, supervision.Spec{Children: []supervision.Child{child}})

	fmt.Println(system.Execute(ctx, "till", "add", 5))
	_, err := system.Execute(ctx, "till", "add", "a lot")
	fmt.Println(err != nil)
	<-restarted
	fmt.Println(system.Execute(ctx, "till", "add", 2))

	supervisor.StopChild(ctx, "till")
	supervisor.StartChild(ctx, child)
	fmt.Println(system.Execute(ctx, "till", "add", 2))
	// Output:
	// 5 <nil>
	// true
	// 7 <nil>
	// 2 <nil>
}
