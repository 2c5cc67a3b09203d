package mabeam

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"testing"
	"testing/synctest"
)

// A keeper is a scripted behaviour that gives snapshots of its state, unless it has a
// function for that.
type keeper struct {
	scripted
	answer func(self *Agent)
	give   func(self *Agent) (any, bool)
}

func (k *keeper) Snapshot(self *Agent) (any, bool) {
	if k.give != nil {
		return k.give(self)
	}
	return self.State(), true
}

func (k *keeper) HandleAnswer(_ context.Context, self *Agent, _ AskResult) { k.answer(self) }

// newKeeper makes a keeper whose actions, signals and events set the state: to what comes
// with them, and for the action "crash" and the like before the life ends.
func newKeeper() *keeper {
	k := &keeper{}
	k.init = func(self *Agent) error { _, err := self.Subscribe("set"); return err }
	k.action = func(_ context.Context, self *Agent, action string, params any) (any, error) {
		self.SetState(params)
		switch action {
		case "fail":
			return nil, errOwn
		case "stop":
			self.Stop()
		}
		endBy(action)
		return nil, nil
	}
	k.signal = func(self *Agent, s Signal) { self.SetState(s.Data); endBy(s.Source) }
	k.event = func(self *Agent, e Event) { self.SetState(e.Data); endBy(e.Source) }
	return k
}

// endBy ends the callback in another way than by returning.
func endBy(way string) {
	switch way {
	case "crash":
		panic(errOwn)
	case "goexit":
		runtime.Goexit()
	}
}

// The next life begins with the state that the last callback which returned has left, in
// whatever way the life has ended.
func TestSnapshotOutlivesALife(t *testing.T) {
	type steps []func(s *System)
	set := func(how string, data any, way string) func(s *System) {
		return func(s *System) {
			ctx, cancel := context.WithCancel(context.Background())
			defer cancel()
			switch how {
			case "inline":
				s.Execute(context.Background(), "a", way, data)
			case "execute":
				s.Execute(ctx, "a", way, data)
			case "tell":
				s.Tell(ctx, "a", way, data)
			case "signal":
				s.Signal(Signal{Type: "set", Source: way, Data: data}, "a")
			case "event":
				s.Bus().Publish(ctx, Event{Type: "set", Source: way, Data: data})
			}
		}
	}
	kill := func(s *System) { s.KillAgent("a") }
	for _, c := range []struct {
		name string
		do   steps
		want any
	}{
		{"at once", steps{kill}, "first"},
		{"killed after an action", steps{set("execute", 1, "set"), kill}, 1},
		{"killed after an inline action", steps{set("inline", 1, "set"), kill}, 1},
		{"killed after an action that failed", steps{set("execute", 1, "fail"), kill}, 1},
		{"killed twice", steps{set("execute", 1, "set"), kill, kill}, 1},
		{"killed in two lives", steps{set("execute", 1, "set"), kill, set("execute", 2, "set"), kill}, 2},
		{"crashed in an action", steps{set("execute", 1, "set"), set("execute", 2, "crash")}, 1},
		{"crashed in an action that was told", steps{set("tell", 1, "set"), set("tell", 2, "crash")}, 1},
		{"goroutine ended", steps{set("tell", 1, "set"), set("tell", 2, "goexit")}, 1},
		{"crashed in a signal", steps{set("signal", 1, ""), set("signal", 2, "crash")}, 1},
		{"crashed in an event", steps{set("event", 1, ""), set("event", 2, "crash")}, 1},
		{"stopped itself", steps{set("execute", 1, "set"), set("execute", 2, "stop")}, 2},
		{"a snapshot that is nil", steps{set("execute", nil, "set"), kill}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := start(t, Options{})
				var found []any
				revive(t, s, "a", func() Spec {
					k := newKeeper()
					subscribe := k.init
					k.init = func(self *Agent) error { found = append(found, self.State()); return subscribe(self) }
					return Spec{Behaviour: k, State: "first"}
				})
				for _, do := range c.do {
					do(s)
					synctest.Wait()
				}
				if len(found) < 2 || found[0] != "first" || found[len(found)-1] != c.want {
					t.Errorf("the lives began with %v, want the last with %v", found, c.want)
				}
			})
		})
	}
}

