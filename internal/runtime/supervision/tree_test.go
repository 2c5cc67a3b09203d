package supervision

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	mabeam "mabeam-top/internal/runtime"
	"mabeam-top/internal/runtime/mabeamtest"
)

// below is a supervisor as a child.
func below(spec Spec) Child { return Child{Supervisor: &spec} }

// A supervisor that gives up is a child that has ended: the one above restarts it, with all
// that is below it, until that is too much for it too.
func TestEscalation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := mabeamtest.Start(t, mabeam.Options{})
		v := startSupervisor(t, s, Spec{ID: "top", Intensity: &Intensity{Restarts: 1}, Children: []Child{
			plainChild("other", Permanent),
			below(Spec{ID: "middle", Intensity: &Intensity{Restarts: 1}, Children: []Child{
				plainChild("a", Permanent), plainChild("b", Permanent),
			}}),
		}})
		told := keepChronicle(t, s)
		crashA := func() {
			t.Helper()
			end(t, s, v, "a", "crash")
			synctest.Wait()
		}
		crashA()
		if got, want := told.take(), "crashed a, started a, restarted a"; got != want {
			t.Errorf("the first crash: %s, want %s", got, want)
		}
		crashA()
		want := "crashed a, stopping b, stopped b, gave_up middle, started a, started b"
		if got := told.take(); got != want {
			t.Errorf("the second crash:\n%s, want\n%s", got, want)
		}
		if got := roll(v); got != "other0 middle1" {
			t.Errorf("then %s", got)
		}
		crashA()
		told.take()
		crashA()
		want = "crashed a, stopping b, stopped b, gave_up middle, stopping other, stopped other, gave_up top"
		if got := told.take(); got != want {
			t.Errorf("the fourth crash:\n%s, want\n%s", got, want)
		}
		<-v.Done()
		if !errors.Is(v.Err(), ErrGaveUp) || !errors.Is(s.Err(), ErrGaveUp) {
			t.Errorf("the top gave up with %v, the system says %v", v.Err(), s.Err())
		}
		if n := s.Telemetry().Agents; n != 0 {
			t.Errorf("%d agents", n)
		}
		startSupervisor(t, s, Spec{ID: "top", Children: []Child{below(Spec{ID: "middle", Children: []Child{plainChild("a", Permanent)}})}})
	})
}

// What a root's giving up means for the system is its options' business.
func TestRootFailure(t *testing.T) {
	for _, on := range []mabeam.RootFailure{mabeam.Stay, mabeam.StopSystem} {
		synctest.Test(t, func(t *testing.T) {
			s := mabeamtest.Start(t, mabeam.Options{OnRootFailure: on})
			mabeamtest.StartAgent(t, s, mabeam.Spec{ID: "free", Behaviour: plain{}})
			v := startSupervisor(t, s, Spec{Intensity: &Intensity{}, Children: []Child{plainChild("a", Permanent)}})
			end(t, s, v, "a", "kill")
			synctest.Wait()
			stopped := false
			select {
			case <-s.Done():
				stopped = true
			default:
			}
			if stopped != (on == mabeam.StopSystem) || !errors.Is(s.Err(), ErrGaveUp) {
				t.Errorf("%v: stopped %v, %v", on, stopped, s.Err())
			}
			if _, err := s.Ref("free"); (err != nil) != stopped {
				t.Errorf("%v: the other agent: %v", on, err)
			}
		})
	}
}

// No restarts at all is a value, and unset is another.
func TestNoRestarts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := mabeamtest.Start(t, mabeam.Options{})
		never := startSupervisor(t, s, Spec{Intensity: &Intensity{}, Children: []Child{plainChild("a", Permanent)}})
		unset := startSupervisor(t, s, Spec{Children: []Child{plainChild("b", Permanent)}})
		end(t, s, never, "a", "crash")
		end(t, s, unset, "b", "crash")
		synctest.Wait()
		if got := roll(unset); !errors.Is(never.Err(), ErrGaveUp) || got != "b1" {
			t.Errorf("%v; %s", never.Err(), got)
		}
	})
}

