package mabeam

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"

	"pgregory.net/rapid"
)

// mourner notes the ends that it is told of.
type mourner struct {
	Defaults
	mu   sync.Mutex
	ends []End
}

func (b *mourner) HandleAction(_ context.Context, self *Agent, action string, params any) (any, error) {
	switch action {
	case "monitor":
		return self.Monitor(params.(string)), nil
	case "link":
		self.Link(params.(string))
	case "unlink":
		self.Unlink(params.(string))
	case "trap":
		self.TrapEnds(params.(bool))
	case "crash":
		panic(errOwn)
	}
	return nil, nil
}

func (b *mourner) HandleSignal(_ context.Context, _ *Agent, s Signal) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.ends = append(b.ends, s.Data.(End))
}

// take returns the ends that it was told of since it was called last, sorted.
func (b *mourner) take() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	var told []string
	for _, e := range b.ends {
		told = append(told, fmt.Sprintf("%s: %v", e.AgentID, e.Err))
	}
	b.ends = nil
	slices.Sort(told)
	return told
}

func do(t testing.TB, s *System, id, action string, params any) any {
	t.Helper()
	result, err := s.Execute(t.Context(), id, action, params)
	if err != nil {
		t.Fatal(err)
	}
	return result
}

// Whoever watches a life is told once when it ends, and why: an agent by a signal, others
// on a channel; at once if there is no such life.
func TestMonitorTellsTheEnd(t *testing.T) {
	for _, c := range []struct {
		end  func(s *System)
		want error
	}{
		{func(s *System) { s.KillAgent("watched") }, ErrKilled},
		{func(s *System) { _ = s.StopAgent(context.Background(), "watched") }, ErrStopping},
		{func(s *System) { _, _ = s.Execute(context.Background(), "watched", "crash", nil) }, ErrCrashed},
		{nil, ErrUnknownAgent},
	} {
		t.Run(c.want.Error(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := start(t, Options{Mailbox: 1})
				b := &mourner{}
				startAgent(t, s, Spec{ID: "watcher", Behaviour: b})
				if c.end != nil {
					startAgent(t, s, Spec{ID: "watched", Behaviour: &mourner{}})
				}
				m := s.Monitor("watched")
				stopped := s.Monitor("watched")
				do(t, s, "watcher", "monitor", "watched")
				do(t, s, "watcher", "monitor", "watched") // twice is twice, also with room for one
				if c.end != nil {
					stopped.Stop()
					synctest.Wait()
					if told := b.take(); told != nil || len(m.C()) != 0 {
						t.Errorf("told %v before the end", told)
					}
					c.end(s)
				}
				synctest.Wait()
				select {
				case e := <-m.C():
					if e.AgentID != "watched" || !errors.Is(e.Err, c.want) {
						t.Errorf("told %+v, want %v", e, c.want)
					}
				default:
					t.Error("not told")
				}
				if told := b.take(); len(told) != 2 || told[0] != told[1] {
					t.Errorf("the agent was told %v", told)
				}
				if c.end != nil && len(stopped.C()) != 0 {
					t.Error("a watch that was stopped tells")
				}
			})
		})
	}
}

// Nothing of a watch is left with either when the other has ended, or begun anew.
func TestMonitorEndsWithItsOwner(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := start(t, Options{})
		b := &mourner{}
		startAgent(t, s, Spec{ID: "watched", Behaviour: &mourner{}})
		watched := s.agents.Get("watched")
		for _, end := range []func(){
			func() { s.KillAgent("watcher") },
			func() { _ = s.RestartAgent(t.Context(), "watcher") },
		} {
			if s.agents.Get("watcher") == nil {
				startAgent(t, s, Spec{ID: "watcher", Behaviour: b})
			}
			do(t, s, "watcher", "monitor", "watched")
			if len(watched.bonds.of) != 1 {
				t.Errorf("%d watch", len(watched.bonds.of))
			}
			end()
			synctest.Wait()
			if len(watched.bonds.of) != 0 {
				t.Errorf("%d watch after the watcher's end", len(watched.bonds.of))
			}
		}
		// The watched begins anew: that is no end.
		do(t, s, "watcher", "monitor", "watched")
		if err := s.RestartAgent(t.Context(), "watched"); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if told := b.take(); told != nil {
			t.Errorf("told %v", told)
		}
		s.KillAgent("watched")
		synctest.Wait()
		if told := b.take(); !slices.Equal(told, []string{"watched: agent was killed"}) {
			t.Errorf("told %v", told)
		}
		if watcher := s.agents.Get("watcher"); len(watcher.bonds.made) != 0 {
			t.Errorf("%d watches are left", len(watcher.bonds.made))
		}
	})
}

