package mabeam

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"
)

// An inbox is a subscriber that keeps what it got.
type inbox struct {
	mu     sync.Mutex
	events []Event
	hold   chan struct{} // if set, each call waits for a value from it
	began  chan struct{} // if set, each call announces itself
}

func (b *inbox) handle(_ context.Context, e Event) {
	if b.began != nil {
		b.began <- struct{}{}
	}
	if b.hold != nil {
		<-b.hold
	}
	b.mu.Lock()
	b.events = append(b.events, e)
	b.mu.Unlock()
}

func (b *inbox) data() []int {
	b.mu.Lock()
	defer b.mu.Unlock()
	var got []int
	for _, e := range b.events {
		got = append(got, e.Data.(int))
	}
	return got
}

func numbers(from, to int) []int {
	var n []int
	for i := from; i < to; i++ {
		n = append(n, i)
	}
	return n
}

func publishAll(t testing.TB, s *System, eventType string, data []int) {
	t.Helper()
	for _, d := range data {
		if err := s.Bus().Publish(context.Background(), Event{Type: eventType, Data: d}); err != nil {
			t.Fatal(err)
		}
	}
}

// Whatever the number of publishers, subscribers and queue slots, each
// subscriber gets each publisher's events once and in order.
func TestBusOrderAndOnce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		publishers := rapid.IntRange(1, 4).Draw(t, "publishers")
		exact := rapid.IntRange(0, 4).Draw(t, "exact")
		pattern := rapid.IntRange(0, 4).Draw(t, "pattern")
		events := rapid.IntRange(1, 300).Draw(t, "events")
		queue := rapid.IntRange(1, 64).Draw(t, "queue")
		s, err := Start(context.Background(), Options{BusQueue: queue, History: -1})
		if err != nil {
			t.Fatal(err)
		}
		var inboxes []*inbox
		for i := range exact + pattern {
			b := &inbox{}
			inboxes = append(inboxes, b)
			if i < exact {
				_, err = s.Bus().Subscribe("perf.a", b.handle, SubscribeOptions{})
			} else {
				_, err = s.Bus().SubscribePattern("perf.*", b.handle, SubscribeOptions{})
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		var wg sync.WaitGroup
		for p := range publishers {
			wg.Go(func() {
				for i := range events {
					for _, eventType := range []string{"perf.a", "perf.b"} {
						e := Event{Type: eventType, Source: fmt.Sprint(p), Data: i}
						if err := s.Bus().Publish(context.Background(), e); err != nil {
							t.Error(err)
						}
					}
				}
			})
		}
		wg.Wait()
		if err := s.Stop(context.Background()); err != nil {
			t.Fatal(err)
		}
		for i, b := range inboxes {
			want := numbers(0, events)
			if i >= exact { // it gets both types, in turn
				want = nil
				for d := range events {
					want = append(want, d, d)
				}
			}
			for p := range publishers {
				var got []int
				for _, e := range b.events {
					if e.Source == fmt.Sprint(p) {
						got = append(got, e.Data.(int))
					}
				}
				if !slices.Equal(got, want) {
					t.Fatalf("subscriber %d, publisher %d: got %v", i, p, got)
				}
			}
		}
		due := publishers * events * (exact + 2*pattern)
		if tel := s.Telemetry(); int(tel.EventsDelivered) != due || tel.EventsDropped != 0 {
			t.Fatalf("told %d delivered and %d dropped of %d due", tel.EventsDelivered, tel.EventsDropped, due)
		}
	})
}

