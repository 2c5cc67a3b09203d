package measure

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	mabeam "mabeam-top/internal/runtime"
	"mabeam-top/internal/runtime/faults"
	"mabeam-top/internal/stress"
	"mabeam-top/internal/stress/resources"
)

// errStillSubscribed stands for the error of a subscription that has not ended.
var errStillSubscribed = errors.New("it has not ended")

// checkBus reports bus_rules_broken. Each check takes a few milliseconds.
func checkBus(ctx context.Context, env *stress.Env) {
	broken := 0
	check := func(rule string, err error) {
		if err != nil {
			broken++
			env.Detail(fmt.Sprintf("the bus violates the rule that %s: %v", rule, err), 1)
		}
	}
	bus, exact := env.System().Bus(), !env.SharesSystem()
	for _, policy := range []mabeam.QueuePolicy{mabeam.DropOldest, mabeam.DropNewest, mabeam.Disconnect} {
		check(fmt.Sprintf("a full queue of policy %v keeps the right events and counts the rest", policy), checkPolicy(ctx, env, policy, bus.Subscribe, exact))
		check(fmt.Sprintf("a full queue of policy %v does so for a pattern too", policy), checkPolicy(ctx, env, policy, bus.SubscribePattern, exact))
	}
	check("a publisher blocks while a subscriber of policy block has no room, order is kept, and events that it gives up are counted", checkBlocking(ctx, env))
	check("no event arrives after Unsubscribe", checkUnsubscribe(ctx, bus))
	check("a handler that panics ends its own subscription and no other", checkHandlerPanic(ctx, bus))
	check("invalid subscriptions are refused", checkRefusedSubscriptions(bus))
	if exact { // other steps publish and allocate at the same time
		check("a subscription that has ended leaves no memory behind", checkSubscriptionMemory(bus))
		check("the history has the newest events, in order, up to its limit", checkHistory(ctx, env))
	}
	check("subscribers receive events of more types than the bus keeps", checkManyTypes(ctx, env))
	check("the runtime's own events never block, and a subscriber without room loses the oldest", checkRuntimeEvents(ctx, env))
	check("a bus that crashes drops its queues, counts the drops, and continues", checkBusCrash(ctx, env))
	env.Value("bus_rules_broken", float64(broken))
}

// A stalledSubscriber blocks in its first event until it is released.
type stalledSubscriber struct {
	entered, release chan struct{}

	mu  sync.Mutex
	got []int
}

func newStalledSubscriber() *stalledSubscriber {
	return &stalledSubscriber{entered: make(chan struct{}), release: make(chan struct{})}
}

func (r *stalledSubscriber) handle(ctx context.Context, e mabeam.Event) {
	r.mu.Lock()
	r.got = append(r.got, e.Data.(int))
	first := len(r.got) == 1
	r.mu.Unlock()
	if first {
		close(r.entered)
		select {
		case <-r.release:
		case <-ctx.Done():
		}
	}
}

// received returns the events received so far.
func (r *stalledSubscriber) received() []int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.got)
}

// stall publishes event 0 and waits until the subscriber blocks in it.
func (r *stalledSubscriber) stall(ctx context.Context, bus *mabeam.Bus, eventType string) error {
	if err := bus.Publish(ctx, mabeam.Event{Type: eventType, Data: 0}); err != nil {
		return err
	}
	return r.awaitFirst(ctx)
}

// awaitFirst waits until the subscriber blocks in its first event.
func (r *stalledSubscriber) awaitFirst(ctx context.Context) error {
	late := time.NewTimer(stallTimeout)
	defer late.Stop()
	select {
	case <-r.entered:
		return nil
	case <-late.C:
		return errNotDelivered
	case <-ctx.Done():
		return ctx.Err()
	}
}

// numbers returns the numbers from first to end, without end.
func numbers(first, end int) (all []int) {
	for i := first; i < end; i++ {
		all = append(all, i)
	}
	return all
}

