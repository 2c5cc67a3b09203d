package coordination

import (
	"errors"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	mabeam "mabeam-top/internal/runtime"
	"mabeam-top/internal/runtime/mabeamtest"
)

// A panicBallot or an error in a list of answers is one that an agent does not
// give.
type panicBallot struct{}

// startAnswering starts an agent for each answer, and returns their ids.
func startAnswering(t testing.TB, s *mabeam.System, answers []any) []string {
	t.Helper()
	ids := manyIDs(len(answers))
	byID := make(map[string]any, len(ids))
	for i, id := range ids {
		byID[id] = answers[i]
	}
	startNamed(t, s, ids, func(id, _ string, _ any) (any, error) {
		switch answer := byID[id].(type) {
		case error:
			return nil, answer
		case panicBallot:
			panic("instead of an answer")
		default:
			return answer, nil
		}
	})
	return ids
}

func TestVote(t *testing.T) {
	type two struct{ a, b any }
	for _, c := range []struct {
		name    string
		ballots []any
		winner  any
		votes   int
	}{
		{"one member", []any{"a"}, "a", 1},
		{"more than half", []any{"a", "b", "a"}, "a", 2},
		{"a tie is none", []any{"a", "b", "a", "b"}, nil, 0},
		{"half is none", []any{"a", "b", "a", "c"}, nil, 0},
		{"those who abstain count against it", []any{"a", "a", nil, nil}, nil, 0},
		{"nil never wins", []any{nil, nil, nil, "a"}, nil, 0},
		{"those who fail count against it", []any{"a", "a", errOwn, panicBallot{}}, nil, 0},
		{"and do no more than that", []any{"a", "a", "a", errOwn, panicBallot{}}, "a", 3},
		{"numbers of two types differ", []any{1, 1.0, 1}, 1, 2},
		{"structs are compared", []any{two{1, 2}, two{1, 2}}, two{1, 2}, 2},
		{"what cannot be compared does not count", []any{"a", two{1, []int{1}}, "a"}, "a", 2},
		{"not even if it looks the same", []any{[]int{1}, []int{1}, []int{1}}, nil, 0},
		{"no number is no ballot for itself", []any{math.NaN(), math.NaN(), math.NaN()}, nil, 0},
		{"false is a ballot", []any{false, false, true}, false, 2},
	} {
		s := mabeamtest.Start(t, mabeam.Options{})
		got, err := Vote(t.Context(), s, startAnswering(t, s, c.ballots), "proposal", VoteRule{})
		if err != nil || got.Winner != c.winner || got.Votes != c.votes || got.Decided() != (c.votes > 0) {
			t.Errorf("%s: %+v, %v; want %v with %d", c.name, got, err, c.winner, c.votes)
		}
		if len(got.Ballots) != len(c.ballots) {
			t.Errorf("%s: %d ballots of %d", c.name, len(got.Ballots), len(c.ballots))
			continue
		}
		for i, ballot := range c.ballots {
			switch b := got.Ballots[i]; ballot := ballot.(type) {
			case nil:
				if !errors.Is(b.Err, ErrDeclined) {
					t.Errorf("%s: nil is told as %v", c.name, b.Err)
				}
			case error:
				if !errors.Is(b.Err, ballot) {
					t.Errorf("%s: %v is told as %v", c.name, ballot, b.Err)
				}
			case []int:
				if !errors.Is(b.Err, ErrBadAnswer) {
					t.Errorf("%s: %v is told as %v", c.name, ballot, b.Err)
				}
			case string:
				if b.Err != nil || b.Value != ballot {
					t.Errorf("%s: %v is told as %+v", c.name, ballot, b)
				}
			}
		}
	}
}

