package supervision

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	mabeam "mabeam-top/internal/runtime"
	"mabeam-top/internal/runtime/guard"
	"mabeam-top/internal/runtime/mabeamtest"
)

// plainChild is a child that ends in the way that its action says.
func plainChild(id string, restart RestartPolicy) Child {
	return scriptedChild(id, restart, func() *scripted {
		return &scripted{action: func(_ context.Context, self *mabeam.Agent, action string, _ any) (any, error) {
			switch action {
			case "crash":
				panic(errOwn)
			case "leave":
				self.Stop()
			}
			return nil, nil
		}}
	})
}

func scriptedChild(id string, restart RestartPolicy, behaviour func() *scripted) Child {
	return Child{ID: id, Restart: restart, New: func() mabeam.Spec { return mabeam.Spec{Behaviour: behaviour()} }}
}

func startSupervisor(t testing.TB, s *mabeam.System, spec Spec) *Supervisor {
	t.Helper()
	v, err := Start(t.Context(), s, spec)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// roll lists a supervisor's children: each with its restarts, and a cross if it
// is not alive.
func roll(v *Supervisor) string {
	var all []string
	for _, c := range v.Children() {
		name := fmt.Sprintf("%s%d", c.ID, c.Restarts)
		if !c.Alive {
			name += "†"
		}
		all = append(all, name)
	}
	return strings.Join(all, " ")
}

// A chronicle notes what becomes of agents and supervisors.
type chronicle struct {
	mu    sync.Mutex
	lines []string
}

func keepChronicle(t testing.TB, s *mabeam.System) *chronicle {
	t.Helper()
	d := &chronicle{}
	note := func(_ context.Context, e mabeam.Event) {
		_, what, ok := strings.Cut(e.Type, ".")
		if !ok { // an action's
			return
		}
		d.mu.Lock()
		d.lines = append(d.lines, what+" "+e.Source)
		d.mu.Unlock()
	}
	// One subscription, for there is no order between two.
	if _, err := s.Bus().SubscribePattern("*", note, mabeam.SubscribeOptions{}); err != nil {
		t.Fatal(err)
	}
	return d
}

// take returns what was noted since it was called last.
func (d *chronicle) take() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	lines := d.lines
	d.lines = nil
	return strings.Join(lines, ", ")
}

// end ends an agent in one of the ways there are.
func end(t testing.TB, s *mabeam.System, v *Supervisor, id, way string) {
	t.Helper()
	var err error
	switch way {
	case "crash", "leave":
		err = s.Tell(t.Context(), id, way, nil)
	case "kill":
		s.KillAgent(id)
	case "StopAgent":
		err = s.StopAgent(t.Context(), id)
	case "StopChild":
		err = v.StopChild(t.Context(), id)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func TestWhoIsRestarted(t *testing.T) {
	all := map[Strategy]string{OneForOne: "a0 b1 c0", OneForAll: "a1 b1 c1", RestForOne: "a0 b1 c1"}
	const forgotten, listed = "a0 c0", "a0 b0† c0"
	for strategy, restarted := range all {
		for _, c := range []struct {
			way  string
			want [3]string // of a permanent, a transient and a temporary child
		}{
			{"crash", [3]string{restarted, restarted, forgotten}},
			{"kill", [3]string{restarted, restarted, forgotten}},
			{"leave", [3]string{restarted, listed, forgotten}},
			{"StopAgent", [3]string{forgotten, forgotten, forgotten}},
			{"StopChild", [3]string{forgotten, forgotten, forgotten}},
		} {
			for restart, want := range c.want {
				name := fmt.Sprintf("%v/%v/%s", strategy, RestartPolicy(restart), c.way)
				t.Run(name, func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						s := mabeamtest.Start(t, mabeam.Options{})
						v := startSupervisor(t, s, Spec{Strategy: strategy, Children: []Child{
							plainChild("a", Permanent), plainChild("b", RestartPolicy(restart)), plainChild("c", Permanent),
						}})
						end(t, s, v, "b", c.way)
						synctest.Wait()
						if got := roll(v); got != want {
							t.Errorf("got %s, want %s", got, want)
						}
						for _, c := range v.Children() {
							if _, err := s.Execute(t.Context(), c.ID, "x", nil); (err == nil) != c.Alive {
								t.Errorf("%+v answers %v", c, err)
							}
						}
						// The restarted are the runtime's own count too, and all lives are told apart.
						restarts := int64(0)
						for _, c := range v.Children() {
							restarts += int64(c.Restarts)
						}
						if tel := s.Telemetry(); tel.AgentsRestarted != restarts || tel.AgentsStarted != 3+restarts {
							t.Errorf("%d restarts: %+v", restarts, tel)
						}
					})
				})
			}
		}
	}
}

