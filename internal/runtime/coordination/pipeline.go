package coordination

import (
	"context"
	"fmt"

	mabeam "mabeam-top/internal/runtime"
)

// A StageError says where a pipeline stopped.
type StageError struct {
	// Stage is the position of the agent that did not answer, the first being
	// 0. Those before it have answered, those after it were not asked.
	Stage int
	// Err is a *mabeam.ActionError, as Execute would return it.
	Err error
}

func (e *StageError) Error() string { return fmt.Sprintf("stage %d: %v", e.Stage, e.Err) }

func (e *StageError) Unwrap() error { return e.Err }

// Pipeline has the agents carry out an action one after the other: the first
// gets params, each other one the answer of the one before it. It returns the
// answer of the last. A *StageError says which agent did not answer, and why;
// what those before it have done stays done.
//
// The deadline of the whole is that of ctx, or mabeam.CoordinationTimeout from
// now if it has none. Any other error says that nobody was asked.
func Pipeline(ctx context.Context, system *mabeam.System, ids []string, action string, params any) (any, error) {
	r, err := system.BeginRound(ctx, ids)
	if err != nil {
		return nil, fmt.Errorf("pipeline: %w", err)
	}
	defer r.End()
	value := params
	for stage, id := range ids {
		if value, err = system.Execute(r.Context(), id, action, value); err != nil {
			return nil, fmt.Errorf("pipeline: %w", &StageError{Stage: stage, Err: err})
		}
	}
	return value, nil
}
