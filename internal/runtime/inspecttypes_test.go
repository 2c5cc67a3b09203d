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

	"mabeam-top/internal/runtime/internal/metric"
)

// A sleeper sleeps as long as it is told, in whatever callback.
type sleeper struct{ Defaults }

func (sleeper) HandleAction(_ context.Context, _ *Agent, action string, params any) (any, error) {
	if d, ok := params.(time.Duration); ok {
		time.Sleep(d)
	}
	switch action {
	case "fail":
		return nil, errors.New("on purpose")
	case "panic":
		panic("on purpose")
	}
	return nil, nil
}

func (sleeper) HandleSignal(_ context.Context, _ *Agent, s Signal) {
	time.Sleep(s.Data.(time.Duration))
}

func (sleeper) HandleEvent(_ context.Context, _ *Agent, e Event) { time.Sleep(e.Data.(time.Duration)) }

func (sleeper) HandleAnswer(_ context.Context, _ *Agent, a AskResult) {
	time.Sleep(a.About.(time.Duration))
}

const ms = time.Millisecond

// What was seen of a type, in few words: the durations are those at which the buckets end
// that they are in, or exact if there is one.
type seen struct {
	handled, failed int64
	deepest         int
	waited, worked  []time.Duration
}

func seenOf(v TypeView) seen {
	return seen{v.Handled, v.Failed, v.DeepestMailbox, durations(v.InMailbox), durations(v.AtWork)}
}

// durations lists what a histogram of few durations has, to the nearest millisecond.
func durations(h metric.Histogram) (list []time.Duration) {
	for _, b := range h.Buckets {
		for range b.Count {
			list = append(list, (b.UpTo - b.UpTo/64).Round(ms))
		}
	}
	return list
}

func (s seen) equal(other seen) bool {
	return s.handled == other.handled && s.failed == other.failed && s.deepest == other.deepest &&
		slices.Equal(s.waited, other.waited) && slices.Equal(s.worked, other.worked)
}

