package mabeam

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"mabeam-top/internal/runtime/eventbus"
)

// A subscriber that hangs costs those who share its log nothing: they have every event,
// within a few milliseconds. It misses those for which the publisher's patience ended, and
// has all others, in order, when it goes on.
func TestStuckSubscriberCostsOthersNothing(t *testing.T) {
	for _, pattern := range []bool{false, true} {
		for _, agent := range []bool{false, true} {
			t.Run(fmt.Sprintf("pattern %v, agent %v", pattern, agent), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) { stuckSubscriber(t, pattern, agent) })
			})
		}
	}
}

func stuckSubscriber(t *testing.T, pattern, agent bool) {
	const queue, missed, patience = 8, 5, 100 * time.Millisecond
	s := start(t, Options{BusQueue: queue, WaitTimeout: patience})
	release := make(chan struct{})
	goOn := sync.OnceFunc(func() { close(release) })
	t.Cleanup(goOn)
	var mu sync.Mutex
	var late []int
	slow := func(e Event) {
		<-release
		mu.Lock()
		defer mu.Unlock()
		late = append(late, e.Data.(int))
	}
	healthy := map[int]time.Time{}
	subscribe := func(handler func(context.Context, Event)) *Subscription {
		subscribe := s.Bus().Subscribe
		name := "e.x"
		if pattern {
			subscribe, name = s.Bus().SubscribePattern, "e.*"
		}
		sub, err := subscribe(name, handler, SubscribeOptions{})
		if err != nil {
			t.Fatal(err)
		}
		return sub
	}
	var sub *Subscription
	if agent {
		startAgent(t, s, Spec{Behaviour: &scripted{
			init: func(self *Agent) (err error) {
				if pattern {
					sub, err = self.SubscribePattern("e.*")
				} else {
					sub, err = self.Subscribe("e.x")
				}
				return err
			},
			event: func(_ *Agent, e Event) { slow(e) },
		}})
	} else {
		sub = subscribe(func(_ context.Context, e Event) { slow(e) })
	}
	subscribe(func(_ context.Context, e Event) {
		mu.Lock()
		defer mu.Unlock()
		healthy[e.Data.(int)] = time.Now()
	})
	published := 0
	publish := func() error {
		published++
		return s.Bus().Publish(t.Context(), Event{Type: "e.x", Data: published})
	}
	for range queue { // the first of them is at work
		if err := publish(); err != nil {
			t.Fatalf("event %d: %v", published, err)
		}
		synctest.Wait()
	}
	want := []int{}
	for i := range queue {
		want = append(want, i+1)
	}
	for range missed {
		began := time.Now()
		err := publish()
		if took := time.Since(began); !errors.Is(err, ErrTimeout) || took != patience {
			t.Errorf("event %d: %v after %v", published, err, took)
		}
		mu.Lock()
		if had := healthy[published].Sub(began); had > eventbus.DetachAfter {
			t.Errorf("the healthy one had event %d after %v", published, had)
		}
		mu.Unlock()
	}
	if w, d := sub.Waiting(), sub.Dropped(); w > queue || d != missed {
		t.Errorf("%d wait and %d were dropped for the stuck one", w, d)
	}
	goOn()
	synctest.Wait()
	for range 3 * queue { // it has caught up, and shares the log again
		if err := publish(); err != nil {
			t.Errorf("event %d: %v", published, err)
		}
		want = append(want, published)
		synctest.Wait()
	}
	if fmt.Sprint(late) != fmt.Sprint(want) {
		t.Errorf("the stuck one got %v, want %v", late, want)
	}
	if len(healthy) != published {
		t.Errorf("the healthy one got %d of %d", len(healthy), published)
	}
	if int(sub.Delivered()+sub.Dropped()) != published {
		t.Errorf("%d delivered and %d dropped, of %d", sub.Delivered(), sub.Dropped(), published)
	}
	if s.bus.Detached(sub) {
		t.Error("it is still detached")
	}
}

// A subscriber that hangs costs those nothing either who have subscribed to the same events in
// another way, whether they come one by one or in a batch.
func TestStuckSubscriberCostsOtherPatternsNothing(t *testing.T) {
	publish := map[string]func(*System) error{
		"one": func(s *System) error { return s.Bus().Publish(context.Background(), Event{Type: "e.x"}) },
		"batch": func(s *System) error {
			return s.Bus().PublishAll(context.Background(), []Event{{Type: "e.x"}, {Type: "e.x"}})
		},
	}
	for name, publish := range publish {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := start(t, Options{BusQueue: 2, History: -1})
				release := make(chan struct{})
				defer close(release)
				var had []time.Time
				healthy := func(context.Context, Event) { had = append(had, time.Now()) }
				stuck := func(context.Context, Event) { <-release }
				_, err1 := s.Bus().Subscribe("e.x", stuck, SubscribeOptions{})
				_, err2 := s.Bus().SubscribePattern("e.*", stuck, SubscribeOptions{})
				_, err3 := s.Bus().SubscribePattern("*", healthy, SubscribeOptions{})
				if err := errors.Join(err1, err2, err3, publish(s), publish(s)); name == "one" && err != nil {
					t.Fatal(err)
				}
				synctest.Wait()
				had = nil
				began := time.Now()
				if err := publish(s); !errors.Is(err, ErrTimeout) || time.Since(began) != 5*time.Second {
					t.Errorf("%v after %v", err, time.Since(began))
				}
				synctest.Wait()
				if len(had) == 0 {
					t.Fatal("the healthy one had nothing")
				}
				if had[0].Sub(began) > 2*eventbus.DetachAfter {
					t.Errorf("the healthy one had the first after %v", had[0].Sub(began))
				}
			})
		})
	}
}

