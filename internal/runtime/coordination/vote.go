package coordination

import (
	"context"
	"fmt"
	"reflect"

	mabeam "mabeam-top/internal/runtime"
)

// A VoteResult tells what became of a vote.
type VoteResult struct {
	// Winner is what more than half of all members voted for; nil if there is
	// no such majority.
	Winner any
	// Votes is how many voted for the winner; 0 if there is none.
	Votes int
	// Ballots are the votes. Those who abstained (ErrDeclined), whose ballot
	// cannot be compared (ErrBadAnswer) or who did not answer are among them,
	// with the reason.
	Ballots mabeam.Answers
}

// Decided says whether there is a winner.
func (v VoteResult) Decided() bool { return v.Votes > 0 }

// Vote has all members vote (ActionVote, with proposal as params) and finds
// what the majority wants: more than half of all members, so that a member who
// does not vote counts against everything, and a tie is no majority. Ballots
// are for the same if they are equal (==), of the same type; a ballot may be
// anything that can be compared so.
//
// The deadline is that of ctx, or mabeam.CoordinationTimeout from now if it has none.
// The error says that nobody was asked.
func Vote(ctx context.Context, system *mabeam.System, members []string, proposal any) (VoteResult, error) {
	r, err := system.BeginRound(ctx, members)
	if err != nil {
		return VoteResult{}, fmt.Errorf("vote: %w", err)
	}
	defer r.End()
	return majority(r.Ask(ActionVote, proposal)), nil
}

// majority counts the ballots. Two different ballots cancel each other out;
// what is left over, if anything, is the only one that can have a majority
// (Boyer and Moore), so that counting it suffices.
func majority(ballots mabeam.Answers) VoteResult {
	v := VoteResult{Ballots: ballots}
	var left any
	ahead := 0
	for i := range ballots {
		b := &ballots[i]
		switch {
		case b.Err != nil:
			continue
		case b.Value == nil:
			b.Err = &mabeam.ActionError{Agent: b.Agent, Action: ActionVote, Err: ErrDeclined}
			continue
		case !reflect.ValueOf(b.Value).Comparable():
			b.Err = &mabeam.ActionError{Agent: b.Agent, Action: ActionVote, Err: fmt.Errorf("%w: a %T cannot be compared", ErrBadAnswer, b.Value)}
			continue
		}
		switch {
		case ahead == 0:
			left, ahead = b.Value, 1
		case b.Value == left:
			ahead++
		default:
			ahead--
		}
	}
	if ahead == 0 {
		return v
	}
	votes := 0
	for _, b := range ballots {
		if b.Err == nil && b.Value == left {
			votes++
		}
	}
	if votes > len(ballots)/2 {
		v.Winner, v.Votes = left, votes
	}
	return v
}
