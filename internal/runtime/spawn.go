package runtime

import (
	"context"
	"fmt"
	"maps"
	"time"
)

// StartAgent starts an agent and returns its id once Init is done and the
// agent is registered and ready. ErrAlreadyRegistered tells that its id is
// taken, ErrLimitReached that there is no room, ErrRateLimited that too many were
// started of late. It takes as long as Init takes.
//
// The agent has no supervisor: however it ends, nothing is restarted. For one
// that has, see StartSupervisor.
func (s *System) StartAgent(ctx context.Context, spec Spec) (string, error) {
	if err := s.startRate.take(); err != nil {
		return "", fmt.Errorf("start agent: %w", err)
	}
	a, err := s.startAgent(ctx, spec, nil)
	if err != nil {
		return "", err
	}
	return a.ID(), nil
}

// startAgent is StartAgent for the child of a supervisor too, which keeps to no
// rate; child is nil if it has none.
func (s *System) startAgent(ctx context.Context, spec Spec, child *child) (*Agent, error) {
	switch {
	case s.stopping.Load():
		return nil, fmt.Errorf("start agent: %w", ErrSystemStopped)
	case ctx.Err() != nil:
		return nil, fmt.Errorf("start agent %q: %w", spec.ID, callError(ctx))
	case spec.Behaviour == nil:
		return nil, fmt.Errorf("start agent %q: no behaviour", spec.ID)
	}
	if err := s.limits.enter(&s.alive); err != nil {
		return nil, fmt.Errorf("start agent: %w", err)
	}
	a := s.newAgent(spec)
	a.child = child
	record := a.Record()
	finished := false
	defer func() {
		if !finished { // a callback has ended the goroutine
			a.startFailed(ctx, &PanicError{})
		}
	}()
	err := a.start(ctx)
	finished = true
	if err != nil {
		a.startFailed(ctx, err)
		return nil, fmt.Errorf("start agent %q: %w", record.ID, err)
	}
	s.agentsStarted.add(1)
	// Before it is ready, so that it does not end before it is told to have
	// started. What comes meanwhile waits in its mailbox.
	s.announceLifecycle(ctx, EventAgentStarted, a, "", nil)
	a.yield()
	return a, nil
}

func (s *System) newAgent(spec Spec) *Agent {
	born := &newborn{}
	a, record := &born.Agent, &born.record
	a.system, a.behaviour, a.state = s, spec.Behaviour, spec.State
	*record = Record{
		ID: spec.ID, Type: spec.Type, Capabilities: s.registry.share(spec.Capabilities), Node: s.options.Node,
		ParentID: spec.ParentID, Metadata: maps.Clone(spec.Metadata), CreatedAt: time.Now(),
	}
	record.UpdatedAt = record.CreatedAt
	if record.ID == "" {
		record.ID = newID("agent_", &lastAgent)
	}
	a.agent = a
	a.record.Store(record)
	a.positions, a.subs = born.positions[:0], born.subs[:0]
	return a
}

// A newborn is an agent with what nearly every agent needs from the start, so
// that all of it is one allocation.
type newborn struct {
	Agent
	record    Record
	positions [6]int32
	subs      [1]*Subscription
}

// start runs Init and registers the agent.
func (a *Agent) start(ctx context.Context) error {
	if a.system.registry.entries.get(a.ID()) != nil {
		return ErrAlreadyRegistered // before Init does anything that would have to be undone
	}
	if err := a.callInit(ctx); err != nil {
		return fmt.Errorf("init: %w", err)
	}
	if err := a.system.registry.enter(&a.entry); err != nil {
		a.callTerminate()
		return err
	}
	if a.system.stopping.Load() {
		// The system may have listed its agents before this one was among them.
		a.system.registry.leave(&a.entry)
		a.callTerminate()
		return ErrSystemStopped
	}
	return nil
}

// startFailed undoes the start of an agent and tells why it failed.
func (a *Agent) startFailed(ctx context.Context, reason error) {
	a.abandon()
	a.system.announceLifecycle(ctx, EventAgentStartFailed, a, reason.Error(), nil)
}

// abandon undoes what an agent that did not start has left behind.
func (a *Agent) abandon() {
	subs, first := a.closeFor(ErrStopping)
	if !first { // it was killed as soon as it was registered, and that was counted
		a.system.agentsStarted.add(1)
		a.refuseWaiting()
		return
	}
	for _, s := range subs {
		s.end(nil)
	}
	a.refuseWaiting()
	a.system.alive.Add(-1)
	a.closeGone()
}
