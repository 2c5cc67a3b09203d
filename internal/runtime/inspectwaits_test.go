package mabeam

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"mabeam-top/internal/runtime/registry"
)

// startChain starts agents a0 to an, each of which hands an action on to the next and waits.
// The last one returns when it is released.
func startChain(t *testing.T, s *System, agents int) (release func()) {
	t.Helper()
	held := make(chan struct{})
	for n := range agents {
		startAgent(t, s, Spec{ID: fmt.Sprint("a", n), Behaviour: &scripted{action: func(ctx context.Context, self *Agent, action string, _ any) (any, error) {
			if n == agents-1 {
				<-held
				return nil, nil
			}
			return self.Execute(ctx, fmt.Sprint("a", n+1), action, nil)
		}}})
	}
	return func() { close(held) }
}

func TestInspectorOfWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := start(t, Options{})
		release := startChain(t, s, 3)
		i := s.Inspect()
		defer i.Close()
		if views, total := i.Waits(9); total != 0 || len(views) != 0 {
			t.Errorf("nobody waits: %v", views)
		}
		if err := s.Tell(t.Context(), "a0", "go", nil); err != nil {
			t.Fatal(err)
		}
		look := func(n int, want ...WaitView) {
			t.Helper()
			synctest.Wait()
			if views, total := i.Waits(n); total != 2 || !slices.Equal(views, want) {
				t.Errorf("%+v of %d, want %+v of 2", views, total, want)
			}
		}
		look(9, WaitView{"a0", "a1", 0}, WaitView{"a1", "a2", 0})
		time.Sleep(2 * time.Second)
		look(9, WaitView{"a0", "a1", 2 * time.Second}, WaitView{"a1", "a2", 2 * time.Second})
		look(1, WaitView{"a0", "a1", 2 * time.Second})
		look(-1)
		if r, ok := i.Agent("a1"); !ok || !slices.Equal(r.Waits, []WaitView{{"a1", "a2", 2 * time.Second}}) {
			t.Errorf("the report tells of %v", r.Waits)
		}
		release()
		synctest.Wait()
		if views, total := i.Waits(9); total != 0 || len(views) != 0 || len(i.waits) != 0 {
			t.Errorf("all have their answers: %v", views)
		}
	})
}

// One that waits again, for the same agent, has not waited all the time.
func TestInspectorTellsWaitsApart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := start(t, Options{})
		next := make(chan struct{})
		startAgent(t, s, Spec{ID: "b", Behaviour: &scripted{action: func(context.Context, *Agent, string, any) (any, error) {
			<-next
			return nil, nil
		}}})
		startAgent(t, s, Spec{ID: "a", Behaviour: &scripted{action: func(ctx context.Context, self *Agent, action string, _ any) (any, error) {
			for range 2 {
				if _, err := self.Execute(ctx, "b", action, nil); err != nil {
					return nil, err
				}
			}
			return nil, nil
		}}})
		i := s.Inspect()
		defer i.Close()
		if err := s.Tell(t.Context(), "a", "go", nil); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			for _, want := range []time.Duration{0, time.Second} {
				synctest.Wait()
				if views, _ := i.Waits(9); !slices.Equal(views, []WaitView{{"a", "b", want}}) {
					t.Errorf("%+v, want one for %v", views, want)
				}
				time.Sleep(time.Second)
			}
			next <- struct{}{}
		}
	})
}

// Many asks of one agent are as many waits; an ask that nobody waits on is none, and
// neither is one of an agent that has been killed.
func TestInspectorOfManyWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := start(t, Options{})
		release := startChain(t, s, 2)
		hold := func(context.Context, *Agent, string, any) (any, error) { <-t.Context().Done(); return nil, nil }
		startAgent(t, s, Spec{ID: "x", Behaviour: &scripted{action: hold}})
		startAgent(t, s, Spec{ID: "y", Behaviour: &scripted{action: hold}})
		startAgent(t, s, Spec{ID: "g", Behaviour: &scripted{action: func(ctx context.Context, self *Agent, _ string, _ any) (any, error) {
			if err := self.Ask(ctx, "a0", "go", nil, nil); err != nil {
				return nil, err
			}
			return s.Gather(ctx, []string{"x", "y"}, "go", nil)
		}}})
		i := s.Inspect()
		defer i.Close()
		if err := s.Tell(t.Context(), "g", "go", nil); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		want := []WaitView{{"a0", "a1", 0}, {"g", "x", 0}, {"g", "y", 0}}
		if views, _ := i.Waits(9); !slices.Equal(views, want) {
			t.Errorf("%+v, want %+v", views, want)
		}
		s.KillAgent("g") // and nobody wants to know what it has asked for
		synctest.Wait()
		if views, _ := i.Waits(9); len(views) != 0 {
			t.Errorf("%+v, want none", views)
		}
		release()
		s.KillAgent("x")
		s.KillAgent("y")
	})
}

// Of very many agents that do not wait, those that do are found within a round, and their
// whole chain with the first of them.
func TestInspectorFindsWaitsAmongMany(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := start(t, Options{})
		const agents, chain = 20_000, 50
		for n := range agents {
			startAgent(t, s, Spec{ID: fmt.Sprint("idle", n), Behaviour: adder{}})
		}
		release := startChain(t, s, chain)
		if err := s.Tell(t.Context(), "a0", "go", nil); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		i := s.Inspect()
		defer i.Close()
		const around = 4 * agents / registry.SlotsPerStep // a table is a quarter full at least
		for looks := 1; ; looks++ {
			if views, total := i.Waits(chain); total == chain-1 && len(views) == total {
				break
			} else if total > 0 && views[0].Waiter == "a0" {
				t.Fatalf("a part of the chain is shown: %v", views)
			}
			if looks > around+1 {
				t.Fatalf("not found in %d looks", looks)
			}
		}
		release()
	})
}
