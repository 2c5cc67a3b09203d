package mabeam

import (
	"context"
	"fmt"
	"testing"
	"time"
)

// BenchmarkUninvolved measures what shall cost the same however much there is
// that has no part in it: the figures of one group must not grow with its
// numbers, but for what the caches of the processor hold less of.
func BenchmarkUninvolved(b *testing.B) {
	ctx := context.Background()
	for _, subscriptions := range []int{10, 10_000} {
		for _, how := range []string{"types", "patterns"} {
			b.Run(fmt.Sprintf("publish/%s=%d", how, subscriptions), func(b *testing.B) {
				s := startBench(b, Options{History: -1})
				none := func(context.Context, Event) {}
				for i := range subscriptions {
					var err error
					if how == "types" {
						_, err = s.Bus().Subscribe(fmt.Sprint("other", i), none, SubscribeOptions{})
					} else {
						_, err = s.Bus().SubscribePattern(fmt.Sprint("other", i, ".*"), none, SubscribeOptions{})
					}
					if err != nil {
						b.Fatal(err)
					}
				}
				if _, err := s.Bus().Subscribe("mine", none, SubscribeOptions{}); err != nil {
					b.Fatal(err)
				}
				b.ReportAllocs()
				for b.Loop() {
					if err := s.Bus().Publish(ctx, Event{Type: "mine"}); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
	for _, patterns := range []int{10, 10_000} {
		b.Run(fmt.Sprintf("publish a new type/patterns=%d", patterns), func(b *testing.B) {
			s := startBench(b, Options{History: -1})
			for i := range patterns {
				if _, err := s.Bus().SubscribePattern(fmt.Sprint("other", i, ".*"), func(context.Context, Event) {}, SubscribeOptions{}); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				if err := s.Bus().Publish(ctx, Event{Type: fmt.Sprint("mine", i)}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	for _, policy := range []QueuePolicy{Block, DropOldest} {
		for _, subscriptions := range []int{10, 10_000} {
			b.Run(fmt.Sprintf("subscribe and unsubscribe/policy=%v/subscriptions=%d", policy, subscriptions), func(b *testing.B) {
				s := startBench(b, Options{History: -1})
				o := SubscribeOptions{Policy: &policy}
				none := func(context.Context, Event) {}
				for range subscriptions {
					if _, err := s.Bus().Subscribe("same", none, o); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportAllocs()
				for b.Loop() {
					sub, err := s.Bus().Subscribe("same", none, o)
					if err != nil {
						b.Fatal(err)
					}
					sub.Unsubscribe()
				}
			})
		}
	}
	for _, agents := range []int{1000, 100_000} {
		populated := func(b *testing.B) *System {
			s := startBench(b, Options{History: -1})
			for i := range agents {
				if _, err := s.StartAgent(ctx, Spec{ID: fmt.Sprint(i), Type: "same", Capabilities: []string{"all"}, Behaviour: adder{}}); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportAllocs()
			return s
		}
		b.Run(fmt.Sprintf("start and stop/agents=%d", agents), func(b *testing.B) {
			s := populated(b)
			var starting time.Duration
			for b.Loop() {
				began := time.Now()
				id, err := s.StartAgent(ctx, Spec{Type: "same", Capabilities: []string{"all"}, Behaviour: adder{}})
				if err != nil {
					b.Fatal(err)
				}
				starting += time.Since(began)
				if err := s.StopAgent(ctx, id); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(starting)/float64(b.N), "start-ns/op")
		})
		b.Run(fmt.Sprintf("execute/agents=%d", agents), func(b *testing.B) {
			s := populated(b)
			for b.Loop() {
				if _, err := s.Execute(ctx, "7", "add", nil); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	for _, records := range []int{100, 100_000} {
		b.Run(fmt.Sprintf("register and unregister/records=%d", records), func(b *testing.B) {
			r := startBench(b, Options{}).Registry()
			all := make([]Record, records)
			for i := range all {
				all[i] = Record{ID: fmt.Sprint(i), Type: "same", Capabilities: []string{"all"}}
				if err := r.Register(all[i]); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				// The one that came first, so that others have to move.
				record := all[i%records]
				if !r.Unregister(record.ID) {
					b.Fatal("not there")
				}
				if err := r.Register(record); err != nil {
					b.Fatal(err)
				}
				i++
			}
		})
	}
}
