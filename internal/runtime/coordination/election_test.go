package coordination

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	mabeam "mabeam-top/internal/runtime"
	"mabeam-top/internal/runtime/mabeamtest"
)

// candidates are agents whose priority is their place in the list, so that the
// last one wins, unless stand says otherwise.
type candidates struct {
	ids   []string
	stand func(id string) (any, error)
}

func (c *candidates) start(t testing.TB, s *mabeam.System, id string) {
	t.Helper()
	mabeamtest.StartAgent(t, s, mabeam.Spec{ID: id, Behaviour: &mabeamtest.Script{OnAction: func(_ context.Context, self *mabeam.Agent, action string, _ any) (any, error) {
		switch action {
		case ActionStand:
			if c.stand != nil {
				return c.stand(self.ID())
			}
			return slices.Index(c.ids, self.ID()), nil
		case "panic":
			panic("as asked")
		}
		return nil, mabeam.ErrUnknownAction
	}}})
}

// electAmong starts n candidates and an election among them.
func electAmong(t testing.TB, s *mabeam.System, n int) (*candidates, *Election) {
	t.Helper()
	c := &candidates{ids: manyIDs(n)}
	for _, id := range c.ids {
		c.start(t, s, id)
	}
	e, err := StartElection(t.Context(), s, c.ids, ElectionOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return c, e
}

// An inbox collects events.
type inbox struct {
	mu     sync.Mutex
	events []mabeam.Event
}

func (b *inbox) handle(_ context.Context, e mabeam.Event) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.events = append(b.events, e)
}

// news collects what is told about leaders.
func news(t testing.TB, s *mabeam.System) *inbox {
	t.Helper()
	told := &inbox{}
	if _, err := s.Bus().SubscribePattern("coordination.*", told.handle, mabeam.SubscribeOptions{}); err != nil {
		t.Fatal(err)
	}
	return told
}

// leaders lists the news as the leaders that they tell of, "" for none. Terms
// must rise with each leader, and each piece name the leader before.
func leaders(t testing.TB, told *inbox) []string {
	t.Helper()
	told.mu.Lock()
	defer told.mu.Unlock()
	var ids []string
	var term uint64
	previous := ""
	for _, e := range told.events {
		data := e.Data.(LeaderData)
		if e.Type == EventLeaderElected {
			term++
		}
		if (e.Type == EventLeaderElected) != (data.Leader != "") || e.Source != data.Leader || data.Term != term || data.Previous != previous {
			t.Errorf("%s of %q: %+v after term %d of %q", e.Type, e.Source, data, term, previous)
		}
		previous = cmp.Or(data.Leader, previous)
		ids = append(ids, data.Leader)
	}
	return ids
}

func TestElect(t *testing.T) {
	s := mabeamtest.Start(t, mabeam.Options{})
	ids := startAnswering(t, s, []any{2, nil, 5.0, errOwn, uint(5), "6"})
	got, err := Elect(t.Context(), s, ids, nil)
	if err != nil || got.Leader != ids[2] || got.Priority != 5 {
		t.Errorf("%+v, %v", got, err)
	}
	for i, want := range []error{nil, ErrDeclined, nil, errOwn, nil, ErrBadAnswer} {
		if !errors.Is(got.Candidates[i].Err, want) {
			t.Errorf("%s: %v, want %v", ids[i], got.Candidates[i].Err, want)
		}
	}
}

// However a leader ends, another one takes over, until nobody is left; who
// comes back leads again.
func TestReelection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := mabeamtest.Start(t, mabeam.Options{})
		told := news(t, s)
		c, e := electAmong(t, s, 5)
		check := func(want string) {
			t.Helper()
			synctest.Wait()
			if got := e.Leader(); got != want {
				t.Errorf("the leader is %q, want %q", got, want)
			}
		}
		check(c.ids[4])
		s.KillAgent(c.ids[4])
		check(c.ids[3])
		if err := s.StopAgent(t.Context(), c.ids[3]); err != nil {
			t.Fatal(err)
		}
		check(c.ids[2])
		c.start(t, s, c.ids[4])
		check(c.ids[2]) // a leader that lives stays
		if _, err := s.Execute(t.Context(), c.ids[2], "panic", nil); err == nil {
			t.Fatal("no panic")
		}
		check(c.ids[4])
		s.KillAgent(c.ids[0])
		s.KillAgent(c.ids[4]) // two at once
		check(c.ids[1])
		s.KillAgent(c.ids[1])
		check("")
		time.Sleep(time.Hour)
		check("")
		if n := s.Telemetry().Subscriptions; n != 2 {
			t.Errorf("%d subscriptions while it waits for a candidate, want the test's and its own", n)
		}
		mabeamtest.StartAgent(t, s, mabeam.Spec{ID: "another", Behaviour: &mabeamtest.Script{}})
		check("")
		c.start(t, s, c.ids[1]) // as a supervisor would
		check(c.ids[1])
		if n := s.Telemetry().Subscriptions; n != 1 {
			t.Errorf("%d subscriptions while there is a leader", n)
		}
		e.Close()
		check("")
		e.Close()
		if n := len(s.Services()); n > 0 {
			t.Errorf("%d services are left after Close", n)
		}
		want := []string{c.ids[4], c.ids[3], c.ids[2], c.ids[4], c.ids[1], "", c.ids[1]}
		if got := leaders(t, told); !reflect.DeepEqual(got, want) {
			t.Errorf("told of %q, want %q", got, want)
		}
		s.KillAgent(c.ids[1])
		synctest.Wait()
		if got := leaders(t, told); len(got) != len(want) {
			t.Errorf("told of %q after it was closed", got)
		}
	})
}

