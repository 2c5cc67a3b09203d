package mabeam

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"mabeam-top/internal/runtime/internal/scheduler"
)

// A stepper is a scheduler that runs nothing by itself: a test decides who runs next.
type stepper struct{ waiting []scheduler.Runnable }

func (s *stepper) Schedule(r scheduler.Runnable) { s.waiting = append(s.waiting, r) }

func (s *stepper) Goroutines() int { return 0 }

func (s *stepper) Wait(context.Context) error {
	for len(s.waiting) > 0 {
		s.step(0)
	}
	return nil
}

func (s *stepper) Stop(ctx context.Context) error { return s.Wait(ctx) }

// step runs one of those that wait, once.
func (s *stepper) step(i int) {
	r := s.waiting[i]
	s.waiting = slices.Delete(s.waiting, i, i+1)
	if r.Run() {
		s.waiting = append(s.waiting, r)
	}
}

// A deed is what somebody does to an agent, from outside or in one of its own callbacks.
type deed struct {
	do       string
	number   int
	priority Priority // of a signal
	inside   []deed   // what is done in the callback that it leads to
}

func drawDeeds(depth, least, most int) *rapid.Generator[[]deed] {
	one := rapid.Custom(func(t *rapid.T) deed {
		d := deed{do: rapid.SampledFrom([]string{"tell", "tell", "tell", "signal", "suspend", "resume", "stop", "kill"}).Draw(t, "do")}
		if d.do == "signal" {
			d.priority = Priority(rapid.IntRange(-1, 1).Draw(t, "priority"))
		}
		if depth > 0 && (d.do == "tell" || d.do == "signal") {
			d.inside = drawDeeds(depth-1, 0, 4).Draw(t, "inside")
		}
		return d
	})
	return rapid.SliceOfN(one, least, most)
}

// number gives deeds their numbers, from one on, and returns the next.
func number(deeds []deed, next int) int {
	for i := range deeds {
		deeds[i].number = next
		next = number(deeds[i].inside, next+1)
	}
	return next
}

func (d deed) String() string { return fmt.Sprint(d.do, d.number) }

// A plainLife is what one agent's life has to be, in the plainest of words: a list of what
// waits, and what it has done.
type plainLife struct {
	messages  []deed
	signals   [3][]deed
	suspended bool // or to be, as soon as it has finished what it is at
	stopping  bool
	over      bool
	log       []string
	errs      []string
}

// do is a deed; it notes what the one who did it was told.
func (l *plainLife) do(d deed) {
	err := ""
	switch {
	case l.over && d.do != "stop" && d.do != "kill":
		err = "unknown"
	case d.do == "kill":
		l.over, l.messages, l.signals = true, nil, [3][]deed{}
	case l.over:
	case d.do == "stop":
		if !l.stopping {
			l.messages = append(l.messages, deed{do: "terminate"}) // the last one
		}
		l.stopping, l.suspended = true, false
	case l.stopping:
		err = "stopping"
	case d.do == "tell":
		l.messages = append(l.messages, d)
	case d.do == "signal":
		l.signals[d.priority-Low] = append(l.signals[d.priority-Low], d)
	case d.do == "suspend" && !l.suspended:
		l.suspended = true
	case d.do == "resume" && l.suspended:
		l.suspended = false
	default:
		err = "transition"
	}
	l.errs = append(l.errs, err)
}

// mayGoOn says whether it may begin one more thing.
func (l *plainLife) mayGoOn() bool { return !l.over && !l.suspended }

func (l *plainLife) handle(d deed) {
	l.log = append(l.log, d.String())
	for _, inner := range d.inside {
		l.do(inner)
	}
}

func (l *plainLife) handleSignals() {
	for l.mayGoOn() {
		of := slices.IndexFunc([]int{2, 1, 0}, func(i int) bool { return len(l.signals[i]) > 0 })
		if of < 0 {
			return
		}
		queue := &l.signals[2-of]
		d := (*queue)[0]
		*queue = (*queue)[1:]
		l.handle(d)
	}
}

// turn is one turn of the scheduler: the messages that wait at its beginning, and the
// signals that come before each.
func (l *plainLife) turn() {
	l.handleSignals()
	for n := len(l.messages); n > 0; n-- {
		l.handleSignals()
		if !l.mayGoOn() || len(l.messages) == 0 {
			return
		}
		d := l.messages[0]
		l.messages = l.messages[1:]
		l.over = d.do == "terminate"
		l.handle(d)
	}
}

// Whatever is done to an agent, from outside or by itself, in whatever order: it does what a
// plain list would do, in its order, and everybody is told what became of it.
func TestLifeIsLikeAPlainOne(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		turns := &stepper{}
		s, err := Start(context.Background(), Options{History: -1, newScheduler: func() scheduler.Scheduler { return turns }})
		if err != nil {
			t.Fatal(err)
		}
		var want plainLife
		var log, errs []string
		var apply func(d deed)
		handle := func(d deed) {
			log = append(log, d.String())
			for _, inner := range d.inside {
				apply(inner)
			}
		}
		apply = func(d deed) {
			var err error
			switch d.do {
			case "tell":
				err = s.Tell(context.Background(), "a", "x", d)
			case "signal":
				err = s.Signal(Signal{Priority: d.priority, Data: d}, "a")
			case "suspend":
				err = s.SuspendAgent("a")
			case "resume":
				err = s.ResumeAgent("a")
			case "stop":
				if a := s.agents.Get("a"); a != nil {
					a.Stop()
				}
			case "kill":
				s.KillAgent("a")
			}
			errs = append(errs, kindOf(err))
		}
		if _, err := s.StartAgent(context.Background(), Spec{ID: "a", Behaviour: &scripted{
			action: func(_ context.Context, _ *Agent, _ string, params any) (any, error) {
				handle(params.(deed))
				return nil, nil
			},
			signal:    func(_ *Agent, signal Signal) { handle(signal.Data.(deed)) },
			terminate: func(*Agent) { log = append(log, deed{do: "terminate"}.String()) },
		}}); err != nil {
			t.Fatal(err)
		}
		check := func(when string) {
			if !slices.Equal(log, want.log) || !slices.Equal(errs, want.errs) {
				t.Fatalf("%s:\ndone %v\nwant %v\ntold %q\nwant %q", when, log, want.log, errs, want.errs)
			}
		}
		deeds := drawDeeds(2, 6, 20).Draw(t, "deeds")
		number(deeds, 1)
		for i, d := range deeds {
			apply(d)
			want.do(d)
			check(fmt.Sprint("after deed ", i))
			if rapid.Bool().Draw(t, "turn") && len(turns.waiting) > 0 {
				turns.step(0)
				want.turn()
				check(fmt.Sprint("after the turn behind deed ", i))
			}
		}
		apply(deed{do: "stop"})
		want.do(deed{do: "stop"})
		for len(turns.waiting) > 0 {
			turns.step(0)
			want.turn()
			check("at the end")
		}
		if err := s.Stop(context.Background()); err != nil {
			t.Error(err)
		}
		if err := leftovers(s); err != nil {
			t.Error(err)
		}
	})
}

// kindOf names an error of an agent's life.
func kindOf(err error) string {
	var transition *TransitionError
	switch {
	case err == nil:
		return ""
	case errors.Is(err, ErrUnknownAgent):
		return "unknown"
	case errors.Is(err, ErrStopping), errors.As(err, &transition) && transition.From == Terminating:
		return "stopping"
	case transition != nil:
		return "transition"
	}
	return err.Error()
}
