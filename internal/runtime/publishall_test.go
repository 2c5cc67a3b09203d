package mabeam

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"mabeam-top/internal/runtime/eventbus"
)

// A numbered event is the n-th of its publisher.
type numbered struct{ publisher, n int }

// Whatever the batches, queues and subscribers, each subscriber gets the events that it
// wants of each publisher once and in order, as if they had been published one by one.
func TestPublishAllOrderAndOnce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s, err := Start(context.Background(), Options{BusQueue: rapid.IntRange(1, 64).Draw(t, "queue"), History: 1 << 14})
		if err != nil {
			t.Fatal(err)
		}
		var mu sync.Mutex
		got := make([]map[int][]int, 4) // by subscriber and publisher
		newest := DropNewest
		for i, pattern := range []string{"run.a", "run.b", "run.*", "run.*"} {
			got[i] = map[int][]int{}
			o := SubscribeOptions{}
			if i == 3 {
				o = SubscribeOptions{Policy: &newest, Queue: 1 << 14}
			}
			handle := func(_ context.Context, e Event) {
				mu.Lock()
				defer mu.Unlock()
				d := e.Data.(numbered)
				got[i][d.publisher] = append(got[i][d.publisher], d.n)
			}
			if i < 2 {
				_, err = s.Bus().Subscribe(pattern, handle, o)
			} else {
				_, err = s.Bus().SubscribePattern(pattern, handle, o)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		var publishing sync.WaitGroup
		want := make([]map[int][]int, 4)
		for i := range want {
			want[i] = map[int][]int{}
		}
		for p := range rapid.IntRange(1, 3).Draw(t, "publishers") {
			types := rapid.SliceOfN(rapid.SampledFrom([]string{"run.a", "run.a", "run.a", "run.b"}), 0, 300).Draw(t, "types")
			events := make([]Event, len(types))
			for n, eventType := range types {
				events[n] = Event{Type: eventType, Data: numbered{p, n}}
				for i, pattern := range []string{"run.a", "run.b", "*", "*"} {
					if eventbus.Matches(pattern, eventType) {
						want[i][p] = append(want[i][p], n)
					}
				}
			}
			cut := rapid.IntRange(0, len(events)).Draw(t, "cut")
			publishing.Go(func() {
				for _, batch := range [][]Event{events[:cut], events[cut:]} {
					if err := s.Bus().PublishAll(context.Background(), batch); err != nil {
						t.Errorf("%v", err)
					}
				}
			})
		}
		publishing.Wait()
		history := s.Bus().History(0)
		tel := s.Telemetry()
		if err := s.Stop(context.Background()); err != nil {
			t.Fatal(err)
		}
		for i := range want {
			for p := range want[i] {
				if !slices.Equal(got[i][p], want[i][p]) {
					t.Fatalf("subscriber %d got %v of publisher %d, want %v", i, got[i][p], p, want[i][p])
				}
			}
		}
		wantHistory(t, history, tel, want[2])
	})
}

// wantHistory checks that the history has each publisher's events in order, with ids that
// grow, and no other.
func wantHistory(t *rapid.T, history []Event, tel Telemetry, want map[int][]int) {
	kept := map[int][]int{}
	n := 0
	for i, e := range history {
		if i > 0 && e.ID <= history[i-1].ID || e.Timestamp.IsZero() {
			t.Fatalf("event %d of the history: %+v", i, e)
		}
		if d, ok := e.Data.(numbered); ok {
			kept[d.publisher] = append(kept[d.publisher], d.n)
			n++
		}
	}
	for p := range want {
		if !slices.Equal(kept[p], want[p]) {
			t.Fatalf("history of publisher %d: %v, want %v", p, kept[p], want[p])
		}
	}
	if int(tel.EventsPublished) != n {
		t.Fatalf("%d events are counted as published, want %d", tel.EventsPublished, n)
	}
}

