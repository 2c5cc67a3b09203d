package mabeam

import (
	"context"
	"fmt"
)

// A restartRequest asks an agent to begin anew.
type restartRequest struct {
	done chan error
	wait *wait // of the agent that waits for that; nil for who is none
}

// answer tells who waits what became of the request.
func (r *restartRequest) answer(err error) {
	r.wait.end()
	r.done <- err
}

// RestartAgent has an agent terminate and begin anew, behind the work accepted
// so far: its Terminate runs, its subscriptions end, and its Init runs again. It
// is the same agent all the while: it keeps its id, type, capabilities,
// metadata, state and the state's version (whatever Init does to them), it
// stays registered and in its groups, others go on to monitor it, the answers to its
// questions still come, and what is sent to it meanwhile waits in its mailbox. Its timers,
// its links and the monitors that it has made end.
// Events that are published between the end of its subscriptions and those that
// Init makes do not reach it.
//
// It is no end and no start: agent_lifecycle.restarted is the only event of it,
// and no supervisor counts it. But an agent whose Terminate or Init
// panics, or whose Init fails, has crashed: RestartAgent returns the error, and
// its supervisor decides what becomes of it.
//
// ErrUnknownAgent means that there is no such agent, a *TransitionError that it
// is suspended: it must be resumed first, and ErrMailboxFull that there is no
// room for the wish. ErrStopping, ErrKilled or ErrCrashed mean that the agent ended
// before it had begun anew. If ctx ends before, or Options.WaitTimeout has passed if it
// has no deadline, the agent is restarted all the same; so it is where a callback asks
// for it that the agent itself waits for, directly or by way of more: the error is a
// *DeadlockError then.
func (s *System) RestartAgent(ctx context.Context, id string) error {
	a := s.registry.agent(id)
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
		ctx, cancel := withDefaultTimeout(ctx, s.options.WaitTimeout)
		defer cancel()
		select {
		case err = <-r.done:
		case <-ctx.Done():
			r.wait.end()
			err = CallError(ctx)
		}
	}
	if err != nil {
		return fmt.Errorf("restart agent %q: %w", id, err)
	}
	return nil
}

// restart carries out a request to begin anew, which is a message of a batch, and
// answers it.
func (a *Agent) restart(b *batch, i int, r *restartRequest) {
	var err error
	finished := false
	defer func() {
		if !finished { // a callback has panicked, or ended the goroutine
			err = newPanicError(recover())
		}
		mine := b.claim(i) // before a crash, which would answer it too
		if err != nil {
			a.crash(err) // if it lives
		}
		if mine {
			r.answer(err)
		}
	}()
	if err = a.beginAnew(); err == nil {
		a.system.agentsRestarted.add(1)
		a.system.announceLifecycle(EventAgentRestarted, a, "", nil)
	}
	finished = true
}

// beginAnew is restart without the telling. After an error, or a panic, the
// agent has to end if it has not.
func (a *Agent) beginAnew() error {
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
		s.end(nil)
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