// A stalled subscriber with each policy: what was dropped is known to the
// event, and counted exactly.
func TestBusPolicies(t *testing.T) {
	newest, oldest, disconnect := DropNewest, DropOldest, Disconnect
	for _, c := range []struct {
		policy *QueuePolicy
		want   []int
		ended  error
	}{
		// Event 0 is being handled while 1 to 99 arrive at a queue of 10.
		{&newest, numbers(0, 11), nil},
		{&oldest, append([]int{0}, numbers(90, 100)...), nil},
		{&disconnect, []int{0}, ErrDisconnected},
	} {
		t.Run(c.policy.String(), func(t *testing.T) {
			s := start(t, Options{})
			b := &inbox{hold: make(chan struct{}), began: make(chan struct{}, 100)}
			sub, err := s.Bus().Subscribe("x", b.handle, SubscribeOptions{Policy: c.policy, Queue: 10})
			if err != nil {
				t.Fatal(err)
			}
			publishAll(t, s, "x", []int{0})
			<-b.began
			publishAll(t, s, "x", numbers(1, 100))
			close(b.hold)
			if err := s.Stop(context.Background()); err != nil {
				t.Fatal(err)
			}
			if got := b.data(); !slices.Equal(got, c.want) {
				t.Errorf("got %v, want %v", got, c.want)
			}
			if !errors.Is(sub.Err(), c.ended) {
				t.Errorf("ended with %v, want %v", sub.Err(), c.ended)
			}
			tel := s.Telemetry()
			if tel.EventsPublished != 100 || int(tel.EventsDelivered) != len(c.want) {
				t.Errorf("published %d, delivered %d, want 100 and %d", tel.EventsPublished, tel.EventsDelivered, len(c.want))
			}
			// One that was cut off was not subscribed for what came after.
			dropped := 100 - len(c.want)
			if c.policy == &disconnect {
				dropped = 11
			}
			if int(tel.EventsDropped) != dropped || int(sub.Dropped()) != dropped {
				t.Errorf("dropped %d (subscription: %d), want %d", tel.EventsDropped, sub.Dropped(), dropped)
			}
		})
	}
}

// The bus knows when a delivery was dropped first, and only that.
func TestFirstDrop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := start(t, Options{})
		newest := DropNewest
		hold := make(chan struct{})
		if _, err := s.Bus().Subscribe("x", func(context.Context, Event) { <-hold }, SubscribeOptions{Policy: &newest, Queue: 1}); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		for i := range 4 { // one is handled, one waits
			if at, ok := s.Bus().FirstDrop(); ok != (i == 3) || ok && at.Sub(began) != 2*time.Second {
				t.Errorf("before event %d: %v, %v", i, at.Sub(began), ok)
			}
			publishAll(t, s, "x", []int{i})
			synctest.Wait()
			time.Sleep(time.Second)
		}
		close(hold)
	})
}

// A publisher waits for a blocking subscriber, and leaves when its context
// ends; the missed delivery is counted.
func TestBusBlocks(t *testing.T) { synctest.Test(t, busBlocks) }

func busBlocks(t *testing.T) {
	s := start(t, Options{BusQueue: 16, History: -1})
	b := &inbox{hold: make(chan struct{}), began: make(chan struct{}, 100)}
	if _, err := s.Bus().Subscribe("x", b.handle, SubscribeOptions{}); err != nil {
		t.Fatal(err)
	}
	publishAll(t, s, "x", []int{0})
	<-b.began
	// Slot 0 is taken until its handler returns.
	publishAll(t, s, "x", numbers(1, 16))
	ctx, cancel := context.WithCancel(context.Background())
	result := make(chan error)
	go func() { result <- s.Bus().Publish(ctx, Event{Type: "x", Data: 99}) }()
	synctest.Wait()
	cancel()
	if err := <-result; !errors.Is(err, context.Canceled) {
		t.Errorf("publish to a full queue: %v", err)
	}
	go func() { result <- s.Bus().Publish(context.Background(), Event{Type: "x", Data: 16}) }()
	close(b.hold)
	if err := <-result; err != nil {
		t.Error(err)
	}
	if err := s.Stop(context.Background()); err != nil {
		t.Fatal(err)
	}
	if got := b.data(); !slices.Equal(got, numbers(0, 17)) {
		t.Errorf("got %v", got)
	}
	if tel := s.Telemetry(); tel.EventsPublished != 18 || tel.EventsDelivered != 17 || tel.EventsDropped != 1 {
		t.Errorf("published %d, delivered %d, dropped %d", tel.EventsPublished, tel.EventsDelivered, tel.EventsDropped)
	}
}

