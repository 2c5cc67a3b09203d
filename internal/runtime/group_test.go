package mabeam

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
)

// join is an Init that joins groups.
func join(groups ...string) func(*Agent) error {
	return func(self *Agent) error {
		for _, g := range groups {
			if err := self.Join(g); err != nil {
				return err
			}
		}
		return nil
	}
}

// idsOf lists the members of a group by id.
func idsOf(g Group) []string {
	ids := make([]string, 0, g.Len())
	for r := range g.All() {
		ids = append(ids, r.ID())
	}
	return ids
}

// wantGroup checks the members of a group, in order.
func wantGroup(t *testing.T, s *System, name string, want ...string) {
	t.Helper()
	if got := idsOf(s.Group(name)); !slices.Equal(got, want) {
		t.Errorf("group %q has %v, want %v", name, got, want)
	}
}

// obeys is an agent that carries out functions on itself.
func obeys(init func(*Agent) error) Behaviour {
	return &scripted{init: init, action: func(_ context.Context, self *Agent, _ string, params any) (any, error) {
		params.(func(*Agent))(self)
		return nil, nil
	}}
}

// have has an agent carry out a function on itself.
func have(t *testing.T, s *System, id string, do func(self *Agent)) {
	t.Helper()
	if _, err := s.Execute(t.Context(), id, "do", do); err != nil {
		t.Fatal(err)
	}
}

func TestGroupListsInOrderOfJoining(t *testing.T) {
	s := start(t, Options{})
	for _, id := range []string{"c", "a", "b"} {
		startAgent(t, s, Spec{ID: id, Behaviour: obeys(join("all", "of "+id))})
	}
	wantGroup(t, s, "all", "c", "a", "b")
	wantGroup(t, s, "nobody's")
	before := s.Group("all")
	have(t, s, "c", func(self *Agent) {
		self.Leave("all")
		self.Leave("nobody's")
		if got := self.Groups(); !slices.Equal(got, []string{"of c"}) {
			t.Errorf("it is in %v", got)
		}
	})
	wantGroup(t, s, "all", "a", "b")
	have(t, s, "c", func(self *Agent) {
		if err := errors.Join(self.Join("all"), self.Join("all")); err != nil {
			t.Error(err)
		}
	})
	have(t, s, "a", func(self *Agent) { _ = self.Join("all") }) // it keeps its place
	wantGroup(t, s, "all", "a", "b", "c")
	if got := idsOf(before); !slices.Equal(got, []string{"c", "a", "b"}) || before.At(2).ID() != "b" {
		t.Errorf("what was listed before has changed to %v", got)
	}
	if got, want := s.Groups(), []string{"all", "of a", "of b", "of c"}; !slices.Equal(got, want) {
		t.Errorf("the groups are %v, want %v", got, want)
	}
	have(t, s, "a", func(self *Agent) {
		if self.Join("") == nil {
			t.Error("a group without a name was joined")
		}
	})
}

// However an agent ends, it is in no group when anybody hears of it.
func TestGroupsAreLeftBeforeTheEndIsTold(t *testing.T) {
	ends := map[string]func(s *System, id string){
		"stop":  func(s *System, id string) { _ = s.StopAgent(context.Background(), id) },
		"kill":  func(s *System, id string) { s.KillAgent(id) },
		"crash": func(s *System, id string) { _ = s.Signal(Signal{}, id) },
	}
	for how, end := range ends {
		synctest.Test(t, func(t *testing.T) {
			s := start(t, Options{})
			startAgent(t, s, Spec{ID: "stays", Behaviour: obeys(join("group"))})
			startAgent(t, s, Spec{ID: "ends", Behaviour: &scripted{
				init: join("group", "its own"), signal: func(*Agent, Signal) { panic(errOwn) },
			}})
			wantGroup(t, s, "group", "stays", "ends")
			var heard atomic.Int32
			hear := func() {
				heard.Add(1)
				wantGroup(t, s, "group", "stays")
				wantGroup(t, s, "its own")
			}
			ref, _ := s.Ref("ends")
			go func() { <-ref.Done(); hear() }()
			go func() { <-s.Monitor("ends").C(); hear() }()
			_, _ = s.Bus().SubscribePattern("agent_lifecycle.*ed", func(_ context.Context, e Event) {
				if e.Source == "ends" {
					hear()
				}
			}, SubscribeOptions{})
			if how != "crash" { // one that waits for an answer
				_ = s.SuspendAgent("ends")
				if how == "kill" {
					go func() { _, _ = ref.Execute(t.Context(), "x", nil); hear() }()
				}
			}
			synctest.Wait()
			end(s, "ends")
			synctest.Wait()
			if want := map[string]int32{"stop": 3, "kill": 4, "crash": 3}[how]; heard.Load() != want {
				t.Errorf("%s was heard of %d times, want %d", how, heard.Load(), want)
			}
		})
	}
}

