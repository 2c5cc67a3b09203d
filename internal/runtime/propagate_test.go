package mabeam

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

type traceKey struct{}

func withTrace(id string) context.Context {
	return context.WithValue(context.Background(), traceKey{}, id)
}

func traceOf(ctx context.Context) string {
	id, _ := ctx.Value(traceKey{}).(string)
	return id
}

// pickTrace is what an Options.Propagate is like.
func pickTrace(ctx context.Context) context.Context {
	if id := traceOf(ctx); id != "" {
		return withTrace(id)
	}
	return nil
}

// A tracer notes, as an interceptor, each callback with the trace that its context has.
type tracer struct {
	mu    sync.Mutex
	notes []string
}

func (r *tracer) around(ctx context.Context, c Callback, next func(context.Context) error) error {
	if c.Kind != InitCallback && c.Kind != TerminateCallback {
		r.note(fmt.Sprintf("%s %v %s: %s", c.Agent.ID(), c.Kind, c.Name, traceOf(ctx)))
	}
	return next(ctx)
}

func (r *tracer) note(text string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.notes = append(r.notes, text)
}

// take returns what was noted, sorted.
func (r *tracer) take() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	slices.Sort(r.notes)
	return strings.Join(r.notes, ", ")
}

// startTraced starts the agents a and b. Each carries out actions that are functions.
func startTraced(t *testing.T, s *System) *Agent {
	t.Helper()
	for _, id := range []string{"a", "b"} {
		startAgent(t, s, Spec{ID: id, Behaviour: hearsAnswers{&scripted{
			init: func(self *Agent) error { _, err := self.Subscribe("e"); return err },
			action: func(ctx context.Context, self *Agent, _ string, params any) (any, error) {
				if do, ok := params.(func(context.Context, *Agent) error); ok {
					return nil, do(ctx, self)
				}
				return nil, nil
			},
		}}})
	}
	return s.agents.Get("a")
}

// hearsAnswers is a behaviour that hears answers.
type hearsAnswers struct{ *scripted }

func (hearsAnswers) HandleAnswer(context.Context, *Agent, AskResult) {}