// A snapshot is asked for after each callback that has returned, and what is not to be kept
// leaves the one before.
func TestSnapshotAfterEachCallback(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := start(t, Options{})
		startAgent(t, s, Spec{ID: "other", Behaviour: adder{}})
		var given []string
		last := ""
		note := func(self *Agent, what string) { last = what; self.SetState(what) }
		k := &keeper{scripted: scripted{
			init:   func(self *Agent) error { note(self, "init"); _, err := self.Subscribe("e"); return err },
			action: func(_ context.Context, self *Agent, a string, _ any) (any, error) { note(self, a); return nil, nil },
			signal: func(self *Agent, _ Signal) { note(self, "signal") },
			event:  func(self *Agent, _ Event) { note(self, "event") },
			terminate: func(self *Agent) {
				note(self, "terminate")
			},
		}}
		k.answer = func(self *Agent) { note(self, "answer") }
		k.give = func(self *Agent) (any, bool) {
			given = append(given, last)
			return self.State(), last == "event"
		}
		var found any
		r := revive(t, s, "a", func() Spec {
			if len(given) > 0 {
				return Spec{Behaviour: &scripted{}} // gets no snapshot: it is no Snapshotter
			}
			return Spec{Behaviour: k}
		})
		a := s.agents.Get("a")
		deadline, cancel := context.WithCancel(t.Context())
		defer cancel()
		for _, do := range []func() error{
			func() error { _, err := s.Execute(context.Background(), "a", "inline", nil); return err },
			func() error { _, err := s.Execute(deadline, "a", "execute", nil); return err },
			func() error { return s.Tell(deadline, "a", "tell", nil) },
			func() error { return s.Signal(Signal{Type: "s"}, "a") },
			func() error { return s.Bus().Publish(deadline, Event{Type: "e"}) },
			func() error { return a.Ask(deadline, "other", "add", nil, nil) },
			func() error { return s.RestartAgent(deadline, "a") },
			func() error { return Ref{a}.Stop(deadline) },
		} {
			if err := do(); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
		}
		want := []string{"inline", "execute", "tell", "signal", "event", "answer", "terminate", "terminate"}
		if !slices.Equal(given, want) {
			t.Errorf("snapshots after %v, want %v", given, want)
		}
		info, err := s.Agent("a")
		if err != nil || info.State != nil {
			t.Errorf("a life of another behaviour began with %v, %v", info.State, err)
		}
		r.over.Store(true)
		s.KillAgent("a")
		synctest.Wait()
		k.init = func(self *Agent) error { found = self.State(); return nil }
		if _, err := r.place.Start(t.Context(), Spec{Behaviour: k, State: "first"}, ""); err != nil {
			t.Fatal(err)
		}
		if found != "event" {
			t.Errorf("the last life began with %v, want the only snapshot that was to be kept", found)
		}
	})
}

// What a killed life still does is kept neither before nor after the next one has begun.
func TestSnapshotOfAKilledLife(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := start(t, Options{})
		hold := make(chan struct{})
		var found []any
		lives := 0
		revive(t, s, "a", func() Spec {
			k := newKeeper()
			lives++
			life := lives
			k.init = func(self *Agent) error { found = append(found, self.State()); return nil }
			k.give = func(self *Agent) (any, bool) {
				if life == 1 && self.State() == "late" {
					t.Error("a killed life was asked for a snapshot")
				}
				return self.State(), true
			}
			k.action = func(_ context.Context, self *Agent, action string, params any) (any, error) {
				if action == "late" {
					<-hold
				}
				self.SetState(params)
				return nil, nil
			}
			return Spec{Behaviour: k}
		})
		do := func(action string, params any) {
			if err := s.Tell(t.Context(), "a", action, params); err != nil {
				t.Error(err)
			}
			synctest.Wait()
		}
		do("set", 1)
		do("late", "late")
		s.KillAgent("a")
		synctest.Wait()
		do("set", 2)
		close(hold)
		synctest.Wait()
		s.KillAgent("a")
		synctest.Wait()
		if want := "[<nil> 1 2]"; fmt.Sprint(found) != want {
			t.Errorf("the lives began with %v, want %s", found, want)
		}
	})
}

// A snapshot that a life is just giving when it is killed comes too late for the next one.
func TestSnapshotGivenDuringAKill(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := start(t, Options{})
		hold := make(chan struct{})
		var found []any
		revive(t, s, "a", func() Spec {
			k := newKeeper()
			k.init = func(self *Agent) error { found = append(found, self.State()); return nil }
			k.give = func(self *Agent) (any, bool) {
				if self.State() == "slow" {
					<-hold
				}
				return self.State(), true
			}
			return Spec{Behaviour: k}
		})
		for _, state := range []any{1, "slow"} {
			if err := s.Tell(t.Context(), "a", "set", state); err != nil {
				t.Error(err)
			}
		}
		synctest.Wait()
		s.KillAgent("a")
		synctest.Wait()
		close(hold)
		synctest.Wait()
		s.KillAgent("a")
		synctest.Wait()
		if want := "[<nil> 1 1]"; fmt.Sprint(found) != want {
			t.Errorf("the lives began with %v, want %s", found, want)
		}
	})
}

