package mabeam

import (
	"context"
	"errors"
	"fmt"
)

// ErrBarrierBroken tells that not all came to a barrier, or that not all of
// them could be told to go on.
var ErrBarrierBroken = errors.New("barrier broken")

// A BarrierResult tells what became of a barrier.
type BarrierResult struct {
	// Arrived are the answers to ActionArrive. Those who did not arrive are
	// among them, with the reason.
	Arrived Answers
	// Told are those who were told to go on. If all had arrived these are all
	// agents, with their answers to ActionRelease. If the barrier broke, they
	// are those who got ActionBreak; nobody waits for their answers, and an
	// error says that the agent could not be told.
	Told Answers
}

// Barrier lets agents wait for each other. It asks all of them to come
// (ActionArrive, with params); an agent arrives by answering. When the last
// one has, all are told at once to go on (ActionRelease, with params), and
// Barrier returns when all have answered to that.
//
// If one has not arrived by the deadline, or has refused to, the barrier is
// broken: those who did arrive, and those who may still do because their time
// was up before they answered, get ActionBreak (with Params{"missing": the ids
// of those who were not there, as a []string}), and the error is
// ErrBarrierBroken. It is that too if all arrived but not all have answered to
// their release; the others have then gone on.
//
// The deadline of the whole is that of ctx, or CoordinationTimeout from now if
// it has none. Any other error tells that nobody was asked, as for Gather.
func (s *System) Barrier(ctx context.Context, ids []string, params any) (BarrierResult, error) {
	r, err := s.begin(ctx, ids, CoordinationTimeout)
	if err != nil {
		return BarrierResult{}, fmt.Errorf("barrier: %w", err)
	}
	defer r.end()
	m := BarrierResult{Arrived: r.ask(ids, ActionArrive, params)}
	if missing := m.Arrived.Missing(); len(missing) > 0 {
		m.Told = r.breakUp(m.Arrived, missing)
		return m, brokenError(len(ids), missing, "did not arrive")
	}
	m.Told = r.ask(ids, ActionRelease, params)
	if missing := m.Told.Missing(); len(missing) > 0 {
		return m, brokenError(len(ids), missing, "did not answer to their release")
	}
	return m, nil
}

// brokenError says how many of a barrier's agents failed, and how the first of
// them did.
func brokenError(agents int, missing Answers, what string) error {
	return fmt.Errorf("%w: %d of %d agents %s, the first: %w", ErrBarrierBroken, len(missing), agents, what, missing[0].Err)
}

// breakUp tells all who are at the barrier, or on their way to it, that it
// broke. Mailboxes keep the order, so an agent that is late hears it after
// what has made it arrive.
func (r *round) breakUp(arrived, missing Answers) Answers {
	names := make([]string, len(missing))
	for i, m := range missing {
		names[i] = m.Agent
	}
	params := Params{"missing": names}
	var told Answers
	for _, a := range arrived {
		late := errors.Is(a.Err, context.DeadlineExceeded) || errors.Is(a.Err, context.Canceled)
		if a.Err != nil && !late {
			continue
		}
		told = append(told, Answer{Agent: a.Agent, Err: r.tell(a.Agent, ActionBreak, params)})
	}
	return told
}

// tell leaves an action in an agent's mailbox if there is room.
func (r *round) tell(id, action string, params any) error {
	err := ErrUnknownAgent
	if a := r.system.registry.agent(id); a != nil {
		err = a.send(action, params)
	}
	if err != nil {
		return &ActionError{Agent: id, Action: action, Err: err}
	}
	return nil
}
