package eventbus

import (
	"context"
	"fmt"
	"slices"
	"sync"

	mabeam "mabeam-top/internal/runtime"
	"mabeam-top/internal/runtime/faults"
	"mabeam-top/internal/stress/conformance"
	"mabeam-top/internal/stress/resources"
)

// unboundedBus gives the bus room for all events of a check.
func unboundedBus(o *mabeam.Options) { o.BusQueue, o.BusPolicy, o.History = 0, mabeam.Block, 0 }

// checkBusCrash crashes the bus while events are queued.
func checkBusCrash(ctx context.Context, r conformance.Recorder, options mabeam.Options) error {
	const eventType, waiting, after = "rule.crash", 20, 5
	return conformance.WithSystem(ctx, r, options, unboundedBus, func(system *mabeam.System) error {
		bus, drops := system.Bus(), mabeam.DropNewest
		var readers []*stalledSubscriber
		var subscriptions []*mabeam.Subscription
		for _, c := range []struct {
			join  subscribeFunc
			topic string
			o     mabeam.SubscribeOptions
		}{
			{bus.Subscribe, eventType, mabeam.SubscribeOptions{}},
			{bus.SubscribePattern, "rule.cr*", mabeam.SubscribeOptions{}},
			{bus.Subscribe, eventType, mabeam.SubscribeOptions{Policy: &drops, Queue: 2 * waiting}},
		} {
			reader := newStalledSubscriber()
			s, err := c.join(c.topic, reader.handle, c.o)
			if err != nil {
				return err
			}
			readers, subscriptions = append(readers, reader), append(subscriptions, s)
		}
		release := sync.OnceFunc(func() {
			for _, reader := range readers {
				close(reader.release)
			}
		})
		defer release()
		if err := readers[0].stall(ctx, bus, eventType); err != nil {
			return err
		}
		resources.WaitWhile(ctx, func() bool { return len(readers[1].received()) == 0 || len(readers[2].received()) == 0 })
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
		want := append([]int{0}, conformance.Numbers(1+waiting, 1+waiting+after)...)
		for i, reader := range readers {
			s := subscriptions[i]
			resources.WaitWhile(ctx, func() bool { return len(reader.received()) < len(want) || s.Dropped() < waiting })
			if got := reader.received(); !slices.Equal(got, want) || s.Dropped() != waiting || s.Err() != nil {
				return fmt.Errorf("subscriber %d received %v, want %v; dropped %d, want %d", i+1, got, want, s.Dropped(), waiting)
			}
		}
		if n := system.Telemetry().ComponentsRestarted; n != 1 {
			return fmt.Errorf("the telemetry counts %d restarted components, want 1", n)
		}
		kept := slices.DeleteFunc(bus.History(0), func(e mabeam.Event) bool { return e.Type != eventType })
		if len(kept) != after {
			return fmt.Errorf("the history has %d events, want the %d since the crash", len(kept), after)
		}
		return nil
	})
}