// What the caller's context says reaches the callee's interceptor, by whatever way: always
// where somebody waits, and where nobody does if it is picked.
func TestValuesReachTheCallee(t *testing.T) {
	do := func(f func(ctx context.Context, self *Agent) error) func(context.Context, *Agent) error { return f }
	for name, c := range map[string]struct {
		send         func(ctx context.Context, s *System, a *Agent) error
		picked, none string // with Options.Propagate, and without
	}{
		"execute": {func(ctx context.Context, s *System, _ *Agent) error {
			_, err := s.Execute(ctx, "b", "x", nil)
			return err
		}, "b action x: T", "b action x: T"},
		"request": {func(ctx context.Context, s *System, _ *Agent) error {
			_, err := s.Request(ctx, Message{Type: "x", Target: "b"})
			return err
		}, "b action x: T", "b action x: T"},
		"gather": {func(ctx context.Context, s *System, _ *Agent) error {
			_, err := s.Gather(ctx, []string{"a", "b"}, "x", nil)
			return err
		}, "a action x: T, b action x: T", "a action x: T, b action x: T"},
		"ask from outside": {func(ctx context.Context, s *System, _ *Agent) error {
			_, err := s.Ask(ctx, "b", "x", nil).Await(ctx)
			return err
		}, "b action x: T", "b action x: T"},
		"ask": {
			func(ctx context.Context, _ *System, a *Agent) error { return a.Ask(ctx, "b", "x", nil, nil) },
			"a answer x: T, b action x: T", "a answer x: , b action x: T",
		},
		"tell": {
			func(ctx context.Context, s *System, _ *Agent) error { return s.Tell(ctx, "b", "x", nil) },
			"b action x: T", "b action x: ",
		},
		"send": {func(ctx context.Context, s *System, _ *Agent) error {
			return s.Send(Message{Type: "x", Source: "a", Target: "b", Context: ctx})
		}, "a signal message_reply: T, b action x: T", "a signal message_reply: , b action x: "},
		"publish": {
			func(ctx context.Context, s *System, _ *Agent) error { return s.Bus().Publish(ctx, Event{Type: "e"}) },
			"a event e: T, b event e: T", "a event e: , b event e: ",
		},
		"publish as an agent": {
			func(ctx context.Context, _ *System, a *Agent) error { return a.Publish(ctx, "e", nil) },
			"a event e: T, b event e: T", "a event e: , b event e: ",
		},
		"publish several": {func(ctx context.Context, s *System, _ *Agent) error {
			return s.Bus().PublishAll(ctx, []Event{{Type: "e"}, {Type: "e"}, {Type: "f"}})
		}, "a event e: T, a event e: T, b event e: T, b event e: T", "a event e: , a event e: , b event e: , b event e: "},
		"signal": {
			func(ctx context.Context, s *System, _ *Agent) error { return s.Signal(Signal{Type: "s", Context: ctx}) },
			"a signal s: T, b signal s: T", "a signal s: , b signal s: ",
		},
		"signal to a type": {func(ctx context.Context, s *System, _ *Agent) error {
			return s.SignalTo(Signal{Type: "s", Context: ctx}, ToMatching("b"))
		}, "b signal s: T", "b signal s: "},
		"a timer": {func(ctx context.Context, _ *System, a *Agent) error {
			a.SendAfter(ctx, time.Second, "b", "x", nil)
			return nil
		}, "b action x: T", "b action x: "},
		"a timer that goes on": {func(ctx context.Context, _ *System, a *Agent) error {
			a.Every(ctx, time.Second, "", "x", nil)
			return nil
		}, "a action x: T, a action x: T", "a action x: , a action x: "},
		"from one to the next": {func(ctx context.Context, s *System, _ *Agent) error {
			return s.Tell(ctx, "a", "x", do(func(ctx context.Context, self *Agent) error {
				return self.System().Tell(ctx, "b", "y", do(func(ctx context.Context, self *Agent) error { return self.Publish(ctx, "e", nil) }))
			}))
		}, "a action x: T, a event e: T, b action y: T, b event e: T", "a action x: , a event e: , b action y: , b event e: "},
	} {
		for _, propagates := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s, propagates=%v", name, propagates), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					r, want := &tracer{}, c.none
					o := Options{Around: r.around}
					if propagates {
						o.Propagate, want = pickTrace, c.picked
					}
					s := start(t, o)
					a := startTraced(t, s)
					if err := c.send(withTrace("T"), s, a); err != nil {
						t.Fatal(err)
					}
					time.Sleep(2500 * time.Millisecond)
					if got := r.take(); got != want {
						t.Errorf("got %s, want %s", got, want)
					}
				})
			})
		}
	}
}

// A handler of the bus has the values too, whatever its queue; the event is as it was
// published, for all, and in the history.
func TestValuesReachHandlers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, newest := &tracer{}, DropNewest
		s := start(t, Options{Propagate: pickTrace})
		hear := func(name string) func(context.Context, Event) {
			return func(ctx context.Context, e Event) { r.note(fmt.Sprint(name, " ", e.Data, ": ", traceOf(ctx))) }
		}
		for name, o := range map[string]SubscribeOptions{"blocks": {}, "drops": {Policy: &newest}} {
			if _, err := s.Bus().Subscribe("e", hear(name), o); err != nil {
				t.Fatal(err)
			}
			if _, err := s.Bus().SubscribePattern("*", hear(name+"*"), o); err != nil {
				t.Fatal(err)
			}
		}
		for _, ctx := range []context.Context{withTrace("T"), context.Background()} {
			if err := s.Bus().Publish(ctx, Event{Type: "e", Data: traceOf(ctx) + "7"}); err != nil {
				t.Fatal(err)
			}
		}
		synctest.Wait()
		const want = "blocks 7: , blocks T7: T, blocks* 7: , blocks* T7: T, drops 7: , drops T7: T, drops* 7: , drops* T7: T"
		if got := r.take(); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
		if h := s.Bus().History(0); len(h) != 2 || h[0].Data != "T7" || h[1].Data != "7" {
			t.Errorf("history %v", h)
		}
	})
}