// Those that are restarted together stop in reverse and start in order, and the
// bus tells each step.
func TestRestartInOrder(t *testing.T) {
	for strategy, want := range map[Strategy]string{
		OneForOne: "crashed b, started b, restarted b",
		OneForAll: "crashed b, stopping d, stopped d, stopping c, stopped c, stopping a, stopped a, " +
			"started a, restarted a, started b, restarted b, started c, restarted c",
		RestForOne: "crashed b, stopping d, stopped d, stopping c, stopped c, " +
			"started b, restarted b, started c, restarted c",
	} {
		synctest.Test(t, func(t *testing.T) {
			s := mabeamtest.Start(t, mabeam.Options{})
			startSupervisor(t, s, Spec{Strategy: strategy, Children: []Child{
				plainChild("a", Permanent), plainChild("b", Permanent), plainChild("c", Transient), plainChild("d", Temporary),
			}})
			d := keepChronicle(t, s)
			end(t, s, nil, "b", "crash")
			synctest.Wait()
			if got := d.take(); got != want {
				t.Errorf("%v:\n%s, want\n%s", strategy, got, want)
			}
			for _, e := range s.Bus().History(0) {
				if e.Type == mabeam.EventAgentRestarted && !strings.Contains(e.Data.(mabeam.LifecycleData).Reason, errOwn.Error()) {
					t.Errorf("%v: %+v", strategy, e.Data)
				}
			}
		})
	}
}

// A new life is the work of New: nothing of the last one is left but the id.
func TestNewLife(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := mabeamtest.Start(t, mabeam.Options{})
		lives := 0
		v := startSupervisor(t, s, Spec{ID: "boss", Children: []Child{{ID: "a", New: func() mabeam.Spec {
			lives++
			return mabeam.Spec{ID: "other", Type: fmt.Sprint("life", lives), State: lives, Behaviour: &scripted{
				init:   func(self *mabeam.Agent) error { _, err := self.Subscribe(fmt.Sprint("x", lives)); return err },
				action: func(context.Context, *mabeam.Agent, string, any) (any, error) { panic(errOwn) },
			}}
		}}}})
		end(t, s, v, "a", "crash")
		synctest.Wait()
		info, err := s.Agent("a")
		if err != nil || info.Type != "life2" || info.State != 2 || info.ParentID != "boss" || !slices.Equal(info.Subscriptions, []string{"x2"}) {
			t.Errorf("%+v, %v", info, err)
		}
		if n := s.Telemetry().Subscriptions; n != 1 || len(s.Registry().ByType("life1")) != 0 {
			t.Errorf("%d subscriptions, and in the registry %v", n, s.Registry().All())
		}
	})
}

func TestIntensity(t *testing.T) {
	for _, c := range []struct {
		name  string
		at    []int // seconds
		limit int
		stops int // which one is not allowed; 0 if all are
	}{
		{"as many as allowed at once", []int{0, 0, 0}, 3, 0},
		{"one more", []int{0, 0, 0, 0}, 3, 4},
		{"one more at the end of the window", []int{0, 30, 30, 60}, 3, 4},
		{"one more after it", []int{0, 30, 30, 61}, 3, 0},
		{"the window moves on", []int{0, 30, 59, 61, 91, 120, 122}, 3, 0},
		{"but not from the first", []int{0, 30, 59, 61, 62}, 3, 5},
	} {
		i := window{Intensity: Intensity{c.limit, time.Minute}}
		stops := 0
		for n, at := range c.at {
			if !i.allows(time.Unix(int64(at), 0)) {
				stops = n + 1
				break
			}
		}
		if stops != c.stops {
			t.Errorf("%s: stops at %d, want %d", c.name, stops, c.stops)
		}
	}
}

