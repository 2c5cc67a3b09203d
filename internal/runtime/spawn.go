package mabeam

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"time"

	"mabeam-top/internal/runtime/internal/failure"

	"mabeam-top/internal/runtime/registry"
)

// StartAgent starts an agent and returns its id once Init has returned and the agent is
// registered and ready. The end of ctx ends the context of Init, but StartAgent returns only when
// Init does.
//
// ErrAlreadyRegistered means that the id is taken, ErrLimitReached that a limit is reached,
// ErrRateLimited that too many agents were started recently, ErrKilled that the agent was killed
// before it was ready, and ErrSystemStopped that the system is stopping. An error of Init, or a
// *PanicError, is wrapped.
//
// The agent has no supervisor, so nothing restarts it. For agents that are restarted, see package
// supervision.
func (s *System) StartAgent(ctx context.Context, spec Spec) (string, error) {
	if err := s.startRate.Allow(); err != nil {
		s.logRefusal(spec.ID, err)
		return "", fmt.Errorf("start agent: %w", err)
	}
	a, err := s.startAgent(ctx, spec, nil)
	if err != nil {
		return "", err
	}
	return a.ID(), nil
}

// startAgent implements StartAgent without its rate, and Reservation.Start. With a reservation the agent
// needs no room, because the reservation has it.
func (s *System) startAgent(ctx context.Context, spec Spec, r *Reservation) (*Agent, error) {
	switch {
	case s.stopping.Load():
		return nil, fmt.Errorf("start agent: %w", ErrSystemStopped)
	case ctx.Err() != nil:
		return nil, fmt.Errorf("start agent %q: %w", spec.ID, failure.ContextError(ctx))
	case spec.Behaviour == nil:
		return nil, fmt.Errorf("start agent %q: no behaviour", spec.ID)
	}
	if r == nil {
		if err := s.admit(spec.ID); err != nil {
			return nil, fmt.Errorf("start agent: %w", err)
		}
	}
	s.alive.Add(1)
	a := s.newAgent(spec)
	a.reservation = r
	r.beginLife(a, spec.Behaviour)
	record := a.entry.Record()
	finished := false
	defer func() {
		if !finished { // a callback has ended the goroutine
			a.startFailed(&PanicError{})
		}
	}()
	err := a.start(ctx)
	finished = true
	if err != nil {
		a.startFailed(err)
		return nil, fmt.Errorf("start agent %q: %w", record.ID, err)
	}
	s.agentsStarted.Add(1)
	// Before it is ready, so that its end is not announced before its start. What is sent to
	// it meanwhile waits in its mailbox.
	s.announceLifecycle(EventAgentStarted, a, "", nil)
	a.beReady()
	return a, nil
}

// beReady makes an agent that has started idle. If it was killed meanwhile, or asked to stop,
// that is announced only now, after the start.
func (a *Agent) beReady() {
	told := false
	for {
		s := a.state.load()
		if s.phase() == over {
			a.clearAbandoned()
			<-a.done() // somebody else is ending it, and runs no code of the agent's meanwhile
			a.reportEnd(ErrKilled, a.endFailure())
			a.notifyHolder()
			return
		}
		if s.wants(stopWanted) && !told {
			a.announceStopping()
			told = true
		}
		if a.state.move(s, s&^phases|idle) {
			break
		}
	}
	if !a.mailbox.empty() {
		a.wake()
	}
}

// admit takes room for a new agent, or returns an error that says which limit is reached.
func (s *System) admit(id string) error {
	err := s.limits.acquire()
	if err != nil {
		s.logRefusal(id, err)
	}
	return err
}

func (s *System) newAgent(spec Spec) *Agent {
	born := &newborn{}
	a, record := &born.Agent, &born.record
	a.system, a.behaviour, a.data = s, spec.Behaviour, spec.State
	if s.options.Around != nil {
		a.behaviour = intercepted{spec.Behaviour, s.options.Around}
	}
	*record = Record{
		ID: spec.ID, Type: spec.Type, Capabilities: s.agents.Share(spec.Capabilities), Node: s.options.Node,
		ParentID: spec.ParentID, Metadata: maps.Clone(spec.Metadata), CreatedAt: time.Now(),
	}
	record.UpdatedAt = record.CreatedAt
	if record.ID == "" {
		record.ID = agentIDs.Next()
	}
	a.entry.Init(record, &born.positions)
	a.subs = born.subs[:0]
	return a
}

// A newborn is an agent together with what nearly every agent needs from the start, so that all
// of it is one allocation.
type newborn struct {
	Agent
	record    Record
	positions registry.Positions
	subs      [1]*Subscription
}

// start runs Init and registers the agent.
func (a *Agent) start(ctx context.Context) error {
	if a.reservation != nil && ctx.Err() != nil { // Kill has not found it if it was called before
		return failure.ContextError(ctx)
	}
	if !a.system.agents.IsFree(a.ID(), a.holder()) {
		return ErrAlreadyRegistered // before Init does anything that would have to be undone
	}
	if err := a.callInit(ctx); err != nil {
		return fmt.Errorf("init: %w", err)
	}
	if a.isOver() {
		a.undoInit(a.err())
		return a.err()
	}
	if err := a.system.agents.Enter(&a.entry, a, a.holder()); err != nil {
		a.undoInit(err)
		return err
	}
	switch {
	case a.isOver(): // who has killed it could not take it out
		a.system.agents.Leave(&a.entry)
		a.undoInit(a.err())
		return a.err()
	case a.system.stopping.Load(): // it may have listed its agents before this one was among them
		a.system.agents.Leave(&a.entry)
		a.undoInit(ErrSystemStopped)
		return ErrSystemStopped
	}
	return nil
}

// callInit calls the behaviour's Init; a panic in it is an error.
func (a *Agent) callInit(ctx context.Context) (err error) {
	if starter := callbackOf(ctx); starter != nil {
		w, _ := starter.waitFor(a) // nobody waits for anybody yet
		defer w.end()
	}
	ctx = a.callbackFor(ctx)
	defer endCallback(ctx)
	defer func() {
		if v := recover(); v != nil {
			err = failure.NewPanicError(v)
		}
	}()
	return a.behaviour.Init(ctx, a)
}

// undoInit calls Terminate for an agent that cannot start although its Init has succeeded. A
// panic in it is only logged.
func (a *Agent) undoInit(reason error) {
	defer a.survivePanic()
	a.behaviour.Terminate(a.callback(), a, reason)
}

// startFailed undoes the start of an agent, and logs and announces why it failed.
func (a *Agent) startFailed(reason error) {
	a.logAgent(slog.LevelWarn, "agent did not start", reason)
	a.undoStart(reason)
	a.system.announceLifecycle(EventAgentStartFailed, a, reason.Error(), nil)
}

// undoStart releases everything that an agent which did not start has acquired.
func (a *Agent) undoStart(reason error) {
	left := a.closeFor(ErrStopping, nil)
	if left.phase == over { // it was killed meanwhile
		a.clearAbandoned()
		return
	}
	for _, s := range left.subs {
		s.End(nil)
	}
	a.answerAll(left.taken)
	a.endLife(reason)
	left.bonds.leave(a.ID(), reason)
	a.system.alive.Add(-1)
	if a.reservation == nil {
		a.system.limits.release()
	}
	a.closeGone()
}
