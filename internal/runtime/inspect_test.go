package mabeam

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"mabeam-top/internal/runtime/registry"
)

// sized is a state that tells its size.
type sized int64

func (s sized) MemoryBytes() int64 { return int64(s) }

func TestInspectorFindsTheBusiest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := start(t, Options{})
		ctx, release := t.Context(), make(chan struct{})
		for n := range 300 {
			spec := Spec{ID: fmt.Sprintf("a%03d", n), Type: "t", Behaviour: &scripted{action: func(_ context.Context, _ *Agent, action string, _ any) (any, error) {
				if action == "hang" {
					<-release
				}
				return nil, nil
			}}}
			if n == 7 {
				spec.State = sized(1 << 20)
			}
			if _, err := s.StartAgent(ctx, spec); err != nil {
				t.Fatal(err)
			}
		}
		i := s.Inspect()
		defer i.Close()
		if views, total := i.Agents(5, ByMailbox); len(views) != 5 || total != 300 || views[0].Mailbox != 0 {
			t.Errorf("nothing waits: %+v of %d", views, total)
		}
		for range 10 {
			if err := s.Tell(ctx, "a123", "hang", nil); err != nil {
				t.Fatal(err)
			}
		}
		synctest.Wait()
		for range 200 {
			if _, err := s.Execute(ctx, "a042", "work", nil); err != nil {
				t.Fatal(err)
			}
		}
		i.Agents(5, ByMailbox)
		time.Sleep(2 * time.Second)
		for range 100 {
			if _, err := s.Execute(ctx, "a042", "work", nil); err != nil {
				t.Fatal(err)
			}
		}
		views, _ := i.Agents(5, ByMailbox)
		if v := views[0]; v.ID != "a123" || v.Mailbox != 10 || v.Lifecycle != Busy || v.Busy != 2*time.Second || v.MailboxCapacity != s.mailboxCapacity {
			t.Errorf("the fullest mailbox: %+v", v)
		}
		i.Agents(5, ByRate)
		time.Sleep(time.Second)
		for range 100 {
			if _, err := s.Execute(ctx, "a042", "work", nil); err != nil {
				t.Fatal(err)
			}
		}
		if views, _ = i.Agents(5, ByRate); views[0].ID != "a042" || views[0].ActionsPerSecond != 100 {
			t.Errorf("the busiest: %+v", views[0])
		}
		if views, _ = i.Agents(5, ByMemory); views[0].ID != "a007" || views[0].MemoryBytes < 1<<20 || views[0].MemoryBytes > 1<<20+2048 {
			t.Errorf("the largest: %+v", views[0])
		}
		report, ok := i.Agent("a042")
		if !ok || report.ActionsDone != 400 || report.Age != 3*time.Second || report.State != "none" {
			t.Errorf("one agent: %+v, %v", report, ok)
		}
		if _, ok := i.Agent("nobody"); ok {
			t.Error("an agent that is not there was told of")
		}
		s.KillAgent("a042")
		views, total := i.Agents(300, ByRate)
		for _, v := range views {
			if v.ID == "a042" {
				t.Error("an agent that has ended is told of")
			}
		}
		if total != 299 {
			t.Errorf("%d agents, want 299", total)
		}
		close(release)
	})
}