// Ten restarts in 60 s are fine, one more is not, and over 61 s they never are
// too many.
func TestIntensityOfASupervisor(t *testing.T) {
	for _, c := range []struct {
		name   string
		pause  time.Duration
		crash  int
		gaveUp bool
	}{
		{"ten at once", 0, 10, false},
		{"eleven at once", 0, 11, true},
		{"eleven in 60 s", 6 * time.Second, 11, true},
		{"a hundred, never eleven in 61 s", 6100 * time.Millisecond, 100, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := mabeamtest.Start(t, mabeam.Options{})
				v := startSupervisor(t, s, Spec{Children: []Child{plainChild("a", Permanent)}})
				for n := range c.crash {
					if n > 0 {
						time.Sleep(c.pause)
					}
					end(t, s, v, "a", "crash")
					synctest.Wait()
				}
				select {
				case <-v.Done():
					if !c.gaveUp {
						t.Error(v.Err())
					}
				default:
					if c.gaveUp || roll(v) != fmt.Sprint("a", c.crash) {
						t.Errorf("lives: %s", roll(v))
					}
				}
			})
		})
	}
}

func TestGivingUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := mabeamtest.Start(t, mabeam.Options{})
		v := startSupervisor(t, s, Spec{ID: "boss", Intensity: &Intensity{Restarts: 1, Within: time.Second}, Children: []Child{
			plainChild("a", Permanent), plainChild("b", Temporary), plainChild("c", Permanent),
		}})
		d := keepChronicle(t, s)
		end(t, s, v, "a", "crash")
		synctest.Wait()
		if v.Err() != nil {
			t.Error(v.Err())
		}
		end(t, s, v, "a", "kill")
		<-v.Done()
		synctest.Wait()
		want := "crashed a, started a, restarted a, stopped a, " +
			"stopping c, stopped c, stopping b, stopped b, gave_up boss"
		if got := d.take(); got != want {
			t.Errorf("%s, want\n%s", got, want)
		}
		history := s.Bus().History(1)
		data := GaveUpData{SupervisorID: "boss", ChildID: "a", Reason: "killed", Restarts: 1, Within: time.Second}
		if e := history[0]; e.Type != EventGaveUp || e.Data != data {
			t.Errorf("told %+v", e)
		}
		if err := v.Err(); !errors.Is(err, ErrGaveUp) || !strings.Contains(err.Error(), `"a": killed`) {
			t.Error(err)
		}
		if n := len(v.Children()); n != 0 || s.Telemetry().Agents != 0 {
			t.Errorf("%d children and %d agents are left", n, s.Telemetry().Agents)
		}
		if _, err := v.StartChild(t.Context(), plainChild("d", Permanent)); !errors.Is(err, ErrStopped) {
			t.Errorf("start a child: %v", err)
		}
		if err := errors.Join(v.StopChild(t.Context(), "a"), v.Stop(t.Context())); err != nil {
			t.Error(err)
		}
		startSupervisor(t, s, Spec{ID: "boss"}) // its id is free again
	})
}

// A panic in any callback costs the child one life, and nobody else anything.
func TestPanicsCostOneLife(t *testing.T) {
	for _, where := range []string{"new", "init", "action", "event", "signal", "terminate"} {
		t.Run(where, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := mabeamtest.Start(t, mabeam.Options{})
				lives := 0
				v := startSupervisor(t, s, Spec{Children: []Child{plainChild("a", Permanent), {ID: "b", Restart: Transient, New: func() mabeam.Spec {
					lives++
					faulty := func(now string) {
						// The first life is faulty in a way that shows while it lives, the second
						// in a way that keeps it from starting.
						if now == where && (lives == 1 || lives == 2 && (now == "new" || now == "init")) {
							panic(errOwn)
						}
					}
					if lives > 1 {
						faulty("new")
					}
					return mabeam.Spec{Behaviour: &scripted{
						init: func(self *mabeam.Agent) error {
							if lives > 1 {
								faulty("init")
							}
							_, err := self.Subscribe("x")
							return err
						},
						action: func(_ context.Context, self *mabeam.Agent, action string, _ any) (any, error) {
							if action == "leave" {
								self.Stop()
								return nil, nil
							}
							panic(errOwn)
						},
						event:     func(*mabeam.Agent, mabeam.Event) { faulty("event") },
						signal:    func(*mabeam.Agent, mabeam.Signal) { faulty("signal") },
						terminate: func(*mabeam.Agent) { faulty("terminate") },
					}}
				}}}})
				switch where {
				case "event":
					if err := s.Bus().Publish(t.Context(), mabeam.Event{Type: "x"}); err != nil {
						t.Fatal(err)
					}
				case "signal":
					if err := s.Signal(mabeam.Signal{Type: "x"}, "b"); err != nil {
						t.Fatal(err)
					}
				case "terminate":
					end(t, s, v, "b", "leave")
				default:
					end(t, s, v, "b", "crash")
				}
				synctest.Wait()
				if got := roll(v); got != "a0 b1" {
					t.Errorf("got %s", got)
				}
				if n := s.Telemetry().Subscriptions; n != 1 {
					t.Errorf("%d subscriptions", n)
				}
			})
		})
	}
}

