package mabeam

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// startNamed starts agents of which each answers every action with what answer
// returns for its id.
func startNamed(t testing.TB, s *System, ids []string, answer func(id, action string, params any) (any, error)) {
	t.Helper()
	for _, id := range ids {
		startAgent(t, s, Spec{ID: id, Behaviour: &scripted{action: func(_ context.Context, self *Agent, action string, params any) (any, error) {
			return answer(self.ID(), action, params)
		}}})
	}
}

// manyIDs returns n different ids.
func manyIDs(n int) []string {
	ids := make([]string, n)
	for i := range ids {
		ids[i] = fmt.Sprintf("a%05d", i)
	}
	return ids
}

// What makes no sense, comes too late or has nobody to ask is told before
// anything is sent.
func TestRoundIsRefused(t *testing.T) {
	twice := append(manyIDs(100), "a00099")
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	late, cancel := context.WithDeadline(context.Background(), time.Unix(0, 0))
	defer cancel()
	s := start(t, Options{})
	ids := manyIDs(3)
	startNamed(t, s, ids, func(string, string, any) (any, error) { return 1, nil })
	for _, c := range []struct {
		why  string
		ctx  context.Context
		ids  []string
		want error
	}{
		{"no agents", context.Background(), nil, ErrBadCoordination},
		{"one of few twice", context.Background(), []string{"a00000", "a00001", "a00000"}, ErrBadCoordination},
		{"one of many twice", context.Background(), twice, ErrBadCoordination},
		{"a cancelled context", ended, ids, context.Canceled},
		{"a deadline in the past", late, ids, ErrTimeout},
	} {
		if _, err := s.BeginRound(c.ctx, c.ids); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", c.why, err, c.want)
		}
		if _, err := s.Gather(c.ctx, c.ids, "x", nil); !errors.Is(err, c.want) || !strings.HasPrefix(fmt.Sprint(err), "gather: ") {
			t.Errorf("%s: gather: %v, want %v", c.why, err, c.want)
		}
	}
	if tel := s.Telemetry(); tel.ActionsDone+tel.ActionsFailed+tel.CoordinationRounds != 0 {
		t.Errorf("something was done: %+v", tel)
	}
	if err := s.Stop(context.Background()); err != nil {
		t.Fatal(err)
	}
	if _, err := s.BeginRound(context.Background(), ids); !errors.Is(err, ErrSystemStopped) {
		t.Errorf("in a stopped system: %v", err)
	}
}

// A round asks as often as needed up to one deadline, is counted once, and tells without
// waiting.
func TestRound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := start(t, Options{Mailbox: 2})
		hold := make(chan struct{})
		ids := manyIDs(2)
		startNamed(t, s, ids, func(id, action string, params any) (any, error) {
			if action == "wait" && id == ids[1] {
				<-hold
			}
			return params, nil
		})
		began := time.Now()
		r, err := s.BeginRound(t.Context(), ids)
		if err != nil {
			t.Fatal(err)
		}
		if deadline, _ := r.Context().Deadline(); deadline != began.Add(CoordinationTimeout) {
			t.Errorf("the deadline is %v after the beginning", deadline.Sub(began))
		}
		if answers := r.Ask("x", 1); len(answers.Missing()) > 0 || answers[0].Value != 1 || answers[1].Agent != ids[1] {
			t.Errorf("first: %v", answers)
		}
		time.Sleep(time.Second)
		answers := r.Ask("wait", 2)
		if answers[0].Value != 2 || !errors.Is(answers[1].Err, ErrTimeout) || time.Since(began) != CoordinationTimeout {
			t.Errorf("second: %v after %v", answers, time.Since(began))
		}
		for _, c := range []struct {
			id   string
			want error
		}{{ids[0], nil}, {"nobody", ErrUnknownAgent}, {ids[1], nil}, {ids[1], ErrMailboxFull}} {
			var told *ActionError
			if err := r.Tell(c.id, "x", nil); !errors.Is(err, c.want) || c.want != nil && (!errors.As(err, &told) || told.Agent != c.id || !told.NotBegun) {
				t.Errorf("tell %s: %v, want %v", c.id, err, c.want)
			}
		}
		r.End()
		if n := s.Telemetry().CoordinationRounds; n != 1 {
			t.Errorf("%d rounds are counted", n)
		}
		close(hold)
	})
}