// publishNumbers publishes the numbers from first to end, without end.
func publishNumbers(ctx context.Context, bus *mabeam.Bus, eventType string, first, end int) error {
	for i := first; i < end; i++ {
		if err := bus.Publish(ctx, mabeam.Event{Type: eventType, Data: i}); err != nil {
			return fmt.Errorf("event %d: %w", i, err)
		}
	}
	return nil
}

// A subscribeFunc is Subscribe or SubscribePattern of a bus.
type subscribeFunc func(topic string, handle func(context.Context, mabeam.Event), o mabeam.SubscribeOptions) (*mabeam.Subscription, error)

// checkPolicy stalls a subscriber with a short queue and publishes more events than fit.
// If nobody else uses the bus, the telemetry must match the subscription.
func checkPolicy(ctx context.Context, env *stress.Env, policy mabeam.QueuePolicy, join subscribeFunc, exact bool) error {
	const queue, over = 8, 5
	const published = 1 + queue + over
	bus, eventType := env.System().Bus(), "rule."+policy.String()
	before := env.System().Telemetry()
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
		want = append([]int{0}, numbers(published-queue, published)...)
	case mabeam.DropNewest:
		want = numbers(0, 1+queue)
	case mabeam.Disconnect:
		want, dropped = []int{0}, queue+1 // the queued events are lost, and later events are not due
	}
	early, waiting := s.Dropped(), s.Waiting()
	_, isTold := bus.FirstDrop()
	close(reader.release)
	var got []int
	var now mabeam.Telemetry
	differs := func() bool {
		got, now = reader.received(), env.System().Telemetry()
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

// checkBlocking stalls a subscriber and publishes until the publisher blocks.
func checkBlocking(ctx context.Context, env *stress.Env) error {
	const eventType = "rule.block"
	bus, policy := env.System().Bus(), mabeam.Block
	length := env.Options().BusQueue
	if length == 0 {
		length = defaultLogSize
	}
	if length > maxFillSize {
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
	want := numbers(0, accepted)
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

// checkHistory publishes more events than the history keeps.
func checkHistory(ctx context.Context, env *stress.Env) error {
	bus, kept := env.System().Bus(), max(env.Options().History, 0)
	if env.Options().History == 0 {
		kept = 1000
	}
	if kept > maxFillSize {
		return nil // filling it would take seconds
	}
	published := kept + 5
	types := []string{"rule.history.a", "rule.history.b"}
	for i := range published {
		if err := bus.Publish(ctx, mabeam.Event{Type: types[i%len(types)], Data: i}); err != nil {
			return err
		}
	}
	for _, limit := range []int{0, 3} {
		want := kept
		if limit > 0 {
			want = min(limit, kept)
		}
		events := bus.History(limit)
		if len(events) != want {
			return fmt.Errorf("History(%d) has %d events, want %d", limit, len(events), want)
		}
		for i, e := range events {
			if n := published - want + i; e.Data != n || e.Type != types[n%len(types)] {
				return fmt.Errorf("event %d of History(%d) is %v of type %s, want %d", i, limit, e.Data, e.Type, n)
			}
		}
	}
	return nil
}

// unboundedBus gives the bus room for all events of a check.
func unboundedBus(o *mabeam.Options) { o.BusQueue, o.BusPolicy, o.History = 0, mabeam.Block, 0 }

// checkBusCrash crashes the bus while events are queued.
func checkBusCrash(ctx context.Context, env *stress.Env) error {
	const eventType, waiting, after = "rule.crash", 20, 5
	return withSystem(ctx, env, unboundedBus, func(system *mabeam.System) error {
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
			r := newStalledSubscriber()
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
		want := append([]int{0}, numbers(1+waiting, 1+waiting+after)...)
		for i, r := range readers {
			s := subscriptions[i]
			resources.WaitWhile(ctx, func() bool { return len(r.received()) < len(want) || s.Dropped() < waiting })
			if got := r.received(); !slices.Equal(got, want) || s.Dropped() != waiting || s.Err() != nil {
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