// A restart that fails counts, and is tried again until there were too many.
func TestRestartThatFails(t *testing.T) {
	for failures, want := range map[int]string{3: "a0 b1", 4: ""} {
		synctest.Test(t, func(t *testing.T) {
			s := mabeamtest.Start(t, mabeam.Options{})
			inits := 0
			v := startSupervisor(t, s, Spec{Intensity: &Intensity{Restarts: 4}, Children: []Child{
				plainChild("a", Permanent),
				scriptedChild("b", Permanent, func() *scripted {
					return &scripted{init: func(*mabeam.Agent) error {
						inits++
						if inits > 1 && inits <= 1+failures {
							return errOwn
						}
						return nil
					}}
				}),
			}})
			end(t, s, v, "b", "kill")
			synctest.Wait()
			if got := roll(v); got != want {
				t.Errorf("%d failures: %s, want %s", failures, got, want)
			}
			if gaveUp := v.Err(); (gaveUp != nil) != (want == "") {
				t.Errorf("%d failures: %v", failures, gaveUp)
			}
		})
	}
}

// When one of those that are restarted together does not start, those behind it
// wait for it; if it is then stopped for good, they wait no longer.
func TestRestartTogetherThatFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := mabeamtest.Start(t, mabeam.Options{})
		lives, hold := 0, make(chan struct{})
		began := make(chan struct{}, 10)
		v := startSupervisor(t, s, Spec{Strategy: RestForOne, Children: []Child{
			plainChild("a", Permanent),
			scriptedChild("b", Permanent, func() *scripted {
				lives++
				return &scripted{init: func(*mabeam.Agent) error {
					if lives == 1 {
						return nil
					}
					began <- struct{}{}
					<-hold
					return errOwn
				}}
			}),
			plainChild("c", Permanent), plainChild("d", Permanent),
		}})
		end(t, s, v, "a", "kill")
		<-began
		stopped := make(chan error)
		go func() { stopped <- v.StopChild(context.Background(), "b") }()
		synctest.Wait()
		if got := roll(v); got != "a1 b0† c0† d0†" {
			t.Errorf("while b begins: %s", got)
		}
		hold <- struct{}{} // whoever was first waits no longer
		close(hold)
		if err := <-stopped; err != nil {
			t.Error(err)
		}
		synctest.Wait()
		if got := roll(v); got != "a1 c1 d1" {
			t.Errorf("in the end: %s", got)
		}
	})
}

