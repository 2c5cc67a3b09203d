package supervision_test

import (
	"context"
	"fmt"
	"log"

	mabeam "mabeam-top/internal/runtime"
	"mabeam-top/internal/runtime/supervision"
)

// start starts a system for an example.
func start() *mabeam.System {
	system, err := mabeam.Start(context.Background(), mabeam.Options{})
	if err != nil {
		log.Fatal(err)
	}
	return system
}

// A divider divides 100 by a number.
type divider struct{ mabeam.Defaults }

func (divider) HandleAction(_ context.Context, _ *mabeam.Agent, _ string, params any) (any, error) {
	return 100 / params.(int), nil
}

// A child that crashes is started again by its supervisor.
func ExampleStart() {
	ctx := context.Background()
	system := start()
	defer system.Stop(ctx)
	restarted := make(chan mabeam.LifecycleData)
	system.Bus().Subscribe(mabeam.EventAgentRestarted, func(_ context.Context, e mabeam.Event) {
		restarted <- e.Data.(mabeam.LifecycleData)
	}, mabeam.SubscribeOptions{})
	supervision.Start(ctx, system, supervision.Spec{Children: []supervision.Child{
		{ID: "divider", New: func() mabeam.Spec { return mabeam.Spec{Behaviour: divider{}} }},
	}})

	_, err := system.Execute(ctx, "divider", "divide", 0)
	fmt.Println(err)
	fmt.Println("restarted:", (<-restarted).Reason)
	fmt.Println(system.Execute(ctx, "divider", "divide", 4))
	// Output:
	// action "divide" of agent "divider": panic: runtime error: integer divide by zero
	// restarted: panic: runtime error: integer divide by zero
	// 25 <nil>
}

// A supervisor gives up when restarts do not help.
func ExampleSupervisor_Err() {
	ctx := context.Background()
	system := start()
	defer system.Stop(ctx)
	lives := 0
	supervisor, err := supervision.Start(ctx, system, supervision.Spec{
		ID: "arithmetic", Intensity: &supervision.Intensity{Restarts: 3},
		Children: []supervision.Child{{ID: "divider", New: func() mabeam.Spec {
			if lives++; lives > 1 {
				panic("no more dividers")
			}
			return mabeam.Spec{Behaviour: divider{}}
		}}},
	})
	if err != nil {
		log.Fatal(err)
	}
	system.KillAgent("divider")
	<-supervisor.Done()
	fmt.Println(supervisor.Err())
	fmt.Println("attempts:", lives-1)
	// Output:
	// supervisor "arithmetic": supervisor gave up after 3 restarts within 1m0s, now of "divider": new: panic: no more dividers
	// attempts: 3
}

// A supervisor that gives up is a child that has ended to the one above, which begins it
// anew with all that is below it.
func ExampleChild_supervisor() {
	ctx := context.Background()
	system := start()
	defer system.Stop(ctx)
	top, err := supervision.Start(ctx, system, supervision.Spec{ID: "top", Children: []supervision.Child{
		{Supervisor: &supervision.Spec{
			ID: "arithmetic", Intensity: &supervision.Intensity{}, // one that restarts nothing
			Children: []supervision.Child{{ID: "divider", New: func() mabeam.Spec { return mabeam.Spec{Behaviour: divider{}} }}},
		}},
	}})
	if err != nil {
		log.Fatal(err)
	}
	gaveUp := make(chan supervision.GaveUpData, 1)
	system.Bus().Subscribe(supervision.EventGaveUp, func(_ context.Context, e mabeam.Event) {
		gaveUp <- e.Data.(supervision.GaveUpData)
	}, mabeam.SubscribeOptions{})
	started := make(chan string, 1)
	system.Bus().Subscribe(mabeam.EventAgentStarted, func(_ context.Context, e mabeam.Event) { started <- e.Source }, mabeam.SubscribeOptions{})

	system.Execute(ctx, "divider", "divide", 0)
	fmt.Println("gave up:", (<-gaveUp).SupervisorID)
	fmt.Println("started again:", <-started)
	fmt.Println(len(top.Children()), "child of", top.ID())
	// Output:
	// gave up: arithmetic
	// started again: divider
	// 1 child of top
}