// A winner that ends before it is made leader never is.
func TestWinnerEndsDuringElection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := mabeamtest.Start(t, mabeam.Options{})
		told := news(t, s)
		hold := make(chan struct{})
		c := &candidates{ids: manyIDs(4)}
		c.stand = func(id string) (any, error) {
			if id == c.ids[0] {
				<-hold // so that the others have answered long ago
			}
			return slices.Index(c.ids, id), nil
		}
		for _, id := range c.ids {
			c.start(t, s, id)
		}
		go func() {
			time.Sleep(time.Second)
			s.KillAgent(c.ids[3])
			s.KillAgent(c.ids[2])
			close(hold)
		}()
		e, err := StartElection(t.Context(), s, c.ids, ElectionOptions{})
		if err != nil {
			t.Fatal(err)
		}
		defer e.Close()
		synctest.Wait()
		if got := leaders(t, told); !reflect.DeepEqual(got, []string{c.ids[1]}) || e.Leader() != c.ids[1] {
			t.Errorf("told of %q, the leader is %q", got, e.Leader())
		}
	})
}

// A candidate that hangs holds an election up for no longer than its deadline,
// and one that is late or declines is asked again.
func TestElectionWithoutWinnerGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := mabeamtest.Start(t, mabeam.Options{})
		told := news(t, s)
		var willing atomic.Bool
		hold := make(chan struct{})
		c := &candidates{ids: manyIDs(2)}
		c.stand = func(id string) (any, error) {
			if id == c.ids[0] {
				<-hold
				return 1, nil
			}
			if !willing.Load() {
				return nil, nil
			}
			return 0, nil
		}
		c.start(t, s, c.ids[0])
		c.start(t, s, c.ids[1])
		began := time.Now()
		e, err := StartElection(t.Context(), s, c.ids, ElectionOptions{Timeout: 2 * time.Second})
		if err != nil {
			t.Fatal(err)
		}
		defer e.Close()
		if took := time.Since(began); took != 2*time.Second || e.Leader() != "" {
			t.Errorf("the first election took %v, and %q leads", took, e.Leader())
		}
		time.Sleep(10 * time.Second)
		willing.Store(true)
		// The one that is being held asked too early.
		time.Sleep(2*2*time.Second + electionPause)
		if e.Leader() != c.ids[1] {
			t.Errorf("%q leads, want the one that was not willing before", e.Leader())
		}
		close(hold)
		s.KillAgent(c.ids[1])
		synctest.Wait()
		if e.Leader() != c.ids[0] {
			t.Errorf("%q leads, want the one that was late", e.Leader())
		}
		if got := leaders(t, told); !reflect.DeepEqual(got, []string{"", c.ids[1], c.ids[0]}) {
			t.Errorf("told of %q", got)
		}
	})
}

// An election that waits for a candidate that hangs is given up when it is
// closed, also by that candidate, and when the system stops.
func TestElectionIsClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := mabeamtest.Start(t, mabeam.Options{})
		told := news(t, s)
		closed := make(chan struct{})
		hold := make(chan struct{})
		var first atomic.Bool
		first.Store(true)
		var e *Election
		c := &candidates{ids: manyIDs(2)}
		c.stand = func(id string) (any, error) {
			if id == c.ids[0] && !first.Load() {
				e.Close()
				close(closed)
				<-hold
			}
			return slices.Index(c.ids, id), nil
		}
		c.start(t, s, c.ids[0])
		c.start(t, s, c.ids[1])
		var err error
		if e, err = StartElection(t.Context(), s, c.ids, ElectionOptions{}); err != nil {
			t.Fatal(err)
		}
		first.Store(false)
		began := time.Now()
		s.KillAgent(c.ids[1])
		<-closed
		if took := time.Since(began); took != 0 {
			t.Errorf("closing took %v", took)
		}
		close(hold)
		synctest.Wait()
		if got := leaders(t, told); !reflect.DeepEqual(got, []string{c.ids[1]}) {
			t.Errorf("told of %q", got)
		}
	})
}