func TestStartSupervisorRefuses(t *testing.T) {
	s := mabeamtest.Start(t, mabeam.Options{})
	startSupervisor(t, s, Spec{ID: "taken"})
	mabeamtest.StartAgent(t, s, mabeam.Spec{ID: "plain", Behaviour: plain{}})
	failing := scriptedChild("failing", Permanent, func() *scripted {
		return &scripted{init: func(*mabeam.Agent) error { return errOwn }}
	})
	panicking := Child{ID: "panicking", New: func() mabeam.Spec { panic(errOwn) }}
	late := plainChild("late", Permanent)
	late.StopWithin = -1
	d := keepChronicle(t, s)
	for _, c := range []struct {
		name string
		spec Spec
		want string
		is   error
	}{
		{"strategy", Spec{Strategy: 3}, "unknown strategy 3", nil},
		{"restarts", Spec{Intensity: &Intensity{Restarts: -1}}, "at most -1", nil},
		{"window", Spec{Intensity: &Intensity{Within: -1}}, "within -1ns", nil},
		{"no New", Spec{Children: []Child{{ID: "a"}}}, `child "a": neither New nor Supervisor`, nil},
		{"restart", Spec{Children: []Child{plainChild("a", 3)}}, `child "a": unknown restart 3`, nil},
		{"stop within", Spec{Children: []Child{late}}, `child "late": stop within`, nil},
		{"its id", Spec{ID: "taken"}, "already registered", mabeam.ErrAlreadyRegistered},
		{"a child's id", Spec{Children: []Child{plainChild("plain", 0)}}, `child "plain"`, mabeam.ErrAlreadyRegistered},
		{"one id twice", Spec{Children: []Child{plainChild("a", 0), plainChild("a", 0)}}, `child "a"`, mabeam.ErrAlreadyRegistered},
		{"init", Spec{Children: []Child{plainChild("a", 0), plainChild("b", 0), failing}}, `child "failing"`, errOwn},
		{"new", Spec{Children: []Child{panicking}}, `child "panicking": new: panic`, errOwn},
	} {
		v, err := Start(t.Context(), s, c.spec)
		if v != nil || err == nil || !strings.Contains(err.Error(), c.want) || c.is != nil && !errors.Is(err, c.is) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	if n := s.Telemetry().Agents; n != 1 {
		t.Errorf("%d agents", n)
	}
	if err := s.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got, want := d.take(), "started a, started b, start_failed failing, stopping b, stopped b, stopping a, stopped a"; !strings.Contains(got, want) {
		t.Errorf("told %s, without %s", got, want)
	}
	if _, err := Start(t.Context(), s, Spec{}); !errors.Is(err, mabeam.ErrSystemStopped) {
		t.Errorf("after stop: %v", err)
	}
}

func TestChildrenComeAndGo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := mabeamtest.Start(t, mabeam.Options{})
		v := startSupervisor(t, s, Spec{Strategy: OneForAll})
		for _, id := range []string{"a", "b"} {
			if got, err := v.StartChild(t.Context(), plainChild(id, Permanent)); got != id || err != nil {
				t.Fatal(got, err)
			}
		}
		id, err := v.StartChild(t.Context(), plainChild("", Permanent))
		if err != nil || !strings.HasPrefix(id, "agent_") {
			t.Errorf("%q, %v", id, err)
		}
		if _, err := v.StartChild(t.Context(), plainChild("a", Permanent)); !errors.Is(err, mabeam.ErrAlreadyRegistered) {
			t.Errorf("a second a: %v", err)
		}
		if _, err := v.StartChild(t.Context(), Child{ID: "x"}); err == nil {
			t.Error("a child without New")
		}
		for _, id := range []string{"a", id, "absent"} {
			if err := v.StopChild(t.Context(), id); err != nil {
				t.Error(err)
			}
		}
		if _, err := v.StartChild(t.Context(), plainChild("a", Permanent)); err != nil {
			t.Error(err)
		}
		end(t, s, v, "a", "crash")
		synctest.Wait()
		if got := roll(v); got != "b1 a1" {
			t.Errorf("got %s", got)
		}
	})
}

// A transient child that has left is started again with its siblings, as in OTP;
// one that was stopped is not.
func TestStoppedChildrenStayStopped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := mabeamtest.Start(t, mabeam.Options{})
		v := startSupervisor(t, s, Spec{Strategy: OneForAll, Children: []Child{
			plainChild("a", Permanent), plainChild("left", Transient), plainChild("stopped", Transient), plainChild("both", Transient),
		}})
		for id, way := range map[string]string{"left": "leave", "both": "leave", "stopped": "StopAgent"} {
			end(t, s, v, id, way)
			synctest.Wait()
		}
		end(t, s, v, "both", "StopAgent")
		synctest.Wait()
		if got := roll(v); got != "a0 left0†" {
			t.Errorf("before: %s", got)
		}
		end(t, s, v, "a", "crash")
		synctest.Wait()
		if got := roll(v); got != "a1 left1" {
			t.Errorf("after: %s", got)
		}
	})
}

// StopAgent holds for a child that is not there because it is being restarted,
// and for one that waits for its turn.
func TestStopAgentBetweenTwoLives(t *testing.T) {
	for _, stopped := range []string{"a", "b"} {
		synctest.Test(t, func(t *testing.T) {
			s := mabeamtest.Start(t, mabeam.Options{})
			began, hold := make(chan struct{}, 10), make(chan struct{})
			lives := map[string]int{}
			child := func(id string) Child {
				return scriptedChild(id, Permanent, func() *scripted {
					lives[id]++
					return &scripted{init: func(*mabeam.Agent) error {
						if lives["a"] > 1 {
							began <- struct{}{}
							<-hold
						}
						return nil
					}}
				})
			}
			v := startSupervisor(t, s, Spec{Strategy: OneForAll, Children: []Child{child("a"), child("b")}})
			end(t, s, v, "a", "kill")
			<-began
			end(t, s, v, stopped, "StopAgent")
			close(hold)
			synctest.Wait()
			left := map[string]string{"a": "b1", "b": "a1"}[stopped]
			if _, ok := s.Registry().Lookup(stopped); ok || roll(v) != left || lives["b"] == 2 && stopped == "b" {
				t.Errorf("%s was stopped: %s, in lives %v", stopped, roll(v), lives)
			}
		})
	}
}

