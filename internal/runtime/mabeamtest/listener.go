package mabeamtest

import (
	"context"
	"testing"
	"time"

	mabeam "mabeam-top/internal/runtime"
)

// A Listener records the events that match a pattern, from Listen on.
type Listener struct {
	// Within is how long Next waits before it fails the test; 0 means 5 s.
	Within time.Duration

	events queue[mabeam.Event]
}

// Listen subscribes to the events that match a pattern, until the test ends. Call it before
// the test does what publishes the event, so that nothing is missed. If the listener loses
// events, because its queue is full or because the bus crashes, the test fails.
func Listen(t testing.TB, s *mabeam.System, pattern string) *Listener {
	t.Helper()
	l := &Listener{}
	block := mabeam.Block
	record := func(_ context.Context, e mabeam.Event) { l.events.add(e) }
	sub, err := s.Bus().SubscribePattern(pattern, record, mabeam.SubscribeOptions{Name: t.Name(), Policy: &block})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if n := sub.Dropped(); n > 0 {
			t.Errorf("the listener to %q has lost %d events", pattern, n)
		}
		sub.Unsubscribe() // afterwards, because it drops what nobody wants any more
	})
	return l
}

// Next waits for the oldest event that fits, and removes it. Those that do not fit stay for
// later calls. A nil condition takes any event. If none arrives within l.Within, the test
// fails and ends, with a list of the events that did arrive. Like t.Fatal it must be called
// from the test's goroutine.
func (l *Listener) Next(t testing.TB, fits func(mabeam.Event) bool) mabeam.Event {
	t.Helper()
	return l.events.next(t, l.Within, fits)
}

// Rest removes and returns, without waiting, all events that Next has not taken.
func (l *Listener) Rest() []mabeam.Event { return l.events.rest() }