// sameEvents is a batch of one type with the numbers from 0 on.
func sameEvents(eventType string, n int) []Event {
	events := make([]Event, n)
	for i := range events {
		events[i] = Event{Type: eventType, Data: i}
	}
	return events
}

func TestPublishAllRefusesAll(t *testing.T) {
	s := start(t, Options{})
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	bad := append(sameEvents("a", 2), Event{})
	check := func(err, want error, events int) {
		t.Helper()
		var failed *PublishAllError
		if !errors.As(err, &failed) || !errors.Is(err, want) || failed.Published != 0 || failed.Of != events {
			t.Errorf("%v, want %v", err, want)
		}
	}
	check(s.Bus().PublishAll(t.Context(), bad), ErrBadPattern, 3)
	check(s.Bus().PublishAll(ended, bad[:2]), context.Canceled, 2)
	if n := len(s.Bus().History(0)); n > 0 {
		t.Errorf("%d events were published", n)
	}
	if err := s.Bus().PublishAll(t.Context(), nil); err != nil {
		t.Errorf("no events: %v", err)
	}
	if err := s.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	check(s.Bus().PublishAll(t.Context(), bad[:2]), ErrSystemStopped, 2)
}

// A subscriber that is stuck costs the batch one patience in all, and misses what it has no
// room for; the others have everything, also one that is slow.
func TestPublishAllIsPatientOnce(t *testing.T) {
	for _, alone := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			s := start(t, Options{BusQueue: 4, WaitTimeout: time.Second})
			stuck, slow := &inbox{hold: make(chan struct{})}, &inbox{}
			handle := func(ctx context.Context, e Event) {
				time.Sleep(10 * time.Millisecond)
				slow.handle(ctx, e)
			}
			sub, _ := s.Bus().Subscribe("a", stuck.handle, SubscribeOptions{})
			if alone {
				_, _ = s.Bus().SubscribePattern("a*", handle, SubscribeOptions{})
			} else {
				_, _ = s.Bus().Subscribe("a", handle, SubscribeOptions{})
			}
			began := time.Now()
			err := s.Bus().PublishAll(t.Context(), sameEvents("a", 100))
			var failed *PublishAllError
			if !errors.As(err, &failed) || !errors.Is(err, ErrTimeout) || failed.Published != 100 || failed.Missed != 96 {
				t.Errorf("%v", err)
			}
			if took := time.Since(began); took < time.Second || took > 2*time.Second+100*eventbus.DetachAfter {
				t.Errorf("it took %v", took)
			}
			close(stuck.hold)
			time.Sleep(time.Second)
			if got := slow.data(); !slices.Equal(got, numbers(0, 100)) {
				t.Errorf("the others got %v", got)
			}
			if got := stuck.data(); !slices.Equal(got, numbers(0, 4)) || sub.Dropped() != 96 || s.Telemetry().EventsDropped != 96 {
				t.Errorf("it got %v, dropped %d", got, sub.Dropped())
			}
		})
	}
}

// Each event takes its turn: those whose turn comes in time are published.
func TestPublishAllKeepsToTheRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := start(t, rates(OperationPublish)) // three at once, and one every 100 ms
		b := &inbox{}
		_, _ = s.Bus().Subscribe("a", b.handle, SubscribeOptions{})
		ctx, cancel := context.WithTimeout(t.Context(), 250*time.Millisecond)
		defer cancel()
		err := s.Bus().PublishAll(ctx, sameEvents("a", 10))
		var failed *PublishAllError
		if !errors.As(err, &failed) || !errors.Is(err, ErrRateLimited) || failed.Published != 5 || failed.Missed != 0 {
			t.Errorf("%v", err)
		}
		want := `publish 10 events: 5 published, 0 deliveries missed: `
		if err.Error()[:len(want)] != want {
			t.Error(err)
		}
		synctest.Wait()
		if got := b.data(); !slices.Equal(got, numbers(0, 5)) {
			t.Errorf("published: %v", got)
		}
		time.Sleep(time.Minute)
		began := time.Now()
		if err := s.Bus().PublishAll(t.Context(), sameEvents("a", 10)); err != nil {
			t.Error(err)
		}
		if took := time.Since(began).Round(time.Millisecond); took != 700*time.Millisecond {
			t.Errorf("ten took %v", took)
		}
	})
}

