package eventbus

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strconv"
	"sync/atomic"

	mabeam "mabeam-top/internal/runtime"
	"mabeam-top/internal/stress/conformance"
	"mabeam-top/internal/stress/resources"
)

// checkHandlerPanic lets a subscriber end its goroutine, and then another one panic. A bus
// that does not guard handlers fails the first; the panic would end this program without a
// report.
func checkHandlerPanic(ctx context.Context, bus *mabeam.Bus) error {
	if err := checkHandlerEnd(ctx, bus, runtime.Goexit); err != nil {
		return fmt.Errorf("a handler that ends its goroutine: %w", err)
	}
	return checkHandlerEnd(ctx, bus, func() { panic("panics on purpose") })
}

// checkHandlerEnd ends one of two handlers at the first of three events.
func checkHandlerEnd(ctx context.Context, bus *mabeam.Bus, end func()) error {
	const eventType, published = "rule.panic", 3
	var calls, received atomic.Int64
	panics, err := bus.Subscribe(eventType, func(context.Context, mabeam.Event) {
		calls.Add(1)
		end()
	}, mabeam.SubscribeOptions{})
	if err != nil {
		return err
	}
	defer panics.Unsubscribe()
	other, err := bus.Subscribe(eventType, func(context.Context, mabeam.Event) { received.Add(1) }, mabeam.SubscribeOptions{})
	if err != nil {
		return err
	}
	defer other.Unsubscribe()
	for range published {
		if err := bus.Publish(ctx, mabeam.Event{Type: eventType}); err != nil {
			return err
		}
		// The bus ends the subscription after the event.
		resources.WaitWhile(ctx, func() bool { return panics.Err() == nil })
	}
	resources.WaitWhile(ctx, func() bool { return received.Load() < published })
	conformance.Pause(ctx)
	var panicked *mabeam.PanicError
	switch {
	case !errors.As(panics.Err(), &panicked):
		return fmt.Errorf("the subscription whose handler panicked ended with: %w", errors.Join(panics.Err(), errStillSubscribed))
	case calls.Load() != 1:
		return fmt.Errorf("the handler that panicked was called %d times", calls.Load())
	case received.Load() != published || other.Err() != nil:
		return fmt.Errorf("the other subscriber received %d events of %d", received.Load(), published)
	}
	return nil
}

// checkRefusedSubscriptions makes invalid subscriptions.
func checkRefusedSubscriptions(bus *mabeam.Bus) error {
	ignore := func(context.Context, mabeam.Event) {}
	unknown, drops := mabeam.QueuePolicy(99), mabeam.DropOldest
	for _, c := range []struct {
		name   string
		join   subscribeFunc
		topic  string
		handle func(context.Context, mabeam.Event)
		o      mabeam.SubscribeOptions
	}{
		{"no event type", bus.Subscribe, "", ignore, mabeam.SubscribeOptions{}},
		{"no pattern", bus.SubscribePattern, "", ignore, mabeam.SubscribeOptions{}},
		{"no handler", bus.Subscribe, "rule.refused", nil, mabeam.SubscribeOptions{}},
		{"an unknown policy", bus.Subscribe, "rule.refused", ignore, mabeam.SubscribeOptions{Policy: &unknown}},
		{"a queue of -1", bus.Subscribe, "rule.refused", ignore, mabeam.SubscribeOptions{Policy: &drops, Queue: -1}},
	} {
		s, err := c.join(c.topic, c.handle, c.o)
		if err == nil {
			s.Unsubscribe()
			return fmt.Errorf("a subscription with %s was accepted", c.name)
		}
	}
	return nil
}