// What a crash of the bus takes from a detached subscriber counts as dropped.
func TestCrashWhileASubscriberIsSetApart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := start(t, Options{BusQueue: 2})
		release := make(chan struct{})
		sub, err := s.Bus().Subscribe("e", func(context.Context, Event) { <-release }, SubscribeOptions{})
		if err != nil {
			t.Fatal(err)
		}
		for range 3 {
			_ = s.Bus().Publish(t.Context(), Event{Type: "e"}) // there is no room for the last one
			synctest.Wait()
		}
		s.bus.Crash()
		close(release)
		synctest.Wait()
		if sub.Delivered() != 1 || sub.Dropped() != 2 {
			t.Errorf("%d delivered and %d dropped, of 3", sub.Delivered(), sub.Dropped())
		}
	})
}

// The runtime's own events wait for nobody: what it tells of takes no longer because a
// subscriber hangs, which loses what has waited longest.
func TestOwnEventsWaitForNobody(t *testing.T) {
	for _, agent := range []bool{false, true} {
		t.Run(fmt.Sprint("agent ", agent), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				const queue, agents = 4, 20
				s := start(t, Options{BusQueue: queue})
				release := make(chan struct{})
				goOn := sync.OnceFunc(func() { close(release) })
				t.Cleanup(goOn)
				var got []Event
				slow := func(e Event) {
					<-release
					got = append(got, e)
				}
				var sub *Subscription
				var err error
				if agent {
					startAgent(t, s, Spec{ID: "listener", Behaviour: &scripted{
						init: func(self *Agent) error {
							sub, err = self.SubscribePattern("agent_lifecycle.*")
							return err
						},
						event: func(_ *Agent, e Event) { slow(e) },
					}})
				} else if sub, err = s.Bus().SubscribePattern("agent_lifecycle.*", func(_ context.Context, e Event) { slow(e) }, SubscribeOptions{}); err != nil {
					t.Fatal(err)
				}
				before := s.bus.Stats().Published
				lives := make(chan struct{}, agents)
				began := time.Now()
				for i := range agents {
					id := fmt.Sprint(i)
					startAgent(t, s, Spec{ID: id, Behaviour: adder{}})
					s.KillAgent(id)
				}
				revive(t, s, "child", func() Spec {
					return Spec{Behaviour: &scripted{init: func(*Agent) error { lives <- struct{}{}; return nil }}}
				})
				for range agents {
					<-lives
					synctest.Wait()
					s.KillAgent("child")
				}
				<-lives
				if took := time.Since(began); took != 0 {
					t.Errorf("it took %v", took)
				}
				synctest.Wait()
				if w := sub.Waiting(); w > queue {
					t.Errorf("%d wait in a queue of %d", w, queue)
				}
				goOn()
				synctest.Wait()
				published := uint64(s.bus.Stats().Published - before)
				if sub.Delivered()+sub.Dropped() < published || sub.Dropped() == 0 {
					t.Errorf("%d delivered and %d dropped, of %d", sub.Delivered(), sub.Dropped(), published)
				}
				if last := got[len(got)-1]; last.ID != s.Bus().History(1)[0].ID {
					t.Errorf("the newest that it got is %v, of %d", last.ID, s.bus.Stats().Published)
				}
			})
		})
	}
}

// An agent that publishes waits for Options.WaitTimeout in all, however many logs are
// full, and whatever deadline its caller has. A plain handler that publishes to its own
// type does not wait for itself for ever.
func TestPublisherIsPatientOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const patience = 100 * time.Millisecond
		s := start(t, Options{BusQueue: 1, WaitTimeout: patience})
		release := make(chan struct{})
		for _, pattern := range []string{"*", "e*", "e.*", "*x", "e*x", "*.x", "e.x*", "*e*", "*.*", "*e.x"} {
			if _, err := s.Bus().SubscribePattern(pattern, func(_ context.Context, e Event) {
				if e.Type == "e.x" {
					<-release
				}
			}, SubscribeOptions{}); err != nil {
				t.Fatal(err)
			}
		}
		id := startAgent(t, s, Spec{Behaviour: &scripted{
			action: func(ctx context.Context, self *Agent, _ string, _ any) (any, error) {
				began := time.Now()
				err := self.Publish(ctx, "e.x", nil)
				return time.Since(began), err
			},
		}})
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		if _, err := s.Execute(ctx, id, "publish", nil); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		began := time.Now()
		if _, err := s.Execute(ctx, id, "publish", nil); !errors.Is(err, ErrTimeout) || time.Since(began) != patience {
			t.Errorf("%v after %v", err, time.Since(began))
		}
		close(release)
		synctest.Wait()

		errs := make(chan error, 1)
		sub, err := s.Bus().Subscribe("own", func(ctx context.Context, _ Event) {
			var err error
			for err == nil {
				err = s.Bus().Publish(ctx, Event{Type: "own", Data: false})
			}
			errs <- err
		}, SubscribeOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Bus().Publish(t.Context(), Event{Type: "own"}); err != nil {
			t.Fatal(err)
		}
		if err := <-errs; !errors.Is(err, ErrTimeout) {
			t.Errorf("%v", err)
		}
		sub.Unsubscribe()
	})
}
