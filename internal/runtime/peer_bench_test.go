package mabeam

import (
	"context"
	"fmt"
	"math/rand/v2"
	"runtime"
	"runtime/metrics"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// BenchmarkPeer does the work that other actor libraries and event buses are
// measured with, so that the figures can be held against theirs: one iteration
// is one whole repetition (run it with -benchtime 1x), setup outside the
// clock, every receiver checked. Nothing of the runtime is switched off.
func BenchmarkPeer(b *testing.B) {
	b.Run("spawn", func(b *testing.B) {
		for _, n := range []int{1_000, 10_000, 100_000} {
			b.Run("N="+strconv.Itoa(n), func(b *testing.B) { peerSpawn(b, n) })
		}
	})
	b.Run("ask", func(b *testing.B) {
		b.Run("1", peerAsk)
		b.Run("16", func(b *testing.B) { peerAskConcurrent(b, 16) })
	})
	b.Run("tell", func(b *testing.B) {
		for _, n := range []int{1, 8} {
			b.Run(strconv.Itoa(n), func(b *testing.B) { peerTell(b, n) })
		}
	})
	b.Run("publish", func(b *testing.B) {
		for _, n := range []int{1, 10, 100, 1000} {
			b.Run("S="+strconv.Itoa(n), func(b *testing.B) {
				peerPublish(b, n, []string{"perf.event"}, (*Bus).Subscribe, "perf.event")
			})
		}
	})
	b.Run("wildcard", func(b *testing.B) {
		types := make([]string, 16)
		for i := range types {
			types[i] = "perf." + strconv.Itoa(i)
		}
		for _, n := range []int{10, 100} {
			b.Run("S="+strconv.Itoa(n), func(b *testing.B) {
				peerPublish(b, n, types, (*Bus).SubscribePattern, "perf.*")
			})
		}
	})
	b.Run("lookup", func(b *testing.B) {
		for _, n := range []int{1, 16} {
			b.Run(strconv.Itoa(n), func(b *testing.B) { peerLookup(b, n) })
		}
	})
}

// The work of one repetition, as the peers' benchmark has it.
const (
	peerAsks       = 200_000
	peerTells      = 5_000_000
	peerDeliveries = 2_000_000
	peerLookups    = 4_000_000
)

// peerSystem is a fresh system, outside the clock.
func peerSystem(b *testing.B) (*System, func()) {
	b.Helper()
	b.StopTimer()
	runtime.GC()
	s, err := Start(context.Background(), Options{BusQueue: 4096})
	if err != nil {
		b.Fatal(err)
	}
	return s, func() {
		b.StopTimer()
		if err := s.Stop(context.Background()); err != nil {
			b.Fatal(err)
		}
	}
}

// reportRate reports a rate of one repetition.
func reportRate(b *testing.B, n int, took time.Duration, unit string) {
	b.ReportMetric(float64(n)/took.Seconds(), unit)
}

func peerLiveBytes() float64 {
	runtime.GC()
	runtime.GC()
	s := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}, {Name: "/memory/classes/heap/stacks:bytes"}}
	metrics.Read(s)
	return float64(s[0].Value.Uint64() + s[1].Value.Uint64())
}

func peerSpawn(b *testing.B, n int) {
	ctx := context.Background()
	for range b.N {
		s, stop := peerSystem(b)
		ids := make([]string, n)
		for i := range ids {
			ids[i] = "agent-" + strconv.Itoa(i)
		}
		before := peerLiveBytes()
		b.StartTimer()
		start := time.Now()
		for _, id := range ids {
			spec := DemoSpec()
			spec.ID = id
			if _, err := s.StartAgent(ctx, spec); err != nil {
				b.Fatal(err)
			}
		}
		started := time.Since(start)
		b.StopTimer()
		memory := (peerLiveBytes() - before) / float64(n)
		b.StartTimer()
		start = time.Now()
		for _, id := range ids {
			if err := s.StopAgent(ctx, id); err != nil {
				b.Fatal(err)
			}
		}
		stopped := time.Since(start)
		if left := s.Registry().Count(); left != 0 {
			b.Fatalf("%d agents are left", left)
		}
		stop()
		reportRate(b, n, started, "agents/s")
		reportRate(b, n, stopped, "stops/s")
		b.ReportMetric(memory, "B/agent")
	}
}

