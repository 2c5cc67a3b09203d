package mabeam_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"slices"

	mabeam "mabeam-top/internal/runtime"
	"mabeam-top/internal/runtime/agents"
	"mabeam-top/internal/runtime/guard"
)

func init() { mabeam.DemoSpec = agents.Demo }

// start starts a system for an example.
func start(o mabeam.Options) *mabeam.System {
	system, err := mabeam.Start(context.Background(), o)
	if err != nil {
		log.Fatal(err)
	}
	return system
}

// A counter is a behaviour with a state: the sum of what was added.
type counter struct{ mabeam.Defaults }

func (counter) HandleAction(_ context.Context, self *mabeam.Agent, action string, params any) (any, error) {
	sum := self.State().(int)
	switch action {
	case "add":
		n, ok := params.(int)
		if !ok {
			return nil, fmt.Errorf("cannot add %v", params)
		}
		self.SetState(sum + n)
		return sum + n, nil
	case "sum":
		return sum, nil
	}
	return nil, mabeam.ErrUnknownAction
}

// A divider panics when it is to divide by zero.
type divider struct{ mabeam.Defaults }

func (divider) HandleAction(_ context.Context, _ *mabeam.Agent, _ string, params any) (any, error) {
	return 100 / params.(int), nil
}

// A reader knows an answer to each action, and notes the signals that it gets.
type reader struct {
	mabeam.Defaults
	answers map[string]any
	signals chan mabeam.Signal
}

func (r reader) HandleAction(_ context.Context, _ *mabeam.Agent, action string, _ any) (any, error) {
	answer, ok := r.answers[action]
	if !ok {
		return nil, mabeam.ErrUnknownAction
	}
	return answer, nil
}

func (r reader) HandleSignal(_ context.Context, _ *mabeam.Agent, signal mabeam.Signal) {
	r.signals <- signal
}

// A does is a behaviour that is one function.
type does struct {
	mabeam.Defaults
	action func(ctx context.Context, self *mabeam.Agent, params any) (any, error)
}

func (d does) HandleAction(ctx context.Context, self *mabeam.Agent, _ string, params any) (any, error) {
	return d.action(ctx, self, params)
}

func Example() {
	ctx := context.Background()
	system, err := mabeam.Start(context.Background(), mabeam.Options{})
	if err != nil {
		log.Fatal(err)
	}
	id, err := system.StartAgent(ctx, agents.Demo())
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(system.Execute(ctx, id, "ping", nil))
	fmt.Println(system.Execute(ctx, id, "increment", map[string]any{"amount": 5}))
	fmt.Println(system.Stop(ctx))
	// Output:
	// pong <nil>
	// 5 <nil>
	// <nil>
}

func ExampleSystem_Execute() {
	ctx := context.Background()
	system := start(mabeam.Options{})
	defer system.Stop(ctx)
	system.StartAgent(ctx, mabeam.Spec{ID: "counter", Behaviour: counter{}, State: 0})

	fmt.Println(system.Execute(ctx, "counter", "add", 3))
	_, err := system.Execute(ctx, "counter", "add", "a lot")
	fmt.Println(err)
	_, err = system.Execute(ctx, "counter", "multiply", 2)
	fmt.Println(errors.Is(err, mabeam.ErrUnknownAction))
	_, err = system.Execute(ctx, "nobody", "add", 1)
	fmt.Println(errors.Is(err, mabeam.ErrUnknownAgent))
	// Output:
	// 3 <nil>
	// action "add" of agent "counter": cannot add a lot
	// true
	// true
}

// What one caller tells an agent is done in order, and before what it asks
// afterwards.
func ExampleSystem_Tell() {
	ctx := context.Background()
	system := start(mabeam.Options{})
	defer system.Stop(ctx)
	system.StartAgent(ctx, mabeam.Spec{ID: "counter", Behaviour: counter{}, State: 0})

	for n := range 5 {
		if err := system.Tell(ctx, "counter", "add", n); err != nil {
			log.Fatal(err)
		}
	}
	fmt.Println(system.Execute(ctx, "counter", "sum", nil))
	info, _ := system.Agent("counter")
	fmt.Println("state", info.State, "version", info.Version)
	// Output:
	// 10 <nil>
	// state 10 version 5
}

// An entry shows what the registry knew when it was looked up.
func ExampleEntry() {
	ctx := context.Background()
	system := start(mabeam.Options{})
	defer system.Stop(ctx)
	registry := system.Registry()
	system.StartAgent(ctx, mabeam.Spec{ID: "counter", Capabilities: []string{"add", "sum"}, Behaviour: counter{}, State: 0})

	before, _ := registry.Lookup("counter")
	registry.Update("counter", func(r *mabeam.Record) error {
		r.Capabilities = append(r.Capabilities, "subtract")
		return nil
	})
	after, _ := registry.Lookup("counter")
	fmt.Println(before.ID(), before.Capabilities())
	fmt.Println(after.ID(), after.Capabilities(), after.HasCapability("subtract"))
	// Output:
	// counter [add sum]
	// counter [add sum subtract] true
}

