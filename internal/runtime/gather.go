package mabeam

import (
	"context"
	"fmt"
)

// Gather makes many agents carry out the same action at once (fan-out) and returns all answers
// (gather), in the order of the ids. The answer of an agent that did not answer by the deadline
// says why: unknown agent, mailbox full, timeout, crash, the action's own error and so on. All
// agents get the same params, which must not be modified.
//
// The deadline is that of ctx, or CoordinationTimeout from now if it has none.
// The error means that nobody was asked: ErrBadCoordination, ErrSystemStopped,
// ErrTimeout or context.Canceled. In a callback, the answer of an agent that waits for the
// callback's agent, or is that agent, is a *DeadlockError.
func (s *System) Gather(ctx context.Context, ids []string, action string, params any) (Answers, error) {
	r, err := s.BeginRound(ctx, ids)
	if err != nil {
		return nil, fmt.Errorf("gather: %w", err)
	}
	defer r.End()
	return r.Ask(action, params), nil
}

// An Answer is what one agent answered in a coordination.
type Answer struct {
	// Agent is the id of the agent that was asked.
	Agent string
	// Value is the result of the action; nil if there is none.
	Value any
	// Err is why there is no usable answer: an *ActionError, as Execute would return it. It
	// is nil if the agent answered.
	Err error
}

// Answers are the answers in a coordination, one for each agent, in the order in which the
// agents were named.
type Answers []Answer

// Missing returns the answers with an Err: of the agents that did not answer, or whose answer
// cannot be used.
func (a Answers) Missing() Answers {
	var missing Answers
	for _, answer := range a {
		if answer.Err != nil {
			missing = append(missing, answer)
		}
	}
	return missing
}
