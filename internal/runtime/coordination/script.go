package coordination

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"sync"
	"sync/atomic"

	mabeam "mabeam-top/internal/runtime"
)

// ErrSkipped means that a step of a script was not run because one before it
// had failed.
var ErrSkipped = errors.New("skipped after a failure")

// A Step is one action of a script.
type Step struct {
	// Agent is the position of the agent among those of the script, the first
	// being 0.
	Agent  int
	Action string
	Params any
	// Expected is what the action has to return; nil if it does not matter.
	// Two numbers are equal if their values are, whatever their types; all
	// else is compared with reflect.DeepEqual.
	Expected any
}

// A StepResult is what became of a step.
type StepResult struct {
	// Agent is the id of the agent that the step was for.
	Agent string
	// Got is what the action returned.
	Got any
	// Err is nil if the step succeeded. It is a *mabeam.ActionError, as
	// Execute would return it, a *MismatchError, or ErrSkipped.
	Err error
}

// A MismatchError says that an action did not return what was expected.
type MismatchError struct{ Expected, Got any }

func (e *MismatchError) Error() string {
	return fmt.Sprintf("expected %v (%T), got %v (%T)", e.Expected, e.Expected, e.Got, e.Got)
}

// A ScriptMode says which steps of a script wait for which.
type ScriptMode int

// The modes.
const (
	// InSequence runs one step after the other. After a failure, all further
	// steps are skipped.
	InSequence ScriptMode = iota
	// SideBySide runs the steps of different agents at the same time, and
	// those of one agent one after the other. After a failure, the further
	// steps of that agent are skipped; the others go on.
	SideBySide
)

// maxLanes is how many agents' steps run side by side, each on a goroutine; those of any
// more wait for a turn. The runtime itself runs as many agents at once.
const maxLanes = 1024

// RunScript runs steps with agents and returns the result of each, in the order
// of the steps. A step fails if its action does, or returns something else
// than expected.
//
// The deadline of the whole is that of ctx, or mabeam.CoordinationTimeout from
// now if it has none. The error says that no step was run.
func RunScript(ctx context.Context, system *mabeam.System, ids []string, steps []Step, mode ScriptMode) ([]StepResult, error) {
	if err := checkSteps(steps, len(ids), mode); err != nil {
		return nil, fmt.Errorf("script: %w", err)
	}
	r, err := system.BeginRound(ctx, ids)
	if err != nil {
		return nil, fmt.Errorf("script: %w", err)
	}
	defer r.End()
	results := make([]StepResult, len(steps))
	for i, step := range steps {
		results[i].Agent = ids[step.Agent]
	}
	run := scriptRun{system, r.Context(), steps, results}
	run.runLanes(lanesOf(steps, len(ids), mode))
	return results, nil
}

// checkSteps says what is wrong with the steps of a script.
func checkSteps(steps []Step, agents int, mode ScriptMode) error {
	switch {
	case len(steps) == 0:
		return fmt.Errorf("%w: no steps", mabeam.ErrBadCoordination)
	case mode != InSequence && mode != SideBySide:
		return fmt.Errorf("%w: mode %d", mabeam.ErrBadCoordination, mode)
	}
	for i, step := range steps {
		if step.Agent < 0 || step.Agent >= agents {
			return fmt.Errorf("%w: step %d is for agent %d of %d", mabeam.ErrBadCoordination, i, step.Agent, agents)
		}
	}
	return nil
}

// lanesOf parts the steps into lanes, each of which runs in order: one for all,
// or one for each agent that has steps. A lane is a list of positions.
func lanesOf(steps []Step, agents int, mode ScriptMode) [][]int {
	lanes := make([][]int, agents)
	for i, step := range steps {
		lane := 0
		if mode == SideBySide {
			lane = step.Agent
		}
		lanes[lane] = append(lanes[lane], i)
	}
	return slices.DeleteFunc(lanes, func(lane []int) bool { return len(lane) == 0 })
}

// A scriptRun is a script that is being run.
type scriptRun struct {
	system  *mabeam.System
	ctx     context.Context // has the script's deadline
	steps   []Step
	results []StepResult // one for each step
}

// runLanes runs lanes side by side, one of them on the caller's goroutine, and
// returns when all are done: soon after the deadline at the latest,
// because no step is waited for any longer.
func (r *scriptRun) runLanes(lanes [][]int) {
	var taken atomic.Int64
	work := func() {
		for i := taken.Add(1); i <= int64(len(lanes)); i = taken.Add(1) {
			r.runSteps(lanes[i-1])
		}
	}
	var others sync.WaitGroup
	for range min(len(lanes), maxLanes) - 1 {
		others.Go(work)
	}
	work()
	others.Wait()
}

// runSteps runs the steps at the positions given, one after the other.
func (r *scriptRun) runSteps(positions []int) {
	failed := false
	for _, i := range positions {
		step, result := &r.steps[i], &r.results[i]
		if failed {
			result.Err = ErrSkipped
			continue
		}
		result.Got, result.Err = r.system.Execute(r.ctx, result.Agent, step.Action, step.Params)
		if result.Err == nil && step.Expected != nil && !sameValue(step.Expected, result.Got) {
			result.Err = &MismatchError{Expected: step.Expected, Got: result.Got}
		}
		failed = result.Err != nil
	}
}

// sameValue compares what was expected with what was got. A script's numbers
// come from a YAML file, where 1 may be read as any type of number.
func sameValue(expected, got any) bool {
	x, y := reflect.ValueOf(expected), reflect.ValueOf(got)
	switch { // whole numbers first: a float64 does not tell all of them apart
	case x.CanInt() && y.CanInt():
		return x.Int() == y.Int()
	case x.CanUint() && y.CanUint():
		return x.Uint() == y.Uint()
	case x.CanInt() && y.CanUint():
		return x.Int() >= 0 && uint64(x.Int()) == y.Uint()
	case x.CanUint() && y.CanInt():
		return y.Int() >= 0 && uint64(y.Int()) == x.Uint()
	}
	if m, ok := toFloat(x); ok {
		if n, ok := toFloat(y); ok {
			return m == n
		}
	}
	return reflect.DeepEqual(expected, got)
}