// Each rule, with ballots of the members a00000, a00001 and so on.
func TestVoteRules(t *testing.T) {
	weights := func(of ...int) map[string]int {
		m := map[string]int{}
		for i, id := range manyIDs(len(of)) {
			m[id] = of[i]
		}
		return m
	}
	spoilt := []int{1} // cannot be compared
	for _, c := range []struct {
		name    string
		rule    VoteRule
		ballots []any
		want    VoteResult // but for its ballots
		absent  int
	}{
		{
			"a quorum is reached, and half of the votes cast is not enough",
			VoteRule{Quorum: 2},
			[]any{"a", "b", nil, errOwn},
			VoteResult{Cast: 2, Abstained: 1, Total: 4},
			1,
		},
		{
			"a quorum is reached, and more than half of the votes cast is",
			VoteRule{Quorum: 3},
			[]any{"a", "a", "b", errOwn, errOwn, errOwn},
			VoteResult{Winner: "a", Votes: 2, Cast: 3, Total: 6},
			3,
		},
		{
			"a quorum is missed by one",
			VoteRule{Quorum: 4},
			[]any{"a", "a", "a", errOwn, errOwn},
			VoteResult{Cast: 3, Total: 5},
			2,
		},
		{
			"who abstains takes part",
			VoteRule{Quorum: 3},
			[]any{"a", nil, nil, errOwn},
			VoteResult{Winner: "a", Votes: 1, Cast: 1, Abstained: 2, Total: 4},
			1,
		},
		{
			"who abstains by an error does too",
			VoteRule{Quorum: 2},
			[]any{"a", ErrDeclined},
			VoteResult{Winner: "a", Votes: 1, Cast: 1, Abstained: 1, Total: 2},
			0,
		},
		{
			"whose ballot is spoilt does not",
			VoteRule{Quorum: 2},
			[]any{"a", spoilt},
			VoteResult{Cast: 1, Total: 2},
			1,
		},
		{
			"all abstain",
			VoteRule{Quorum: 2},
			[]any{nil, nil},
			VoteResult{Abstained: 2, Total: 2},
			0,
		},
		{
			"one has more votes than the others together",
			VoteRule{Weights: weights(3, 1, 1)},
			[]any{"a", "b", "b"},
			VoteResult{Winner: "a", Votes: 3, Cast: 5, Total: 5},
			0,
		},
		{
			"a tie of votes, though not of members",
			VoteRule{Weights: weights(2, 1, 1)},
			[]any{"a", "b", "b"},
			VoteResult{Cast: 4, Total: 4},
			0,
		},
		{
			"one that is outvoted at first",
			VoteRule{Weights: weights(1, 2, 2)},
			[]any{"a", "b", "a"},
			VoteResult{Winner: "a", Votes: 3, Cast: 5, Total: 5},
			0,
		},
		{
			"the heaviest is outvoted",
			VoteRule{Weights: weights(3, 2, 2)},
			[]any{"a", "b", "b"},
			VoteResult{Winner: "b", Votes: 4, Cast: 7, Total: 7},
			0,
		},
		{
			"a member without a weight has one vote",
			VoteRule{Weights: map[string]int{"a00000": 2}},
			[]any{"a", "b"},
			VoteResult{Winner: "a", Votes: 2, Cast: 3, Total: 3},
			0,
		},
		{
			"one of weight 0 is not counted, for or against",
			VoteRule{Weights: weights(0, 0, 1)},
			[]any{"a", errOwn, "b"},
			VoteResult{Winner: "b", Votes: 1, Cast: 1, Total: 1},
			1,
		},
		{
			"the missing weight is against everything",
			VoteRule{Weights: weights(1, 1, 2)},
			[]any{"a", "a", errOwn},
			VoteResult{Cast: 2, Total: 4},
			1,
		},
		{
			"a quorum is of votes, too",
			VoteRule{Weights: weights(1, 1, 5), Quorum: 5},
			[]any{errOwn, errOwn, "a"},
			VoteResult{Winner: "a", Votes: 5, Cast: 5, Total: 7},
			2,
		},
		{
			"all are for it",
			VoteRule{Unanimous: true},
			[]any{"a", "a"},
			VoteResult{Winner: "a", Votes: 2, Cast: 2, Total: 2},
			0,
		},
		{
			"one is against it",
			VoteRule{Unanimous: true},
			[]any{"a", "a", "b"},
			VoteResult{Cast: 3, Total: 3},
			0,
		},
		{
			"one abstains, and all are needed",
			VoteRule{Unanimous: true},
			[]any{"a", "a", nil},
			VoteResult{Cast: 2, Abstained: 1, Total: 3},
			0,
		},
		{
			"one abstains, and those that vote are enough",
			VoteRule{Unanimous: true, Quorum: 1},
			[]any{"a", "a", nil},
			VoteResult{Winner: "a", Votes: 2, Cast: 2, Abstained: 1, Total: 3},
			0,
		},
		{
			"nobody votes, and those that vote are enough",
			VoteRule{Unanimous: true, Quorum: 1},
			[]any{nil, nil},
			VoteResult{Abstained: 2, Total: 2},
			0,
		},
		{
			"votes up to the most that can be counted",
			VoteRule{Weights: weights(math.MaxInt/2, math.MaxInt/2+1)},
			[]any{"a", "b"},
			VoteResult{Winner: "b", Votes: math.MaxInt/2 + 1, Cast: math.MaxInt, Total: math.MaxInt},
			0,
		},
	} {
		s := mabeamtest.Start(t, mabeam.Options{})
		got, err := Vote(t.Context(), s, startAnswering(t, s, c.ballots), nil, c.rule)
		absent := len(got.Absent())
		got.Ballots = nil
		if err != nil || !reflect.DeepEqual(got, c.want) || absent != c.absent {
			t.Errorf("%s: %+v, %d absent, %v; want %+v, %d absent", c.name, got, absent, err, c.want, c.absent)
		}
	}
}

