package mabeam

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"mabeam-top/internal/runtime/registry"
)

// adder answers add with its parameter plus one, and nothing else.
type adder struct{ Defaults }

func (adder) HandleAction(_ context.Context, _ *Agent, _ string, _ any) (any, error) {
	return nil, nil
}

func startBench(b *testing.B, o Options) *System {
	b.Helper()
	s, err := Start(context.Background(), o)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := s.Stop(context.Background()); err != nil {
			b.Error(err)
		}
	})
	return s
}

// BenchmarkStartStop starts and stops demo agents.
func BenchmarkStartStop(b *testing.B) {
	s := startBench(b, Options{})
	ctx := context.Background()
	ids := make([]string, b.N)
	b.ReportAllocs()
	b.ResetTimer()
	for i := range ids {
		id, err := s.StartAgent(ctx, DemoSpec())
		if err != nil {
			b.Fatal(err)
		}
		ids[i] = id
	}
	started := b.Elapsed()
	for _, id := range ids {
		if err := s.StopAgent(ctx, id); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N)/started.Seconds(), "starts/s")
	b.ReportMetric(float64(b.N)/(b.Elapsed()-started).Seconds(), "stops/s")
}

// BenchmarkExecute carries out one action after the other on an idle agent.
func BenchmarkExecute(b *testing.B) {
	deadline, cancel := context.WithTimeout(context.Background(), time.Hour)
	defer cancel()
	for name, ctx := range map[string]context.Context{"inline": context.Background(), "deadline": deadline} {
		for agent, spec := range map[string]Spec{"bare": {Behaviour: adder{}}, "demo": DemoSpec()} {
			b.Run(name+"/"+agent, func(b *testing.B) {
				s := startBench(b, Options{})
				id, err := s.StartAgent(context.Background(), spec)
				if err != nil {
					b.Fatal(err)
				}
				b.ReportAllocs()
				b.ResetTimer()
				for range b.N {
					if _, err := s.Execute(ctx, id, "ping", nil); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

// BenchmarkTell sends actions to one agent without waiting for them.
func BenchmarkTell(b *testing.B) {
	s := startBench(b, Options{})
	ctx := context.Background()
	id, err := s.StartAgent(ctx, Spec{Behaviour: adder{}})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	b.ResetTimer()
	for range b.N {
		if err := s.Tell(ctx, id, "add", nil); err != nil {
			b.Fatal(err)
		}
	}
	if _, err := s.Execute(ctx, id, "add", nil); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkPublish has one publisher send as fast as all subscribers read.
func BenchmarkPublish(b *testing.B) {
	for _, subscribers := range []int{1, 10, 100, 1000} {
		b.Run(strconv.Itoa(subscribers), func(b *testing.B) {
			s := startBench(b, Options{BusQueue: 4096})
			var wg sync.WaitGroup
			wg.Add(subscribers)
			want := int64(b.N)
			for range subscribers {
				var got atomic.Int64
				_, err := s.Bus().Subscribe("perf.event", func(context.Context, Event) {
					n := got.Load() + 1
					got.Store(n)
					if n == want {
						wg.Done()
					}
				}, SubscribeOptions{})
				if err != nil {
					b.Fatal(err)
				}
			}
			ctx, e := context.Background(), Event{Type: "perf.event", Timestamp: time.Now()}
			b.ReportAllocs()
			b.ResetTimer()
			for range b.N {
				if err := s.Bus().Publish(ctx, e); err != nil {
					b.Fatal(err)
				}
			}
			wg.Wait()
			b.ReportMetric(float64(subscribers)*float64(b.N)/b.Elapsed().Seconds(), "deliveries/s")
		})
	}
}

// BenchmarkLookup finds agents among 10,000.
func BenchmarkLookup(b *testing.B) {
	r := registry.New()
	ids := make([]string, 10_000)
	for i := range ids {
		ids[i] = fmt.Sprintf("agent-%d", i)
		if err := r.Register(Record{ID: ids[i]}); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportAllocs()
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for i := 0; pb.Next(); i++ {
			if _, ok := r.Lookup(ids[i*7919%len(ids)]); !ok {
				b.Fatal("not found")
			}
		}
	})
}