// Those who do not answer are named, each with its own reason, and cost the
// others nothing.
func TestGatherSaysWhy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := start(t, Options{Mailbox: 1})
		startNamed(t, s, []string{"fine", "own", "panics", "knows nothing"}, func(id, _ string, params any) (any, error) {
			switch id {
			case "own":
				return nil, errOwn
			case "panics":
				panic("in the action")
			case "knows nothing":
				return nil, ErrUnknownAction
			}
			return params, nil
		})
		behaviour, began, hold := blocker()
		for _, id := range []string{"hangs", "full", "killed"} {
			startAgent(t, s, Spec{ID: id, Behaviour: behaviour})
		}
		if err := s.Tell(t.Context(), "full", "wait", nil); err != nil {
			t.Fatal(err)
		}
		<-began
		startAgent(t, s, Spec{ID: "suspended", Behaviour: behaviour})
		if err := s.SuspendAgent("suspended"); err != nil {
			t.Fatal(err)
		}
		startAgent(t, s, Spec{ID: "killed while it waits", Behaviour: behaviour})
		if err := s.SuspendAgent("killed while it waits"); err != nil {
			t.Fatal(err)
		}
		time.AfterFunc(time.Second, func() { s.KillAgent("killed while it waits") })
		s.KillAgent("killed")

		ids := []string{"hangs", "fine", "own", "panics", "knows nothing", "full", "killed", "nobody", "suspended", "killed while it waits"}
		asked := time.Now()
		answers, err := s.Gather(t.Context(), ids, "wait", 7)
		if err != nil {
			t.Fatal(err)
		}
		if took := time.Since(asked); took != CoordinationTimeout {
			t.Errorf("without a deadline it took %v", took)
		}
		var panicked *PanicError
		for i, want := range []error{
			ErrTimeout, nil, errOwn, nil, ErrUnknownAction, ErrMailboxFull, ErrUnknownAgent, ErrUnknownAgent, ErrTimeout, ErrKilled,
		} {
			a := answers[i]
			if a.Agent != ids[i] {
				t.Errorf("answer %d is of %q, want %q", i, a.Agent, ids[i])
			}
			if ids[i] == "panics" {
				if !errors.As(a.Err, &panicked) {
					t.Errorf("panics: %v", a.Err)
				}
				continue
			}
			var told *ActionError
			refused := want == ErrMailboxFull || want == ErrUnknownAgent //nolint:errorlint // as they are
			if refused && (!errors.As(a.Err, &told) || !told.NotBegun) {
				t.Errorf("%s: %+v is not told as not begun", ids[i], a.Err)
			}
			if !errors.Is(a.Err, want) || want != nil && (!errors.As(a.Err, &told) || told.Agent != ids[i] || told.Action != "wait") {
				t.Errorf("%s: %v, want %v", ids[i], a.Err, want)
			}
			if want == nil && a.Value != 7 {
				t.Errorf("%s answered %v", ids[i], a.Value)
			}
		}
		if n := len(answers.Missing()); n != len(ids)-1 {
			t.Errorf("%d are missing, want all but one", n)
		}

		// The late answer is for nobody, not for the next who asks.
		close(hold)
		synctest.Wait()
		for range 3 {
			answers, err := s.Gather(t.Context(), []string{"hangs", "full"}, "next", nil)
			if err != nil || len(answers.Missing()) > 0 || answers[0].Value != "next" {
				t.Errorf("the next time: %v, %v", answers, err)
			}
		}
		if n := s.Telemetry().CoordinationRounds; n != 4 {
			t.Errorf("%d rounds, want 4", n)
		}
	})
}

