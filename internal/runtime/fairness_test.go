package mabeam

import (
	"context"
	"testing"
	"testing/synctest"
)

// However many signals come, the actions that wait get their turns between them.
func TestSignalsStarveNoAction(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const actions, flood = 100, 1_000_000
		s := start(t, Options{})
		done, signals := 0, 0
		again := func(self *Agent) {
			if done < actions && signals < flood {
				if err := self.Signal(Signal{Type: "again"}, self.ID()); err != nil {
					t.Error(err)
				}
			}
		}
		id := startAgent(t, s, Spec{Behaviour: &scripted{
			action: func(context.Context, *Agent, string, any) (any, error) { done++; return nil, nil },
			signal: func(self *Agent, _ Signal) { signals++; again(self) },
		}})
		if err := s.SuspendAgent(id); err != nil {
			t.Fatal(err)
		}
		for range actions {
			if err := s.Tell(t.Context(), id, "do", nil); err != nil {
				t.Fatal(err)
			}
		}
		if err := s.Signal(Signal{Type: "first"}, id); err != nil {
			t.Fatal(err)
		}
		if err := s.ResumeAgent(id); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if want := (actions + 2) * signalsAtOnce; done != actions || signals > want {
			t.Errorf("%d actions were done among %d signals, want %d among at most %d", done, signals, actions, want)
		}
	})
}

// A callback that stops its system is told that it cannot wait for that, and the system
// stops.
func TestStopOfTheSystemByACallback(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := start(t, Options{})
		told := make(chan error, 1)
		id := startAgent(t, s, Spec{Behaviour: &scripted{
			action: func(ctx context.Context, self *Agent, _ string, _ any) (any, error) {
				told <- self.System().Stop(ctx)
				return nil, nil
			},
		}})
		if err := s.Tell(t.Context(), id, "stop", nil); err != nil {
			t.Fatal(err)
		}
		mustBeDeadlock(t, <-told, id)
		<-s.Done()
		if err := s.Stop(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

// An action that ends its goroutine costs its agent its life, and not the agent that asked.
func TestGoexitOfACalleeCostsNoCaller(t *testing.T) {
	for _, explicit := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			s := start(t, Options{})
			callee := startAgent(t, s, Spec{Behaviour: &scripted{
				action: func(context.Context, *Agent, string, any) (any, error) { endGoroutine(); return nil, nil },
			}})
			caller := startAgent(t, s, Spec{Behaviour: &scripted{
				action: func(ctx context.Context, self *Agent, action string, _ any) (any, error) {
					if action == "alive?" {
						return "yes", nil
					}
					if explicit {
						ctx = context.Background()
					}
					_, err := self.Execute(ctx, callee, "end", nil)
					return nil, err
				},
			}})
			if _, err := s.Execute(context.Background(), caller, "ask", nil); err == nil {
				t.Error("no error")
			}
			answer, err := s.Execute(context.Background(), caller, "alive?", nil)
			if tel := s.Telemetry(); answer != "yes" || err != nil || tel.AgentsCrashed != 1 {
				t.Errorf("%v, %v, %d crashes", answer, err, tel.AgentsCrashed)
			}
		})
	}
}
