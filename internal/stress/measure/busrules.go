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
	"mabeam-top/internal/stress"
	"mabeam-top/internal/stress/load"
)

// errNotEnded stands for the error of a subscription that goes on.
var errNotEnded = errors.New("it has not ended")

// checkRules reports bus_rules_broken. Each rule takes a few milliseconds.
func checkRules(ctx context.Context, env *stress.Env) {
	broken := 0
	check := func(rule string, err error) {
		if err != nil {
			broken++
			env.Detail(fmt.Sprintf("the bus breaks its rule that %s: %v", rule, err), 1)
		}
	}
	bus, exact := env.System().Bus(), !env.SharesSystem()
	for _, policy := range []mabeam.QueuePolicy{mabeam.DropOldest, mabeam.DropNewest, mabeam.Disconnect} {
		check(fmt.Sprintf("a full queue of policy %v keeps what it should and counts the rest", policy), checkPolicy(ctx, env, policy, bus.Subscribe, exact))
		check(fmt.Sprintf("a full queue of policy %v does so for a pattern too", policy), checkPolicy(ctx, env, policy, bus.SubscribePattern, exact))
	}
	check("a publisher waits for a subscriber of policy block, in order, and what it gives up is counted", checkBlocking(ctx, env))
	check("nothing comes after Unsubscribe", checkUnsubscribe(ctx, bus))
	check("a handler that panics ends its own subscription, and no other", checkHandlerPanic(ctx, bus))
	check("subscriptions that make no sense are refused", checkRefusedSubscriptions(bus))
	if exact { // others publish, and allocate, at the same time
		check("nothing is kept of a subscription that has ended", checkForgotten(bus))
		check("the history has the newest events, in order, and no more than it keeps", checkHistory(ctx, env))
	}
	check("subscribers get events of more types than are kept in mind", checkManyTypes(ctx, env))
	check("the runtime's own events wait for nobody, and who has no room loses what is oldest", checkOwnEvents(ctx, env))
	check("a bus that crashes loses what waits, counts it, and goes on", checkBusCrash(ctx, env))
	env.Value("bus_rules_broken", float64(broken))
}

// A stalledReader is a subscriber that stays in its first event until it is released.
type stalledReader struct {
	entered, release chan struct{}

	mu  sync.Mutex
	got []int
}

func newStalledReader() *stalledReader {
	return &stalledReader{entered: make(chan struct{}), release: make(chan struct{})}
}

func (r *stalledReader) handle(ctx context.Context, e mabeam.Event) {
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

// received is what has been received so far.
func (r *stalledReader) received() []int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.got)
}

// stall publishes event 0 and waits until the reader is in it.
func (r *stalledReader) stall(ctx context.Context, bus *mabeam.Bus, eventType string) error {
	if err := bus.Publish(ctx, mabeam.Event{Type: eventType, Data: 0}); err != nil {
		return err
	}
	return r.awaitFirst(ctx)
}

