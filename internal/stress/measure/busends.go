package measure

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"

	mabeam "mabeam-top/internal/runtime"
	"mabeam-top/internal/runtime/faults"
	"mabeam-top/internal/stress"
)

// checkHandlerPanic has a subscriber end its goroutine, and then one panic. Where nobody
// guards handlers the first shows it; a panic would end this program, and its report.
func checkHandlerPanic(ctx context.Context, bus *mabeam.Bus) error {
	if err := checkHandlerEnd(ctx, bus, runtime.Goexit); err != nil {
		return fmt.Errorf("where it ends its goroutine: %w", err)
	}
	return checkHandlerEnd(ctx, bus, func() { panic("panics on purpose") })
}

// checkHandlerEnd has one of two subscribers end at the first of three events.
func checkHandlerEnd(ctx context.Context, bus *mabeam.Bus, end func()) error {
	const eventType, published = "rule.panic", 3
	var calls, heard atomic.Int64
	panics, err := bus.Subscribe(eventType, func(context.Context, mabeam.Event) {
		calls.Add(1)
		end()
	}, mabeam.SubscribeOptions{})
	if err != nil {
		return err
	}
	defer panics.Unsubscribe()
	other, err := bus.Subscribe(eventType, func(context.Context, mabeam.Event) { heard.Add(1) }, mabeam.SubscribeOptions{})
	if err != nil {
		return err
	}
	defer other.Unsubscribe()
	for range published {
		if err := bus.Publish(ctx, mabeam.Event{Type: eventType}); err != nil {
			return err
		}
		// The end of a subscription by its own handler comes after the event.
		settle(ctx, func() bool { return panics.Err() == nil })
	}
	settle(ctx, func() bool { return heard.Load() < published })
	pause(ctx)
	var panicked *mabeam.PanicError
	switch {
	case !errors.As(panics.Err(), &panicked):
		return fmt.Errorf("the subscription that panicked ended with: %w", errors.Join(panics.Err(), errNotEnded))
	case calls.Load() != 1:
		return fmt.Errorf("the handler that panicked was called %d times", calls.Load())
	case heard.Load() != published || other.Err() != nil:
		return fmt.Errorf("the other subscriber got %d events of %d", heard.Load(), published)
	}
	return nil
}

// checkRefusedSubscriptions makes subscriptions that cannot be.
func checkRefusedSubscriptions(bus *mabeam.Bus) error {
	ignore := func(context.Context, mabeam.Event) {}
	unknown, drops := mabeam.QueuePolicy(99), mabeam.DropOldest
	for _, c := range []struct {
		name   string
		join   joining
		topic  string
		handle func(context.Context, mabeam.Event)
		o      mabeam.SubscribeOptions
	}{
		{"no event type", bus.Subscribe, "", ignore, mabeam.SubscribeOptions{}},
		{"no pattern", bus.SubscribePattern, "", ignore, mabeam.SubscribeOptions{}},
		{"no handler", bus.Subscribe, "rule.refused", nil, mabeam.SubscribeOptions{}},
		{"a policy that there is not", bus.Subscribe, "rule.refused", ignore, mabeam.SubscribeOptions{Policy: &unknown}},
		{"a queue of -1", bus.Subscribe, "rule.refused", ignore, mabeam.SubscribeOptions{Policy: &drops, Queue: -1}},
	} {
		s, err := c.join(c.topic, c.handle, c.o)
		if err == nil {
			s.Unsubscribe()
			return fmt.Errorf("one with %s was accepted", c.name)
		}
	}
	return nil
}

// blockingBus are the options of a bus with room for what the checks publish.
func blockingBus(o *mabeam.Options) { o.BusQueue, o.BusPolicy, o.History = 0, mabeam.Block, 0 }

// checkManyTypes publishes events of more types than a bus keeps, on a bus of its own, of
// which it forgets those that nobody has subscribed to.
func checkManyTypes(ctx context.Context, env *stress.Env) error {
	const types = 10_000 // a fifth more than are kept
	return onOwnSystem(ctx, env, blockingBus, func(system *mabeam.System) error {
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
		settle(ctx, func() bool { return all.Load() < types+3 || one.Load() < 2 })
		if all.Load() != types+3 || one.Load() != 2 {
			return fmt.Errorf("a pattern got %d events of %d, a type %d of 2", all.Load(), types+3, one.Load())
		}
		return nil
	})
}

// checkBusCrash has a bus crash while events wait.
func checkBusCrash(ctx context.Context, env *stress.Env) error {
	const eventType, waiting, after = "rule.crash", 20, 5
	return onOwnSystem(ctx, env, blockingBus, func(system *mabeam.System) error {
		bus, drops := system.Bus(), mabeam.DropNewest
		var readers []*stalledReader
		var subscriptions []*mabeam.Subscription
		for _, c := range []struct {
			join  joining
			topic string
			o     mabeam.SubscribeOptions
		}{
			{bus.Subscribe, eventType, mabeam.SubscribeOptions{}},
			{bus.SubscribePattern, "rule.cr*", mabeam.SubscribeOptions{}},
			{bus.Subscribe, eventType, mabeam.SubscribeOptions{Policy: &drops, Queue: 2 * waiting}},
		} {
			r := newStalledReader()
			s, err := c.join(c.topic, r.handle, c.o)
			if err != nil {
				return err
			}
			readers, subscriptions = append(readers, r), append(subscriptions, s)
		}
		release := sync.OnceFunc(func() {
			for _, r := range readers {
				close(r.release)
			}
		})
		defer release()
		if err := readers[0].stall(ctx, bus, eventType); err != nil {
			return err
		}
		settle(ctx, func() bool { return len(readers[1].received()) == 0 || len(readers[2].received()) == 0 })
		if err := publishNumbers(ctx, bus, eventType, 1, 1+waiting); err != nil {
			return err
		}
		if err := faults.Crash(system, "event_bus"); err != nil {
			return err
		}
		if err := publishNumbers(ctx, bus, eventType, 1+waiting, 1+waiting+after); err != nil {
			return err
		}
		release()
		want := append([]int{0}, numbers(1+waiting, 1+waiting+after)...)
		for i, r := range readers {
			s := subscriptions[i]
			settle(ctx, func() bool { return len(r.received()) < len(want) || s.Dropped() < waiting })
			if got := r.received(); !slices.Equal(got, want) || s.Dropped() != waiting || s.Err() != nil {
				return fmt.Errorf("subscriber %d received %v, want %v; dropped %d, want %d", i+1, got, want, s.Dropped(), waiting)
			}
		}
		if n := system.Telemetry().ComponentsRestarted; n != 1 {
			return fmt.Errorf("the telemetry counts %d components that began anew, want 1", n)
		}
		kept := slices.DeleteFunc(bus.History(0), func(e mabeam.Event) bool { return e.Type != eventType })
		if len(kept) != after {
			return fmt.Errorf("the history has %d events, want the %d since the crash", len(kept), after)
		}
		return nil
	})
}