// peerAdder answers with its parameter plus one.
type peerAdder struct{ Defaults }

func (peerAdder) HandleAction(_ context.Context, _ *Agent, _ string, params any) (any, error) {
	return *params.(*int) + 1, nil
}

// peerAgents starts agents for the ask workloads. Their callers have a
// deadline.
func peerAgents(b *testing.B, s *System, n int) []string {
	ids := make([]string, n)
	for i := range ids {
		id, err := s.StartAgent(context.Background(), Spec{ID: "agent-" + strconv.Itoa(i), Type: "adder", Capabilities: []string{"add"}, Behaviour: peerAdder{}})
		if err != nil {
			b.Fatal(err)
		}
		ids[i] = id
	}
	return ids
}

func peerCall(ctx context.Context, s *System, id string, param *int, v int) error {
	*param = v
	reply, err := s.Execute(ctx, id, "add", param)
	if err == nil && reply != v+1 {
		err = fmt.Errorf("agent %q replied %v to %d", id, reply, v)
	}
	return err
}

func peerAsk(b *testing.B) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Hour)
	defer cancel()
	for range b.N {
		s, stop := peerSystem(b)
		id, param := peerAgents(b, s, 1)[0], new(int)
		b.StartTimer()
		start := time.Now()
		for i := range peerAsks / 2 {
			if err := peerCall(ctx, s, id, param, i); err != nil {
				b.Fatal(err)
			}
		}
		total := time.Since(start)
		took := make([]time.Duration, peerAsks/2)
		last := time.Now()
		for i := range took {
			if err := peerCall(ctx, s, id, param, i); err != nil {
				b.Fatal(err)
			}
			now := time.Now()
			took[i], last = now.Sub(last), now
		}
		stop()
		slices.Sort(took)
		b.ReportMetric(float64(total)/(peerAsks/2), "mean-ns/op")
		b.ReportMetric(float64(took[len(took)/2]), "p50-ns/op")
		b.ReportMetric(float64(took[len(took)*99/100]), "p99-ns/op")
	}
}

func peerAskConcurrent(b *testing.B, callers int) {
	for range b.N {
		s, stop := peerSystem(b)
		ids := peerAgents(b, s, callers)
		b.StartTimer()
		start := time.Now()
		var wg sync.WaitGroup
		for _, id := range ids {
			wg.Go(func() {
				ctx, cancel := context.WithTimeout(context.Background(), time.Hour)
				defer cancel()
				param := new(int)
				for i := range peerAsks / callers {
					if err := peerCall(ctx, s, id, param, i); err != nil {
						b.Error(err)
						return
					}
				}
			})
		}
		wg.Wait()
		took := time.Since(start)
		stop()
		reportRate(b, peerAsks/callers*callers, took, "ops/s")
	}
}

// A peerSink counts what one receiver got; only the receiver touches it, until
// it has all.
type peerSink struct {
	count, sum, want int
	full             *sync.WaitGroup
	_                [32]byte
}

func (s *peerSink) take(v int) {
	s.count++
	s.sum += v
	if s.count == s.want {
		s.full.Done()
	}
}

func newPeerSinks(n, want int) ([]*peerSink, *sync.WaitGroup) {
	full := &sync.WaitGroup{}
	full.Add(n)
	sinks := make([]*peerSink, n)
	for i := range sinks {
		sinks[i] = &peerSink{want: want, full: full}
	}
	return sinks, full
}

// check is called when the receivers have stopped.
func checkPeerSinks(b *testing.B, sinks []*peerSink) {
	for i, s := range sinks {
		if sum := s.want * (s.want - 1) / 2; s.count != s.want || s.sum != sum {
			b.Fatalf("receiver %d got %d messages with sum %d, want %d with sum %d", i, s.count, s.sum, s.want, sum)
		}
	}
}

// peerValues are the data of events and messages, so that none has to be allocated for each.
var peerValues = sync.OnceValue(func() []int {
	values := make([]int, peerTells)
	for i := range values {
		values[i] = i
	}
	return values
})