// stubborn is a child whose agent does not come to its end before hold is
// closed.
func stubborn(id string, within time.Duration, hold chan struct{}) Child {
	c := scriptedChild(id, Permanent, func() *scripted {
		return &scripted{terminate: func(*mabeam.Agent) { <-hold }}
	})
	c.StopWithin = within
	return c
}

// A child is being stopped when its supervisor is asked to stop.
func TestStopWhileAChildStops(t *testing.T) {
	for round := range 50 {
		s := mabeamtest.Start(t, mabeam.Options{History: -1})
		v := startSupervisor(t, s, Spec{Children: []Child{scriptedChild("a", Permanent, func() *scripted {
			return &scripted{terminate: func(*mabeam.Agent) {
				for range 1000 {
					runtime.Gosched() // the supervisor is asked meanwhile
				}
			}}
		})}})
		var stopping sync.WaitGroup
		stopping.Go(func() {
			if err := v.StopChild(context.Background(), "a"); err != nil {
				t.Error(err)
			}
		})
		for range round {
			runtime.Gosched() // to look whether it stops would hide a data race
		}
		if err := v.Stop(context.Background()); err != nil {
			t.Error(err)
		}
		stopping.Wait()
	}
}

func TestShutdownInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, err := mabeam.Start(context.Background(), mabeam.Options{})
		if err != nil {
			t.Fatal(err)
		}
		mabeamtest.StartAgent(t, s, mabeam.Spec{ID: "plain", Behaviour: plain{}})
		older := startSupervisor(t, s, Spec{ID: "older", Children: []Child{plainChild("a", 0), plainChild("b", 0)}})
		newer := startSupervisor(t, s, Spec{ID: "newer", Children: []Child{plainChild("c", 0), plainChild("d", 0)}})
		d := keepChronicle(t, s)
		if err := s.Stop(t.Context()); err != nil {
			t.Fatal(err)
		}
		want := "stopping d, stopped d, stopping c, stopped c, stopping b, stopped b, stopping a, stopped a, stopping plain, stopped plain"
		if got := d.take(); got != want {
			t.Errorf("%s, want\n%s", got, want)
		}
		for _, v := range []*Supervisor{older, newer} {
			<-v.Done()
			if v.Err() != nil {
				t.Error(v.Err())
			}
		}
		if n := s.Goroutines(); n != 0 {
			t.Errorf("%d goroutines", n)
		}
	})
}

// A child that does not stop in time is killed, and the others get their own
// time.
func TestChildThatDoesNotStop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := mabeamtest.Start(t, mabeam.Options{})
		hold := make(chan struct{})
		defer close(hold)
		v := startSupervisor(t, s, Spec{Children: []Child{
			plainChild("a", Permanent), stubborn("b", 0, hold), stubborn("c", time.Second, hold), stubborn("d", time.Hour, hold),
		}})
		asked := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := v.StopChild(ctx, "d"); !errors.Is(err, mabeam.ErrKilled) || time.Since(asked) != time.Minute {
			t.Errorf("stop child: %v after %v", err, time.Since(asked))
		}
		d := keepChronicle(t, s)
		asked = time.Now()
		if err := v.Stop(t.Context()); !errors.Is(err, mabeam.ErrKilled) || !strings.Contains(err.Error(), "2 children") {
			t.Errorf("stop: %v", err)
		}
		if took := time.Since(asked); took != 6*time.Second {
			t.Errorf("it took %v", took)
		}
		synctest.Wait()
		if got, want := d.take(), "stopping c, stopped c, stopping b, stopped b, stopping a, stopped a"; got != want {
			t.Errorf("%s, want %s", got, want)
		}
	})
}

// mabeam.System.Stop keeps its deadline whatever the children's.
func TestStopDeadlineWithSupervisors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, err := mabeam.Start(context.Background(), mabeam.Options{})
		if err != nil {
			t.Fatal(err)
		}
		hold := make(chan struct{})
		v := startSupervisor(t, s, Spec{Children: []Child{stubborn("a", time.Hour, hold), plainChild("b", Permanent)}})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		asked := time.Now()
		if err := s.Stop(ctx); !errors.Is(err, context.DeadlineExceeded) || time.Since(asked) > time.Second+time.Millisecond {
			t.Errorf("%v after %v", err, time.Since(asked))
		}
		<-v.Done()
		close(hold)
		synctest.Wait()
		if n := s.Goroutines(); n != 0 || s.Telemetry().Agents != 0 {
			t.Errorf("%d goroutines, %d agents", n, s.Telemetry().Agents)
		}
	})
}