// A child in a crash loop is restarted after pauses that become longer up to a limit, and
// short again once it has lived for longer than that.
func TestBackoff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := mabeamtest.Start(t, mabeam.Options{})
		began := time.Now()
		var lives []time.Duration
		v := startSupervisor(t, s, Spec{Backoff: Backoff{From: time.Second, To: 5 * time.Second}, Children: []Child{
			scriptedChild("a", Permanent, func() *scripted {
				return &scripted{init: func(*mabeam.Agent) error {
					lives = append(lives, time.Since(began))
					if n := len(lives); n > 1 && n < 5 {
						return errOwn
					}
					return nil
				}}
			}),
		}})
		end(t, s, v, "a", "kill")
		time.Sleep(time.Minute)
		end(t, s, v, "a", "kill")
		time.Sleep(time.Minute)
		synctest.Wait()
		want := []time.Duration{0, 1, 3, 7, 12, 61}
		for i := range want {
			want[i] *= time.Second
		}
		if fmt.Sprint(lives) != fmt.Sprint(want) {
			t.Errorf("lives began at %v, want %v", lives, want)
		}
	})
}

func TestBackoffWait(t *testing.T) {
	for _, c := range []struct {
		b      Backoff
		before int
		from   time.Duration
		to     time.Duration
	}{
		{Backoff{}, 7, 0, 0},
		{Backoff{From: time.Second}, 0, time.Second, time.Second},
		{Backoff{From: time.Second}, 9, time.Second, time.Second},
		{Backoff{From: time.Second, To: time.Hour}, 3, 8 * time.Second, 8 * time.Second},
		{Backoff{From: time.Second, To: time.Hour, Factor: 1}, 3, time.Second, time.Second},
		{Backoff{From: time.Second, To: time.Hour, Factor: 1.5}, 2, 2250 * time.Millisecond, 2250 * time.Millisecond},
		{Backoff{From: time.Second, To: time.Hour}, 1 << 20, time.Hour, time.Hour},
		{Backoff{From: 10 * time.Second, Jitter: 0.5}, 0, 5 * time.Second, 15 * time.Second},
	} {
		for range 100 {
			if d := c.b.wait(c.before); d < c.from || d > c.to {
				t.Errorf("%+v after %d: %v, want %v to %v", c.b, c.before, d, c.from, c.to)
			}
		}
	}
}

// While a child waits for its restart it can be stopped for good, by either name, and its
// supervisor too.
func TestStopDuringBackoff(t *testing.T) {
	for _, way := range []string{"StopAgent", "StopChild", "supervisor", "system"} {
		for _, strategy := range []Strategy{OneForOne, RestForOne} {
			synctest.Test(t, func(t *testing.T) {
				s := mabeamtest.Start(t, mabeam.Options{})
				v := startSupervisor(t, s, Spec{Strategy: strategy, Backoff: Backoff{From: time.Hour}, Children: []Child{
					plainChild("a", Permanent), plainChild("b", Permanent),
				}})
				end(t, s, v, "a", "kill")
				synctest.Wait()
				began := time.Now()
				want := "b0"
				switch way {
				case "supervisor":
					if err := v.Stop(t.Context()); err != nil {
						t.Error(err)
					}
					want = ""
				case "system":
					if err := s.Stop(t.Context()); err != nil {
						t.Error(err)
					}
					want = ""
				default:
					end(t, s, v, "a", way)
					synctest.Wait()
					if strategy == RestForOne {
						want = "b1" // which waited for a
					}
				}
				if got := roll(v); got != want || time.Since(began) != 0 {
					t.Errorf("%s, %v: %q after %v, want %q", way, strategy, got, time.Since(began), want)
				}
			})
		}
	}
}

// An Init that does not return is given up in its time, also one that heeds nothing, and
// the supervisor serves the others meanwhile.
func TestStartWithin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := mabeamtest.Start(t, mabeam.Options{})
		hold := make(chan struct{})
		began := time.Now()
		var lives []time.Duration
		slow := scriptedChild("slow", Permanent, func() *scripted {
			return &scripted{init: func(*mabeam.Agent) error {
				lives = append(lives, time.Since(began))
				if len(lives) == 2 {
					<-hold
				}
				return nil
			}}
		})
		slow.StartWithin = time.Second
		v := startSupervisor(t, s, Spec{Children: []Child{slow, plainChild("other", Permanent)}})
		end(t, s, v, "slow", "kill")
		time.Sleep(time.Second / 2)
		end(t, s, v, "other", "kill")
		synctest.Wait()
		if got := roll(v); got != "slow0† other1" {
			t.Errorf("while the slow one begins: %s", got)
		}
		if _, err := v.StartChild(t.Context(), plainChild("third", Permanent)); err != nil {
			t.Error(err)
		}
		if err := v.StopChild(t.Context(), "other"); err != nil {
			t.Error(err)
		}
		if took := time.Since(began); took != time.Second/2 {
			t.Errorf("that took %v", took)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if got := roll(v); got != "slow1 third0" {
			t.Errorf("then %s", got)
		}
		if want := []time.Duration{0, 0, time.Second}; fmt.Sprint(lives) != fmt.Sprint(want) {
			t.Errorf("lives began at %v, want %v", lives, want)
		}
		if list := s.AbandonedHandlers(); len(list) != 1 || list[0].AgentID != "slow" {
			t.Errorf("abandoned: %+v", list)
		}
		close(hold)
		synctest.Wait()
		if tel := s.Telemetry(); tel.HandlersAbandoned != 0 || tel.Agents != 2 {
			t.Errorf("%d abandoned, %d agents", tel.HandlersAbandoned, tel.Agents)
		}
	})
}