// An agent that was asked to stop accepts no more, so it is in no group while it still works.
func TestGroupsAreLeftWhenTheMailboxCloses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := start(t, Options{})
		goOn := make(chan struct{})
		id := startAgent(t, s, Spec{Behaviour: &scripted{
			init: join("group"),
			action: func(_ context.Context, self *Agent, _ string, _ any) (any, error) {
				self.Stop()
				wantGroup(t, s, "group")
				if err := self.Join("group"); !errors.Is(err, ErrStopping) {
					t.Errorf("joining while it stops: %v", err)
				}
				<-goOn
				return nil, nil
			},
		}})
		self := s.agents.Get(id)
		if err := s.Tell(t.Context(), id, "stop", nil); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		s.KillAgent(id)
		if err := self.Join("group"); !errors.Is(err, ErrKilled) {
			t.Errorf("joining after the end: %v", err)
		}
		wantGroup(t, s, "group")
		close(goOn)
	})
}

// RestartAgent is no end: the agent keeps its place, whatever its Init joins.
func TestRestartAgentKeepsGroups(t *testing.T) {
	s := start(t, Options{})
	lives := 0
	startAgent(t, s, Spec{ID: "first", Behaviour: obeys(func(self *Agent) error {
		if lives++; lives == 3 {
			return errOwn
		}
		wantGroup(t, s, "group", [][]string{nil, {"first", "second"}}[lives-1]...)
		return self.Join("group")
	})})
	startAgent(t, s, Spec{ID: "second", Behaviour: obeys(join("group"))})
	have(t, s, "first", func(self *Agent) { _ = self.Join("from outside Init") })
	if err := s.RestartAgent(t.Context(), "first"); err != nil {
		t.Fatal(err)
	}
	wantGroup(t, s, "group", "first", "second")
	wantGroup(t, s, "from outside Init", "first")
	if err := s.RestartAgent(t.Context(), "first"); !errors.Is(err, errOwn) {
		t.Fatal(err)
	}
	wantGroup(t, s, "group", "second") // an Init that fails is a crash
}

// An agent whose start fails leaves what its Init has joined.
func TestGroupsOfAnAgentThatDoesNotStart(t *testing.T) {
	s := start(t, Options{})
	for range 2 { // the second is refused because of its id
		_, _ = s.StartAgent(t.Context(), Spec{ID: "taken", Behaviour: &scripted{init: join("group")}})
	}
	_, err := s.StartAgent(t.Context(), Spec{ID: "fails", Behaviour: &scripted{init: func(self *Agent) error {
		_ = self.Join("group")
		wantGroup(t, s, "group", "taken", "fails")
		return errOwn
	}}})
	if !errors.Is(err, errOwn) {
		t.Fatal(err)
	}
	wantGroup(t, s, "group", "taken")
}

// Groups that are gone take no memory, also while one is left.
func TestGroupsGiveMemoryBack(t *testing.T) {
	s := start(t, Options{})
	startAgent(t, s, Spec{Behaviour: obeys(join("stays"))})
	id := startAgent(t, s, Spec{Behaviour: obeys(nil)})
	have(t, s, id, func(self *Agent) {
		for i := range 10 * minShrink {
			_ = self.Join(fmt.Sprint(i))
		}
		for i := range 10 * minShrink {
			self.Leave(fmt.Sprint(i))
		}
	})
	if g := &s.namedGroups; g.most > minShrink || len(g.of) != 1 {
		t.Errorf("room for %d groups is kept for %d", g.most, len(g.of))
	}
	have(t, s, id, func(self *Agent) { _ = self.Join("another") })
	if got := s.Groups(); !slices.Equal(got, []string{"another", "stays"}) {
		t.Errorf("the groups are %v", got)
	}
}

// Agents that come and go are never listed twice, nor out of order, and none is left.
func TestGroupsUnderConcurrency(t *testing.T) {
	s := start(t, Options{})
	var changing, listing sync.WaitGroup
	done := make(chan struct{})
	for w := range 4 {
		changing.Go(func() {
			for i := range 100 {
				id := startAgent(t, s, Spec{ID: fmt.Sprint(w, " ", i), Behaviour: obeys(join("all", fmt.Sprint(i%3)))})
				switch i % 4 {
				case 0:
					s.KillAgent(id)
				case 1:
					have(t, s, id, func(self *Agent) { self.Leave("all"); _ = self.Join("all") })
				case 2:
					_ = s.RestartAgent(t.Context(), id)
				}
				if err := s.StopAgent(t.Context(), id); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for range 2 {
		listing.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				seen := map[Ref]bool{}
				for r := range s.Group("all").All() {
					if seen[r] {
						t.Errorf("%q is listed twice", r.ID())
					}
					seen[r] = true
				}
				if len(seen) > 4 {
					t.Errorf("%d are listed of 4 that can be there", len(seen))
				}
			}
		})
	}
	changing.Wait()
	close(done)
	listing.Wait()
	if left := s.Groups(); len(left) > 0 {
		t.Errorf("%v are left", left)
	}
}
