package mabeam_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	mabeam "mabeam-top/internal/runtime"
)

// A watcher watches others, and says when one has ended.
type watcher struct {
	mabeam.Defaults
	told chan string
}

func (n watcher) HandleAction(_ context.Context, self *mabeam.Agent, action string, params any) (any, error) {
	if action != "watch" {
		return nil, mabeam.ErrUnknownAction
	}
	self.Monitor(params.(string))
	return nil, nil
}

func (n watcher) HandleSignal(_ context.Context, _ *mabeam.Agent, signal mabeam.Signal) {
	if end, ok := signal.Data.(mabeam.End); ok {
		n.told <- fmt.Sprintf("%s: %v", end.AgentID, end.Err)
	}
}

// Whoever watches a life is told when it ends, and why: an agent by a signal, other code on
// a channel.
func ExampleAgent_Monitor() {
	ctx := context.Background()
	system := start(mabeam.Options{})
	defer system.Stop(ctx)
	system.StartAgent(ctx, mabeam.Spec{ID: "divider", Behaviour: divider{}})
	told := make(chan string, 1)
	system.StartAgent(ctx, mabeam.Spec{ID: "watcher", Behaviour: watcher{told: told}})
	system.Execute(ctx, "watcher", "watch", "divider")
	monitor := system.Monitor("divider")

	system.Execute(ctx, "divider", "divide", 0)
	fmt.Println(<-told)
	fmt.Println(errors.Is((<-monitor.C()).Err, mabeam.ErrCrashed))
	// Output:
	// divider: agent crashed: panic: runtime error: integer divide by zero
	// true
}

// A buyer asks shops for their prices and goes on; the answers come one by one.
type buyer struct {
	mabeam.Defaults
	bought chan string
}

func (b buyer) HandleAction(ctx context.Context, self *mabeam.Agent, _ string, params any) (any, error) {
	for _, shop := range params.([]string) {
		if err := self.Ask(ctx, shop, "price", nil, "tea"); err != nil {
			return nil, err
		}
	}
	return "asked", nil
}

func (b buyer) HandleAnswer(_ context.Context, _ *mabeam.Agent, answer mabeam.AskResult) {
	if answer.Err == nil {
		b.bought <- fmt.Sprint(answer.About, " for ", answer.Value)
	}
}

// An agent that asks without waiting gets the answer as a message.
func ExampleAgent_Ask() {
	ctx := context.Background()
	system := start(mabeam.Options{})
	defer system.Stop(ctx)
	system.StartAgent(ctx, mabeam.Spec{ID: "shop", Behaviour: reader{answers: map[string]any{"price": 3}}})
	b := buyer{bought: make(chan string, 1)}
	system.StartAgent(ctx, mabeam.Spec{ID: "buyer", Behaviour: b})

	fmt.Println(system.Execute(ctx, "buyer", "buy", []string{"shop"}))
	fmt.Println(<-b.bought)
	// Output:
	// asked <nil>
	// tea for 3
}

// Code that is no agent waits for the answer when it wants it.
func ExampleSystem_Ask() {
	ctx := context.Background()
	system := start(mabeam.Options{})
	defer system.Stop(ctx)
	system.StartAgent(ctx, mabeam.Spec{ID: "counter", Behaviour: counter{}, State: 0})
	first := system.Ask(ctx, "counter", "add", 2)
	second := system.Ask(ctx, "counter", "add", 3)
	fmt.Println(first.Await(ctx))
	fmt.Println(second.Await(ctx))
	// Output:
	// 2 <nil>
	// 5 <nil>
}

// A metronome tells itself to tick.
type metronome struct {
	mabeam.Defaults
	ticks chan int
}

func (metronome) Init(ctx context.Context, self *mabeam.Agent) error {
	self.Every(ctx, time.Millisecond, "", "tick", nil)
	return nil
}

func (m metronome) HandleAction(ctx context.Context, self *mabeam.Agent, _ string, _ any) (any, error) {
	n := self.State().(int) + 1
	self.SetState(n)
	select {
	case m.ticks <- n:
	case <-ctx.Done():
	}
	return nil, nil
}

// Timers end with the agent that has made them.
func ExampleAgent_Every() {
	ctx := context.Background()
	system := start(mabeam.Options{})
	defer system.Stop(ctx)
	m := metronome{ticks: make(chan int)}
	system.StartAgent(ctx, mabeam.Spec{ID: "metronome", Behaviour: m, State: 0})
	fmt.Println(<-m.ticks, <-m.ticks, <-m.ticks)
	system.KillAgent("metronome")
	// Output:
	// 1 2 3
}

// What an agent begins beside its callbacks ends with its life.
func ExampleAgent_Context() {
	ctx := context.Background()
	system := start(mabeam.Options{})
	defer system.Stop(ctx)
	ended := make(chan error)
	system.StartAgent(ctx, mabeam.Spec{ID: "a", Behaviour: starter{what: func(life context.Context) {
		<-life.Done()
		ended <- context.Cause(life)
	}}})
	system.KillAgent("a")
	fmt.Println(<-ended)
	// Output:
	// agent was killed
}

// A starter begins something in its Init.
type starter struct {
	mabeam.Defaults
	what func(life context.Context)
}

func (s starter) Init(_ context.Context, self *mabeam.Agent) error {
	go s.what(self.Context())
	return nil
}

func (starter) HandleAction(context.Context, *mabeam.Agent, string, any) (any, error) {
	return nil, mabeam.ErrUnknownAction
}

// What was accepted and then refused is told to who listens.
func ExampleDeadLetter() {
	ctx := context.Background()
	system := start(mabeam.Options{})
	defer system.Stop(ctx)
	letters := make(chan mabeam.DeadLetter, 1)
	system.Bus().Subscribe(mabeam.EventDeadLetter, func(_ context.Context, e mabeam.Event) {
		letters <- e.Data.(mabeam.DeadLetter)
	}, mabeam.SubscribeOptions{})
	system.StartAgent(ctx, mabeam.Spec{ID: "counter", Behaviour: counter{}, State: 0})
	system.SuspendAgent("counter")
	system.Tell(ctx, "counter", "add", 1)
	system.KillAgent("counter")
	d := <-letters
	fmt.Println(d.Kind, d.Name, "to", d.To, "-", d.Reason)
	// Output:
	// action add to counter - killed
}