// The first start of a child has a time too, and the one who wants it another.
func TestFirstStartWithin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := mabeamtest.Start(t, mabeam.Options{})
		hold := make(chan struct{})
		stuck := scriptedChild("stuck", Permanent, func() *scripted {
			return &scripted{init: func(*mabeam.Agent) error { <-hold; return nil }}
		})
		v := startSupervisor(t, s, Spec{})
		bounded := stuck
		bounded.StartWithin = time.Second
		began := time.Now()
		if _, err := v.StartChild(t.Context(), bounded); !errors.Is(err, mabeam.ErrTimeout) || time.Since(began) != time.Second {
			t.Errorf("%v after %v", err, time.Since(began))
		}
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		if _, err := v.StartChild(ctx, stuck); !errors.Is(err, mabeam.ErrTimeout) || time.Since(began) != 3*time.Second {
			t.Errorf("%v after %v", err, time.Since(began))
		}
		if _, err := Start(t.Context(), s, Spec{Children: []Child{plainChild("first", Permanent), bounded}}); !errors.Is(err, mabeam.ErrTimeout) {
			t.Errorf("%v", err)
		}
		if got := roll(v); got != "" || s.Telemetry().Agents != 0 {
			t.Errorf("%q, %d agents", got, s.Telemetry().Agents)
		}
		close(hold)
		synctest.Wait()
		if _, err := v.StartChild(t.Context(), stuck); err != nil {
			t.Error(err)
		}
	})
}

// A start that was given up before its life could begin takes nothing when it goes on.
func TestStartGoesOnAfterItWasGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := mabeamtest.Start(t, mabeam.Options{MaxAgents: 1})
		v := startSupervisor(t, s, Spec{})
		hold := make(chan struct{})
		slow := Child{ID: "a", StartWithin: time.Second, New: func() mabeam.Spec {
			<-hold
			return mabeam.Spec{Behaviour: plain{}}
		}}
		if _, err := v.StartChild(t.Context(), slow); !errors.Is(err, mabeam.ErrTimeout) {
			t.Error(err)
		}
		close(hold)
		synctest.Wait()
		mabeamtest.StartAgent(t, s, mabeam.Spec{ID: "a", Behaviour: plain{}})
	})
}

// A tree is told whole: who is whose, restarts, how near to giving up.
// A tree of which not all is told tells how much is missing, and the children of one
// supervisor before what is below them.
func TestTreeInPart(t *testing.T) {
	s := mabeamtest.Start(t, mabeam.Options{})
	below := &Spec{ID: "below", Children: []Child{plainChild("c", Permanent), plainChild("d", Permanent)}}
	startSupervisor(t, s, Spec{ID: "root", Children: []Child{{Supervisor: below}, plainChild("a", Permanent), plainChild("b", Permanent)}})
	startSupervisor(t, s, Spec{ID: "other", Children: []Child{plainChild("e", Permanent)}})
	for most, want := range map[int]string{
		0: "root(below(c d) a b) other(e)",
		2: "root(below(+2) a +1) other(+1)",
		4: "root(below(c +1) a b) other(+1)",
		6: "root(below(c d) a b) other(e)",
	} {
		if got := outline(Tree(s, most)); got != want {
			t.Errorf("%d: %s, want %s", most, got, want)
		}
	}
}

func outline(nodes []Node) string {
	var all []string
	for _, n := range nodes {
		var children []string
		for _, c := range n.Children {
			if c.Below != nil {
				children = append(children, outline([]Node{*c.Below}))
			} else {
				children = append(children, c.ID)
			}
		}
		if n.Unlisted > 0 {
			children = append(children, fmt.Sprintf("+%d", n.Unlisted))
		}
		all = append(all, n.ID+"("+strings.Join(children, " ")+")")
	}
	return strings.Join(all, " ")
}