func TestInspectorOfTypes(t *testing.T) {
	ctx := context.Background()
	tell := func(s *System, action string, d time.Duration) {
		_ = s.Tell(ctx, "a", action, d)
		synctest.Wait()
	}
	for name, c := range map[string]struct {
		do   func(t *testing.T, s *System)
		want seen
	}{
		"one behind the other": {func(_ *testing.T, s *System) {
			tell(s, "x", 30*ms)
			tell(s, "x", 10*ms)
		}, seen{2, 0, 2, []time.Duration{0, 30 * ms}, []time.Duration{10 * ms, 30 * ms}}},
		"several at once": {func(_ *testing.T, s *System) {
			for range 4 {
				tell(s, "x", 10*ms)
			}
		}, seen{4, 0, 4, []time.Duration{0, 10 * ms, 20 * ms, 30 * ms}, []time.Duration{10 * ms, 10 * ms, 10 * ms, 10 * ms}}},
		"with a caller that waits": {func(t *testing.T, s *System) {
			ctx, cancel := context.WithTimeout(ctx, time.Second)
			defer cancel()
			tell(s, "x", 30*ms)
			if _, err := s.Execute(ctx, "a", "x", 10*ms); err != nil {
				t.Error(err)
			}
		}, seen{2, 0, 2, []time.Duration{0, 30 * ms}, []time.Duration{10 * ms, 30 * ms}}},
		"on the caller's goroutine": {func(t *testing.T, s *System) {
			if _, err := s.Execute(ctx, "a", "x", 10*ms); err != nil {
				t.Error(err)
			}
		}, seen{1, 0, 0, []time.Duration{0}, []time.Duration{10 * ms}}},
		"a signal": {func(_ *testing.T, s *System) {
			tell(s, "x", 30*ms)
			_ = s.Signal(Signal{Data: 10 * ms, Timestamp: time.Unix(0, 0)}, "a")
		}, seen{2, 0, 1, []time.Duration{0, 30 * ms}, []time.Duration{10 * ms, 30 * ms}}},
		"an event, which waits elsewhere": {func(_ *testing.T, s *System) {
			tell(s, "x", 30*ms)
			_ = s.Bus().Publish(ctx, Event{Type: "e", Data: 10 * ms})
		}, seen{2, 0, 2, []time.Duration{0}, []time.Duration{10 * ms, 30 * ms}}},
		"an answer": {func(_ *testing.T, s *System) {
			_ = s.agents.Get("a").Ask(ctx, "b", "x", 10*ms, 20*ms)
			tell(s, "x", 40*ms)
		}, seen{2, 0, 2, []time.Duration{0, 30 * ms}, []time.Duration{20 * ms, 40 * ms}}},
		"what fails": {func(_ *testing.T, s *System) {
			tell(s, "fail", 10*ms)
			tell(s, "x", 10*ms)
			tell(s, "panic", 10*ms)
		}, seen{3, 2, 3, []time.Duration{0, 10 * ms, 20 * ms}, []time.Duration{10 * ms, 10 * ms, 10 * ms}}},
		"what fails on the caller's goroutine": {func(_ *testing.T, s *System) {
			_, _ = s.Execute(ctx, "a", "fail", 10*ms)
			_, _ = s.Execute(ctx, "a", "panic", 10*ms)
		}, seen{2, 2, 0, []time.Duration{0, 0}, []time.Duration{10 * ms, 10 * ms}}},
		"what was killed before its turn": {func(_ *testing.T, s *System) {
			tell(s, "x", 10*ms)
			tell(s, "x", 10*ms)
			s.KillAgent("a")
		}, seen{1, 0, 2, []time.Duration{0}, []time.Duration{10 * ms}}},
		"a suspended agent": {func(t *testing.T, s *System) {
			for range 4 { // the latter three are taken together, and two of them put back
				tell(s, "x", 10*ms)
			}
			time.Sleep(15 * ms)
			if err := s.SuspendAgent("a"); err != nil {
				t.Error(err)
			}
			time.Sleep(25 * ms)
			if err := s.ResumeAgent("a"); err != nil {
				t.Error(err)
			}
		}, seen{4, 0, 4, []time.Duration{0, 10 * ms, 40 * ms, 50 * ms}, []time.Duration{10 * ms, 10 * ms, 10 * ms, 10 * ms}}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := start(t, Options{})
				startAgent(t, s, Spec{ID: "a", Type: "t", Behaviour: sleeper{}})
				startAgent(t, s, Spec{ID: "b", Type: "other", Behaviour: sleeper{}})
				if _, err := s.agents.Get("a").Subscribe("e"); err != nil {
					t.Fatal(err)
				}
				i := s.Inspect()
				defer i.Close()
				c.do(t, s)
				time.Sleep(time.Second)
				types, others := i.Types()
				at := slices.IndexFunc(types, func(v TypeView) bool { return v.Type == "t" })
				if at < 0 {
					t.Fatalf("nothing of the type: %v", types)
				}
				if got := seenOf(types[at]); !got.equal(c.want) {
					t.Errorf("got %+v, want %+v", got, c.want)
				}
				if others.Handled != 0 {
					t.Errorf("others %+v", others)
				}
			})
		})
	}
}

// Of what came while nobody looked only the work is known, and of an agent that is at work
// then not that of the next few. Who looks anew sees nothing of what was seen before.
func TestInspectorOfTypesBegins(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := start(t, Options{})
		startAgent(t, s, Spec{ID: "a", Type: "t", Behaviour: sleeper{}})
		for range 20 { // one is taken at once, the others together
			if err := s.Tell(t.Context(), "a", "x", 10*ms); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
		}
		check := func(i *Inspector, want ...seen) {
			t.Helper()
			types, _ := i.Types()
			for n := range types {
				if n >= len(want) || !seenOf(types[n]).equal(want[n]) {
					t.Errorf("got %+v, want %+v", seenOf(types[n]), want)
				}
			}
			if len(types) != len(want) {
				t.Errorf("%d types, want %d", len(types), len(want))
			}
		}
		time.Sleep(25 * ms) // the third is at work
		i := s.Inspect()
		j := s.Inspect()
		i.Close()
		check(j)
		synctest.Wait()
		time.Sleep(time.Second)
		want := seen{11, 0, 0, nil, slices.Repeat([]time.Duration{10 * ms}, 11)} // 1 + 8 were not looked at
		check(i, want)
		check(j, want)
		j.Close()
		if _, err := s.Execute(context.Background(), "a", "x", nil); err != nil {
			t.Fatal(err)
		}
		check(j, want)
		k := s.Inspect()
		defer k.Close()
		check(k)
	})
}