// Signals that wait are handled by priority. The agent is suspended meanwhile,
// so that they do wait.
func ExampleSystem_Signal() {
	ctx := context.Background()
	system := start(mabeam.Options{})
	defer system.Stop(ctx)
	signals := make(chan mabeam.Signal, 3)
	system.StartAgent(ctx, mabeam.Spec{ID: "guard", Behaviour: reader{signals: signals}})

	system.SuspendAgent("guard")
	system.Signal(mabeam.Signal{Type: "tidy up", Priority: mabeam.Low}, "guard")
	system.Signal(mabeam.Signal{Type: "look around"}, "guard")
	system.Signal(mabeam.Signal{Type: "fire", Priority: mabeam.High}, "guard")
	system.ResumeAgent("guard")
	for range 3 {
		fmt.Println((<-signals).Type)
	}
	// Output:
	// fire
	// look around
	// tidy up
}

// A request is an action that also tells who asks, and its reply is tied to it.
func ExampleSystem_Request() {
	ctx := context.Background()
	system := start(mabeam.Options{})
	defer system.Stop(ctx)
	system.StartAgent(ctx, mabeam.Spec{ID: "greeter", Behaviour: does{
		action: func(ctx context.Context, _ *mabeam.Agent, params any) (any, error) {
			m, _ := mabeam.MessageOf(ctx)
			return fmt.Sprintf("%v, %s", params, m.Source), nil
		},
	}})

	reply, err := system.Request(ctx, mabeam.Message{
		Type: "greet", Source: "ada", Target: "greeter", Data: "hello", CorrelationID: "talk-1",
	})
	fmt.Println(reply.Data, err)
	fmt.Println(reply.Source, "to", reply.Target, "in", reply.CorrelationID)
	// Output:
	// hello, ada <nil>
	// greeter to ada in talk-1
}

// Nobody waits for the reply to a message that was sent: it arrives as a signal.
func ExampleSystem_Send() {
	ctx := context.Background()
	system := start(mabeam.Options{})
	defer system.Stop(ctx)
	signals := make(chan mabeam.Signal, 1)
	system.StartAgent(ctx, mabeam.Spec{ID: "ada", Behaviour: reader{signals: signals}})
	system.StartAgent(ctx, mabeam.Spec{ID: "counter", Behaviour: counter{}, State: 40})

	err := system.Send(mabeam.Message{Type: "add", Source: "ada", Target: "counter", Data: 2})
	if err != nil {
		log.Fatal(err) // no reply will come
	}
	signal := <-signals
	reply := signal.Data.(mabeam.Reply)
	fmt.Println(signal.Type, "from", reply.Source, reply.Data, reply.Err)
	// Output: message_reply from counter 42 <nil>
}

// Who did not answer is among the answers, with the reason.
func ExampleSystem_Gather() {
	ctx := context.Background()
	system := start(mabeam.Options{})
	defer system.Stop(ctx)
	team := []string{"ada", "ben", "cem"}
	for i, id := range team {
		system.StartAgent(ctx, mabeam.Spec{ID: id, Behaviour: counter{}, State: i * 10})
	}
	system.KillAgent("ben")

	answers, err := system.Gather(ctx, team, "sum", nil)
	if err != nil {
		log.Fatal(err) // nobody was asked
	}
	for _, answer := range answers {
		fmt.Println(answer.Agent, answer.Value, answer.Err)
	}
	fmt.Println("missing:", answers.Missing()[0].Agent)
	// Output:
	// ada 0 <nil>
	// ben <nil> action "sum" of agent "ben": unknown agent
	// cem 20 <nil>
	// missing: ben
}

// A subscriber gets what is published after it has subscribed; the history
// holds what was published before, too.
func ExampleBus_SubscribePattern() {
	ctx := context.Background()
	system := start(mabeam.Options{})
	defer system.Stop(ctx)
	bus := system.Bus()
	events := make(chan mabeam.Event)
	bus.Publish(ctx, mabeam.Event{Type: "order.opened"})
	subscription, err := bus.SubscribePattern("order.*", func(_ context.Context, e mabeam.Event) { events <- e }, mabeam.SubscribeOptions{})
	if err != nil {
		log.Fatal(err)
	}
	defer subscription.Unsubscribe()

	bus.Publish(ctx, mabeam.Event{Type: "orderly"}) // a word of its own
	bus.Publish(ctx, mabeam.Event{Type: "order.paid", Source: "shop", Data: 12})
	e := <-events
	fmt.Println("got", e.Type, "from", e.Source, e.Data)
	for _, e := range bus.History(0) {
		fmt.Println("history", e.Type)
	}
	// Output:
	// got order.paid from shop 12
	// history order.opened
	// history orderly
	// history order.paid
}