// What has stopped is collected although somebody has looked at it.
func TestInspectorKeepsNothingAlive(t *testing.T) {
	s := start(t, Options{})
	collected := make(chan struct{})
	func() {
		state := new([1 << 16]byte)
		runtime.AddCleanup(state, func(struct{}) { close(collected) }, struct{}{})
		if _, err := s.StartAgent(t.Context(), Spec{ID: "a", Type: "t", Behaviour: &scripted{}, State: state}); err != nil {
			t.Fatal(err)
		}
	}()
	i := s.Inspect()
	defer i.Close()
	if _, total := i.Agents(5, ByMemory); total != 1 {
		t.Fatalf("%d agents", total)
	}
	if _, ok := i.Agent("a"); !ok {
		t.Fatal("it is not found")
	}
	if err := s.StopAgent(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	for deadline := time.After(30 * time.Second); ; {
		runtime.GC()
		select {
		case <-collected:
			return
		case <-deadline:
			t.Fatal("its state is held")
		case <-time.After(time.Millisecond):
		}
	}
}

// A table that is gone through in many looks hides nobody for longer than one
// round of them.
func TestInspectorGoesAllTheWayRound(t *testing.T) {
	s := start(t, Options{})
	const agents = 60_000
	for n := range agents {
		spec := Spec{ID: fmt.Sprint("a", n), Type: "t", Behaviour: adder{}}
		if n == agents/2 {
			spec.State = sized(1 << 30)
		}
		if _, err := s.StartAgent(t.Context(), spec); err != nil {
			t.Fatal(err)
		}
	}
	i := s.Inspect()
	defer i.Close()
	const round = 4 * agents / registry.SlotsPerStep // a table is a quarter full at least
	for looks := 1; ; looks++ {
		views, _ := i.Agents(3, ByMemory)
		if len(views) > 0 && views[0].ID == fmt.Sprint("a", agents/2) {
			break
		}
		if looks > round+1 {
			t.Fatalf("not found in %d looks", looks)
		}
	}
}

func TestInspectorOfSubscriptions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := start(t, Options{BusQueue: 10})
		release, drop := make(chan struct{}), DropNewest
		hang := func(context.Context, Event) { <-release }
		if _, err := s.Bus().Subscribe("calm", func(context.Context, Event) {}, SubscribeOptions{}); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Bus().SubscribePattern("storm*", hang, SubscribeOptions{Policy: &drop, Queue: 4}); err != nil {
			t.Fatal(err)
		}
		for range 9 {
			for _, event := range []string{"calm", "storm1", "storm2"} {
				if err := s.Bus().Publish(t.Context(), Event{Type: event}); err != nil {
					t.Fatal(err)
				}
			}
			synctest.Wait()
		}
		i := s.Inspect()
		defer i.Close()
		i.Subscriptions(10)
		time.Sleep(3 * time.Second)
		views, total := i.Subscriptions(10)
		if total != 2 || len(views) != 2 {
			t.Fatalf("%d of %d subscriptions: %+v", len(views), total, views)
		}
		// One is being handled, four wait, and of 18 events the rest is dropped.
		full := views[0]
		if full.Pattern != "storm*" || full.Policy != DropNewest || full.Capacity != 4 || full.Queued != 4 || full.Dropped != 13 || full.Full != 3*time.Second || !strings.HasPrefix(full.Subscriber, "sub_") {
			t.Errorf("the full one: %+v", full)
		}
		if calm := views[1]; calm.Queued != 0 || calm.Delivered != 9 || calm.Capacity != 10 || calm.Full != 0 {
			t.Errorf("the calm one: %+v", calm)
		}
		if views, _ = i.Subscriptions(1); len(views) != 1 {
			t.Errorf("%d, and one was asked for", len(views))
		}
		close(release)
	})
}

func TestInspectorOfNothing(t *testing.T) {
	s := start(t, Options{})
	startAgent(t, s, Spec{Behaviour: adder{}})
	if _, err := s.Bus().Subscribe("e", func(context.Context, Event) {}, SubscribeOptions{}); err != nil {
		t.Fatal(err)
	}
	i := s.Inspect()
	defer i.Close()
	for _, n := range []int{0, -1} {
		if views, total := i.Agents(n, ByMailbox); len(views) != 0 || total != 1 {
			t.Errorf("%d agents: %v of %d", n, views, total)
		}
		if views, total := i.Subscriptions(n); len(views) != 0 || total != 1 {
			t.Errorf("%d subscriptions: %v of %d", n, views, total)
		}
	}
}

// An inspector that is closed twice leaves the others theirs.
func TestInspectorClosedTwice(t *testing.T) {
	s := start(t, Options{})
	id := startAgent(t, s, Spec{Behaviour: adder{}})
	first, second := s.Inspect(), s.Inspect()
	defer second.Close()
	first.Close()
	first.Close()
	if _, err := s.Execute(t.Context(), id, "add", 1); err != nil {
		t.Fatal(err)
	}
	if report, ok := second.Agent(id); !ok || report.ActionsDone != 1 {
		t.Errorf("%d actions were counted, want 1", report.ActionsDone)
	}
}

// What a look costs among very many agents.
func BenchmarkInspect(b *testing.B) {
	s := startBench(b, Options{History: -1})
	for n := range 100_000 {
		if _, err := s.StartAgent(context.Background(), Spec{ID: fmt.Sprint("a", n), Type: "t", Behaviour: adder{}}); err != nil {
			b.Fatal(err)
		}
	}
	i := s.Inspect()
	defer i.Close()
	b.ReportAllocs()
	for b.Loop() {
		i.Agents(20, ByMailbox)
	}
}