// An agent is suspended with work that came while somebody looked, and gets more that did
// not: all is handled, and each wait that is known is the right one.
func TestInspectorOfTypesThatClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := start(t, Options{})
		startAgent(t, s, Spec{ID: "a", Type: "t", Behaviour: sleeper{}})
		tell := func(n int) {
			for range n {
				if err := s.Tell(t.Context(), "a", "x", 10*ms); err != nil {
					t.Fatal(err)
				}
				synctest.Wait()
			}
		}
		i := s.Inspect()
		tell(3)
		time.Sleep(15 * ms) // the second is at work, and the third taken with it
		i.Close()
		tell(41) // so many that the next would not be counted at once
		if err := s.SuspendAgent("a"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(15 * ms) // until 30 ms
		i = s.Inspect()
		defer i.Close()
		tell(3)
		if err := s.ResumeAgent("a"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		types, _ := i.Types()
		if done := s.Telemetry().ActionsDone; done != 47 || len(types) != 1 {
			t.Fatalf("%d done, want 47: %+v", done, types)
		}
		// The third has waited for 30 ms, and each of the last three for all before it.
		h := types[0].InMailbox
		if h.Count != 4 || h.Min != 30*ms || h.Max != 440*ms || h.Sum != (30+420+430+440)*ms || types[0].Handled != 45 {
			t.Errorf("waited %+v, %d handled", h, types[0].Handled)
		}
	})
}

// There are figures for so many types, and the rest is told together.
func TestInspectorOfVeryManyTypes(t *testing.T) {
	s := start(t, Options{})
	i := s.Inspect()
	defer i.Close()
	const many = 10_000
	for n := range many {
		id := startAgent(t, s, Spec{Type: fmt.Sprintf("t%05d", n), Behaviour: adder{}})
		for range 2 {
			if _, err := s.Execute(context.Background(), id, "add", 1); err != nil {
				t.Fatal(err)
			}
		}
	}
	types, others := i.Types()
	if len(types) != mostTypes || others.Type != "" || others.Handled != 2*(many-mostTypes) {
		t.Errorf("%d types, others %d", len(types), others.Handled)
	}
	for n, v := range types {
		if v.Type != fmt.Sprintf("t%05d", n) || v.Handled != 2 {
			t.Errorf("%d: %+v", n, v)
		}
	}
}

// Nothing is lost where many agents of one type work at once, and types are seen first.
func TestInspectorOfTypesAtOnce(t *testing.T) {
	s := start(t, Options{})
	i := s.Inspect()
	defer i.Close()
	const agents, each = 16, 500
	var callers sync.WaitGroup
	for n := range agents {
		id := startAgent(t, s, Spec{Type: fmt.Sprint("t", n%4), Behaviour: adder{}})
		callers.Go(func() {
			for k := range each {
				if k%2 == 0 {
					_, _ = s.Execute(t.Context(), id, "add", 1)
				} else {
					_ = s.Tell(t.Context(), id, "add", 1)
				}
			}
			_, _ = s.Execute(t.Context(), id, "add", 1) // which is behind all that was told
		})
	}
	callers.Wait()
	types, _ := i.Types()
	if len(types) != 4 {
		t.Fatalf("%d types", len(types))
	}
	for _, v := range types {
		if want := int64(agents / 4 * (each + 1)); v.Handled != want || v.AtWork.Count != want || v.InMailbox.Count != want || v.Failed != 0 {
			t.Errorf("%s: %d handled, %d waited, %d failed, want %d", v.Type, v.Handled, v.InMailbox.Count, v.Failed, want)
		}
	}
}

// What it costs that somebody looks.
func BenchmarkTellLooked(b *testing.B) {
	for _, looks := range []bool{false, true} {
		b.Run(fmt.Sprintf("looks=%v", looks), func(b *testing.B) {
			s := startBench(b, Options{History: -1})
			startAgent(b, s, Spec{ID: "a", Type: "t", Behaviour: adder{}})
			if looks {
				defer s.Inspect().Close()
			}
			ctx := context.Background()
			b.ReportAllocs()
			for b.Loop() {
				if err := s.Tell(ctx, "a", "add", 1); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