// checkManyTypes publishes events of more types than a bus keeps. It may only forget types
// without subscribers.
func checkManyTypes(ctx context.Context, r conformance.Recorder, options mabeam.Options) error {
	const types = 10_000 // a fifth more than the bus keeps
	return conformance.WithSystem(ctx, r, options, unboundedBus, func(system *mabeam.System) error {
		bus := system.Bus()
		name := func(i int) string { return fmt.Sprintf("many.%d", i) }
		var all, one atomic.Int64
		for topic, counter := range map[string]*atomic.Int64{"many.*": &all, name(5): &one} {
			join := bus.Subscribe
			if counter == &all {
				join = bus.SubscribePattern
			}
			if _, err := join(topic, func(context.Context, mabeam.Event) { counter.Add(1) }, mabeam.SubscribeOptions{}); err != nil {
				return err
			}
		}
		publish := func(i int) error { return bus.Publish(ctx, mabeam.Event{Type: name(i)}) }
		for i := range types {
			if err := publish(i); err != nil {
				return err
			}
		}
		for _, i := range []int{5, types / 2, types - 1} {
			if err := publish(i); err != nil {
				return err
			}
		}
		resources.WaitWhile(ctx, func() bool { return all.Load() < types+3 || one.Load() < 2 })
		if all.Load() != types+3 || one.Load() != 2 {
			return fmt.Errorf("a pattern received %d events of %d, and a type %d of 2", all.Load(), types+3, one.Load())
		}
		return nil
	})
}

// checkUnsubscribe ends subscriptions of both kinds among others that continue.
func checkUnsubscribe(ctx context.Context, bus *mabeam.Bus) error {
	const eventType = "rule.unsubscribe"
	var got [4]*stalledSubscriber
	var subscriptions []*mabeam.Subscription
	for i := range got {
		join, topic := bus.Subscribe, eventType
		if i%2 == 1 {
			join, topic = bus.SubscribePattern, "rule.unsub*"
		}
		got[i] = newStalledSubscriber()
		close(got[i].release) // it does not block
		s, err := join(topic, got[i].handle, mabeam.SubscribeOptions{})
		if err != nil {
			return err
		}
		defer s.Unsubscribe()
		subscriptions = append(subscriptions, s)
	}
	received := func(i, n int) bool { return slices.Equal(got[i].received(), conformance.Numbers(0, n)) }
	const before, after = 5, 10
	if err := publishNumbers(ctx, bus, eventType, 0, before); err != nil {
		return err
	}
	resources.WaitWhile(ctx, func() bool { return !received(0, before) || !received(1, before) })
	subscriptions[0].Unsubscribe()
	subscriptions[1].Unsubscribe()
	if err := publishNumbers(ctx, bus, eventType, before, after); err != nil {
		return err
	}
	resources.WaitWhile(ctx, func() bool { return !received(2, after) || !received(3, after) })
	for i := range got {
		want := after
		if i < 2 {
			want = before
		}
		if !received(i, want) {
			return fmt.Errorf("subscriber %d received %v, want 0 to %d", i+1, got[i].received(), want-1)
		}
	}
	return nil
}

// checkSubscriptionMemory ends many subscriptions: at the same time to one type, to
// different patterns, and one after the other to a pattern that matches a known type. A
// leaked subscription takes more than a hundred bytes.
func checkSubscriptionMemory(bus *mabeam.Bus) error {
	const eventType, subscriptions, most = "rule.forgotten", 1000, 100_000 + resources.MemoryNoise
	ignore := func(context.Context, mabeam.Event) {}
	var open []*mabeam.Subscription
	subscribe := func(join subscribeFunc, topic string) error {
		s, err := join(topic, ignore, mabeam.SubscribeOptions{})
		if err == nil {
			open = append(open, s)
		}
		return err
	}
	unsubscribe := func() {
		for _, s := range open {
			s.Unsubscribe()
		}
		clear(open)
		open = open[:0]
	}
	for _, kind := range []struct {
		name      string
		subscribe func(i int) error
	}{
		{"one type", func(int) error { return subscribe(bus.Subscribe, eventType) }},
		{"different patterns", func(i int) error { return subscribe(bus.SubscribePattern, fmt.Sprintf("%s.%d.*", eventType, i)) }},
		{"a pattern, one after the other", func(int) error {
			unsubscribe()
			return subscribe(bus.SubscribePattern, eventType+"*")
		}},
	} {
		kept := 0.0
		for range 2 { // the first time fills pools
			before := resources.LiveBytes()
			for i := range subscriptions {
				if err := kind.subscribe(i); err != nil {
					return err
				}
			}
			unsubscribe()
			kept = resources.LiveBytes() - before
		}
		if kept > most {
			return fmt.Errorf("%d subscriptions to %s left %.0f bytes", subscriptions, kind.name, kept)
		}
	}
	return nil
}

