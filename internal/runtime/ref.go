package mabeam

import (
	"context"
	"fmt"
)

// A Ref refers to one life of an agent, as a pid does in Erlang. It saves the lookup by id, and
// still refers to the same life when that has ended and another agent has the id. The zero Ref
// refers to no agent: its id is empty, and its methods fail with ErrUnknownAgent.
type Ref struct{ agent *Agent }

// Ref returns a reference to the living agent with an id; the error is ErrUnknownAgent.
func (s *System) Ref(id string) (Ref, error) {
	a := s.agents.Get(id)
	if a == nil {
		return Ref{}, fmt.Errorf("agent %q: %w", id, ErrUnknownAgent)
	}
	return Ref{a}, nil
}

// Ref returns a reference to this life of the agent.
func (a *Agent) Ref() Ref { return Ref{a} }

// ID returns the agent's id.
func (r Ref) ID() string {
	if r.agent == nil {
		return ""
	}
	return r.agent.ID()
}

// Done returns a channel that is closed when this life has ended: the agent is no longer
// registered, and nobody waits for its answers any more.
func (r Ref) Done() <-chan struct{} {
	if r.agent == nil {
		return closedChannel
	}
	return r.agent.done()
}

// Err returns why this life has ended: ErrStopping if it was asked to stop; ErrKilled, with a
// *LinkError if a link killed it; or ErrCrashed, with the *PanicError of the callback. It is
// nil while the agent lives.
func (r Ref) Err() error {
	if r.agent == nil {
		return ErrUnknownAgent
	}
	return r.agent.err()
}

// Waiting returns how many messages this life has accepted and not finished, the one that it is
// handling included. Up to eight finished actions that nobody waits for may still be counted.
func (r Ref) Waiting() int {
	if r.agent == nil {
		return 0
	}
	m := &r.agent.mailbox
	m.mu.Lock()
	defer m.mu.Unlock()
	n := max(m.depth(), 0)
	if m.unhandled.Load() <= 0 && r.agent.state.load().phase() == running {
		n++ // it handles something that was never in its mailbox, such as an inline action
	}
	return n
}

// Stop stops this life after the work accepted so far, as StopAgent does. Unlike StopAgent it
// leaves it to a supervisor whether to start the agent again.
func (r Ref) Stop(ctx context.Context) error {
	err := ErrUnknownAgent
	if r.agent != nil {
		err = r.agent.stopFor(ctx)
	}
	if err != nil {
		return fmt.Errorf("stop agent %q: %w", r.ID(), err)
	}
	return nil
}

// Kill ends this life at once, as KillAgent does.
func (r Ref) Kill() {
	if r.agent != nil {
		r.agent.kill()
	}
}

// Execute makes the agent carry out an action, and returns the result, or an *ActionError that
// says why there is none. It returns early when ctx ends or when the agent does. The agent
// still carries out an action that the caller has given up, even one that it has not begun,
// with a context that has ended; the result is discarded. If ctx has no deadline, the agent
// must begin the action within Options.WaitTimeout, and may then take as long as it needs.
//
// A call with the context of a callback, or one derived from it, belongs to that callback's
// agent. If the called agent waits for it already, directly or through others, the call fails
// at once with a *DeadlockError. A call above the rate of actions fails with ErrRateLimited,
// and with Options.Breaker one whose circuit is open fails with ErrCircuitOpen.
//
// With a context that cannot end, such as context.Background, an idle agent carries out the
// action on the caller's goroutine, and Execute returns when the action does, however long it
// takes.
func (r Ref) Execute(ctx context.Context, action string, params any) (any, error) {
	if r.agent == nil {
		return nil, newActionError("", action, notBegun{ErrUnknownAgent})
	}
	return r.agent.executeFor(ctx, nil, action, params)
}

// Tell puts an action into the agent's mailbox and does not wait for its result. If the mailbox
// is full it waits for room, until ctx ends, or for Options.WaitTimeout if ctx has no deadline.
// If there is a rate of actions, it first waits for its turn, as guard.Bucket.Wait does. An
// *ActionError says why the action was not accepted.
func (r Ref) Tell(ctx context.Context, action string, params any) error {
	if r.agent == nil {
		return newActionError("", action, notBegun{ErrUnknownAgent})
	}
	if err := r.agent.tell(ctx, action, params); err != nil {
		return newActionError(r.ID(), action, notBegun{err})
	}
	return nil
}