// A subscription that does not block its publishers loses events when it is
// slow, and knows how many.
func ExampleSubscribeOptions() {
	ctx := context.Background()
	system := start(mabeam.Options{})
	defer system.Stop(ctx)
	policy := mabeam.DropOldest
	events := make(chan any)
	subscription, _ := system.Bus().Subscribe("tick", func(_ context.Context, e mabeam.Event) {
		events <- e.Data
		events <- "done"
	}, mabeam.SubscribeOptions{Policy: &policy, Queue: 2})

	system.Bus().Publish(ctx, mabeam.Event{Type: "tick", Data: 1})
	fmt.Println(<-events) // it is busy with the first one now
	for n := 2; n <= 5; n++ {
		system.Bus().Publish(ctx, mabeam.Event{Type: "tick", Data: n})
	}
	fmt.Println("waiting", subscription.Waiting(), "dropped", subscription.Dropped())
	fmt.Println(<-events, <-events, <-events, <-events, <-events)
	// Output:
	// 1
	// waiting 2 dropped 2
	// done 4 done 5 done
}

// At a limit a new agent is refused, until there is room again.
func ExampleOptions_limit() {
	ctx := context.Background()
	system := start(mabeam.Options{MaxAgents: 1})
	defer system.Stop(ctx)

	first, _ := system.StartAgent(ctx, agents.Demo())
	_, err := system.StartAgent(ctx, agents.Demo())
	fmt.Println(err, errors.Is(err, mabeam.ErrLimitReached))
	system.StopAgent(ctx, first)
	_, err = system.StartAgent(ctx, agents.Demo())
	fmt.Println(err)
	// Output:
	// start agent: limit reached: agents: 1 of 1 true
	// <nil>
}

// Over its rate an operation is refused, or waits for its turn. A rate may be
// that of an operation of one's own.
func ExampleOptions_rate() {
	ctx := context.Background()
	const mails = guard.UserPrefix + "mails"
	system := start(mabeam.Options{Rates: map[guard.Operation]guard.Rate{
		mabeam.OperationAction: {PerSecond: 0.001, Burst: 2},
		mails:                  {PerSecond: 0.001},
	}})
	defer system.Stop(ctx)
	system.StartAgent(ctx, mabeam.Spec{ID: "counter", Behaviour: counter{}, State: 0})

	for range 3 {
		fmt.Println(system.Execute(ctx, "counter", "add", 1))
	}
	fmt.Println(system.Limiter().Allow(mails))
	fmt.Println(system.Limiter().Allow(mails))
	// Output:
	// 1 <nil>
	// 2 <nil>
	// <nil> action "add" of agent "counter": rate limited: action: 0.001 a second
	// <nil>
	// rate limited: user.mails: 0.001 a second
}

// After failures in a row, calls of an agent fail at once for a while.
func ExampleOptions_breaker() {
	ctx := context.Background()
	system := start(mabeam.Options{Breaker: &guard.BreakerOptions{Failures: 2}})
	defer system.Stop(ctx)

	for range 3 {
		_, err := system.Execute(ctx, "away", "ping", nil)
		fmt.Println(err)
	}
	fmt.Println(system.Breaker().State("away"))
	// Output:
	// action "ping" of agent "away": unknown agent
	// action "ping" of agent "away": unknown agent
	// action "ping" of agent "away": circuit is open: 2 failures in a row
	// open
}

// One that fails does not keep the others from being started.
func ExampleSystem_StartAgents() {
	ctx := context.Background()
	system := start(mabeam.Options{})
	defer system.Stop(ctx)
	specs := slices.Repeat([]mabeam.Spec{agents.Demo()}, 100)
	specs[10].ID, specs[20].ID = "twin", "twin"

	ids, err := system.StartAgents(ctx, specs, 1)
	fmt.Println(len(ids), "asked for,", system.Registry().Count(), "started")
	var failed *mabeam.BatchError
	if errors.As(err, &failed) {
		for _, f := range failed.Failures {
			fmt.Println("number", f.Index, f.ID, errors.Is(f.Err, mabeam.ErrAlreadyRegistered))
		}
	}
	fmt.Println(system.StopAgents(ctx, ids, 0))
	// Output:
	// 100 asked for, 99 started
	// number 20 twin true
	// <nil>
}

// Agents that ask each other in a ring are told, instead of waiting.
func ExampleAgent_Execute() {
	ctx := context.Background()
	system := start(mabeam.Options{})
	defer system.Stop(ctx)
	for id, next := range map[string]string{"ada": "ben", "ben": "cem", "cem": "ada"} {
		system.StartAgent(ctx, mabeam.Spec{ID: id, Behaviour: does{
			action: func(ctx context.Context, self *mabeam.Agent, params any) (any, error) {
				return self.Execute(ctx, next, "ask", params)
			},
		}})
	}

	_, err := system.Execute(ctx, "ada", "ask", "who knows?")
	var deadlock *mabeam.DeadlockError
	if errors.As(err, &deadlock) {
		fmt.Println(deadlock)
	}
	// Output: deadlock: cem → ada → ben → cem
}