func TestTree(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := mabeamtest.Start(t, mabeam.Options{})
		if got := Tree(s, 0); len(got) != 0 {
			t.Errorf("%+v", got)
		}
		v := startSupervisor(t, s, Spec{ID: "top", Children: []Child{
			plainChild("a", Transient),
			below(Spec{ID: "middle", Strategy: OneForAll, Intensity: &Intensity{Restarts: 4, Within: time.Minute}, Children: []Child{plainChild("b", Permanent)}}),
		}})
		end(t, s, v, "b", "kill")
		end(t, s, v, "a", "leave")
		time.Sleep(30 * time.Second)
		end(t, s, v, "b", "crash")
		synctest.Wait()
		show := func() string {
			var out string
			var walk func(n Node)
			walk = func(n Node) {
				out += fmt.Sprintf("%s %v %d/%d %v(", n.ID, n.Strategy, n.Restarts, n.Allowed, n.Within)
				for _, c := range n.Children {
					out += fmt.Sprintf("%s %v %d %v %q ", c.ID, c.Restart, c.Restarts, c.Alive, c.Why)
					if c.Below != nil {
						walk(*c.Below)
					}
				}
				out += ")"
			}
			for _, n := range Tree(s, 0) {
				walk(n)
			}
			return out
		}
		want := `top one-for-one 0/10 1m0s(a transient 0 false "it stopped itself" middle permanent 0 true "" ` +
			`middle one-for-all 2/4 1m0s(b permanent 2 true "panic: on purpose" ))`
		if got := show(); got != want {
			t.Errorf("%s, want %s", got, want)
		}
		time.Sleep(31 * time.Second)
		if got := Tree(s, 0)[0].Children[1].Below.Restarts; got != 1 {
			t.Errorf("%d restarts of late", got)
		}
	})
}

// Callbacks that stop what they are part of are told at once, and it stops afterwards.
func TestStopFromWithin(t *testing.T) {
	for _, way := range []string{"StopChild", "Stop", "Stop of the one above"} {
		synctest.Test(t, func(t *testing.T) {
			s := mabeamtest.Start(t, mabeam.Options{})
			var top, v *Supervisor
			told := make(chan error, 1)
			child := scriptedChild("a", Permanent, func() *scripted {
				return &scripted{action: func(ctx context.Context, _ *mabeam.Agent, _ string, _ any) (any, error) {
					switch way {
					case "StopChild":
						told <- v.StopChild(ctx, "a")
					case "Stop":
						told <- v.Stop(ctx)
					default:
						told <- top.Stop(ctx)
					}
					return nil, nil
				}}
			})
			top = startSupervisor(t, s, Spec{Children: []Child{below(Spec{ID: "middle", Children: []Child{child}})}})
			v = top.Children()[0].Supervisor
			began := time.Now()
			if err := s.Tell(t.Context(), "a", "stop", nil); err != nil {
				t.Fatal(err)
			}
			var deadlock *mabeam.DeadlockError
			if err := <-told; !errors.As(err, &deadlock) {
				t.Errorf("%s: %v", way, err)
			}
			synctest.Wait()
			want := int64(0)
			if way == "Stop" { // the one above has started it again
				want = 1
			}
			if n := s.Telemetry().Agents; n != want || time.Since(began) != 0 {
				t.Errorf("%s: %d agents after %v", way, n, time.Since(began))
			}
		})
	}
}

// A child whose callback starts another one while all are to be restarted holds nobody up.
func TestStartChildWhileRestarting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := mabeamtest.Start(t, mabeam.Options{})
		var v *Supervisor
		hold := make(chan struct{})
		started := make(chan error, 1)
		starter := scriptedChild("a", Permanent, func() *scripted {
			return &scripted{action: func(ctx context.Context, _ *mabeam.Agent, _ string, _ any) (any, error) {
				<-hold
				_, err := v.StartChild(ctx, plainChild("new", Permanent))
				started <- err
				return nil, nil
			}}
		})
		v = startSupervisor(t, s, Spec{Strategy: OneForAll, Children: []Child{starter, plainChild("b", Permanent)}})
		if err := s.Tell(t.Context(), "a", "start", nil); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		began := time.Now()
		end(t, s, v, "b", "kill")
		synctest.Wait()
		close(hold)
		if err := <-started; err != nil {
			t.Error(err)
		}
		synctest.Wait()
		if took := time.Since(began); took != 0 {
			t.Errorf("it took %v: %s", took, roll(v))
		}
		if n := s.Telemetry().Agents; n != 3 {
			t.Errorf("%d agents: %s", n, roll(v))
		}
	})
}