// A subscriber that ends while it is stalled frees the publisher that waits
// for it, and gets nothing more.
func TestBusUnsubscribeFreesPublisher(t *testing.T) {
	s := start(t, Options{BusQueue: 16, History: -1})
	stalled := &inbox{hold: make(chan struct{}), began: make(chan struct{}, 100)}
	other := &inbox{}
	sub, err := s.Bus().Subscribe("x", stalled.handle, SubscribeOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Bus().Subscribe("x", other.handle, SubscribeOptions{}); err != nil {
		t.Fatal(err)
	}
	publishAll(t, s, "x", []int{0})
	<-stalled.began
	publishAll(t, s, "x", numbers(1, 16))
	blocked := make(chan error)
	go func() {
		var err error
		for _, d := range numbers(16, 200) {
			err = errors.Join(err, s.Bus().Publish(context.Background(), Event{Type: "x", Data: d}))
		}
		blocked <- err
	}()
	sub.Unsubscribe()
	if err := <-blocked; err != nil {
		t.Error(err)
	}
	close(stalled.hold)
	if err := s.Stop(context.Background()); err != nil {
		t.Fatal(err)
	}
	if got := stalled.data(); !slices.Equal(got, []int{0}) {
		t.Errorf("the one that left got %v", got)
	}
	if got := other.data(); !slices.Equal(got, numbers(0, 200)) {
		t.Errorf("the one that stayed got %d events", len(got))
	}
	if sub.Delivered() != 1 || sub.Dropped() < 15 {
		t.Errorf("the one that left counts %d delivered and %d dropped", sub.Delivered(), sub.Dropped())
	}
}

// Subscribers come and go under load: none is called twice at a time (the race
// detector would tell), and the one that stays misses nothing.
func TestBusChurn(t *testing.T) {
	s := start(t, Options{BusQueue: 32, History: -1})
	const publishers, events = 3, 2000
	var stays inbox
	if _, err := s.Bus().SubscribePattern("*", stays.handle, SubscribeOptions{}); err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	var churn, publish sync.WaitGroup
	for range 3 {
		churn.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-done:
					return
				default:
				}
				policy := QueuePolicy(i % 4)
				o := SubscribeOptions{Policy: &policy, Queue: 32}
				subscribe := s.Bus().Subscribe
				if i%2 == 0 {
					subscribe = s.Bus().SubscribePattern
				}
				got := 0 // only its handler touches it, one call at a time
				sub, err := subscribe("x", func(context.Context, Event) { got++ }, o)
				if err != nil {
					t.Error(err)
					return
				}
				sub.Unsubscribe()
			}
		})
	}
	for range publishers {
		publish.Go(func() { publishAll(t, s, "x", numbers(0, events)) })
	}
	publish.Wait()
	close(done)
	churn.Wait()
	if err := s.Stop(context.Background()); err != nil {
		t.Fatal(err)
	}
	if tel := s.Telemetry(); tel.EventsPublished != publishers*events {
		t.Errorf("published %d", tel.EventsPublished)
	}
	if n := len(stays.events); n != publishers*events {
		t.Errorf("the one that stayed got %d of %d", n, publishers*events)
	}
}