// The values are all that comes along: not the end of the sender's context, not that it is
// the sender's callback, nor which message that was for. What is made of the context ends
// with the receiver's life.
func TestOnlyValuesArePropagated(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := start(t, Options{Propagate: func(ctx context.Context) context.Context { return ctx }})
		startTraced(t, s)
		var heard context.Context
		if _, err := s.Bus().Subscribe("f", func(ctx context.Context, _ Event) { heard = ctx }, SubscribeOptions{}); err != nil {
			t.Fatal(err)
		}
		var told, made context.Context
		var end context.CancelFunc
		var whose *Agent
		sent, cancel := context.WithCancel(withTrace("T"))
		_, err := s.Request(sent, Message{Type: "x", Target: "a", Data: func(ctx context.Context, self *Agent) error {
			if err := self.Publish(ctx, "f", nil); err != nil {
				return err
			}
			return s.Tell(ctx, "b", "y", func(ctx context.Context, _ *Agent) error {
				told, whose = ctx, callbackOf(ctx)
				made, end = context.WithCancel(ctx)
				return nil
			})
		}})
		if err != nil {
			t.Fatal(err)
		}
		cancel()
		synctest.Wait()
		for name, ctx := range map[string]context.Context{"of the told": told, "made of it": made, "of the handler": heard} {
			if _, ok := MessageOf(ctx); ok || ctx.Err() != nil || traceOf(ctx) != "T" {
				t.Errorf("the context %s belongs to a message: %v, is at its end: %v, has the trace %q", name, ok, ctx.Err(), traceOf(ctx))
			}
		}
		if whose.ID() != "b" || InCallback(heard) {
			t.Errorf("the callback is that of %s; the handler is in one: %v", whose.ID(), InCallback(heard))
		}
		s.KillAgent("b")
		synctest.Wait()
		if told.Err() == nil || made.Err() == nil {
			t.Error("a context outlives its agent")
		}
		end()
	})
}

// An action that is told and refused is a dead letter as one without values is, and one
// that panics costs its agent the life.
func TestTellWithValuesFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := start(t, Options{Propagate: pickTrace})
		startTraced(t, s)
		release := make(chan struct{})
		for _, do := range []func(context.Context, *Agent) error{
			func(context.Context, *Agent) error { <-release; panic("on purpose") },
			func(context.Context, *Agent) error { t.Error("it is done"); return nil },
		} {
			if err := s.Tell(withTrace("T"), "a", "x", do); err != nil {
				t.Fatal(err)
			}
		}
		close(release)
		synctest.Wait()
		if tel := s.Telemetry(); tel.AgentsCrashed != 1 || tel.ActionsFailed != 2 || s.DeadLetters(DeadCrashed) != 1 {
			t.Errorf("%+v, %d dead letters", tel, s.DeadLetters(DeadCrashed))
		}
	})
}

// Who has nothing to pick pays nothing for it.
func TestPropagateNothing(t *testing.T) {
	if raceDetector {
		t.Skip("the race detector allocates by itself")
	}
	s := start(t, Options{History: -1, Propagate: pickTrace})
	told := make(chan struct{})
	startAgent(t, s, Spec{ID: "a", Behaviour: &scripted{
		init:   func(self *Agent) error { _, err := self.Subscribe("e"); return err },
		action: func(context.Context, *Agent, string, any) (any, error) { told <- struct{}{}; return nil, nil },
		event:  func(*Agent, Event) { told <- struct{}{} },
	}})
	ctx := context.WithValue(context.Background(), messageTimeout, "something else")
	for name, do := range map[string]func() error{
		"tell":    func() error { return s.Tell(ctx, "a", "x", nil) },
		"publish": func() error { return s.Bus().Publish(ctx, Event{Type: "e"}) },
	} {
		do := func() {
			if err := do(); err != nil {
				t.Fatal(err)
			}
			<-told
		}
		for range 2000 {
			do()
		}
		if allocs := testing.AllocsPerRun(2000, do); allocs > 0 {
			t.Errorf("%s: %v allocations", name, allocs)
		}
	}
}
