package supervision

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	mabeam "mabeam-top/internal/runtime"
	"mabeam-top/internal/runtime/faults"
	"mabeam-top/internal/runtime/mabeamtest"
)

func crash(t testing.TB, s *mabeam.System) {
	t.Helper()
	if err := faults.Crash(s, "agents"); err != nil {
		t.Fatal(err)
	}
}

// The next life of a child begins when the Terminate of the one that crashed is done, or
// when its time is up.
func TestNextLifeWaitsForTerminate(t *testing.T) {
	for _, c := range []struct{ takes, want time.Duration }{{time.Second, time.Second}, {time.Hour, 3 * time.Second}} {
		t.Run(fmt.Sprint(c.takes), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := mabeamtest.Start(t, mabeam.Options{WaitTimeout: 3 * time.Second})
				var began atomic.Value
				var lives atomic.Int32
				_, err := Start(t.Context(), s, Spec{Children: []Child{{ID: "a", New: func() mabeam.Spec {
					return mabeam.Spec{Behaviour: &scripted{
						init:   func(*mabeam.Agent) error { lives.Add(1); began.Store(time.Now()); return nil },
						action: func(context.Context, *mabeam.Agent, string, any) (any, error) { panic("on purpose") },
						terminate: func(*mabeam.Agent) {
							if lives.Load() == 1 {
								time.Sleep(c.takes)
							}
						},
					}}
				}}}})
				if err != nil {
					t.Fatal(err)
				}
				crashed := time.Now()
				_, err = s.Execute(t.Context(), "a", "crash", nil)
				if waited := time.Since(crashed); waited != 0 {
					t.Errorf("the caller waited %v", waited)
				}
				if err == nil {
					t.Error("no panic")
				}
				time.Sleep(10 * time.Second)
				synctest.Wait()
				if after := began.Load().(time.Time).Sub(crashed); lives.Load() != 2 || after != c.want {
					t.Errorf("life %d began %v after the crash, want %v", lives.Load(), after, c.want)
				}
				if n := s.Telemetry().HandlersAbandoned; (n == 1) != (c.takes > c.want) {
					t.Errorf("%d handlers abandoned", n)
				}
				time.Sleep(c.takes)
				synctest.Wait()
				if n := s.Telemetry().HandlersAbandoned; n != 0 {
					t.Errorf("%d handlers abandoned at the end", n)
				}
			})
		})
	}
}

// Places are given back by children that are not to live again.
func TestPlacesOfChildrenThatEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := mabeamtest.Start(t, mabeam.Options{MaxAgents: 3})
		child := func(id string, r RestartPolicy) Child {
			return Child{ID: id, Restart: r, New: func() mabeam.Spec { return mabeam.Spec{Behaviour: plain{}} }}
		}
		v, err := Start(t.Context(), s, Spec{Children: []Child{
			child("transient", Transient), child("temporary", Temporary), child("permanent", Permanent),
		}})
		if err != nil {
			t.Fatal(err)
		}
		for _, id := range []string{"transient", "temporary"} {
			life, err := s.Ref(id)
			if err == nil {
				err = life.Stop(t.Context())
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		if err := s.StopAgent(t.Context(), "permanent"); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		for range 3 {
			mabeamtest.StartAgent(t, s, mabeam.Spec{Behaviour: plain{}})
		}
		if err := v.Stop(t.Context()); err != nil {
			t.Error(err)
		}
		if _, err := s.StartAgent(t.Context(), mabeam.Spec{Behaviour: plain{}}); !errors.Is(err, mabeam.ErrLimitReached) {
			t.Errorf("a fourth agent: %v", err)
		}
	})
}

// Restarts do not count against the supervisor's intensity, and it knows of
// none.
func TestRestartAgentIsNoFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := mabeamtest.Start(t, mabeam.Options{})
		v := startSupervisor(t, s, Spec{Intensity: &Intensity{Restarts: 1}, Strategy: OneForAll, Children: []Child{
			plainChild("a", Permanent), plainChild("b", Permanent),
		}})
		for range 5 {
			if err := s.RestartAgent(t.Context(), "a"); err != nil {
				t.Error(err)
			}
		}
		end(t, s, v, "a", "crash")
		synctest.Wait()
		if got := roll(v); got != "a1 b1" || v.Err() != nil {
			t.Errorf("%s, %v", got, v.Err())
		}
	})
}

// A supervisor that crashes takes its children along, the newest first, and
// begins anew with all but the temporary ones, whatever its strategy. It may
// restart them as often as if it had never done so.
func TestCrashOfSupervisors(t *testing.T) {
	for _, strategy := range []Strategy{OneForOne, OneForAll, RestForOne} {
		t.Run(strategy.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := mabeamtest.Start(t, mabeam.Options{})
				free := mabeamtest.StartAgent(t, s, mabeam.Spec{Behaviour: &scripted{}})
				v := startSupervisor(t, s, Spec{ID: "v", Strategy: strategy, Intensity: &Intensity{Restarts: 1}, Children: []Child{
					plainChild("a", Permanent), plainChild("b", Transient), plainChild("c", Temporary), plainChild("d", Permanent),
				}})
				told := keepChronicle(t, s)
				crash(t, s)
				synctest.Wait()
				want := "stopped d, stopped c, stopped b, stopped a, started a, restarted a, started b, restarted b, started d, restarted d, restarted v"
				if got := told.take(); got != want {
					t.Errorf("told\n%s\nwant\n%s", got, want)
				}
				end(t, s, v, "d", "crash") // as often as it may
				synctest.Wait()
				for range 3 {
					crash(t, s)
					synctest.Wait()
				}
				end(t, s, v, "d", "crash")
				synctest.Wait()
				if got := roll(v); v.Err() != nil || !strings.HasSuffix(got, "d6") || strings.Contains(got, "†") {
					t.Errorf("children %s, error %v", got, v.Err())
				}
				if _, err := s.Ref(free); err != nil {
					t.Errorf("an agent without a supervisor: %v", err)
				}
				if n := s.Telemetry().ComponentsRestarted; n != 4 {
					t.Errorf("%d restarts counted", n)
				}
			})
		})
	}
}

// A child that does not start again is tried again; the others live.
func TestCrashOfASupervisorWhoseChildFails(t *testing.T) {
	for _, way := range []string{"error", "goroutine ends"} {
		t.Run(way, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := mabeamtest.Start(t, mabeam.Options{})
				starts := 0
				moody := scriptedChild("moody", Permanent, func() *scripted {
					return &scripted{init: func(*mabeam.Agent) error {
						if starts++; starts == 2 {
							if way != "error" {
								runtime.Goexit()
							}
							return errOwn
						}
						return nil
					}}
				})
				v := startSupervisor(t, s, Spec{Children: []Child{moody, plainChild("b", Permanent)}})
				crash(t, s)
				synctest.Wait()
				if got := roll(v); got != "moody1 b1" {
					t.Errorf("children %s", got)
				}
			})
		})
	}
}

// A child that did not live when its supervisor crashed stops in good order later on, as all
// others do.
func TestStopAfterACrashOfTheSupervisor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := mabeamtest.Start(t, mabeam.Options{})
		v := startSupervisor(t, s, Spec{Children: []Child{plainChild("a", Transient)}})
		end(t, s, v, "a", "leave")
		synctest.Wait()
		crash(t, s)
		synctest.Wait()
		told := keepChronicle(t, s)
		end(t, s, v, "a", "StopChild")
		synctest.Wait()
		if got, want := told.take(), "stopping a, stopped a"; got != want {
			t.Errorf("told %s, want %s", got, want)
		}
	})
}