// peerTaker gives each message to its sink.
type peerTaker struct {
	Defaults
	sink *peerSink
}

func (t *peerTaker) HandleAction(_ context.Context, _ *Agent, _ string, params any) (any, error) {
	t.sink.take(*params.(*int))
	return nil, nil
}

func peerTell(b *testing.B, agents int) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Hour)
	defer cancel()
	values := peerValues()
	for range b.N {
		s, stop := peerSystem(b)
		each := peerTells / agents
		sinks, full := newPeerSinks(agents, each)
		refs := make([]Ref, agents)
		for i := range refs {
			id, err := s.StartAgent(ctx, Spec{ID: "agent-" + strconv.Itoa(i), Type: "taker", Capabilities: []string{"take"}, Behaviour: &peerTaker{sink: sinks[i]}})
			if err != nil {
				b.Fatal(err)
			}
			refs[i], _ = s.Ref(id)
		}
		b.StartTimer()
		start := time.Now()
		var wg sync.WaitGroup
		for _, ref := range refs {
			wg.Go(func() {
				for i := range each {
					if err := ref.Tell(ctx, "take", &values[i]); err != nil {
						b.Error(err)
						return
					}
				}
			})
		}
		wg.Wait()
		full.Wait()
		took := time.Since(start)
		stop()
		checkPeerSinks(b, sinks)
		reportRate(b, each*agents, took, "msgs/s")
	}
}

type subscribeFunc = func(*Bus, string, func(context.Context, Event), SubscribeOptions) (*Subscription, error)

func peerPublish(b *testing.B, subscribers int, types []string, subscribe subscribeFunc, pattern string) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Hour)
	defer cancel()
	values := peerValues()
	for range b.N {
		s, stop := peerSystem(b)
		events := peerDeliveries / subscribers
		sinks, full := newPeerSinks(subscribers, events)
		for _, sink := range sinks {
			if _, err := subscribe(s.Bus(), pattern, func(_ context.Context, e Event) { sink.take(*e.Data.(*int)) }, SubscribeOptions{}); err != nil {
				b.Fatal(err)
			}
		}
		now := time.Now()
		b.StartTimer()
		start := time.Now()
		for i := range events {
			if err := s.Bus().Publish(ctx, Event{Type: types[i%len(types)], Data: &values[i], Timestamp: now}); err != nil {
				b.Fatal(err)
			}
		}
		full.Wait()
		took := time.Since(start)
		stop()
		checkPeerSinks(b, sinks)
		reportRate(b, events, took, "events/s")
		reportRate(b, events*subscribers, took, "deliveries/s")
	}
}

func peerLookup(b *testing.B, goroutines int) {
	const entries = 10_000
	for range b.N {
		s, stop := peerSystem(b)
		ids := make([]string, entries)
		for i := range ids {
			ids[i] = "agent-" + strconv.Itoa(i)
			if err := s.Registry().Register(Record{ID: ids[i], Type: "t", Capabilities: []string{"c"}}); err != nil {
				b.Fatal(err)
			}
		}
		// The keys are copies, so that no comparison ends at equal pointers.
		keys := make([]string, entries)
		for i, j := range rand.New(rand.NewPCG(1, 2)).Perm(entries) {
			keys[i] = strings.Clone(ids[j])
		}
		var missing atomic.Int64
		each := peerLookups / goroutines
		b.StartTimer()
		start := time.Now()
		var wg sync.WaitGroup
		for g := range goroutines {
			wg.Go(func() {
				next := g * entries / goroutines
				for range each {
					if _, ok := s.Registry().Lookup(keys[next]); !ok {
						missing.Add(1)
					}
					if next++; next == entries {
						next = 0
					}
				}
			})
		}
		wg.Wait()
		took := time.Since(start)
		if missing.Load() != 0 {
			b.Fatalf("%d lookups found nothing", missing.Load())
		}
		for _, id := range ids {
			s.Registry().Unregister(id)
		}
		stop()
		b.ReportMetric(float64(took)/float64(each*goroutines), "lookup-ns/op")
	}
}
