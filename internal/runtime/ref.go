package mabeam

import (
	"context"
	"fmt"
)

// A Ref refers to one life of an agent, as a pid does: it spares its holder the
// lookup by id, and goes on to refer to that life when it has ended and another
// agent has its id. The zero Ref refers to none, as that of an unknown agent: its id is
// empty, and what is asked of it fails with ErrUnknownAgent.
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
func (r Ref) ID() string {
	if r.agent == nil {
		return ""
	}
	return r.agent.ID()
}

// Done is closed when this life has ended: the agent is gone from the registry, and
// nobody waits for it any longer.
func (r Ref) Done() <-chan struct{} {
	if r.agent == nil {
		return closedChannel
	}
	return r.agent.done()
}

// Err is why this life has ended: ErrStopping if it was asked to; ErrKilled, which wraps a
// *LinkError if a link killed it; or an ErrCrashed that wraps the *PanicError of its
// callback. It is nil while the life has not ended.
func (r Ref) Err() error {
	if r.agent == nil {
		return ErrUnknownAgent
	}
	return r.agent.err()
}

// Waiting is how much this life has accepted and not finished: the messages that wait in its
// mailbox, and what it is at. It may lag behind, by up to eight actions that are done and
// that nobody waits for.
func (r Ref) Waiting() int {
	if r.agent == nil {
		return 0
	}
	m := &r.agent.mailbox
	m.mu.Lock()
	defer m.mu.Unlock()
	n := max(m.depth(), 0)
	if m.unhandled.Load() <= 0 && r.agent.state.load().phase() == running {
		n++ // it is at what was never in its mailbox, such as an action on its caller's goroutine
	}
	return n
}

// Stop asks this life to stop after the work accepted so far, as StopAgent does, but for
// that it leaves to the owner of the agent's place whether there is to be another one.
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

// Execute has the agent carry out an action and returns its result, or an
// *ActionError that says why there is none. It waits for the result until ctx
// ends, or until the agent does, whatever the agent is at. An action that is given up so
// is carried out all the same, with a context that has ended, also
// if it has not begun, and its result is thrown away. Without a deadline it waits for the
// agent to take the call up as long as Options.WaitTimeout says.
//
// With the context of a callback, or one made of it, the call is that agent's: where the
// other one waits for it already, directly or by way of more, it fails at once with a
// *DeadlockError. Over the rate of actions it is refused with
// ErrRateLimited, and with Options.Breaker while the agent's circuit is open
// with ErrCircuitOpen.
//
// A context that cannot end, such as context.Background, cannot be waited for either: an
// idle agent carries out the action on the caller's own goroutine, and then nothing but
// the action's return ends the call.
func (r Ref) Execute(ctx context.Context, action string, params any) (any, error) {
	if r.agent == nil {
		return nil, newActionError("", action, notBegun{ErrUnknownAgent})
	}
	return r.agent.executeFor(ctx, nil, action, params)
}

// Tell leaves an action in the agent's mailbox and does not wait for its
// result. It waits for room in the mailbox until ctx ends, or for Options.WaitTimeout
// if it has no deadline, and before that, if
// there is a rate of actions, for its turn, as guard.Bucket.Wait does.
func (r Ref) Tell(ctx context.Context, action string, params any) error {
	if r.agent == nil {
		return newActionError("", action, notBegun{ErrUnknownAgent})
	}
	if err := r.agent.tell(ctx, action, params); err != nil {
		return newActionError(r.ID(), action, notBegun{err})
	}
	return nil
}