// startEvents is how many start events checkRuntimeEvents causes, for a queue of
// startQueue.
const startEvents, startQueue = 64, 8

// checkRuntimeEvents stalls a blocking subscriber to start events, and starts more agents
// than its queue has room for. The agents must start meanwhile, and the subscriber must
// lose the oldest events.
func checkRuntimeEvents(ctx context.Context, r conformance.Recorder, options mabeam.Options) error {
	change := func(o *mabeam.Options) { o.BusQueue, o.WaitTimeout = startQueue, 2*stallTimeout }
	return conformance.WithSystem(ctx, r, options, change, func(system *mabeam.System) error {
		reader, policy := newStalledSubscriber(), mabeam.Block
		s, err := system.Bus().Subscribe(mabeam.EventAgentStarted, reader.handleStart, mabeam.SubscribeOptions{Policy: &policy})
		if err != nil {
			return err
		}
		if err := startNumberedAgents(ctx, system, 0, 1); err != nil {
			return err
		}
		if err := reader.awaitFirst(ctx); err != nil {
			return err
		}
		err = startWhileStalled(ctx, system)
		close(reader.release)
		if err != nil {
			return err
		}
		isThrough := func() bool { return len(reader.received())+int(s.Dropped()) == startEvents }
		resources.WaitWhile(ctx, func() bool { return !isThrough() })
		got := reader.received()
		if !isThrough() || !slices.IsSorted(got) || !slices.Contains(got, startEvents-1) {
			return fmt.Errorf("of the start events 0 to %d with room for %d it received %v and lost %d", startEvents-1, startQueue, got, s.Dropped())
		}
		return nil
	})
}

// handleStart handles the start event of an agent whose id is a number.
func (r *stalledSubscriber) handleStart(ctx context.Context, e mabeam.Event) {
	n, err := strconv.Atoi(e.Source)
	if err != nil {
		n = -1
	}
	r.handle(ctx, mabeam.Event{Data: n})
}

// startWhileStalled starts all agents but the first while the subscriber stalls. If that
// takes stallTimeout, they wait for the subscriber.
func startWhileStalled(ctx context.Context, system *mabeam.System) error {
	limited, cancel := context.WithTimeout(ctx, stallTimeout)
	defer cancel()
	started := make(chan error, 1)
	go func() { started <- startNumberedAgents(limited, system, 1, startEvents) }()
	select {
	case err := <-started:
		return err
	case <-limited.Done():
		return fmt.Errorf("agents did not start for %v while a subscriber to their start events had no room", stallTimeout)
	}
}

// An idle agent does nothing.
type idle struct{ mabeam.Defaults }

func (idle) HandleAction(context.Context, *mabeam.Agent, string, any) (any, error) {
	return nil, mabeam.ErrUnknownAction
}

// startNumberedAgents starts agents whose ids are the numbers from first to end, without
// end.
func startNumberedAgents(ctx context.Context, system *mabeam.System, first, end int) error {
	for i := first; i < end; i++ {
		if _, err := system.StartAgent(ctx, mabeam.Spec{ID: strconv.Itoa(i), Type: "numbered", Behaviour: idle{}}); err != nil {
			return err
		}
	}
	return nil
}
