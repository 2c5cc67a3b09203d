package mabeam

import (
	"context"
	"fmt"
)

// Gather has many agents carry out the same action at once (fan-out) and
// returns the answers of all (gather), in the order of the ids. Those who did
// not answer by the deadline are among them, with the reason: unknown agent,
// mailbox full, timeout, crashed, the action's own error and so on. They all
// get the same params, which nobody may change.
//
// The deadline is that of ctx, or CoordinationTimeout from now if it has none.
// The error means that nobody was asked: ErrBadCoordination, ErrSystemStopped,
// ErrTimeout or context.Canceled. An agent whose callback gathers from one that waits for
// it, or from itself, has a *DeadlockError among the answers.
func (s *System) Gather(ctx context.Context, ids []string, action string, params any) (Answers, error) {
	r, err := s.BeginRound(ctx, ids)
	if err != nil {
		return nil, fmt.Errorf("gather: %w", err)
	}
	defer r.End()
	return r.Ask(action, params), nil
}