func TestBusHandlerPanics(t *testing.T) {
	s := start(t, Options{})
	var other inbox
	sub, err := s.Bus().Subscribe("x", func(context.Context, Event) { panic("boom") }, SubscribeOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Bus().Subscribe("x", other.handle, SubscribeOptions{}); err != nil {
		t.Fatal(err)
	}
	publishAll(t, s, "x", numbers(0, 10))
	if err := s.Stop(context.Background()); err != nil {
		t.Fatal(err)
	}
	var panicked *PanicError
	if !errors.As(sub.Err(), &panicked) || panicked.Value != "boom" {
		t.Errorf("ended with %v", sub.Err())
	}
	if got := other.data(); !slices.Equal(got, numbers(0, 10)) {
		t.Errorf("the other got %v", got)
	}
}

func TestBusHistory(t *testing.T) {
	for _, c := range []struct {
		name           string
		history, limit int
		want           []int
	}{
		{"all that is kept", 10, 0, numbers(90, 100)},
		{"fewer", 10, 3, numbers(97, 100)},
		{"more than is kept", 10, 50, numbers(90, 100)},
		{"more than was published", 1000, 0, numbers(0, 100)},
		{"off", -1, 0, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := start(t, Options{History: c.history})
			for i := range 100 {
				publishAll(t, s, fmt.Sprint("type", i%7), []int{i})
			}
			var got []int
			for _, e := range s.Bus().History(c.limit) {
				got = append(got, e.Data.(int))
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
}

func TestBusEventIDs(t *testing.T) {
	a, b := start(t, Options{}), start(t, Options{})
	publishAll(t, a, "x", numbers(0, 3))
	publishAll(t, b, "x", numbers(0, 3))
	seen := map[string]bool{}
	for _, e := range append(a.Bus().History(0), b.Bus().History(0)...) {
		if seen[e.ID.String()] {
			t.Errorf("id %v twice", e.ID)
		}
		seen[e.ID.String()] = true
	}
	if len(seen) != 6 {
		t.Errorf("%d ids, want 6", len(seen))
	}
}

// What is published after a subscription has ended never reaches it.
func TestBusNothingAfterUnsubscribe(t *testing.T) {
	for _, pattern := range []bool{false, true} {
		for policy := Block; policy.Known(); policy++ {
			s := start(t, Options{})
			var gone, stays inbox
			subscribe := s.Bus().Subscribe
			if pattern {
				subscribe = s.Bus().SubscribePattern
			}
			o := SubscribeOptions{Policy: &policy}
			sub, err := subscribe("x", gone.handle, o)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := subscribe("x", stays.handle, o); err != nil {
				t.Fatal(err)
			}
			sub.Unsubscribe()
			publishAll(t, s, "x", numbers(0, 5))
			if err := s.Stop(context.Background()); err != nil {
				t.Fatal(err)
			}
			if got := gone.data(); got != nil {
				t.Errorf("policy %v, pattern %v: got %v after it had ended", policy, pattern, got)
			}
			if got := stays.data(); !slices.Equal(got, numbers(0, 5)) {
				t.Errorf("policy %v, pattern %v: the other got %v", policy, pattern, got)
			}
		}
	}
}

// A handler that publishes as much as it handles has room to do so while its
// queue is not full.
func TestHandlerThatPublishes(t *testing.T) {
	s := start(t, Options{BusQueue: 64, History: -1})
	handled := make(chan struct{})
	n := 0
	_, err := s.Bus().Subscribe("x", func(ctx context.Context, _ Event) {
		if n++; n == 10_000 { // the 40, and one for each of the first 9,960
			close(handled)
		}
		if n <= 10_000-40 {
			if err := s.Bus().Publish(ctx, Event{Type: "x"}); err != nil {
				t.Error(err)
			}
		}
	}, SubscribeOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for range 40 {
		if err := s.Bus().Publish(t.Context(), Event{Type: "x"}); err != nil {
			t.Fatal(err)
		}
	}
	<-handled
}

// A publisher that makes up a type for each event fills neither the memory nor
// the history, and hides nothing from those who subscribed.
func TestBusForgetsUnusedTopics(t *testing.T) {
	s := start(t, Options{History: 100})
	var exact, pattern inbox
	if _, err := s.Bus().Subscribe("type7", exact.handle, SubscribeOptions{}); err != nil {
		t.Fatal(err)
	}
	var all inbox
	if _, err := s.Bus().SubscribePattern("*", all.handle, SubscribeOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Bus().SubscribePattern("rare.*", pattern.handle, SubscribeOptions{}); err != nil {
		t.Fatal(err)
	}
	const n = 20_000
	for i := range n {
		publishAll(t, s, fmt.Sprint("type", i), []int{i})
	}
	publishAll(t, s, "type7", []int{n})
	publishAll(t, s, "rare.x", []int{n + 1})
	if topics := s.bus.Topics(); topics > 2*8192 {
		t.Errorf("%d topics are kept", topics)
	}
	var history []int
	for _, e := range s.Bus().History(0) {
		history = append(history, e.Data.(int))
	}
	if !slices.Equal(history, numbers(n+2-100, n+2)) {
		t.Errorf("the history is %v", history)
	}
	if err := s.Stop(context.Background()); err != nil {
		t.Fatal(err)
	}
	if got := exact.data(); !slices.Equal(got, []int{7, n}) {
		t.Errorf("type7 got %v", got)
	}
	if got := all.data(); !slices.Equal(got, numbers(0, n+2)) {
		t.Errorf("* got %d of %d events", len(got), n+2)
	}
	if got := pattern.data(); !slices.Equal(got, []int{n + 1}) {
		t.Errorf("rare.* got %v", got)
	}
}

// History keeps as many events as it is told to, of one type or of several.
func TestHistoryKeepsAll(t *testing.T) {
	for _, history := range []int{1, 10, 100, 1000} {
		for _, types := range []int{1, 3} {
			for _, queue := range []int{1, 1024} {
				s := start(t, Options{History: history, BusQueue: queue})
				if _, err := s.Bus().Subscribe("0", func(context.Context, Event) {}, SubscribeOptions{}); err != nil {
					t.Fatal(err)
				}
				for n := 1; n <= 2500; n++ {
					if err := s.Bus().Publish(t.Context(), Event{Type: fmt.Sprint(n % types), Data: n}); err != nil {
						t.Fatal(err)
					}
					if n%331 != 0 && n != 40 && n != 999 {
						continue
					}
					kept := s.Bus().History(0)
					if want := min(n, history); len(kept) != want || kept[0].Data != n-want+1 || kept[want-1].Data != n {
						t.Fatalf("history %d, %d types, queue %d: after %d events %d are kept, %v to %v",
							history, types, queue, n, len(kept), kept[0].Data, kept[len(kept)-1].Data)
					}
				}
			}
		}
	}
}

// A subscription that has ended waits for nothing.
func TestWaitingEnds(t *testing.T) {
	s := start(t, Options{})
	sub, err := s.Bus().Subscribe("e", func(context.Context, Event) {}, SubscribeOptions{})
	if err != nil {
		t.Fatal(err)
	}
	sub.Unsubscribe()
	for range 3 {
		if err := s.Bus().Publish(t.Context(), Event{Type: "e"}); err != nil {
			t.Fatal(err)
		}
	}
	if n := sub.Waiting(); n != 0 {
		t.Errorf("%d events wait for a subscription that has ended", n)
	}
}

// An agent that publishes what it subscribed to gets an error in the end, not a
// wait for itself.
func TestAgentDoesNotWaitForItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := start(t, Options{BusQueue: 4, WaitTimeout: 3 * time.Second})
		var failed error
		startAgent(t, s, Spec{Behaviour: &scripted{
			init: func(self *Agent) error {
				_, err := self.Subscribe("echo")
				return err
			},
			event: func(self *Agent, _ Event) {
				for failed == nil {
					failed = self.Publish(self.System().ctx, "echo", nil)
				}
			},
		}})
		if err := s.Bus().Publish(t.Context(), Event{Type: "echo"}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Second)
		synctest.Wait()
		if !errors.Is(failed, ErrTimeout) {
			t.Errorf("it ended with %v", failed)
		}
	})
}

// Subscribers that leave after their first event cost the bus little memory, and none that
// stays.
func TestOnceOnlySubscribersAreCheap(t *testing.T) {
	const subscribers, most = 5_000, 30 << 20
	s := start(t, Options{})
	var stays atomic.Int64
	if _, err := s.Bus().Subscribe("x", func(context.Context, Event) { stays.Add(1) }, SubscribeOptions{}); err != nil {
		t.Fatal(err)
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range subscribers {
		left := make(chan struct{})
		var sub *Subscription
		var err error
		sub, err = s.Bus().Subscribe("x", func(context.Context, Event) { sub.Unsubscribe(); close(left) }, SubscribeOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Bus().Publish(t.Context(), Event{Type: "x"}); err != nil {
			t.Fatal(err)
		}
		<-left
	}
	runtime.ReadMemStats(&after)
	if took := after.TotalAlloc - before.TotalAlloc; took > most {
		t.Errorf("%d subscribers took %d bytes, more than %d", subscribers, took, most)
	}
}
