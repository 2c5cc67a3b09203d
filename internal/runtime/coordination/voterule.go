package coordination

import (
	"fmt"
	"math"

	mabeam "mabeam-top/internal/runtime"
)

// A VoteRule says what decides a vote. The zero value is the majority: a choice wins with
// more than half of the votes of all members, of whom each has one. The fields can be
// combined in any way.
type VoteRule struct {
	// Weights is how many votes members have, by id. A member that is not in it has one
	// vote. One with 0 votes is asked, and its ballot is reported but not counted.
	Weights map[string]int
	// Quorum is how many votes must take part for a decision: those of the members that
	// cast a ballot or abstain. With a quorum, a choice needs more than half of the votes
	// that are cast. 0 means that there is no quorum: a choice needs more than half of
	// the votes of all members, so that one that does not vote is against everything.
	Quorum int
	// Unanimous makes a choice need all of those votes, not only more than half.
	Unanimous bool
}

// votesOf is how many votes a member has.
func (r VoteRule) votesOf(member string) int {
	if votes, ok := r.Weights[member]; ok {
		return votes
	}
	return 1
}

// check says why members cannot vote by the rule, whatever their ballots are.
func (r VoteRule) check(members []string) error {
	if err := r.checkWeights(members); err != nil {
		return err
	}
	total := 0
	for _, id := range members {
		votes := r.votesOf(id)
		if votes > math.MaxInt-total {
			return fmt.Errorf("%w: the members have more votes than an int can count", mabeam.ErrBadCoordination)
		}
		total += votes
	}
	switch {
	case total == 0:
		return fmt.Errorf("%w: no member has a vote", mabeam.ErrBadCoordination)
	case r.Quorum < 0 || r.Quorum > total:
		return fmt.Errorf("%w: a quorum of %d, of %d votes", mabeam.ErrBadCoordination, r.Quorum, total)
	}
	return nil
}

// checkWeights says what is wrong with the weights themselves. A weight of somebody who is
// no member is most likely a misspelt id.
func (r VoteRule) checkWeights(members []string) error {
	if len(r.Weights) == 0 {
		return nil
	}
	isMember := make(map[string]bool, len(members))
	for _, id := range members {
		isMember[id] = true
	}
	for id, votes := range r.Weights {
		switch {
		case !isMember[id]:
			return fmt.Errorf("%w: a weight for %q, who is no member", mabeam.ErrBadCoordination, id)
		case votes < 0:
			return fmt.Errorf("%w: a weight of %d for %q", mabeam.ErrBadCoordination, votes, id)
		}
	}
	return nil
}

// decides reports whether so many votes for one choice are enough. Where nobody has voted they
// may be, and are 0: that is no decision either.
func (r VoteRule) decides(votes int, v VoteResult) bool {
	if v.Cast+v.Abstained < r.Quorum {
		return false
	}
	of := v.Total
	if r.Quorum > 0 {
		of = v.Cast
	}
	if r.Unanimous {
		return votes == of
	}
	return votes > of-votes // more than half, without an overflow
}
