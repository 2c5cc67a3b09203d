package fault

import (
	"context"

	mabeam "mabeam-top/internal/runtime"
)

// Agent returns the spec of an agent that faults can hit. Each life of each agent
// needs a call of its own.
func (i *Injector) Agent(spec mabeam.Spec) mabeam.Spec {
	if i != nil {
		spec.Behaviour = &targetAgent{Behaviour: spec.Behaviour, injector: i, target: &target{at: -1}}
	}
	return spec
}

// Subscriber returns the handler of a subscriber that faults can hit.
func (i *Injector) Subscriber(name string, handler func(context.Context, mabeam.Event)) func(context.Context, mabeam.Event) {
	if i == nil {
		return handler
	}
	t := &target{at: -1}
	i.subscribers.add(t, name)
	return func(ctx context.Context, event mabeam.Event) {
		t.wait(ctx)
		handler(ctx, event)
	}
}

// A targetAgent is the behaviour of an agent that faults can hit.
type targetAgent struct {
	mabeam.Behaviour
	injector *Injector
	target   *target
}

// Init implements mabeam.Behaviour.
func (b *targetAgent) Init(ctx context.Context, self *mabeam.Agent) error {
	if err := b.Behaviour.Init(ctx, self); err != nil {
		return err
	}
	b.injector.agents.add(b.target, self.ID())
	return nil
}

// HandleAction implements mabeam.Behaviour.
func (b *targetAgent) HandleAction(ctx context.Context, self *mabeam.Agent, action string, params any) (any, error) {
	b.target.wait(ctx)
	return b.Behaviour.HandleAction(ctx, self, action, params)
}

// HandleSignal implements mabeam.Behaviour.
func (b *targetAgent) HandleSignal(ctx context.Context, self *mabeam.Agent, signal mabeam.Signal) {
	if order, ok := signal.Data.(*panicOrder); ok {
		close(order.done)
		panic(errInjected)
	}
	b.Behaviour.HandleSignal(ctx, self, signal)
}

// Terminate implements mabeam.Behaviour.
func (b *targetAgent) Terminate(ctx context.Context, self *mabeam.Agent, reason error) {
	b.injector.agents.remove(b.target)
	b.Behaviour.Terminate(ctx, self, reason)
}