// Who gives up while the first election is held gets no Election, and nobody is
// told of a leader.
func TestStartElectionIsGivenUp(t *testing.T) {
	for name, c := range map[string]struct {
		end  func(ctx context.Context, s *mabeam.System) (context.Context, context.CancelFunc)
		want error
	}{
		"the deadline passes": {func(ctx context.Context, _ *mabeam.System) (context.Context, context.CancelFunc) {
			return context.WithTimeout(ctx, time.Second)
		}, mabeam.ErrTimeout},
		"it is cancelled": {func(ctx context.Context, _ *mabeam.System) (context.Context, context.CancelFunc) {
			ctx, cancel := context.WithCancel(ctx)
			time.AfterFunc(time.Second, cancel)
			return ctx, cancel
		}, context.Canceled},
		"the system stops": {func(ctx context.Context, s *mabeam.System) (context.Context, context.CancelFunc) {
			time.AfterFunc(time.Second, func() { _ = s.Stop(context.Background()) })
			return ctx, func() {}
		}, mabeam.ErrSystemStopped},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := mabeamtest.Start(t, mabeam.Options{})
				told := news(t, s)
				hold := make(chan struct{})
				team := &candidates{ids: manyIDs(2)}
				team.stand = func(id string) (any, error) {
					if id == team.ids[0] {
						<-hold
					}
					return 1, nil
				}
				team.start(t, s, team.ids[0])
				team.start(t, s, team.ids[1])
				ctx, cancel := c.end(t.Context(), s)
				defer cancel()
				began := time.Now()
				e, err := StartElection(ctx, s, team.ids, ElectionOptions{})
				if e != nil || !errors.Is(err, c.want) {
					t.Errorf("%v, %v; want %v", e, err, c.want)
				}
				if took := time.Since(began); took != time.Second {
					t.Errorf("it took %v", took)
				}
				if n := len(s.Services()); n > 0 {
					t.Errorf("%d services are left", n)
				}
				close(hold)
				synctest.Wait()
				if got := leaders(t, told); len(got) > 0 {
					t.Errorf("told of %q", got)
				}
			})
		})
	}
}

// One that does not answer holds the first election up for its Timeout only, if the
// caller has more time than that.
func TestFirstElectionHasItsOwnTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := mabeamtest.Start(t, mabeam.Options{})
		hold := make(chan struct{})
		defer close(hold)
		c := &candidates{ids: manyIDs(2)}
		c.stand = func(id string) (any, error) {
			if id == c.ids[1] {
				<-hold
			}
			return 1, nil
		}
		c.start(t, s, c.ids[0])
		c.start(t, s, c.ids[1])
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		began := time.Now()
		e, err := StartElection(ctx, s, c.ids, ElectionOptions{Timeout: time.Second})
		if err != nil {
			t.Fatal(err)
		}
		defer e.Close()
		if took := time.Since(began); took != time.Second || e.Leader() != c.ids[0] {
			t.Errorf("it took %v, and %q leads", took, e.Leader())
		}
	})
}

func TestStopEndsElections(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := mabeamtest.Start(t, mabeam.Options{})
		told := news(t, s)
		_, led := electAmong(t, s, 3)
		vacant, err := StartElection(t.Context(), s, []string{"nobody"}, ElectionOptions{})
		if err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		if err := s.Stop(t.Context()); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(began); took != 0 {
			t.Errorf("stopping took %v", took)
		}
		for _, e := range []*Election{led, vacant} {
			select {
			case <-e.done:
			default:
				t.Error("an election runs after the stop")
			}
			if id := e.Leader(); id != "" {
				t.Errorf("%q leads after the stop", id)
			}
			e.Close()
		}
		told.mu.Lock()
		defer told.mu.Unlock()
		if n := len(told.events); n != 2 {
			t.Errorf("%d pieces of news, want one for each election: a stop elects no successors", n)
		}
	})
}

// A sluggish service takes its time to stop.
type sluggish time.Duration

