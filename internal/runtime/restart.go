package runtime

import (
	"context"
	"fmt"
)

// A restartRequest asks an agent to begin anew.
type restartRequest struct{ done chan error }

// RestartAgent has an agent terminate and begin anew, behind the work accepted
// so far: its Terminate runs, its subscriptions end, and its Init runs again. It
// is the same agent all the while: it keeps its id, type, capabilities,
// metadata, state and the state's version (whatever Init does to them), it
// stays registered, and what is sent to it meanwhile waits in its mailbox.
// Events that are published between the end of its subscriptions and those that
// Init makes do not reach it.
//
// It is no end and no start: agent_lifecycle.restarted is all that the bus tells
// of it, and no supervisor counts it. But an agent whose Terminate or Init
// panics, or whose Init fails, has crashed: RestartAgent returns the error, and
// its supervisor decides what becomes of it.
//
// ErrUnknownAgent tells that there is no such agent, a *TransitionError that it
// is suspended: it must be resumed first, and ErrMailboxFull that there is no
// room for the wish. ErrStopping, ErrKilled or ErrCrashed
// tell that the agent ended before its turn came. An agent that restarts itself
// waits for itself until ctx ends. If ctx ends before the restart, it takes
// place all the same.
func (s *System) RestartAgent(ctx context.Context, id string) error {
	a := s.registry.agent(id)
	if a == nil {
		return fmt.Errorf("restart agent %q: %w", id, ErrUnknownAgent)
	}
	if a.Lifecycle() == Suspended {
		return &TransitionError{Agent: id, From: Suspended, To: Initializing}
	}
	r := &restartRequest{done: make(chan error, 1)} // nobody waits for a caller who has left
	var err error
	if err = a.send("", r); err == nil {
		select {
		case err = <-r.done:
		case <-ctx.Done():
			err = callError(ctx)
		}
	}
	if err != nil {
		return fmt.Errorf("restart agent %q: %w", id, err)
	}
	return nil
}

// restart carries out a request to begin anew, and answers it.
func (a *Agent) restart(r *restartRequest) {
	var err error
	finished := false
	defer func() {
		if !finished { // a callback has panicked, or ended the goroutine
			err = newPanicError(recover())
		}
		if err != nil {
			a.crash(err) // if it lives
		}
		r.done <- err
	}()
	if err = a.beginAnew(); err == nil {
		a.system.agentsRestarted.add(1)
		a.system.announceLifecycle(a.system.ctx, EventAgentRestarted, a, "", nil)
	}
	finished = true
}

// beginAnew is restart without the telling. After an error, or a panic, the
// agent has to end if it has not.
func (a *Agent) beginAnew() error {
	a.drainSubscriptions()
	if a.ended.Load() {
		return a.mailbox.reason()
	}
	a.behaviour.Terminate(a.system.ctx, a)

	a.mailbox.mu.Lock()
	subs := a.subs
	a.subs = nil
	state, version, changed := a.state, a.version, a.changed
	a.mailbox.mu.Unlock()
	for _, s := range subs {
		s.end(nil)
	}
	if err := a.behaviour.Init(a.system.ctx, a); err != nil {
		return fmt.Errorf("init: %w", err)
	}
	a.mailbox.mu.Lock()
	defer a.mailbox.mu.Unlock()
	a.state, a.version, a.changed = state, version, changed
	if a.ended.Load() { // killed meanwhile
		return a.mailbox.closed
	}
	return nil
}