// A panic in Snapshot is one in the callback: its caller hears of it, the life ends, and
// the next one begins with the snapshot before.
func TestSnapshotThatPanics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := start(t, Options{})
		revive(t, s, "a", func() Spec {
			k := newKeeper()
			k.give = func(self *Agent) (any, bool) {
				if self.State() == "bad" {
					panic(errOwn)
				}
				return self.State(), true
			}
			return Spec{Behaviour: k}
		})
		for _, ctx := range []context.Context{context.Background(), t.Context()} {
			if _, err := s.Execute(ctx, "a", "set", 1); err != nil {
				t.Fatal(err)
			}
			var crash *PanicError
			if _, err := s.Execute(ctx, "a", "set", "bad"); !errors.As(err, &crash) || !errors.Is(err, errOwn) {
				t.Errorf("the caller got %v", err)
			}
			synctest.Wait()
			if info, err := s.Agent("a"); err != nil || info.State != 1 {
				t.Errorf("the next life has %v, %v", info.State, err)
			}
		}
		if n := s.Telemetry().AgentsCrashed; n != 2 {
			t.Errorf("%d agents crashed, want 2", n)
		}
	})
}

// RestartAgent keeps the state itself, also one of which no snapshot was kept; if it fails
// the next life begins with the snapshot.
func TestRestartAgentUsesNoSnapshot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := start(t, Options{})
		fails := false
		revive(t, s, "a", func() Spec {
			k := newKeeper()
			k.init = func(*Agent) error {
				if fails {
					fails = false
					return errOwn
				}
				return nil
			}
			k.give = func(self *Agent) (any, bool) { return self.State(), self.State() != "private" }
			return Spec{Behaviour: k}
		})
		for _, state := range []any{1, "private"} {
			if _, err := s.Execute(t.Context(), "a", "set", state); err != nil {
				t.Fatal(err)
			}
		}
		if err := s.RestartAgent(t.Context(), "a"); err != nil {
			t.Fatal(err)
		}
		if info, _ := s.Agent("a"); info.State != "private" || info.Version != 2 {
			t.Errorf("begun anew with %v, version %d", info.State, info.Version)
		}
		fails = true
		if err := s.RestartAgent(t.Context(), "a"); !errors.Is(err, errOwn) {
			t.Errorf("restart: %v", err)
		}
		synctest.Wait()
		if info, err := s.Agent("a"); err != nil || info.State != 1 {
			t.Errorf("the next life has %v, %v", info.State, err)
		}
	})
}

// What Terminate leaves is kept when the agent stops, not when it has crashed.
func TestSnapshotAfterTerminate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := start(t, Options{})
		revive(t, s, "a", func() Spec {
			k := newKeeper()
			k.terminate = func(self *Agent) { self.SetState(fmt.Sprint("terminated ", self.State())) }
			return Spec{Behaviour: k}
		})
		for _, c := range []struct{ way, want string }{{"stop", "terminated 1"}, {"crash", "terminated 1"}} {
			s.Execute(t.Context(), "a", c.way, 1)
			synctest.Wait()
			if info, err := s.Agent("a"); err != nil || info.State != c.want {
				t.Errorf("after %s the state is %v, %v", c.way, info.State, err)
			}
		}
	})
}

// An agent without an owner has no next life, and is never asked for a snapshot.
func TestNoSnapshotWithoutAnOwner(t *testing.T) {
	s := start(t, Options{})
	k := newKeeper()
	k.give = func(*Agent) (any, bool) { t.Error("asked for a snapshot"); return nil, true }
	id := startAgent(t, s, Spec{Behaviour: k})
	if _, err := s.Execute(t.Context(), id, "set", 1); err != nil {
		t.Error(err)
	}
	if err := s.RestartAgent(t.Context(), id); err != nil {
		t.Error(err)
	}
}

// An interceptor is around the callbacks of a Snapshotter too.
func TestSnapshotWithInterceptor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		intercepted := 0
		s := start(t, Options{Around: func(ctx context.Context, _ Callback, next func(context.Context) error) error {
			intercepted++
			return next(ctx)
		}})
		revive(t, s, "a", func() Spec { return Spec{Behaviour: newKeeper()} })
		if _, err := s.Execute(t.Context(), "a", "set", 1); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		s.KillAgent("a")
		synctest.Wait()
		if info, err := s.Agent("a"); err != nil || info.State != 1 || intercepted != 3 {
			t.Errorf("state %v, %v; %d callbacks intercepted, want 3", info.State, err, intercepted)
		}
	})
}

// A behaviour that is no Snapshotter has nothing around it, whether it has an owner or not.
func TestOthersPayNothingForSnapshots(t *testing.T) {
	s := start(t, Options{})
	r := revive(t, s, "a", func() Spec { return Spec{Behaviour: adder{}} })
	if b := s.agents.Get("a").behaviour; b != (adder{}) || r.place.snapshots != nil {
		t.Errorf("the behaviour is %T, the snapshots %v", b, r.place.snapshots)
	}
}
