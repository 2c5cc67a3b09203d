package mabeam

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
)

// Everything about the agent is the same after a restart but that it has
// terminated and begun anew, between the work accepted before and after.
func TestRestartAgent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := start(t, Options{})
		var did []string
		began, hold := make(chan struct{}), make(chan struct{})
		id := startAgent(t, s, Spec{
			Type: "kind", Capabilities: []string{"skill"}, Metadata: map[string]any{"k": 1}, State: 0,
			Behaviour: &scripted{
				init: func(self *Agent) error {
					did = append(did, fmt.Sprint("init ", self.State()))
					self.SetState(-1)
					_, err := self.Subscribe("x")
					return err
				},
				action: func(_ context.Context, self *Agent, action string, _ any) (any, error) {
					did = append(did, action)
					switch action {
					case "wait":
						close(began)
						<-hold
					case "set":
						self.SetState(7)
					}
					return self.State(), nil
				},
				event:     func(_ *Agent, e Event) { did = append(did, fmt.Sprint("event ", e.Data)) },
				terminate: func(*Agent) { did = append(did, "terminate") },
			},
		})
		d := keepChronicle(t, s)
		for _, action := range []string{"wait", "set"} {
			if err := s.Tell(t.Context(), id, action, nil); err != nil {
				t.Fatal(err)
			}
		}
		<-began
		publishAll(t, s, "x", []int{1})
		restarted := make(chan error)
		go func() { restarted <- s.RestartAgent(context.Background(), id) }()
		synctest.Wait()
		if err := s.Tell(t.Context(), id, "later", nil); err != nil {
			t.Fatal(err)
		}
		close(hold)
		if err := <-restarted; err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		publishAll(t, s, "x", []int{2})
		synctest.Wait()
		if want := []string{"init 0", "wait", "set", "event 1", "terminate", "init 7", "later", "event 2"}; !slices.Equal(did, want) {
			t.Errorf("did %q, want %q", did, want)
		}
		info, err := s.Agent(id)
		if err != nil || info.Type != "kind" || info.Capabilities[0] != "skill" || info.Metadata["k"] != 1 ||
			info.State != 7 || info.Version != 2 || !slices.Equal(info.Subscriptions, []string{"x"}) || info.Lifecycle != Ready {
			t.Errorf("%+v, %v", info, err)
		}
		if got := d.take(); got != "restarted "+id {
			t.Errorf("told %s", got)
		}
		if tel := s.Telemetry(); tel.AgentsRestarted != 1 || tel.AgentsStarted != 1 || tel.Subscriptions != 2 {
			t.Errorf("%+v", tel)
		}
	})
}

// An agent that does not begin anew has crashed, and its supervisor decides.
func TestRestartAgentThatFails(t *testing.T) {
	for _, fault := range []string{"init fails", "init panics", "terminate panics", "terminate exits", "event panics"} {
		for _, supervised := range []bool{false, true} {
			synctest.Test(t, func(t *testing.T) {
				s := start(t, Options{})
				hold := make(chan struct{})
				lives := 0
				spec := func() Spec {
					lives++
					now := ""
					if lives == 1 {
						now = fault
					}
					inits := 0
					return Spec{Behaviour: &scripted{
						init: func(self *Agent) error {
							if inits++; inits == 2 {
								switch now {
								case "init fails":
									return errOwn
								case "init panics":
									panic(errOwn)
								}
							}
							_, err := self.Subscribe("x")
							return err
						},
						action: func(context.Context, *Agent, string, any) (any, error) {
							<-hold
							return nil, nil
						},
						terminate: func(*Agent) {
							switch now {
							case "terminate panics":
								panic(errOwn)
							case "terminate exits": // as FailNow does
								runtime.Goexit()
							}
						},
						event: func(*Agent, Event) {
							if now == "event panics" {
								panic(errOwn)
							}
						},
					}}
				}
				var again *reviver
				if supervised {
					again = revive(t, s, "a", spec)
				} else {
					one := spec()
					one.ID = "a"
					startAgent(t, s, one)
				}
				want := errOwn
				if err := s.Tell(t.Context(), "a", "wait", nil); err != nil {
					t.Fatal(err)
				}
				restarted := make(chan error)
				go func() { restarted <- s.RestartAgent(context.Background(), "a") }()
				synctest.Wait()
				if fault == "event panics" { // which was published before, and so belongs to the work before
					publishAll(t, s, "x", []int{1})
					want = ErrCrashed
				}
				close(hold)
				if err := <-restarted; !errors.Is(err, want) && fault != "terminate exits" || err == nil {
					t.Errorf("%s: %v", fault, err)
				}
				synctest.Wait()
				tel := s.Telemetry()
				if supervised && again.begun.Load() != 1 || !supervised && (tel.Agents != 0 || tel.Subscriptions != 0) || tel.AgentsCrashed != 1 {
					t.Errorf("%s, supervised %v: %+v", fault, supervised, tel)
				}
			})
		}
	}
}

func TestRestartAgentSaysWhy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := start(t, Options{})
		if err := s.RestartAgent(t.Context(), "nobody"); !errors.Is(err, ErrUnknownAgent) {
			t.Error(err)
		}
		behaviour, began, hold := blocker()
		startAgent(t, s, Spec{ID: "a", Behaviour: behaviour})
		if err := s.SuspendAgent("a"); err != nil {
			t.Fatal(err)
		}
		var refused *TransitionError
		if err := s.RestartAgent(t.Context(), "a"); !errors.As(err, &refused) || refused.From != Suspended {
			t.Error(err)
		}
		if err := s.ResumeAgent("a"); err != nil {
			t.Fatal(err)
		}
		if err := s.Tell(t.Context(), "a", "wait", nil); err != nil {
			t.Fatal(err)
		}
		<-began
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := s.RestartAgent(ctx, "a"); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		restarted := make(chan error)
		go func() { restarted <- s.RestartAgent(context.Background(), "a") }()
		synctest.Wait()
		s.KillAgent("a")
		close(hold)
		if err := <-restarted; !errors.Is(err, ErrKilled) {
			t.Error(err)
		}
		if n := s.Telemetry().AgentsRestarted; n != 0 {
			t.Errorf("%d restarts", n)
		}
	})
}

// Nobody who calls an agent that is restarted over and over finds it away, and
// no call is lost.
func TestCallsDuringRestarts(t *testing.T) {
	s := start(t, Options{})
	var done atomic.Int64
	id := startAgent(t, s, Spec{Behaviour: &scripted{
		init: func(self *Agent) error { _, err := self.Subscribe("x"); return err },
		action: func(context.Context, *Agent, string, any) (any, error) {
			done.Add(1)
			return nil, nil
		},
	}})
	const callers, calls = 4, 200
	var wg sync.WaitGroup
	for from := range callers {
		wg.Go(func() {
			for n := range calls {
				var err error
				switch (from + n) % 3 {
				case 0:
					_, err = s.Execute(context.Background(), id, "do", nil)
				case 1:
					_, err = s.Execute(t.Context(), id, "do", nil)
				default:
					err = s.Tell(t.Context(), id, "do", nil)
				}
				if err != nil {
					t.Error(err)
				}
				if n%10 == 0 {
					if err := s.RestartAgent(t.Context(), id); err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
	wg.Wait()
	if err := s.StopAgent(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	if tel := s.Telemetry(); done.Load() != callers*calls || tel.AgentsRestarted != callers*calls/10 || tel.Subscriptions != 0 {
		t.Errorf("%d actions, %+v", done.Load(), tel)
	}
}
