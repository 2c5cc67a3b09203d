package measure

import (
	"context"
	"errors"

	mabeam "mabeam-top/internal/runtime"
	"mabeam-top/internal/runtime/agents"
	"mabeam-top/internal/stress"
	"mabeam-top/internal/stress/scenario"
)

// An expectation is what is known of the results of an action.
type resultCheck struct {
	// right says whether a result is one that the action has; nil if nothing is known.
	valid func(result any) bool
	// counted is how many such actions the agent's state shows; nil if it does not.
	count func(state any) int64
}

// resultCheckOf returns what is known of an action of the demo or the complex agent.
func resultCheckOf(agentType, action string, params map[string]any) resultCheck {
	is := func(want any) func(any) bool { return func(result any) bool { return result == want } }
	switch agentType + " " + action {
	case "demo ping", "complex ping":
		return resultCheck{valid: is("pong")}
	case "demo increment":
		amount, given := 1, true
		if value, ok := params["amount"]; ok {
			amount, given = value.(int)
		}
		if !given || amount <= 0 {
			break
		}
		return resultCheck{
			valid: func(result any) bool { n, ok := result.(int); return ok && n >= amount && n%amount == 0 },
			count: func(state any) int64 {
				s, _ := state.(agents.DemoState)
				return int64(s.Counter / amount)
			},
		}
	case "complex work":
		return resultCheck{
			valid: func(result any) bool { n, ok := result.(int); return ok && n > 0 },
			count: func(state any) int64 {
				s, _ := state.(agents.ComplexState)
				return int64(s.Rounds)
			},
		}
	case "demo get_state":
		return resultCheck{valid: func(result any) bool { _, ok := result.(agents.DemoState); return ok }}
	case "complex get_state":
		return resultCheck{valid: func(result any) bool { _, ok := result.(agents.ComplexState); return ok }}
	case "complex sleep":
		return resultCheck{valid: is(nil)}
	}
	return resultCheck{}
}

// errWrongResult is the error of an action that succeeded with a result it cannot have.
var errWrongResult = errors.New("the action succeeded with a wrong result")

// answers looks at what a load's actions return. Each worker has one of its own.
type actionCounts struct{ done, wrong, timeouts int64 }

// take counts the end of an action, and returns its error.
func (a *actionCounts) record(e resultCheck, result any, err error) error {
	switch {
	case errors.Is(err, mabeam.ErrTimeout):
		a.timeouts++
	case err != nil:
	case e.valid != nil && !e.valid(result):
		a.wrong++
		return errWrongResult
	default:
		a.done++
	}
	return err
}

// sumCounts adds up those of all workers.
func sumCounts(workers []actionCounts) (total actionCounts) {
	for _, a := range workers {
		total.done += a.done
		total.wrong += a.wrong
		total.timeouts += a.timeouts
	}
	return total
}

// checkStates compares what the agents' states show with the actions that succeeded.
// Those whose caller gave up may have been carried out, or not.
func checkStates(ctx context.Context, env *stress.Env, wrong *checker, e resultCheck, ids []string, total actionCounts, failed int64) {
	if e.count == nil || env.HasFaultsOn(scenario.TargetAgents) {
		return // an agent that a fault has ended took its state along
	}
	var shown int64
	for _, id := range ids {
		info, err := env.System().Agent(id)
		if !wrong.expect(err == nil, "an agent that nobody ended is not there any more") {
			return
		}
		shown += e.count(info.State)
	}
	if ctx.Err() != nil || env.Aborted() {
		return // actions that were cut off are in no count
	}
	least, most := total.done+total.wrong, total.done+total.wrong+failed
	wrong.add(least-shown, "actions that succeeded are not in the state of their agent")
	wrong.add(shown-most, "the states of the agents show more actions than were asked for")
}
