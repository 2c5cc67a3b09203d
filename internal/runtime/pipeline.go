package mabeam

import (
	"context"
	"fmt"
)

// A StageError says where a pipeline stopped.
type StageError struct {
	// Stage is the position of the agent that did not answer, the first being
	// 0. Those before it have answered, those after it were not asked.
	Stage int
	// Err is an *ActionError, as Execute would return it.
	Err error
}

func (e *StageError) Error() string { return fmt.Sprintf("stage %d: %v", e.Stage, e.Err) }

func (e *StageError) Unwrap() error { return e.Err }

// Pipeline has the agents carry out an action one after the other: the first
// gets params, each other one the answer of the one before it. It returns the
// answer of the last. A *StageError tells which agent did not answer, and why;
// what those before it have done stays done.
//
// The deadline of the whole is that of ctx, or CoordinationTimeout from now if
// it has none. Any other error tells that nobody was asked, as for Gather.
func (s *System) Pipeline(ctx context.Context, ids []string, action string, params any) (any, error) {
	r, err := s.begin(ctx, ids, CoordinationTimeout)
	if err != nil {
		return nil, fmt.Errorf("pipeline: %w", err)
	}
	defer r.end()
	value := params
	for stage, id := range ids {
		if value, err = s.Execute(r.ctx, id, action, value); err != nil {
			return nil, fmt.Errorf("pipeline: %w", &StageError{Stage: stage, Err: err})
		}
	}
	return value, nil
}
