package faults_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	mabeam "mabeam-top/internal/runtime"
	"mabeam-top/internal/runtime/faults"
	"mabeam-top/internal/runtime/mabeamtest"
	"mabeam-top/internal/runtime/supervision"
)

func crash(t testing.TB, s *mabeam.System, component string) {
	t.Helper()
	if err := faults.Crash(s, component); err != nil {
		t.Fatal(err)
	}
}

// Every component can be named, and those that a crash would cost nothing say
// so instead of being counted.
func TestCrashOfEachComponent(t *testing.T) {
	s := mabeamtest.Start(t, mabeam.Options{})
	var crashed []string
	for _, c := range s.Startup() {
		switch err := faults.Crash(s, c.Component); {
		case err == nil:
			crashed = append(crashed, c.Component)
		case !errors.Is(err, faults.ErrNothingToCrash):
			t.Error(err)
		}
	}
	if want := []string{"registry", "event_bus"}; !slices.Equal(crashed, want) {
		t.Errorf("%v crashed, want %v", crashed, want)
	}
	if err := faults.Crash(s, "bus"); err == nil || errors.Is(err, faults.ErrNothingToCrash) {
		t.Errorf("there is no bus, but: %v", err)
	}
}

func TestCrashOfAStoppedSystem(t *testing.T) {
	s := mabeamtest.Start(t, mabeam.Options{})
	if err := s.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := faults.Crash(s, "registry"); !errors.Is(err, mabeam.ErrSystemStopped) {
		t.Error(err)
	}
}

// A subscriber is busy with the first of ten events when the bus crashes: the
// nine that wait are lost and counted, and so is the history. What is published
// afterwards arrives.
func TestCrashOfTheBus(t *testing.T) {
	for _, policy := range []mabeam.QueuePolicy{mabeam.Block, mabeam.DropNewest} {
		for _, pattern := range []bool{false, true} {
			t.Run(fmt.Sprintf("%v, pattern %v", policy, pattern), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					s := mabeamtest.Start(t, mabeam.Options{})
					box := &inbox{hold: make(chan struct{})}
					join := s.Bus().Subscribe
					if pattern {
						join = s.Bus().SubscribePattern
					}
					sub, err := join("e", box.handle, mabeam.SubscribeOptions{Policy: &policy})
					if err != nil {
						t.Fatal(err)
					}
					publish(t, s, 0, 1)
					synctest.Wait() // it has taken up that one only
					publish(t, s, 1, 10)
					crash(t, s, "event_bus")
					if n := sub.Waiting(); n != 0 {
						t.Errorf("%d events wait after the crash", n)
					}
					if past := s.Bus().History(0); len(past) != 1 || past[0].Type != faults.EventComponentRestarted ||
						past[0].Data != (faults.ComponentData{Component: "event_bus"}) {
						t.Errorf("history %v", past)
					}
					publish(t, s, 10, 12)
					close(box.hold)
					synctest.Wait()
					if got := box.received(); !slices.Equal(got, []int{0, 10, 11}) {
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
		s := mabeamtest.Start(t, mabeam.Options{BusQueue: 4})
		box := &inbox{hold: make(chan struct{})}
		if _, err := s.Bus().Subscribe("e", box.handle, mabeam.SubscribeOptions{}); err != nil {
			t.Fatal(err)
		}
		publish(t, s, 0, 1)
		synctest.Wait() // it has taken up that one only
		go publish(t, s, 1, 7)
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
		if got := box.received(); !slices.Equal(got, []int{0, 4, 5, 6}) {
			t.Errorf("got %v, want all but the three that waited", got)
		}
	})
}

// However often the bus crashes, each subscriber gets what it gets in order,
// and every event is either delivered or counted as dropped.
func TestCrashesOfABusyBus(t *testing.T) {
	const publishers, each, subscribers = 4, 2000, 6
	s := mabeamtest.Start(t, mabeam.Options{BusQueue: 8})
	type witness struct {
		last     [publishers]int
		disorder int
		sub      *mabeam.Subscription
	}
	all := make([]*witness, subscribers)
	for i := range all {
		w := &witness{}
		all[i] = w
		handle := func(_ context.Context, e mabeam.Event) {
			at := e.Data.([2]int)
			if at[1] <= w.last[at[0]] {
				w.disorder++
			}
			w.last[at[0]] = at[1]
		}
		var err error
		if w.sub, err = s.Bus().Subscribe("e", handle, mabeam.SubscribeOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	var publishing, crashing sync.WaitGroup
	var over atomic.Bool
	for p := range publishers {
		publishing.Go(func() {
			for i := range each {
				if err := s.Bus().Publish(context.Background(), mabeam.Event{Type: "e", Data: [2]int{p, i + 1}}); err != nil {
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
	s := mabeamtest.Start(t, mabeam.Options{})
	id := mabeamtest.StartAgent(t, s, mabeam.Spec{Type: "kept", Capabilities: []string{"c"}, Behaviour: &mabeamtest.Script{}})
	var wg sync.WaitGroup
	for w := range 3 {
		wg.Go(func() {
			for i := range 500 {
				own := fmt.Sprintf("%d-%d", w, i)
				if err := s.Registry().Register(mabeam.Record{ID: own, Type: "t", Capabilities: []string{"c", own}}); err != nil {
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
	if err := checkListings(s.Registry()); err != nil {
		t.Error(err)
	}
	for _, r := range s.Registry().All() {
		s.Registry().Unregister(r.ID())
	}
	if n := s.Telemetry().ComponentsRestarted; n != 200 {
		t.Errorf("%d restarts counted", n)
	}
}

// A supervisor that has crashed is named by the event.
func TestCrashOfASupervisor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := mabeamtest.Start(t, mabeam.Options{})
		var data []any
		hear := func(_ context.Context, e mabeam.Event) { data = append(data, e.Data) }
		if _, err := s.Bus().Subscribe(faults.EventComponentRestarted, hear, mabeam.SubscribeOptions{}); err != nil {
			t.Fatal(err)
		}
		if err := faults.Crash(s, "agents"); !errors.Is(err, faults.ErrNothingToCrash) {
			t.Errorf("without supervisors: %v", err)
		}
		for _, id := range []string{"v", "w"} {
			if _, err := supervision.Start(t.Context(), s, supervision.Spec{ID: id}); err != nil {
				t.Fatal(err)
			}
		}
		crash(t, s, "agents")
		synctest.Wait()
		want := []any{faults.ComponentData{Component: "agents", SupervisorID: "v"}, faults.ComponentData{Component: "agents", SupervisorID: "w"}}
		if !slices.Equal(data, want) || s.Telemetry().ComponentsRestarted != 2 {
			t.Errorf("published %v, counted %d", data, s.Telemetry().ComponentsRestarted)
		}
	})
}
