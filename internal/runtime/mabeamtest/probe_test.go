package mabeamtest_test

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

// Everything that an agent can be called with is recorded, in the order of the calls.
func TestProbeRecordsEveryCallback(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := mabeamtest.Start(t, mabeam.Options{})
		var other mabeamtest.Probe
		mabeamtest.StartAgent(t, s, mabeam.Spec{ID: "other", Behaviour: &other})
		probe := mabeamtest.Probe{Script: mabeamtest.Script{OnInit: func(_ context.Context, self *mabeam.Agent) error {
			_, err := self.Subscribe("news")
			return err
		}}}
		mabeamtest.StartAgent(t, s, mabeam.Spec{ID: "probe", Behaviour: &probe})
		for _, do := range []func() error{
			func() error { return s.Tell(t.Context(), "probe", "greet", "ada") },
			func() error { return s.Signal(mabeam.Signal{Type: "wake", Data: 1}, "probe") },
			func() error { return s.Bus().Publish(t.Context(), mabeam.Event{Type: "news", Data: 2}) },
			func() error { return probe.Agent().Ask(t.Context(), "other", "work", nil, "my question") },
			func() error { probe.Agent().Monitor("other"); s.KillAgent("other"); return nil },
			func() error { return s.StopAgent(t.Context(), "probe") },
		} {
			if err := do(); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
		}
		want := `[init action "greet" (ada) signal "wake" (1) event "news" (2) answer to "work" (<nil>, <nil>) ` +
			`signal "agent_ended" ({other agent was killed}) terminate (agent is stopping)]`
		got := probe.Rest()
		if fmt.Sprint(got) != want {
			t.Errorf("recorded\n%v\nwant\n%v", got, want)
		}
		if about := got[4].Answer.About; about != "my question" {
			t.Errorf("the answer is about %v", about)
		}
		if err := other.End(t); !errors.Is(err, mabeam.ErrKilled) {
			t.Errorf("the other ended with %v", err)
		}
		if err := probe.End(t); !errors.Is(err, mabeam.ErrStopping) {
			t.Errorf("the probe ended with %v", err)
		}
	})
}

// Next takes the oldest arrival that fits, also one of the past, and leaves the others.
func TestNextLeavesWhatDoesNotFit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := mabeamtest.Start(t, mabeam.Options{})
		var probe mabeamtest.Probe
		id := mabeamtest.StartAgent(t, s, mabeam.Spec{Behaviour: &probe})
		tell := func(action string, n int) {
			if err := s.Tell(context.Background(), id, action, n); err != nil {
				t.Error(err)
			}
		}
		tell("a", 1)
		tell("b", 2)
		tell("a", 3)
		time.AfterFunc(time.Second, func() { tell("c", 4) })
		began := time.Now()
		var got []any
		for _, name := range []string{"c", "a", "b", ""} {
			got = append(got, probe.Next(t, mabeamtest.Is(mabeam.ActionCallback, name)).Params)
		}
		if fmt.Sprint(got) != "[4 1 2 3]" || time.Since(began) != time.Second {
			t.Errorf("took %v after %v", got, time.Since(began))
		}
		if rest := probe.Rest(); fmt.Sprint(rest) != "[init]" {
			t.Errorf("left are %v", rest)
		}
	})
}

// A recorder is a testing.TB that a helper may fail.
type recorder struct {
	testing.TB
	failure string
}

func (r *recorder) Helper() {}

func (r *recorder) Errorf(format string, args ...any) { r.failure = fmt.Sprintf(format, args...) }

// failureOf returns what a helper fails its test with.
func failureOf(t *testing.T, f func(t testing.TB)) string {
	r := &failing{recorder{TB: t}}
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer func() { _ = recover() }()
		f(r)
	}()
	<-done
	return r.failure
}

// A failing test ends with a panic that failureOf recovers.
type failing struct{ recorder }

func (f *failing) Fatal(args ...any) { f.Errorf("%s", fmt.Sprint(args...)); panic(f) }

func (f *failing) Fatalf(format string, args ...any) { f.Errorf(format, args...); panic(f) }

// What does not come in time fails the test, with what came instead.
func TestWaitsThatFail(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := mabeamtest.Start(t, mabeam.Options{})
		probe := mabeamtest.Probe{Within: time.Minute}
		id := mabeamtest.StartAgent(t, s, mabeam.Spec{ID: "p", Behaviour: &probe})
		events := mabeamtest.Listen(t, s, "x*")
		if err := s.Tell(t.Context(), id, "do", 1); err != nil {
			t.Fatal(err)
		}
		for _, c := range []struct {
			do    func(t testing.TB)
			takes time.Duration
			want  string
		}{
			{
				func(t testing.TB) { probe.Next(t, mabeamtest.Is(mabeam.ActionCallback, "other")) }, time.Minute,
				`nothing that fits arrived within 1m0s; not taken yet: [init action "do" (1)]`,
			},
			{func(t testing.TB) { probe.End(t) }, time.Minute, `agent "p" did not end within 1m0s`},
			{func(t testing.TB) { new(mabeamtest.Probe).End(t) }, 0, "the probe has no agent yet"},
			{func(t testing.TB) { events.Next(t, nil) }, 5 * time.Second, "nothing that fits arrived within 5s; not taken yet: nothing"},
			{func(t testing.TB) { mabeamtest.Listen(t, s, "") }, 0, "bad pattern"},
		} {
			began := time.Now()
			if got := failureOf(t, c.do); !strings.Contains(got, c.want) || time.Since(began) != c.takes {
				t.Errorf("after %v: %s\nwant after %v: %s", time.Since(began), got, c.takes, c.want)
			}
		}
	})
}
