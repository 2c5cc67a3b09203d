package mabeamtest

import (
	"cmp"
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	mabeam "mabeam-top/internal/runtime"
)

// A Probe is a behaviour that records everything that reaches its agent, so that a test can
// wait for it with Next. The zero value is ready to use. A probe may be the behaviour of
// one agent in all its lives, but not of two agents at the same time.
type Probe struct {
	// Script is what the probe does after it has recorded a callback. Without OnAction
	// every action succeeds and returns nil.
	Script
	// Within is how long Next and End wait before they fail the test; 0 means 5 s.
	Within time.Duration

	arrivals queue[Arrival]
	agent    atomic.Pointer[mabeam.Agent]
}

// An Arrival is one callback of a probe. The fields that its Kind has no use for are zero.
type Arrival struct {
	Kind mabeam.CallbackKind
	// Name is the action, also the one that was answered, or the type of the signal or
	// event.
	Name string
	// Params are the parameters of an action.
	Params any
	Signal mabeam.Signal
	Event  mabeam.Event
	Answer mabeam.AskResult
	// Reason is why the agent terminates.
	Reason error
	// Context is what the callback was given. Its values can still be read when the
	// callback has returned.
	Context context.Context
}

// String returns the kind, the name and what came with it.
func (a Arrival) String() string {
	switch a.Kind {
	case mabeam.ActionCallback:
		return fmt.Sprintf("action %q (%v)", a.Name, a.Params)
	case mabeam.SignalCallback:
		return fmt.Sprintf("signal %q (%v)", a.Name, a.Signal.Data)
	case mabeam.EventCallback:
		return fmt.Sprintf("event %q (%v)", a.Name, a.Event.Data)
	case mabeam.AnswerCallback:
		return fmt.Sprintf("answer to %q (%v, %v)", a.Name, a.Answer.Value, a.Answer.Err)
	case mabeam.TerminateCallback:
		return fmt.Sprintf("terminate (%v)", a.Reason)
	}
	return a.Kind.String()
}

// Is returns a condition for Next: an arrival of this kind and name. An empty name stands
// for any.
func Is(kind mabeam.CallbackKind, name string) func(Arrival) bool {
	return func(a Arrival) bool { return a.Kind == kind && (name == "" || a.Name == name) }
}

// Next waits for the oldest arrival that fits, and removes it. Those that do not fit stay
// for later calls. A nil condition takes any. If nothing that fits arrives within p.Within,
// the test fails and ends, with a list of what did arrive. Like t.Fatal it must be called
// from the test's goroutine.
func (p *Probe) Next(t testing.TB, fits func(Arrival) bool) Arrival {
	t.Helper()
	return p.arrivals.next(t, p.Within, fits)
}

// Rest removes and returns, without waiting, all arrivals that Next has not taken.
func (p *Probe) Rest() []Arrival { return p.arrivals.rest() }

// Agent returns the agent of the latest life, or nil before the first one. Through it a
// test asks, monitors, links and subscribes as the probe. It must not call SetState while
// the agent is at work.
func (p *Probe) Agent() *mabeam.Agent { return p.agent.Load() }

// End waits until the latest life of the agent has ended, and returns why, as
// mabeam.Ref.Err does. This covers a kill too, which no callback reports. If the life does
// not end within p.Within, or there was none, the test fails and ends.
func (p *Probe) End(t testing.TB) error {
	t.Helper()
	a := p.Agent()
	if a == nil {
		t.Fatal("the probe has no agent yet")
	}
	within := cmp.Or(p.Within, defaultWithin)
	deadline := time.NewTimer(within)
	defer deadline.Stop()
	select {
	case <-a.Ref().Done():
	case <-deadline.C:
		t.Fatalf("agent %q did not end within %v", a.ID(), within)
	}
	return a.Ref().Err()
}

// Init implements mabeam.Behaviour.
func (p *Probe) Init(ctx context.Context, self *mabeam.Agent) error {
	p.agent.Store(self)
	p.arrivals.add(Arrival{Kind: mabeam.InitCallback, Context: ctx})
	return p.Script.Init(ctx, self)
}

// HandleAction implements mabeam.Behaviour.
func (p *Probe) HandleAction(ctx context.Context, self *mabeam.Agent, action string, params any) (any, error) {
	p.arrivals.add(Arrival{Kind: mabeam.ActionCallback, Name: action, Params: params, Context: ctx})
	if p.OnAction == nil {
		return nil, nil
	}
	return p.OnAction(ctx, self, action, params)
}

// HandleSignal implements mabeam.Behaviour.
func (p *Probe) HandleSignal(ctx context.Context, self *mabeam.Agent, signal mabeam.Signal) {
	p.arrivals.add(Arrival{Kind: mabeam.SignalCallback, Name: signal.Type, Signal: signal, Context: ctx})
	p.Script.HandleSignal(ctx, self, signal)
}

// HandleEvent implements mabeam.Behaviour.
func (p *Probe) HandleEvent(ctx context.Context, self *mabeam.Agent, event mabeam.Event) {
	p.arrivals.add(Arrival{Kind: mabeam.EventCallback, Name: event.Type, Event: event, Context: ctx})
	p.Script.HandleEvent(ctx, self, event)
}

// HandleAnswer implements mabeam.AnswerHandler.
func (p *Probe) HandleAnswer(ctx context.Context, self *mabeam.Agent, answer mabeam.AskResult) {
	p.arrivals.add(Arrival{Kind: mabeam.AnswerCallback, Name: answer.Action, Answer: answer, Context: ctx})
	p.Script.HandleAnswer(ctx, self, answer)
}

// Terminate implements mabeam.Behaviour.
func (p *Probe) Terminate(ctx context.Context, self *mabeam.Agent, reason error) {
	p.arrivals.add(Arrival{Kind: mabeam.TerminateCallback, Reason: reason, Context: ctx})
	p.Script.Terminate(ctx, self, reason)
}