// awaitFirst waits until the reader is in its first event.
func (r *stalledReader) awaitFirst(ctx context.Context) error {
	late := time.NewTimer(stalledAfter)
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

// numbers are those from first up to, and without, end.
func numbers(first, end int) (all []int) {
	for i := first; i < end; i++ {
		all = append(all, i)
	}
	return all
}

// publishNumbers publishes the numbers from first up to, and without, end.
func publishNumbers(ctx context.Context, bus *mabeam.Bus, eventType string, first, end int) error {
	for i := first; i < end; i++ {
		if err := bus.Publish(ctx, mabeam.Event{Type: eventType, Data: i}); err != nil {
			return fmt.Errorf("event %d: %w", i, err)
		}
	}
	return nil
}

// A joining is Subscribe or SubscribePattern of a bus.
type joining func(topic string, handle func(context.Context, mabeam.Event), o mabeam.SubscribeOptions) (*mabeam.Subscription, error)

// checkPolicy stalls a subscriber with a queue of a few events and publishes some
// more than that has room for. If nobody else uses the bus, the telemetry has to count
// what the subscription does.
func checkPolicy(ctx context.Context, env *stress.Env, policy mabeam.QueuePolicy, join joining, exact bool) error {
	const queue, over = 8, 5
	const published = 1 + queue + over
	bus, eventType := env.System().Bus(), "rule."+policy.String()
	before := env.System().Telemetry()
	reader := newStalledReader()
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
	// Event 0 is with the handler, so that the queue is full after event 8.
	var want []int
	dropped := uint64(over)
	switch policy {
	case mabeam.DropOldest:
		want = append([]int{0}, numbers(published-queue, published)...)
	case mabeam.DropNewest:
		want = numbers(0, 1+queue)
	case mabeam.Disconnect:
		want, dropped = []int{0}, queue+1 // what was queued never comes; later events are not due
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
	settle(ctx, differs)
	switch ended := errors.Is(s.Err(), mabeam.ErrDisconnected); {
	case differs():
		return fmt.Errorf("of events 0 to %d, with room for %d: received %v, want %v; dropped %d, want %d; the telemetry counts %d dropped and %d delivered",
			published-1, queue, got, want, s.Dropped(), dropped, now.EventsDropped-before.EventsDropped, now.EventsDelivered-before.EventsDelivered)
	case ended != (policy == mabeam.Disconnect):
		return fmt.Errorf("the subscription ended as it should not: %w", cmp.Or(s.Err(), errNotEnded))
	case policy != mabeam.Disconnect && early != over:
		return fmt.Errorf("%d drops were counted at once, want %d", early, over)
	case policy != mabeam.Disconnect && waiting != queue:
		return fmt.Errorf("%d events were waiting, want %d", waiting, queue)
	case !isTold:
		return errors.New("the bus does not tell when it dropped the first event")
	}
	return nil
}

// gaveUpAfter is how long a publisher waits that has to give up.
const gaveUpAfter = 2 * time.Millisecond

// checkBlocking stalls a subscriber and publishes until the publisher has to wait.
func checkBlocking(ctx context.Context, env *stress.Env) error {
	const eventType = "rule.block"
	bus, policy := env.System().Bus(), mabeam.Block
	length := env.Options().BusQueue
	if length == 0 {
		length = defaultLog
	}
	if length > mostFilled {
		return nil // it would take seconds to fill
	}
	reader := newStalledReader()
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
		impatient, cancel := context.WithTimeout(ctx, gaveUpAfter)
		err = bus.Publish(impatient, mabeam.Event{Type: eventType, Data: accepted})
		cancel()
		if err != nil {
			break
		}
	}
	waiting, dropped := s.Waiting(), s.Dropped()
	close(reader.release)
	want := numbers(0, accepted)
	settle(ctx, func() bool { return len(reader.received()) < len(want) || s.Waiting() > 0 })
	switch got := reader.received(); {
	case err == nil:
		return fmt.Errorf("%d events were accepted for a queue of %d", accepted, length)
	case accepted < length:
		return fmt.Errorf("event %d of a queue of %d was refused: %w", accepted, length, err)
	case !slices.Equal(got, want):
		return fmt.Errorf("%d events were accepted, and %d received, the first out of order at %d", len(want), len(got), firstDifference(got, want))
	case dropped != 1 || s.Dropped() != 1:
		return fmt.Errorf("%d drops were counted, want 1", s.Dropped())
	case waiting < length-1:
		return fmt.Errorf("%d events were waiting, want at least %d", waiting, length-1)
	}
	return nil
}

// firstDifference is the first place at which two lists differ.
func firstDifference(x, y []int) int {
	for i := range min(len(x), len(y)) {
		if x[i] != y[i] {
			return i
		}
	}
	return min(len(x), len(y))
}

// checkUnsubscribe ends subscriptions of both kinds among others that stay.
func checkUnsubscribe(ctx context.Context, bus *mabeam.Bus) error {
	const eventType = "rule.unsubscribe"
	var got [4]*stalledReader
	var subscriptions []*mabeam.Subscription
	for i := range got {
		join, topic := bus.Subscribe, eventType
		if i%2 == 1 {
			join, topic = bus.SubscribePattern, "rule.unsub*"
		}
		got[i] = newStalledReader()
		close(got[i].release) // it does not stall
		s, err := join(topic, got[i].handle, mabeam.SubscribeOptions{})
		if err != nil {
			return err
		}
		defer s.Unsubscribe()
		subscriptions = append(subscriptions, s)
	}
	received := func(i, n int) bool { return slices.Equal(got[i].received(), numbers(0, n)) }
	const before, after = 5, 10
	if err := publishNumbers(ctx, bus, eventType, 0, before); err != nil {
		return err
	}
	settle(ctx, func() bool { return !received(0, before) || !received(1, before) })
	subscriptions[0].Unsubscribe()
	subscriptions[1].Unsubscribe()
	if err := publishNumbers(ctx, bus, eventType, before, after); err != nil {
		return err
	}
	settle(ctx, func() bool { return !received(2, after) || !received(3, after) })
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

// checkForgotten ends many subscriptions: to different patterns, one after the other to
// a pattern that matches a known type, and many at once to that type. What is kept of
// one is more than a hundred bytes.
func checkForgotten(bus *mabeam.Bus) error {
	const eventType, subscriptions, most = "rule.forgotten", 1000, 100_000 + memoryNoise
	ignore := func(context.Context, mabeam.Event) {}
	var open []*mabeam.Subscription
	subscribe := func(join joining, topic string) error {
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
		for range 2 { // the first time fills what is kept for reuse
			before := liveBytes()
			for i := range subscriptions {
				if err := kind.subscribe(i); err != nil {
					return err
				}
			}
			unsubscribe()
			kept = liveBytes() - before
		}
		if kept > most {
			return fmt.Errorf("%d subscriptions to %s left %.0f bytes", subscriptions, kind.name, kept)
		}
	}
	return nil
}

// checkHistory publishes more events than are kept.
func checkHistory(ctx context.Context, env *stress.Env) error {
	bus, kept := env.System().Bus(), max(env.Options().History, 0)
	if env.Options().History == 0 {
		kept = 1000
	}
	if kept > mostFilled {
		return nil // it would take seconds to fill
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

// patternTypes are event types, and for each pattern those of them that match it.
var (
	patternTypes   = []string{"demo", "demo.x", "demo.x.y", "demo_x", "demolition", "demo-", "xdemo", "xdemo.x", "aXbYc", "abc", "acb", "a.b.c", "agent.started", "agent.restarted"}
	patternMatches = map[string][]string{
		"*":          patternTypes,
		"demo":       {"demo"},
		"demo*":      {"demo", "demo.x", "demo.x.y", "demo_x", "demolition", "demo-"},
		"demo.*":     {"demo", "demo.x", "demo.x.y", "demo_x", "demo-"},
		"demo.x.*":   {"demo.x", "demo.x.y"},
		"*demo":      {"demo", "xdemo"},
		"*demo*":     {"demo", "demo.x", "demo.x.y", "demo_x", "demolition", "demo-", "xdemo", "xdemo.x"},
		"a*b*c":      {"aXbYc", "abc", "a.b.c"},
		"a*c":        {"aXbYc", "abc", "a.b.c"},
		"*.started":  {"agent.started"},
		"*started":   {"agent.started", "agent.restarted"},
		"agent.*ed":  {"agent.started", "agent.restarted"},
		"nothing.*":  {},
		"demo.x.y.z": {},
		"**":         patternTypes,
	}
)

// checkPatterns returns how many of the deliveries to patterns are wrong: of patterns
// that were subscribed to before the types were known, and after, and that no more are
// made after Unsubscribe. Each event type is the check's own, so that nobody else's
// events are taken for its.
func checkPatterns(ctx context.Context, env *stress.Env) (wrong int64) {
	const prefix = "pattern.check."
	bus := env.System().Bus()
	type reader struct {
		pattern string
		s       *mabeam.Subscription
		mu      sync.Mutex
		got     map[string]int
	}
	var readers []*reader
	subscribe := func() {
		for pattern := range patternMatches {
			r := &reader{pattern: pattern, got: map[string]int{}}
			s, err := bus.SubscribePattern(prefix+pattern, func(_ context.Context, e mabeam.Event) {
				r.mu.Lock()
				defer r.mu.Unlock()
				r.got[e.Type]++
			}, mabeam.SubscribeOptions{})
			if err != nil {
				env.Detail(fmt.Sprintf("subscribing to the pattern %q failed: %v", pattern, err), 1)
				wrong++
				continue
			}
			r.s = s
			readers = append(readers, r)
		}
	}
	// mistakes clears what was received, and says of how many types it is not what it
	// should be.
	mistakes := func(r *reader, ended, empty bool) (n int64) {
		r.mu.Lock()
		defer r.mu.Unlock()
		seen := 0
		for _, eventType := range patternTypes {
			want := 0
			if !ended && slices.Contains(patternMatches[r.pattern], eventType) {
				want = 1
			}
			got := r.got[prefix+eventType]
			seen += got
			if difference := int64(got - want); difference != 0 {
				n += max(difference, -difference)
				if empty {
					env.Detail(fmt.Sprintf("the pattern %q received %d events of type %q, want %d", r.pattern, got, eventType, want), 1)
				}
			}
		}
		all := 0
		for _, got := range r.got {
			all += got
		}
		if empty {
			r.got = map[string]int{}
		}
		return n + int64(all-seen) // of types that nobody published
	}
	publish := func(ended bool) {
		for _, eventType := range patternTypes {
			if err := bus.Publish(ctx, mabeam.Event{Type: prefix + eventType}); err != nil {
				env.Detail("publishing for a pattern failed: "+err.Error(), 1)
				wrong++
			}
		}
		if ended {
			load.Sleep(ctx, time.Millisecond)
		} else {
			settle(ctx, func() bool {
				return slices.ContainsFunc(readers, func(r *reader) bool { return mistakes(r, false, false) > 0 })
			})
		}
		for _, r := range readers {
			wrong += mistakes(r, ended, true)
		}
	}
	subscribe()
	publish(false) // types that are new to the patterns
	subscribe()
	publish(false) // patterns that are new to the types
	for _, r := range readers {
		r.s.Unsubscribe()
	}
	publish(true)
	return wrong
}
