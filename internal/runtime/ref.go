package runtime

import (
	"context"
	"fmt"
)

// A Ref refers to one life of an agent, as a pid does: it spares its holder the
// lookup by id, and goes on to refer to that life when it has ended and another
// agent has its id.
type Ref struct{ agent *Agent }

// Ref returns a reference to the living agent of an id, or ErrUnknownAgent.
func (s *System) Ref(id string) (Ref, error) {
	a := s.registry.agent(id)
	if a == nil {
		return Ref{}, fmt.Errorf("agent %q: %w", id, ErrUnknownAgent)
	}
	return Ref{a}, nil
}

// Ref returns a reference to the agent, for others to use.
func (a *Agent) Ref() Ref { return Ref{a} }

// ID is the agent's id.
func (r Ref) ID() string { return r.agent.ID() }

// Execute has the agent carry out an action and returns its result, or an
// *ActionError that says why there is none. It waits for the result until ctx
// ends. The action is carried out all the same, with that ended context, also
// if it has not begun, and its result is thrown away. Without a deadline it waits for the agent to take the call up as
// long as Options.WaitTimeout says. An agent uses Agent.Execute instead, which
// knows who waits for whom. Over the rate of actions it is refused with
// ErrRateLimited, and with Options.Breaker while the agent's circuit is open
// with ErrCircuitOpen.
func (r Ref) Execute(ctx context.Context, action string, params any) (any, error) {
	if s := r.agent.system; s.actionRate != nil || s.breaker != nil {
		return s.executeGuarded(ctx, r.ID(), r.agent, action, params)
	}
	result, err := r.agent.execute(ctx, action, params)
	if err != nil {
		return nil, &ActionError{Agent: r.ID(), Action: action, Err: err}
	}
	return result, nil
}

// Tell leaves an action in the agent's mailbox and does not wait for its
// result. It waits for room in the mailbox until ctx ends, and before that, if
// there is a rate of actions, for its turn, as Limiter.Wait does.
func (r Ref) Tell(ctx context.Context, action string, params any) error {
	err := r.agent.system.actionRate.wait(ctx)
	if err == nil {
		err = r.agent.tell(ctx, action, params)
	}
	if err != nil {
		return &ActionError{Agent: r.ID(), Action: action, Err: err}
	}
	return nil
}
