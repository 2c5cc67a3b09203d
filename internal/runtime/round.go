package mabeam

import (
	"context"
	"errors"
	"fmt"
	"time"

	"mabeam-top/internal/runtime/internal/failure"
)

// CoordinationTimeout is how long a coordination waits for answers when its
// context has no deadline.
const CoordinationTimeout = 5 * time.Second

// ErrBadCoordination means that a coordination makes no sense as it was asked for, and that
// nothing was sent: no agents, say, or one that is named twice.
var ErrBadCoordination = errors.New("bad coordination")

// A Round is one coordination under way. Its agents are asked to carry out the same action
// at once, as often as needed, and all of it has one deadline. Only System.BeginRound makes
// one that can be used.
type Round struct {
	system *System
	ids    []string
	ctx    context.Context // has a deadline
	cancel context.CancelFunc
}

// BeginRound begins a coordination of the agents with these ids, and sends nothing yet. The
// caller must call End. The ids must not change before that.
//
// The deadline is that of ctx, or CoordinationTimeout from now if it has none. With the
// context of a callback, its agent is the one that waits for the others. The error is
// ErrBadCoordination if there are no ids or one is there twice, or ErrSystemStopped,
// ErrTimeout or context.Canceled.
func (s *System) BeginRound(ctx context.Context, ids []string) (Round, error) {
	if err := checkAgents(ids); err != nil {
		return Round{}, err
	}
	if s.stopping.Load() {
		return Round{}, ErrSystemStopped
	}
	if ctx.Err() != nil {
		return Round{}, failure.ContextError(ctx)
	}
	r := Round{system: s, ids: ids}
	r.ctx, r.cancel = failure.WithDefaultTimeout(ctx, CoordinationTimeout)
	return r, nil
}

// Context is that of BeginRound's caller, with the deadline of the round.
func (r Round) Context() context.Context { return r.ctx }

// End ends the round and counts it. Nothing of it goes on.
func (r Round) End() {
	r.cancel()
	r.system.coordinationRounds.Add(1)
}

// Ask has all agents of the round carry out an action with the same params, and returns when
// each has answered or the deadline has passed. It starts no goroutine, and an agent that
// answers late finds that nobody waits for it.
func (r Round) Ask(action string, params any) Answers {
	answers := make(Answers, len(r.ids))
	calls := make([]*call, len(r.ids)) // nil for those that could not be asked
	for i, id := range r.ids {
		answers[i].Agent = id
		call, err := r.call(id, action, params)
		if err != nil {
			answers[i].Err = notBegun{err}
		}
		calls[i] = call
	}
	// From the last to the first: those who were asked last mostly answer last,
	// so that the others need not be waited for one by one.
	for i := len(r.ids) - 1; i >= 0; i-- {
		if calls[i] != nil {
			answers[i].Value, answers[i].Err = calls[i].await(r.ids[i], action)
		}
		if answers[i].Err != nil {
			answers[i].Err = newActionError(r.ids[i], action, answers[i].Err)
		}
	}
	return answers
}

// call puts an action into an agent's mailbox.
func (r Round) call(id, action string, params any) (*call, error) {
	a := r.system.agents.Get(id)
	if a == nil {
		return nil, ErrUnknownAgent
	}
	if err := r.system.actionRate.Allow(); err != nil {
		return nil, err
	}
	c := r.system.newCall(r.ctx, params)
	if err := c.send(a, nil, action); err != nil {
		return nil, err
	}
	return c, nil
}

// Tell leaves an action in the mailbox of one agent, without waiting for its answer or for
// room. An *ActionError says why the agent does not get it.
func (r Round) Tell(id, action string, params any) error {
	err := ErrUnknownAgent
	if a := r.system.agents.Get(id); a != nil {
		err = a.send(action, params)
	}
	if err != nil {
		return newActionError(id, action, notBegun{err})
	}
	return nil
}

// maxCompared is the number of ids up to which comparing each with each is
// cheaper than making a set of them.
const maxCompared = 32

// checkAgents says what is wrong with the agents named for a coordination.
func checkAgents(ids []string) error {
	if len(ids) == 0 {
		return fmt.Errorf("%w: no agents", ErrBadCoordination)
	}
	if len(ids) <= maxCompared {
		for i, id := range ids {
			for _, earlier := range ids[:i] {
				if id == earlier {
					return namedTwice(id)
				}
			}
		}
		return nil
	}
	seen := make(map[string]struct{}, len(ids))
	for i, id := range ids {
		if seen[id] = struct{}{}; len(seen) == i {
			return namedTwice(id)
		}
	}
	return nil
}

func namedTwice(id string) error {
	return fmt.Errorf("%w: agent %q is named twice", ErrBadCoordination, id)
}