// An agent's batch has it as its source, and the caller's events are left as they are.
func TestAgentPublishAll(t *testing.T) {
	s := start(t, Options{})
	events := sameEvents("a", 3)
	id := startAgent(t, s, Spec{Behaviour: &scripted{action: func(ctx context.Context, self *Agent, _ string, _ any) (any, error) {
		return nil, self.PublishAll(ctx, events)
	}}})
	if _, err := s.Execute(t.Context(), id, "publish", nil); err != nil {
		t.Fatal(err)
	}
	kept := s.Bus().History(3)
	for i, e := range kept {
		if e.Type != "a" || e.Source != id || e.Data != i {
			t.Errorf("number %d is %+v", i, e)
		}
		if events[i].Source != "" || events[i].ID != 0 {
			t.Errorf("the caller's event has become %+v", events[i])
		}
	}
}

// BenchmarkPublishAll is the cost of one event in a batch, beside one that is published by
// itself.
func BenchmarkPublishAll(b *testing.B) {
	const length = 256
	for _, subscribers := range []int{0, 1, 10} {
		for _, way := range []string{"each", "batch"} {
			b.Run(fmt.Sprintf("%d/%s", subscribers, way), func(b *testing.B) {
				s := startBench(b, Options{BusQueue: 4096})
				for range subscribers {
					if _, err := s.Bus().Subscribe("perf.event", func(context.Context, Event) {}, SubscribeOptions{}); err != nil {
						b.Fatal(err)
					}
				}
				events := make([]Event, length)
				for i := range events {
					events[i].Type = "perf.event"
				}
				ctx := context.Background()
				b.ReportAllocs()
				b.ResetTimer()
				for n := 0; n < b.N; n += length {
					batch := events[:min(length, b.N-n)]
					if way == "batch" {
						_ = s.Bus().PublishAll(ctx, batch)
						continue
					}
					for _, e := range batch {
						_ = s.Bus().Publish(ctx, e)
					}
				}
			})
		}
	}
}

// A subscriber that is stuck uses up the publisher's deadline, and no event of the others.
func TestPublishAllWithADeadline(t *testing.T) {
	for _, pattern := range []string{"a", "a*"} {
		synctest.Test(t, func(t *testing.T) {
			s := start(t, Options{BusQueue: 16})
			stuck, healthy := &inbox{hold: make(chan struct{})}, []*inbox{{}, {}}
			sub, _ := s.Bus().SubscribePattern(pattern, stuck.handle, SubscribeOptions{})
			for _, in := range healthy {
				_, _ = s.Bus().Subscribe("a", in.handle, SubscribeOptions{})
			}
			ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
			defer cancel()
			began := time.Now()
			err := s.Bus().PublishAll(ctx, sameEvents("a", 500))
			var failed *PublishAllError
			if !errors.As(err, &failed) || !errors.Is(err, ErrTimeout) || failed.Published != 500 || failed.Missed != 484 || sub.Dropped() != 484 {
				t.Errorf("%v; %d dropped", err, sub.Dropped())
			}
			if took := time.Since(began); took != 200*time.Millisecond {
				t.Errorf("it took %v", took)
			}
			close(stuck.hold)
			synctest.Wait()
			for _, in := range healthy {
				if !slices.Equal(in.data(), numbers(0, 500)) {
					t.Errorf("another one got %d events", len(in.data()))
				}
			}
			if !slices.Equal(stuck.data(), numbers(0, 16)) {
				t.Errorf("it got %v", stuck.data())
			}
		})
	}
}
