package coordination

import (
	"context"
	"errors"
	"fmt"
	"reflect"

	mabeam "mabeam-top/internal/runtime"
)

// A VoteResult says what became of a vote. All its numbers are votes, of which a member
// may have more than one, or none: see VoteRule.Weights.
type VoteResult struct {
	// Winner is the choice that won; nil if none did.
	Winner any
	// Votes is how many votes there were for the winner; 0 if there is none.
	Votes int
	// Cast is how many votes were cast, for whatever choice, and Abstained those of
	// members that abstained. Total is how many all members have, also those that did not
	// take part.
	Cast, Abstained, Total int
	// Ballots are the votes of the members. Those who abstained (ErrDeclined), whose
	// ballot cannot be compared (ErrBadAnswer) or who did not answer are among
	// them, with the reason.
	Ballots mabeam.Answers
}

// Decided reports whether there is a winner.
func (v VoteResult) Decided() bool { return v.Votes > 0 }

// Absent returns the members that did not take part, each with the reason. Those that
// abstained did take part.
func (v VoteResult) Absent() mabeam.Answers {
	var absent mabeam.Answers
	for _, b := range v.Ballots {
		if b.Err != nil && !abstained(b) {
			absent = append(absent, b)
		}
	}
	return absent
}

// abstained reports whether a member took part without voting for anything.
func abstained(b mabeam.Answer) bool { return errors.Is(b.Err, ErrDeclined) }

// Vote has all members vote (ActionVote, with proposal as params) and finds the choice that
// wins by the rule. A tie has no winner. Ballots are
// for the same choice if they are equal (==), of the same type; a ballot may be
// anything that can be compared so. Nil is an abstention.
//
// A member that ends before it has voted, that is late or is not there at all does not take
// part; nor does one whose ballot cannot be compared. A ballot counts once it is given,
// also if the member ends before the others have voted.
//
// The deadline is that of ctx, or mabeam.CoordinationTimeout from now if it has none. The
// error says that nobody was asked. It is mabeam.ErrBadCoordination also if a weight is
// negative, or is for somebody who is no member, if no member has a vote, and if the quorum is
// negative or more than the votes of all members.
func Vote(ctx context.Context, system *mabeam.System, members []string, proposal any, rule VoteRule) (VoteResult, error) {
	if err := rule.check(members); err != nil {
		return VoteResult{}, fmt.Errorf("vote: %w", err)
	}
	r, err := system.BeginRound(ctx, members)
	if err != nil {
		return VoteResult{}, fmt.Errorf("vote: %w", err)
	}
	defer r.End()
	return rule.count(r.Ask(ActionVote, proposal)), nil
}

// count counts the votes of the ballots, and finds the winner.
func (r VoteRule) count(ballots mabeam.Answers) VoteResult {
	v := VoteResult{Ballots: ballots}
	for i := range ballots {
		b := &ballots[i]
		checkBallot(b)
		votes := r.votesOf(b.Agent)
		v.Total += votes
		switch {
		case b.Err == nil:
			v.Cast += votes
		case abstained(*b):
			v.Abstained += votes
		}
	}
	choice := r.favourite(ballots)
	if votes := r.votesFor(choice, ballots); r.decides(votes, v) {
		v.Winner, v.Votes = choice, votes
	}
	return v
}

// checkBallot gives a ballot that is none, or cannot be compared, the reason why it does not
// count.
func checkBallot(b *mabeam.Answer) {
	var why error
	switch {
	case b.Err != nil:
		return
	case b.Value == nil:
		why = ErrDeclined
	case !reflect.ValueOf(b.Value).Comparable():
		why = fmt.Errorf("%w: a %T cannot be compared", ErrBadAnswer, b.Value)
	default:
		return
	}
	b.Err = &mabeam.ActionError{Agent: b.Agent, Action: ActionVote, Err: why}
}

// favourite returns the only choice that can have more than half of the votes cast, if any
// has. Votes for two different choices cancel each other out, and what is left over is for
// that one (Boyer and Moore).
func (r VoteRule) favourite(ballots mabeam.Answers) any {
	var choice any
	ahead := 0
	for _, b := range ballots {
		votes := r.votesOf(b.Agent)
		switch {
		case b.Err != nil:
		case b.Value == choice:
			ahead += votes
		case votes > ahead:
			choice, ahead = b.Value, votes-ahead
		default:
			ahead -= votes
		}
	}
	return choice
}

// votesFor is how many votes there are for a choice.
func (r VoteRule) votesFor(choice any, ballots mabeam.Answers) int {
	sum := 0
	for _, b := range ballots {
		if b.Err == nil && b.Value == choice {
			sum += r.votesOf(b.Agent)
		}
	}
	return sum
}