// The caller's deadline counts, and what was answered before it is kept,
// however long others hang.
func TestGatherDeadline(t *testing.T) {
	for _, c := range []struct {
		end  func(context.Context) (context.Context, context.CancelFunc)
		want error
	}{
		{func(ctx context.Context) (context.Context, context.CancelFunc) {
			return context.WithTimeout(ctx, time.Minute)
		}, ErrTimeout},
		{func(ctx context.Context) (context.Context, context.CancelFunc) {
			ctx, cancel := context.WithCancel(ctx)
			time.AfterFunc(time.Second, cancel)
			return ctx, cancel
		}, context.Canceled},
	} {
		synctest.Test(t, func(t *testing.T) {
			s := start(t, Options{})
			hold := make(chan struct{})
			defer close(hold)
			ids := manyIDs(50)
			startNamed(t, s, ids, func(id, _ string, _ any) (any, error) {
				if id == ids[0] || id == ids[49] {
					<-hold
				}
				return id, nil
			})
			ctx, cancel := c.end(t.Context())
			defer cancel()
			answers, err := s.Gather(ctx, ids, "x", nil)
			if err != nil || ctx.Err() == nil {
				t.Fatalf("it was given up early: %v", err)
			}
			missing := answers.Missing()
			if len(missing) != 2 || missing[0].Agent != ids[0] || missing[1].Agent != ids[49] || !errors.Is(missing[0].Err, c.want) {
				t.Errorf("missing: %v", missing)
			}
		})
	}
}

// A system that is stopped while it waits answers for its agents.
func TestGatherDuringStop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := start(t, Options{})
		behaviour, began, hold := blocker()
		startAgent(t, s, Spec{ID: "a", Behaviour: behaviour})
		startAgent(t, s, Spec{ID: "b", Behaviour: behaviour})
		got := make(chan Answers)
		go func() {
			answers, err := s.Gather(t.Context(), []string{"a", "b"}, "wait", nil)
			if err != nil {
				t.Error(err)
			}
			got <- answers
		}()
		<-began
		<-began
		time.AfterFunc(time.Second, func() { close(hold) })
		if err := s.Stop(t.Context()); err != nil {
			t.Fatal(err)
		}
		if missing := (<-got).Missing(); len(missing) > 0 {
			t.Errorf("work that was accepted is not finished: %v", missing)
		}
	})
}

// Many coordinations at once, with agents that end and callers that leave,
// never mix up who said what.
func TestGathersAtOnce(t *testing.T) {
	s := start(t, Options{Mailbox: 64})
	ids := manyIDs(40)
	behaviour := &scripted{action: func(_ context.Context, self *Agent, action string, _ any) (any, error) {
		if action == "panic" {
			panic("as asked")
		}
		return self.ID() + action, nil
	}}
	for _, id := range ids {
		startAgent(t, s, Spec{ID: id, Behaviour: behaviour})
	}
	var callers sync.WaitGroup
	for n := range 8 {
		callers.Go(func() {
			random := rand.New(rand.NewPCG(1, uint64(n)))
			for i := range 200 {
				ctx, cancel := context.WithTimeout(context.Background(), time.Duration(random.IntN(200))*time.Microsecond)
				if i%2 == 0 {
					ctx = context.Background()
				}
				action := fmt.Sprintf("%d/%d", n, i)
				if i%50 == 49 {
					victim := ids[random.IntN(len(ids))]
					s.Execute(context.Background(), victim, "panic", nil)
					s.StartAgent(context.Background(), Spec{ID: victim, Behaviour: behaviour})
				}
				some := slices.Clone(ids)
				random.Shuffle(len(some), func(i, j int) { some[i], some[j] = some[j], some[i] })
				answers, err := s.Gather(ctx, some, action, nil)
				cancel()
				if err != nil && !errors.Is(err, ErrTimeout) {
					t.Error(err)
				}
				for j, a := range answers {
					if a.Agent != some[j] || a.Err == nil && a.Value != a.Agent+action {
						t.Errorf("%q said %v to %s", a.Agent, a.Value, action)
					}
				}
			}
		})
	}
	callers.Wait()
}

func TestGatherFromTenThousand(t *testing.T) {
	s := start(t, Options{})
	ids := manyIDs(10_000)
	startNamed(t, s, ids, func(id, _ string, _ any) (any, error) { return id, nil })
	answers, err := s.Gather(t.Context(), ids, "x", nil)
	if err != nil || len(answers) != len(ids) {
		t.Fatalf("%d answers, %v", len(answers), err)
	}
	for i, a := range answers {
		if a.Err != nil || a.Value != ids[i] {
			t.Fatalf("%q: %v, %v", ids[i], a.Value, a.Err)
		}
	}
}
