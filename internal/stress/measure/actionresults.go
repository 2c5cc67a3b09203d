package measure

import (
	"context"
	"errors"

	mabeam "mabeam-top/internal/runtime"
	"mabeam-top/internal/runtime/agents"
	"mabeam-top/internal/stress"
	"mabeam-top/internal/stress/conformance"
	"mabeam-top/internal/stress/scenario"
)

// A resultCheck is what is known about the results of an action.
type resultCheck struct {
	// valid reports whether a result is possible; nil if nothing is known.
	valid func(result any) bool
	// count returns how many such actions the agent's state shows; nil if it does not show
	// them.
	count func(state any) int64
}

// resultCheckOf returns what is known about an action of a demo or a complex agent.
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

// errWrongResult is the error of an action that succeeded with an impossible result.
var errWrongResult = errors.New("the action succeeded with a wrong result")

// actionCounts counts the results of a load's actions. Each worker has its own.
type actionCounts struct{ done, wrong, timeouts int64 }

// record counts one result, and returns its error.
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

// sumCounts adds up the counts of all workers.
func sumCounts(workers []actionCounts) (total actionCounts) {
	for _, a := range workers {
		total.done += a.done
		total.wrong += a.wrong
		total.timeouts += a.timeouts
	}
	return total
}

// checkStates compares the states of the agents with the actions that succeeded. An action
// whose caller gave up may have run or not.
func checkStates(ctx context.Context, env *stress.Env, wrong *conformance.Checker, e resultCheck, ids []string, total actionCounts, failed int64) {
	if e.count == nil || env.HasFaultsOn(scenario.TargetAgents) {
		return // the state of an agent that a fault ended is lost
	}
	var shown int64
	for _, id := range ids {
		info, err := env.System().Agent(id)
		if !wrong.Expect(err == nil, "an agent disappeared although nobody ended it") {
			return
		}
		shown += e.count(info.State)
	}
	if ctx.Err() != nil || env.Aborted() {
		return // actions that were cut off are not counted
	}
	least, most := total.done+total.wrong, total.done+total.wrong+failed
	wrong.Add(least-shown, "actions succeeded that the state of their agent does not show")
	wrong.Add(shown-most, "the states of the agents show more actions than were requested")
}
