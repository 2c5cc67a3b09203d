package mabeam

import (
	"context"

	"mabeam-top/internal/runtime/internal/enum"
)

// A CallbackKind is one of a behaviour's callbacks.
type CallbackKind int

// The kinds.
const (
	InitCallback CallbackKind = iota
	ActionCallback
	SignalCallback
	EventCallback
	AnswerCallback
	TerminateCallback
)

var callbackKindNames = []string{"init", "action", "signal", "event", "answer", "terminate"}

func (k CallbackKind) String() string { return enum.Name(callbackKindNames, k) }

// A Callback is one call of a behaviour.
type Callback struct {
	Agent *Agent
	Kind  CallbackKind
	// Name is the action, or the type of the signal or event; empty for the others.
	Name string
}

// An Interceptor is called around each callback of each agent: for tracing, say. It calls
// next once, with ctx or one made of it, and returns its error or another one; only those
// of Init and of actions matter. A panic of the callback goes through it.
type Interceptor func(ctx context.Context, c Callback, next func(context.Context) error) error

// An intercepted behaviour is one with an interceptor around it. Without one nothing
// stands between the runtime and the behaviour.
type intercepted struct {
	behaviour Behaviour
	around    Interceptor
}

// Init implements Behaviour.
func (i intercepted) Init(ctx context.Context, self *Agent) error {
	return i.around(ctx, Callback{self, InitCallback, ""}, func(ctx context.Context) error {
		return i.behaviour.Init(ctx, self)
	})
}

// HandleAction implements Behaviour.
func (i intercepted) HandleAction(ctx context.Context, self *Agent, action string, params any) (result any, err error) {
	err = i.around(ctx, Callback{self, ActionCallback, action}, func(ctx context.Context) (err error) {
		result, err = i.behaviour.HandleAction(ctx, self, action, params)
		return err
	})
	return result, err
}

// HandleSignal implements Behaviour.
func (i intercepted) HandleSignal(ctx context.Context, self *Agent, signal Signal) {
	_ = i.around(ctx, Callback{self, SignalCallback, signal.Type}, func(ctx context.Context) error {
		i.behaviour.HandleSignal(ctx, self, signal)
		return nil
	})
}

// HandleEvent implements Behaviour.
func (i intercepted) HandleEvent(ctx context.Context, self *Agent, event Event) {
	_ = i.around(ctx, Callback{self, EventCallback, event.Type}, func(ctx context.Context) error {
		i.behaviour.HandleEvent(ctx, self, event)
		return nil
	})
}

// HandleAnswer implements AnswerHandler.
func (i intercepted) HandleAnswer(ctx context.Context, self *Agent, answer AskResult) {
	_ = i.around(ctx, Callback{self, AnswerCallback, answer.Action}, func(ctx context.Context) error {
		handleAnswer(ctx, i.behaviour, self, answer)
		return nil
	})
}

// Terminate implements Behaviour.
func (i intercepted) Terminate(ctx context.Context, self *Agent, reason error) {
	_ = i.around(ctx, Callback{self, TerminateCallback, ""}, func(ctx context.Context) error {
		i.behaviour.Terminate(ctx, self, reason)
		return nil
	})
}
