package mabeam

import (
	"context"
	"fmt"

	"mabeam-top/internal/runtime/internal/failure"
)

// A restartRequest asks an agent to restart.
type restartRequest struct {
	done chan error
	wait *wait // of the agent that waits; nil if the caller is no agent
}

// answer gives the result of the request to the caller.
func (r *restartRequest) answer(err error) {
	r.wait.end()
	r.done <- err
}

// RestartAgent makes an agent initialize itself again, after the work accepted so far: it
// calls the behaviour's Terminate, ends the agent's subscriptions, and calls Init again.
//
// The agent keeps its id, type, capabilities and metadata, and its state and the state's
// version, whatever Init does to them. It stays registered and in its groups, others keep
// monitoring it, the answers to its Ask calls still arrive, and what is sent to it meanwhile
// waits in its mailbox. Its timers, its links and the monitors that it made end. It misses
// events that are published after its subscriptions ended and before Init subscribed again.
//
// The restart does not end the agent's life: the only event is agent_lifecycle.restarted, and
// no supervisor counts it. But if Terminate or Init panics, or Init fails, the agent crashes:
// RestartAgent returns the error, and the supervisor, if there is one, reacts to the crash.
//
// ErrUnknownAgent means that there is no such agent, a *TransitionError that it is suspended
// and has to be resumed first, and ErrMailboxFull that its mailbox has no room. ErrStopping,
// ErrKilled or ErrCrashed mean that the agent ended before the restart was complete. If ctx
// ends, or has no deadline and Options.WaitTimeout passes, the agent still restarts later. It
// also does after a *DeadlockError, which means that a callback asked for the restart of an
// agent that waits for it, directly or through others.
func (s *System) RestartAgent(ctx context.Context, id string) error {
	a := s.agents.Get(id)
	if a == nil {
		return fmt.Errorf("restart agent %q: %w", id, ErrUnknownAgent)
	}
	if a.Lifecycle() == Suspended {
		return &TransitionError{Agent: id, From: Suspended, To: Initializing}
	}
	r := &restartRequest{done: make(chan error, 1)} // nobody waits for a caller who has left
	var deadlock error
	r.wait, deadlock = callbackOf(ctx).waitFor(a)
	err := a.sendAwaited("", r)
	switch {
	case err != nil:
		r.wait.end()
	case deadlock != nil:
		err = deadlock
	default:
		ctx, cancel := failure.WithDefaultTimeout(ctx, s.options.WaitTimeout)
		defer cancel()
		select {
		case err = <-r.done:
		case <-ctx.Done():
			r.wait.end()
			err = failure.ContextError(ctx)
		}
	}
	if err != nil {
		return fmt.Errorf("restart agent %q: %w", id, err)
	}
	return nil
}

// restart carries out a restart request, which is item i of a batch, and answers it.
func (a *Agent) restart(b *batch, i int, r *restartRequest) {
	var err error
	finished := false
	defer func() {
		if !finished { // a callback has panicked, or ended the goroutine
			err = failure.NewPanicError(recover())
		}
		mine := b.claim(i) // before a crash, which would answer it too
		if err != nil {
			a.crash(err) // if it lives
		}
		if mine {
			r.answer(err)
		}
	}()
	if err = a.reinit(); err == nil {
		a.system.agentsRestarted.Add(1)
		a.system.announceLifecycle(EventAgentRestarted, a, "", nil)
	}
	finished = true
}

// reinit is restart without reporting it. After an error or a panic the caller must end the
// agent.
func (a *Agent) reinit() error {
	a.drainSubscriptions()
	if a.isOver() {
		return a.mailbox.reason()
	}
	a.terminated = true
	a.behaviour.Terminate(a.callback(), a, ErrRestarting)

	a.mailbox.mu.Lock()
	subs, bonds := a.subs, a.bonds
	a.subs, a.bonds = nil, bonds.outlast()
	data, version, changed := a.data, a.version, a.changed
	a.mailbox.mu.Unlock()
	for _, s := range subs {
		s.End(nil)
	}
	a.keepWatched(bonds)
	if err := a.behaviour.Init(a.callback(), a); err != nil {
		return fmt.Errorf("init: %w", err)
	}
	a.terminated = false
	a.mailbox.mu.Lock()
	defer a.mailbox.mu.Unlock()
	a.data, a.version, a.changed = data, version, changed
	if a.isOver() { // killed meanwhile
		return a.mailbox.closed
	}
	return nil
}
