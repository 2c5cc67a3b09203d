package supervision

import (
	"context"
	"testing"
	"testing/synctest"

	mabeam "mabeam-top/internal/runtime"
	"mabeam-top/internal/runtime/faults"
	"mabeam-top/internal/runtime/mabeamtest"
)

// A tally counts its actions, and keeps the count.
type tally struct{ mabeam.Defaults }

func (tally) HandleAction(_ context.Context, self *mabeam.Agent, action string, _ any) (any, error) {
	n := mabeam.StateOf[int](self) + 1
	self.SetState(n)
	switch action {
	case "crash":
		panic(errOwn)
	case "leave":
		self.Stop()
	}
	return n, nil
}

func (tally) Snapshot(self *mabeam.Agent) (any, bool) { return self.State(), true }

// The state of a child survives all ends after which its supervisor begins another life,
// as the last callback that returned has left it. It ends with the child's place.
func TestStateOfAChild(t *testing.T) {
	child := func(id string) Child {
		return Child{ID: id, New: func() mabeam.Spec { return mabeam.Spec{Behaviour: tally{}} }}
	}
	for _, c := range []struct {
		name string
		end  func(s *mabeam.System, v *Supervisor) error
		want int // what the next action counts, after two
	}{
		{"crash", func(s *mabeam.System, _ *Supervisor) error { return s.Tell(context.Background(), "a", "crash", nil) }, 3},
		{"leave", func(s *mabeam.System, _ *Supervisor) error { return s.Tell(context.Background(), "a", "leave", nil) }, 4},
		{"kill", func(s *mabeam.System, _ *Supervisor) error { s.KillAgent("a"); return nil }, 3},
		{"RestartAgent", func(s *mabeam.System, _ *Supervisor) error { return s.RestartAgent(context.Background(), "a") }, 3},
		{"the crash of another one", func(s *mabeam.System, _ *Supervisor) error { s.KillAgent("b"); return nil }, 3},
		{"a crash of the supervisor", func(s *mabeam.System, _ *Supervisor) error { return faults.Crash(s, "agents") }, 3},
		{"StopChild and StartChild", func(_ *mabeam.System, v *Supervisor) error {
			if err := v.StopChild(context.Background(), "a"); err != nil {
				return err
			}
			_, err := v.StartChild(context.Background(), child("a"))
			return err
		}, 1},
		{"StopAgent and StartChild", func(s *mabeam.System, v *Supervisor) error {
			if err := s.StopAgent(context.Background(), "a"); err != nil {
				return err
			}
			synctest.Wait() // the child is forgotten
			_, err := v.StartChild(context.Background(), child("a"))
			return err
		}, 1},
		{"another supervisor", func(s *mabeam.System, v *Supervisor) error {
			if err := v.Stop(context.Background()); err != nil {
				return err
			}
			_, err := Start(context.Background(), s, Spec{Children: []Child{child("a")}})
			return err
		}, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := mabeamtest.Start(t, mabeam.Options{})
				v := startSupervisor(t, s, Spec{Strategy: OneForAll, Children: []Child{child("a"), child("b")}})
				for range 2 {
					if _, err := s.Execute(t.Context(), "a", "count", nil); err != nil {
						t.Fatal(err)
					}
				}
				synctest.Wait() // nothing is at work when the life ends
				if err := c.end(s, v); err != nil {
					t.Fatal(err)
				}
				synctest.Wait()
				if n, err := mabeam.Call[int](t.Context(), s, "a", "count", nil); n != c.want || err != nil {
					t.Errorf("counted %d, %v; want %d", n, err, c.want)
				}
			})
		})
	}
}

// A snapshot that makes each life crash makes the supervisor give up.
func TestSnapshotThatCannotBeUsed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := mabeamtest.Start(t, mabeam.Options{})
		v := startSupervisor(t, s, Spec{Intensity: &Intensity{Restarts: 3}, Children: []Child{{ID: "a", New: func() mabeam.Spec {
			return mabeam.Spec{Behaviour: &refusing{}, State: 0}
		}}}})
		if _, err := s.Execute(t.Context(), "a", "count", nil); err != nil {
			t.Fatal(err)
		}
		synctest.Wait() // nothing is at work when it is killed
		s.KillAgent("a")
		<-v.Done()
		if v.Err() == nil {
			t.Error("the supervisor has not given up")
		}
	})
}

// A refusing tally begins only with 0.
type refusing struct{ tally }

func (refusing) Init(_ context.Context, self *mabeam.Agent) error {
	if mabeam.StateOf[int](self) != 0 {
		return errOwn
	}
	return nil
}
