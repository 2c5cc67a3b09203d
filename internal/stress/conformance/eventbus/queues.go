package eventbus

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	mabeam "mabeam-top/internal/runtime"

	"mabeam-top/internal/stress/conformance"
	"mabeam-top/internal/stress/resources"
)

// A subscribeFunc is Subscribe or SubscribePattern of a bus.
type subscribeFunc func(topic string, handle func(context.Context, mabeam.Event), o mabeam.SubscribeOptions) (*mabeam.Subscription, error)

// checkPolicy stalls a subscriber with a short queue and publishes more events than fit.
// If nobody else uses the bus, the telemetry must match the subscription.
func checkPolicy(ctx context.Context, system *mabeam.System, policy mabeam.QueuePolicy, join subscribeFunc, exact bool) error {
	const queue, over = 8, 5
	const published = 1 + queue + over
	bus, eventType := system.Bus(), "rule."+policy.String()
	before := system.Telemetry()
	reader := newStalledSubscriber()
	s, err := join(eventType, reader.handle, mabeam.SubscribeOptions{Policy: &policy, Queue: queue})
	if err != nil {
		return err
	}
	defer s.Unsubscribe()
	if err := reader.stall(ctx, bus, eventType); err != nil {
		return err
	}
	if err := publishNumbers(ctx, bus, eventType, 1, published); err != nil {
		return err
	}
	// The handler holds event 0, so the queue is full after event 8.
	var want []int
	dropped := uint64(over)
	switch policy {
	case mabeam.DropOldest:
		want = append([]int{0}, conformance.Numbers(published-queue, published)...)
	case mabeam.DropNewest:
		want = conformance.Numbers(0, 1+queue)
	case mabeam.Disconnect:
		want, dropped = []int{0}, queue+1 // the queued events are lost, and later events are not due
	}
	early, waiting := s.Dropped(), s.Waiting()
	_, isTold := bus.FirstDrop()
	close(reader.release)
	var got []int
	var now mabeam.Telemetry
	differs := func() bool {
		got, now = reader.received(), system.Telemetry()
		return !slices.Equal(got, want) || s.Dropped() != dropped || s.Delivered() != uint64(len(want)) ||
			exact && (now.EventsDropped-before.EventsDropped != int64(dropped) || now.EventsDelivered-before.EventsDelivered != int64(len(want)))
	}
	resources.WaitWhile(ctx, differs)
	switch ended := errors.Is(s.Err(), mabeam.ErrDisconnected); {
	case differs():
		return fmt.Errorf("of events 0 to %d with room for %d: received %v, want %v; dropped %d, want %d; the telemetry counts %d dropped and %d delivered",
			published-1, queue, got, want, s.Dropped(), dropped, now.EventsDropped-before.EventsDropped, now.EventsDelivered-before.EventsDelivered)
	case ended != (policy == mabeam.Disconnect):
		return fmt.Errorf("the subscription has the wrong error: %w", cmp.Or(s.Err(), errStillSubscribed))
	case policy != mabeam.Disconnect && early != over:
		return fmt.Errorf("%d drops were counted at once, want %d", early, over)
	case policy != mabeam.Disconnect && waiting != queue:
		return fmt.Errorf("%d events were queued, want %d", waiting, queue)
	case !isTold:
		return errors.New("FirstDrop does not return when the bus first dropped an event")
	}
	return nil
}

// publishTimeout is the deadline of a publisher that must give up.
const publishTimeout = 2 * time.Millisecond

// checkBlocking stalls a subscriber and publishes until the publisher blocks, which it
// does at the given length of the queue; 0 is the default.
func checkBlocking(ctx context.Context, bus *mabeam.Bus, length int) error {
	const eventType = "rule.block"
	policy := mabeam.Block
	if length == 0 {
		length = defaultQueue
	}
	if length > maxFill {
		return nil // filling it would take seconds
	}
	reader := newStalledSubscriber()
	s, err := bus.Subscribe(eventType, reader.handle, mabeam.SubscribeOptions{Policy: &policy})
	if err != nil {
		return err
	}
	defer s.Unsubscribe()
	if err := reader.stall(ctx, bus, eventType); err != nil {
		return err
	}
	accepted := 1
	for ; accepted <= length+1; accepted++ {
		impatient, cancel := context.WithTimeout(ctx, publishTimeout)
		err = bus.Publish(impatient, mabeam.Event{Type: eventType, Data: accepted})
		cancel()
		if err != nil {
			break
		}
	}
	waiting, dropped := s.Waiting(), s.Dropped()
	close(reader.release)
	want := conformance.Numbers(0, accepted)
	resources.WaitWhile(ctx, func() bool { return len(reader.received()) < len(want) || s.Waiting() > 0 })
	switch got := reader.received(); {
	case err == nil:
		return fmt.Errorf("%d events were accepted with a queue of %d", accepted, length)
	case accepted < length:
		return fmt.Errorf("event %d was refused with a queue of %d: %w", accepted, length, err)
	case !slices.Equal(got, want):
		return fmt.Errorf("%d events were accepted and %d received; the first difference is at %d", len(want), len(got), firstDifference(got, want))
	case dropped != 1 || s.Dropped() != 1:
		return fmt.Errorf("%d drops were counted, want 1", s.Dropped())
	case waiting < length-1:
		return fmt.Errorf("%d events were queued, want at least %d", waiting, length-1)
	}
	return nil
}

// firstDifference is the first index at which two lists differ.
func firstDifference(x, y []int) int {
	for i := range min(len(x), len(y)) {
		if x[i] != y[i] {
			return i
		}
	}
	return min(len(x), len(y))
}