// A system that stops while a child is being restarted waits for that, and
// restarts nothing more.
func TestStopWhileRestarting(t *testing.T) {
	for _, heeds := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			s, err := mabeam.Start(context.Background(), mabeam.Options{})
			if err != nil {
				t.Fatal(err)
			}
			began, hold := make(chan struct{}, 10), make(chan struct{})
			lives := 0
			v := startSupervisor(t, s, Spec{Strategy: OneForAll, Children: []Child{
				scriptedChild("a", Permanent, func() *scripted {
					lives++
					return &scripted{init: func(self *mabeam.Agent) error {
						if lives == 1 {
							return nil
						}
						began <- struct{}{}
						select {
						case <-hold:
						case <-self.System().Context().Done():
						}
						return nil
					}}
				}),
				plainChild("b", Permanent),
			}})
			end(t, s, v, "a", "kill")
			<-began
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			stopped := make(chan error)
			go func() { stopped <- s.Stop(ctx) }()
			synctest.Wait()
			if !heeds {
				close(hold)
			}
			if err := <-stopped; (err != nil) != heeds {
				t.Error(err)
			}
			<-v.Done()
			synctest.Wait()
			if n := s.Goroutines(); n != 0 || s.Telemetry().Agents != 0 || lives != 2 || v.Err() != nil {
				t.Errorf("%d goroutines, %d agents, %d lives, %v", n, s.Telemetry().Agents, lives, v.Err())
			}
		})
	}
}

// A supervisor whose turn to stop has not come yet restarts nothing, and does not
// take that for failures.
func TestNoRestartsDuringStop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, err := mabeam.Start(context.Background(), mabeam.Options{})
		if err != nil {
			t.Fatal(err)
		}
		hold := make(chan struct{})
		older := startSupervisor(t, s, Spec{Intensity: &Intensity{Restarts: 1}, Children: []Child{
			plainChild("a", Permanent), plainChild("c", Permanent),
		}})
		startSupervisor(t, s, Spec{Children: []Child{stubborn("b", time.Hour, hold)}})
		stopped := make(chan error)
		go func() { stopped <- s.Stop(context.Background()) }()
		synctest.Wait()
		end(t, s, nil, "a", "crash")
		end(t, s, nil, "c", "crash")
		synctest.Wait()
		if got := roll(older); got != "a0† c0†" || older.Err() != nil {
			t.Errorf("%s, %v", got, older.Err())
		}
		close(hold)
		if err := <-stopped; err != nil {
			t.Error(err)
		}
	})
}

// A child that ends while its sibling is being restarted is seen to afterwards.
func TestCrashDuringRestartOfASibling(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := mabeamtest.Start(t, mabeam.Options{})
		lives := 0
		v := startSupervisor(t, s, Spec{Strategy: OneForAll, Children: []Child{
			plainChild("a", Permanent),
			scriptedChild("b", Permanent, func() *scripted {
				lives++
				return &scripted{init: func(self *mabeam.Agent) error {
					if lives == 2 {
						_, err := self.System().Execute(context.Background(), "a", "crash", nil)
						if !errors.Is(err, errOwn) {
							t.Error(err)
						}
					}
					return nil
				}}
			}),
			plainChild("c", Permanent),
		}})
		end(t, s, v, "b", "kill")
		synctest.Wait()
		// c is begun once or twice: it may not have been when a's end was heard of.
		if got := roll(v); got != "a2 b2 c2" && got != "a2 b2 c1" {
			t.Errorf("got %s", got)
		}
	})
}

// An endedLife is a life that is over.
type endedLife struct{ string }

func (endedLife) stop(context.Context) error { return nil }

func (endedLife) kill() bool { return false }

func (endedLife) isAlive() bool { return false }

// A life that ends before its start is known to have succeeded is not forgotten because the
// end of the one before is told even later.
func TestEndOfAnEarlierLifeIsToldLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := mabeamtest.Start(t, mabeam.Options{})
		v := startSupervisor(t, s, Spec{Children: []Child{plainChild("a", Permanent)}})
		v.mu.Lock()
		c := v.children[0]
		earlier := c.life
		c.stage, c.settled = starting, make(chan struct{})
		attempt := c.attempt
		v.mu.Unlock()
		v.lifeEnded(c, endedLife{"present"}, mabeam.ErrKilled)
		earlier.kill()
		v.endStart(c, attempt, endedLife{"present"}, nil)
		synctest.Wait()
		if got := roll(v); got != "a2" {
			t.Errorf("%s", got)
		}
	})
}

