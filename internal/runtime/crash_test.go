package mabeam

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func crash(t testing.TB, s *System, component string) {
	t.Helper()
	if err := s.CrashComponent(component); err != nil {
		t.Fatal(err)
	}
}

// Every component can be named, and those that a crash would cost nothing say
// so instead of being counted.
func TestCrashOfEachComponent(t *testing.T) {
	s := start(t, Options{})
	var crashed []string
	for _, c := range s.Startup() {
		switch err := s.CrashComponent(c.Component); {
		case err == nil:
			crashed = append(crashed, c.Component)
		case !errors.Is(err, ErrNothingToCrash):
			t.Error(err)
		}
	}
	if want := []string{"registry", "event_bus"}; !slices.Equal(crashed, want) {
		t.Errorf("%v crashed, want %v", crashed, want)
	}
	if err := s.CrashComponent("bus"); err == nil || errors.Is(err, ErrNothingToCrash) {
		t.Errorf("there is no bus, but: %v", err)
	}
}

func TestCrashOfAStoppedSystem(t *testing.T) {
	s := start(t, Options{})
	if err := s.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := s.CrashComponent("registry"); !errors.Is(err, ErrSystemStopped) {
		t.Error(err)
	}
}

// A subscriber is busy with the first of ten events when the bus crashes: the
// nine that wait are lost and counted, and so is the history. What is published
// afterwards arrives.
func TestCrashOfTheBus(t *testing.T) {
	for _, policy := range []QueuePolicy{Block, DropNewest} {
		for _, pattern := range []bool{false, true} {
			t.Run(fmt.Sprintf("%v, pattern %v", policy, pattern), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					s := start(t, Options{})
					box := &inbox{hold: make(chan struct{})}
					join := s.Bus().Subscribe
					if pattern {
						join = s.Bus().SubscribePattern
					}
					sub, err := join("e", box.handle, SubscribeOptions{Policy: &policy})
					if err != nil {
						t.Fatal(err)
					}
					publishAll(t, s, "e", numbers(0, 1))
					synctest.Wait() // it has taken up that one only
					publishAll(t, s, "e", numbers(1, 10))
					crash(t, s, "event_bus")
					if n := sub.Waiting(); n != 0 {
						t.Errorf("%d events wait after the crash", n)
					}
					if past := s.Bus().History(0); len(past) != 1 || past[0].Type != EventComponentRestarted {
						t.Errorf("history %v", past)
					}
					publishAll(t, s, "e", numbers(10, 12))
					close(box.hold)
					synctest.Wait()
					if got := box.data(); !slices.Equal(got, []int{0, 10, 11}) {
						t.Errorf("got %v", got)
					}
					tel := s.Telemetry()
					if sub.Delivered() != 3 || sub.Dropped() != 9 || tel.EventsDropped != 9 || tel.ComponentsRestarted != 1 {
						t.Errorf("delivered %d, dropped %d; %+v", sub.Delivered(), sub.Dropped(), tel)
					}
				})
			})
		}
	}
}

// A publisher that waits for a subscriber that hangs goes on when the bus has
// crashed: there is room again.
func TestCrashOfTheBusLetsPublishersGoOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := start(t, Options{BusQueue: 4})
		box := &inbox{hold: make(chan struct{})}
		if _, err := s.Bus().Subscribe("e", box.handle, SubscribeOptions{}); err != nil {
			t.Fatal(err)
		}
		publishAll(t, s, "e", numbers(0, 1))
		synctest.Wait() // it has taken up that one only
		go func() {
			for _, d := range numbers(1, 7) {
				if err := s.Bus().Publish(context.Background(), Event{Type: "e", Data: d}); err != nil {
					t.Error(err)
				}
			}
		}()
		synctest.Wait()
		if n := s.Telemetry().EventsPublished; n != 5 {
			t.Fatalf("%d events were begun to be published, want 4 in the queue and one that waits", n)
		}
		crash(t, s, "event_bus")
		synctest.Wait()
		if n := s.Telemetry().EventsPublished; n != 8 {
			t.Errorf("%d events published, want all 7 and that of the restart", n)
		}
		close(box.hold)
		synctest.Wait()
		if got := box.data(); !slices.Equal(got, []int{0, 4, 5, 6}) {
			t.Errorf("got %v, want all but the three that waited", got)
		}
	})
}

// However often the bus crashes, each subscriber gets what it gets in order,
// and every event is either delivered or counted as dropped.
func TestCrashesOfABusyBus(t *testing.T) {
	const publishers, each, subscribers = 4, 2000, 6
	s := start(t, Options{BusQueue: 8})
	type witness struct {
		last     [publishers]int
		disorder int
		sub      *Subscription
	}
	all := make([]*witness, subscribers)
	for i := range all {
		w := &witness{}
		all[i] = w
		handle := func(_ context.Context, e Event) {
			at := e.Data.([2]int)
			if at[1] <= w.last[at[0]] {
				w.disorder++
			}
			w.last[at[0]] = at[1]
		}
		var err error
		if w.sub, err = s.Bus().Subscribe("e", handle, SubscribeOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	var publishing, crashing sync.WaitGroup
	var over atomic.Bool
	for p := range publishers {
		publishing.Go(func() {
			for i := range each {
				if err := s.Bus().Publish(context.Background(), Event{Type: "e", Data: [2]int{p, i + 1}}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	crashing.Go(func() {
		for !over.Load() {
			crash(t, s, "event_bus")
		}
	})
	publishing.Wait()
	over.Store(true)
	crashing.Wait()
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		waiting := 0
		for _, w := range all {
			waiting += w.sub.Waiting()
		}
		if waiting == 0 || time.Now().After(deadline) {
			break
		}
	}
	if err := s.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	for i, w := range all {
		if got := w.sub.Delivered() + w.sub.Dropped(); got != publishers*each || w.disorder > 0 {
			t.Errorf("subscriber %d: %d delivered, %d dropped, of %d; %d out of order",
				i, w.sub.Delivered(), w.sub.Dropped(), publishers*each, w.disorder)
		}
	}
}

// The registry crashes while others change it: lookups never miss what is
// there, and all indices are right afterwards.
func TestCrashOfTheRegistry(t *testing.T) {
	s := start(t, Options{})
	id := startAgent(t, s, Spec{Type: "kept", Capabilities: []string{"c"}, Behaviour: &scripted{}})
	var wg sync.WaitGroup
	for w := range 3 {
		wg.Go(func() {
			for i := range 500 {
				own := fmt.Sprintf("%d-%d", w, i)
				if err := s.Registry().Register(Record{ID: own, Type: "t", Capabilities: []string{"c", own}}); err != nil {
					t.Error(err)
				}
				if _, ok := s.Registry().Lookup(id); !ok {
					t.Error("a lookup missed an agent that lives")
				}
				if n := len(s.Registry().ByType("kept")); n != 1 {
					t.Errorf("%d agents of a type that has one", n)
				}
				if i%2 == 0 && !s.Registry().Unregister(own) {
					t.Error("cannot be unregistered")
				}
			}
		})
	}
	for range 200 {
		crash(t, s, "registry")
	}
	wg.Wait()
	if err := checkIndices(s.Registry(), "", "local"); err != nil {
		t.Error(err)
	}
	for _, r := range s.Registry().All() {
		s.Registry().Unregister(r.ID())
	}
	if n := s.Telemetry().ComponentsRestarted; n != 200 {
		t.Errorf("%d restarts counted", n)
	}
}
