package coordination

import (
	"context"
	"fmt"

	mabeam "mabeam-top/internal/runtime"
)

// An ElectionResult says what became of an election.
type ElectionResult struct {
	// Leader is the id of the winner; empty if there is none.
	Leader string
	// Priority is that of the winner.
	Priority float64
	// Candidates are the priorities. Those who do not want to lead
	// (ErrDeclined), whose priority is no number (ErrBadAnswer) or who did not
	// answer are among them, with the reason.
	Candidates mabeam.Answers
}

// Elect holds one election: all candidates are asked for their priority
// (ActionStand, with params), and the highest one wins; of equal ones that of
// the smallest id does. Priorities are numbers of any type, finite, and are
// compared as float64. If every candidate answers the same each time, the same
// one wins each time. A winner may have ended since it answered; an Election sees to that.
//
// The deadline is that of ctx, or mabeam.CoordinationTimeout from now if it has
// none; who is late does not stand. The error says that nobody was asked.
func Elect(ctx context.Context, system *mabeam.System, candidates []string, params any) (ElectionResult, error) {
	r, err := system.BeginRound(ctx, candidates)
	if err != nil {
		return ElectionResult{}, fmt.Errorf("elect: %w", err)
	}
	defer r.End()
	return elect(r, params), nil
}

func elect(r mabeam.Round, params any) ElectionResult {
	e := ElectionResult{Candidates: r.Ask(ActionStand, params)}
	if winner, priority := highest(e.Candidates, ActionStand, nobody); winner != nobody {
		e.Leader, e.Priority = e.Candidates[winner].Agent, priority
	}
	return e
}