// A child that crashes while its sibling waits for it holds nobody up, whoever
// runs it.
func TestCrashWhileASiblingWaits(t *testing.T) {
	for _, inline := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			s := mabeamtest.Start(t, mabeam.Options{})
			v := startSupervisor(t, s, Spec{Strategy: OneForAll, Children: []Child{
				plainChild("a", Permanent),
				scriptedChild("b", Permanent, func() *scripted {
					return &scripted{action: func(_ context.Context, self *mabeam.Agent, _ string, _ any) (any, error) {
						ctx, cancel := context.Background(), func() {}
						if !inline {
							ctx, cancel = context.WithCancel(ctx)
						}
						defer cancel()
						return self.System().Execute(ctx, "a", "crash", nil)
					}}
				}),
			}})
			began := time.Now()
			if _, err := s.Execute(t.Context(), "b", "ask", nil); !errors.Is(err, errOwn) {
				t.Error(err)
			}
			synctest.Wait()
			if got := roll(v); got != "a1 b1" || time.Since(began) != 0 {
				t.Errorf("%s after %v", got, time.Since(began))
			}
		})
	}
}

// A child that crashes as soon as it lives takes nobody else's turn.
func TestCrashLoopStarvesNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := mabeamtest.Start(t, mabeam.Options{History: -1})
		looping := scriptedChild("loop", Permanent, func() *scripted {
			return &scripted{
				init:   func(self *mabeam.Agent) error { return self.System().Tell(context.Background(), "pusher", "push", nil) },
				action: func(context.Context, *mabeam.Agent, string, any) (any, error) { panic(errOwn) },
			}
		})
		mabeamtest.StartAgent(t, s, mabeam.Spec{ID: "pusher", Behaviour: &scripted{action: func(ctx context.Context, self *mabeam.Agent, _ string, _ any) (any, error) {
			_ = self.System().Tell(ctx, "loop", "crash", nil) // it may not be there yet
			self.System().KillAgent("loop")
			return nil, nil
		}}})
		v := startSupervisor(t, s, Spec{Intensity: &Intensity{Restarts: 1 << 30}, Children: []Child{looping, plainChild("b", Permanent)}})
		for n := range 100 {
			id, err := v.StartChild(t.Context(), plainChild(fmt.Sprint("c", n), Permanent))
			if err != nil {
				t.Fatal(err)
			}
			if err := v.StopChild(t.Context(), id); err != nil {
				t.Fatal(err)
			}
			if _, err := s.Execute(t.Context(), "b", "x", nil); err != nil {
				t.Fatal(err)
			}
		}
		if err := v.StopChild(t.Context(), "loop"); err != nil {
			t.Fatal(err)
		}
	})
}

// The rate of starts is for who asks for them. A supervisor's restarts have their
// intensity.
func TestRestartsKeepToNoRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := mabeamtest.Start(t, mabeam.Options{Rates: map[guard.Operation]guard.Rate{mabeam.OperationStartAgent: {PerSecond: 1, Burst: 1}}})
		v := startSupervisor(t, s, Spec{Children: []Child{plainChild("a", Permanent)}})
		if _, err := v.StartChild(t.Context(), plainChild("b", Permanent)); !errors.Is(err, mabeam.ErrRateLimited) {
			t.Error(err)
		}
		end(t, s, v, "a", "crash")
		synctest.Wait()
		if got := roll(v); got != "a1" {
			t.Error(got)
		}
	})
}

// A callback that ends its goroutine, as FailNow does, is a start that failed.
func TestSupervisorOutlivesItsGoroutine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := mabeamtest.Start(t, mabeam.Options{})
		lives := 0
		v := startSupervisor(t, s, Spec{Children: []Child{{ID: "a", New: func() mabeam.Spec {
			if lives++; lives == 2 {
				runtime.Goexit()
			}
			return plainChild("", 0).New()
		}}}})
		end(t, s, v, "a", "crash")
		synctest.Wait()
		if got := roll(v); got != "a1" || lives != 3 {
			t.Errorf("%s in %d lives", got, lives)
		}
	})
}