func (d sluggish) Stop(context.Context) error {
	time.Sleep(time.Duration(d))
	return nil
}

// An election that is under way when the system begins to stop has no winner, even if other
// services stop before and take longer than it would.
func TestStoppingSystemElectsNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := mabeamtest.Start(t, mabeam.Options{})
		told := news(t, s)
		c := &candidates{ids: manyIDs(2)}
		var slow atomic.Bool
		c.stand = func(id string) (any, error) {
			if slow.Load() {
				time.Sleep(2 * time.Second)
			}
			return slices.Index(c.ids, id), nil
		}
		c.start(t, s, c.ids[0])
		c.start(t, s, c.ids[1])
		if _, err := StartElection(t.Context(), s, c.ids, ElectionOptions{}); err != nil {
			t.Fatal(err)
		}
		if err := s.Attach(sluggish(10 * time.Second)); err != nil {
			t.Fatal(err)
		}
		slow.Store(true)
		s.KillAgent(c.ids[1])
		time.Sleep(time.Second)
		if err := s.Stop(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := leaders(t, told); !reflect.DeepEqual(got, []string{c.ids[1]}) {
			t.Errorf("told of %q", got)
		}
	})
}

// A change is what a test does to candidates before it looks who leads.
type change struct {
	starts bool // else they end
	how    int
	whom   []int
}

// Whatever happens to the candidates, when it is quiet again the leader is who
// led before, or the highest of those who live, or nobody.
func TestElectionFollowsModel(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		n := rapid.IntRange(1, 5).Draw(rt, "candidates")
		candidate := rapid.IntRange(0, n-1)
		changes := rapid.SliceOfN(rapid.OneOf(
			rapid.Map(candidate, func(id int) change { return change{starts: true, whom: []int{id}} }),
			rapid.Custom(func(rt *rapid.T) change {
				return change{
					how:  rapid.IntRange(0, 2).Draw(rt, "how"),
					whom: rapid.SliceOfNDistinct(candidate, 1, n, rapid.ID).Draw(rt, "whom"),
				}
			}),
		), 1, 20).Draw(rt, "changes")
		// What happens in the bubble may not end rapid's test.
		var fault string
		synctest.Test(t, func(t *testing.T) { fault = followElection(t, n, changes) })
		if fault != "" {
			rt.Fatal(fault)
		}
	})
}

// followElection makes the changes, and says if the leader is another one than
// it should be.
func followElection(t *testing.T, n int, changes []change) string {
	s := mabeamtest.Start(t, mabeam.Options{})
	c, e := electAmong(t, s, n)
	alive := slices.Clone(c.ids)
	leader := c.ids[n-1]
	for _, change := range changes {
		for _, who := range change.whom {
			id := c.ids[who]
			switch at := slices.Index(alive, id); {
			case change.starts && at < 0:
				c.start(t, s, id)
				alive = append(alive, id)
			case !change.starts && at >= 0:
				switch change.how {
				case 0:
					s.KillAgent(id)
				case 1:
					s.Execute(context.Background(), id, "panic", nil)
				default:
					s.StopAgent(context.Background(), id)
				}
				alive = slices.Delete(alive, at, at+1)
			}
		}
		if !slices.Contains(alive, leader) {
			leader = ""
			if len(alive) > 0 {
				leader = slices.Max(alive)
			}
		}
		synctest.Wait()
		if got := e.Leader(); got != leader {
			return fmt.Sprintf("the leader is %q, want %q of %v", got, leader, alive)
		}
	}
	return ""
}

// Candidates that crash and come back all the time, with nobody waiting for
// quiet: there is never a leader that has ended, and in the end there is one.
func TestElectionUnderChurn(t *testing.T) {
	s := mabeamtest.Start(t, mabeam.Options{})
	c, e := electAmong(t, s, 4)
	elected := make(chan string, 10_000)
	for i := range 500 {
		id := c.ids[i%len(c.ids)]
		s.KillAgent(id)
		if e.Leader() == id {
			t.Errorf("%q leads and is killed", id)
		}
		c.start(t, s, id)
	}
	if _, err := s.Bus().Subscribe(EventLeaderElected, func(_ context.Context, event mabeam.Event) { elected <- event.Source }, mabeam.SubscribeOptions{}); err != nil {
		t.Fatal(err)
	}
	for _, id := range c.ids {
		s.KillAgent(id)
	}
	c.start(t, s, c.ids[2])
	for id := range elected {
		if id == c.ids[2] && e.Leader() == id {
			break
		}
	}
	e.Close()
}