// Those who are linked die together, unless one traps the ends of others; who stops leaves
// the others alone.
func TestLink(t *testing.T) {
	for _, c := range []struct {
		name, how string
		links     [][2]string
		traps     string
		alive     []string
		told      []string // who traps
	}{
		{"kill", "kill", [][2]string{{"a", "b"}}, "", []string{"c"}, nil},
		{"the other way round", "kill", [][2]string{{"b", "a"}}, "", []string{"c"}, nil},
		{"crash", "crash", [][2]string{{"a", "b"}, {"b", "c"}}, "", nil, nil},
		{"ring", "kill", [][2]string{{"a", "b"}, {"b", "c"}, {"c", "a"}}, "", nil, nil},
		{"stop", "stop", [][2]string{{"a", "b"}}, "", []string{"b", "c"}, nil},
		{"trap", "kill", [][2]string{{"a", "b"}, {"b", "c"}}, "b", []string{"b", "c"}, []string{"a: agent was killed"}},
		{"trap a stop", "stop", [][2]string{{"a", "b"}}, "b", []string{"b", "c"}, []string{"a: agent is stopping"}},
		{"none", "kill", nil, "", []string{"b", "c"}, nil},
		{"itself", "kill", [][2]string{{"a", "a"}}, "", []string{"b", "c"}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := start(t, Options{})
				behaviours := map[string]*mourner{}
				for _, id := range []string{"a", "b", "c"} {
					behaviours[id] = &mourner{}
					startAgent(t, s, Spec{ID: id, Behaviour: behaviours[id]})
				}
				for _, l := range c.links {
					do(t, s, l[0], "link", l[1])
				}
				if c.traps != "" {
					do(t, s, c.traps, "trap", true)
				}
				b, _ := s.Ref("b")
				switch c.how {
				case "kill":
					s.KillAgent("a")
				case "stop":
					_ = s.StopAgent(t.Context(), "a")
				case "crash":
					_, _ = s.Execute(t.Context(), "a", "crash", nil)
				}
				synctest.Wait()
				var alive []string
				for _, id := range []string{"a", "b", "c"} {
					if _, err := s.Ref(id); err == nil {
						alive = append(alive, id)
					}
				}
				if !slices.Equal(alive, c.alive) {
					t.Errorf("alive: %v, want %v", alive, c.alive)
				}
				if c.traps != "" {
					if told := behaviours[c.traps].take(); !slices.Equal(told, c.told) {
						t.Errorf("told %v, want %v", told, c.told)
					}
				}
				var why *LinkError
				killed, by := !slices.Contains(alive, "b"), []string{"a"}
				if c.name == "ring" {
					by = append(by, "c") // who is told first is nobody's promise
				}
				if killed && (!errors.As(b.Err(), &why) || !slices.Contains(by, why.AgentID)) {
					t.Errorf("b has ended with %v", b.Err())
				}
			})
		})
	}
}

func TestLinkToTheDead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := start(t, Options{})
		startAgent(t, s, Spec{ID: "a", Behaviour: &mourner{}})
		if err := s.Tell(t.Context(), "a", "link", "nobody"); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if _, err := s.Ref("a"); err == nil {
			t.Error("it lives on")
		}
	})
}

func TestUnlink(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := start(t, Options{})
		for _, id := range []string{"a", "b"} {
			startAgent(t, s, Spec{ID: id, Behaviour: &mourner{}})
		}
		do(t, s, "a", "link", "b")
		do(t, s, "b", "unlink", "a")
		for _, id := range []string{"a", "b"} {
			if bonds := s.agents.Get(id).bonds; len(bonds.of)+len(bonds.made) != 0 {
				t.Errorf("%s: %d watched, %d watches", id, len(bonds.of), len(bonds.made))
			}
		}
		s.KillAgent("a")
		synctest.Wait()
		if _, err := s.Ref("b"); err != nil {
			t.Error(err)
		}
	})
}

// Whatever becomes of many agents that watch each other and end at the same time: each
// watch of a life tells once or never, never if the watcher ended, and nothing is left.
func TestMonitorsAmongMany(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s, err := Start(context.Background(), Options{})
		if err != nil {
			t.Fatal(err)
		}
		const agents = 4
		watches := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) [2]int {
			return [2]int{rapid.IntRange(0, agents-1).Draw(t, "watcher"), rapid.IntRange(0, agents-1).Draw(t, "watched")}
		}), 0, 20).Draw(t, "watches")
		ends := rapid.SliceOfN(rapid.IntRange(0, agents-1), 0, 6).Draw(t, "ends")
		behaviours := make([]*mourner, agents)
		for i := range agents {
			behaviours[i] = &mourner{}
			if _, err := s.StartAgent(context.Background(), Spec{ID: fmt.Sprint(i), Behaviour: behaviours[i]}); err != nil {
				t.Fatal(err)
			}
		}
		var wg sync.WaitGroup
		wg.Go(func() {
			for _, w := range watches {
				_, _ = s.Execute(context.Background(), fmt.Sprint(w[0]), "monitor", fmt.Sprint(w[1]))
			}
		})
		wg.Go(func() {
			for _, i := range ends {
				s.KillAgent(fmt.Sprint(i))
			}
		})
		wg.Wait()
		if err := s.Stop(context.Background()); err != nil {
			t.Error(err)
		}
		made := map[[2]int]int{}
		for _, w := range watches {
			made[w]++
		}
		for i, b := range behaviours {
			told := map[string]int{}
			for _, e := range b.ends {
				told[e.AgentID]++
			}
			for id, n := range told {
				var watched int
				if _, err := fmt.Sscan(id, &watched); err != nil || n > made[[2]int{i, watched}] {
					t.Errorf("%d was told %d times of the end of %s, and watched %d times", i, n, id, made[[2]int{i, watched}])
				}
			}
		}
		if err := leftovers(s); err != nil {
			t.Error(err)
		}
	})
}