// A rule by which these members can never decide anything is refused before anybody is asked.
func TestVoteRuleIsRefused(t *testing.T) {
	s := mabeamtest.Start(t, mabeam.Options{})
	ids := startAnswering(t, s, []any{"a", "a", "a"})
	for name, rule := range map[string]VoteRule{
		"a negative weight":             {Weights: map[string]int{ids[0]: 3, ids[1]: -1}},
		"a weight of a stranger":        {Weights: map[string]int{"nobody": 1}},
		"no votes at all":               {Weights: map[string]int{ids[0]: 0, ids[1]: 0, ids[2]: 0}},
		"too many votes":                {Weights: map[string]int{ids[0]: math.MaxInt}},
		"so many that they wrap around": {Weights: map[string]int{ids[0]: math.MaxInt, ids[1]: math.MaxInt, ids[2]: 4}},
		"a negative quorum":             {Quorum: -1},
		"a quorum that is out of reach": {Quorum: 4},
		"a quorum out of reach by weight": {
			Weights: map[string]int{ids[0]: 0}, Quorum: 3,
		},
	} {
		if _, err := Vote(t.Context(), s, ids, nil, rule); !errors.Is(err, mabeam.ErrBadCoordination) || !strings.HasPrefix(err.Error(), "vote: ") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if tel := s.Telemetry(); tel.ActionsDone+tel.CoordinationRounds > 0 {
		t.Errorf("somebody was asked: %+v", tel)
	}
}

// A member that dies before it has voted does not take part, and its ballot says why; the
// ballot of one that dies later counts.
func TestVotersDie(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := mabeamtest.Start(t, mabeam.Options{})
		ids := []string{"votes", "voted, dies", "killed", "panics", "late", "nobody"}
		hold := make(chan struct{})
		defer close(hold)
		startNamed(t, s, ids[:5], func(id, _ string, _ any) (any, error) {
			switch id {
			case "votes":
				time.Sleep(2 * time.Second)
			case "killed", "late":
				<-hold
			case "panics":
				panic("instead of a ballot")
			}
			return "a", nil
		})
		time.AfterFunc(time.Second, func() {
			s.KillAgent("voted, dies")
			s.KillAgent("killed")
		})
		got, err := Vote(t.Context(), s, ids, nil, VoteRule{Quorum: 2})
		if err != nil || got.Winner != "a" || got.Votes != 2 || got.Cast != 2 || got.Total != 6 {
			t.Errorf("%+v, %v", got, err)
		}
		var panicked *mabeam.PanicError
		absent := got.Absent()
		if len(absent) != 4 || absent[0].Agent != "killed" || !errors.Is(absent[0].Err, mabeam.ErrKilled) ||
			!errors.As(absent[1].Err, &panicked) || !errors.Is(absent[2].Err, mabeam.ErrTimeout) || !errors.Is(absent[3].Err, mabeam.ErrUnknownAgent) {
			t.Errorf("absent: %v", absent)
		}
	})
}

// plainly counts votes in the plainest way, one choice after the other.
func plainly(rule VoteRule, ballots mabeam.Answers) VoteResult {
	v := VoteResult{Ballots: ballots}
	for _, choice := range ballots {
		votes := 0
		v.Cast, v.Abstained, v.Total = 0, 0, 0
		for _, b := range ballots {
			weight, ok := rule.Weights[b.Agent]
			if !ok {
				weight = 1
			}
			v.Total += weight
			switch {
			case errors.Is(b.Err, ErrDeclined):
				v.Abstained += weight
			case b.Err == nil:
				v.Cast += weight
				if choice.Err == nil && b.Value == choice.Value {
					votes += weight
				}
			}
		}
		needs := float64(v.Total)
		if rule.Quorum > 0 {
			needs = float64(v.Cast)
		}
		enough := float64(votes) > needs/2
		if rule.Unanimous {
			enough = votes > 0 && float64(votes) == needs
		}
		if enough && v.Cast+v.Abstained >= rule.Quorum {
			v.Winner, v.Votes = choice.Value, votes
		}
	}
	return v
}

// By any rule, the winner is the one that counting each choice finds.
func TestVoteFollowsModel(t *testing.T) {
	choices := rapid.SampledFrom([]any{"a", "a", "a", "a", "b", "b", "c", nil, errOwn, ErrDeclined})
	rapid.Check(t, func(t *rapid.T) {
		values := rapid.SliceOfN(choices, 1, 12).Draw(t, "ballots")
		ids := manyIDs(len(values))
		ballots := make(mabeam.Answers, len(values))
		for i, v := range values {
			ballots[i].Agent = ids[i]
			if err, ok := v.(error); ok {
				ballots[i].Err = err
				continue
			}
			ballots[i].Value = v
		}
		rule := VoteRule{Unanimous: rapid.Bool().Draw(t, "unanimous")}
		if rapid.Bool().Draw(t, "has weights") {
			rule.Weights = map[string]int{}
			for _, id := range ids {
				rule.Weights[id] = rapid.IntRange(0, 5).Draw(t, id)
			}
		}
		rule.Quorum = rapid.IntRange(0, plainly(rule, ballots).Total).Draw(t, "quorum")
		got := rule.count(slices.Clone(ballots))
		for i := range ballots {
			if values[i] == nil {
				ballots[i].Err = ErrDeclined
			}
		}
		want := plainly(rule, ballots)
		got.Ballots, want.Ballots = nil, nil
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%v by %+v: %+v, want %+v", values, rule, got, want)
		}
	})
}
