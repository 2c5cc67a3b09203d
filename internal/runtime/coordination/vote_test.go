package coordination

import (
	"cmp"
	"errors"
	"math"
	"slices"
	"testing"

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
		got, err := Vote(t.Context(), s, startAnswering(t, s, c.ballots), "proposal")
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

// The majority is what counting each choice finds.
func TestVoteMajority(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		choices := rapid.SampledFrom([]any{"a", "a", "b", "c", nil, errOwn})
		values := rapid.SliceOfN(choices, 1, 30).Draw(t, "ballots")
		ballots := make(mabeam.Answers, len(values))
		counts := map[any]int{}
		for i, v := range values {
			if err, ok := v.(error); ok {
				ballots[i].Err = err
				continue
			}
			ballots[i].Value = v
			if v != nil {
				counts[v]++
			}
		}
		var want any
		for choice, n := range counts {
			if n*2 > len(values) {
				want = choice
			}
		}
		got := majority(ballots)
		if got.Winner != want || got.Votes != counts[want] {
			t.Errorf("%v: %v with %d, want %v with %d", values, got.Winner, got.Votes, want, counts[want])
		}
	})
}

func TestAuction(t *testing.T) {
	for _, c := range []struct {
		name   string
		bids   []any
		winner int // -1 is nobody
		price  float64
		reason []error // nil: all count
	}{
		{"the highest wins", []any{1, 3, 2}, 1, 3, nil},
		{"of equal ones the smallest id does", []any{1, 3.0, uint8(3), int64(3)}, 1, 3, nil},
		{"nothing is a bid too", []any{0}, 0, 0, nil},
		{"so is less", []any{-2, -1.5}, 1, -1.5, nil},
		{"who makes no bid is told", []any{nil, 1}, 1, 1, []error{ErrDeclined, nil}},
		{"nobody bids", []any{nil, nil}, -1, 0, []error{ErrDeclined, ErrDeclined}},
		{
			"what is no number is told",
			[]any{"9", 1, math.NaN(), math.Inf(1), true},
			1, 1,
			[]error{ErrBadAnswer, nil, ErrBadAnswer, ErrBadAnswer, ErrBadAnswer},
		},
		{"who fails is told", []any{errOwn, 1}, 1, 1, []error{errOwn, nil}},
	} {
		s := mabeamtest.Start(t, mabeam.Options{})
		ids := startAnswering(t, s, c.bids)
		slices.Reverse(ids) // the order of the bidders does not matter
		got, err := Auction(t.Context(), s, ids, "lot")
		slices.Reverse(ids)
		slices.Reverse(got.Bids)
		want := ""
		if c.winner >= 0 {
			want = ids[c.winner]
		}
		if err != nil || got.Winner != want || got.Price != c.price {
			t.Errorf("%s: %+v, %v; want %q with %v", c.name, got, err, want, c.price)
		}
		for i, b := range got.Bids {
			var reason error
			if c.reason != nil {
				reason = c.reason[i]
			}
			var told *mabeam.ActionError
			if b.Agent != ids[i] || !errors.Is(b.Err, reason) || reason != nil && !errors.As(b.Err, &told) {
				t.Errorf("%s: bid %d: %+v, want the reason %v", c.name, i, b, reason)
			}
		}
	}
}

// The winner of auctions and elections is the first of all who answered a
// number, sorted by it and then by id.
func TestHighest(t *testing.T) {
	number := rapid.OneOf(
		rapid.Map(rapid.IntRange(-3, 3), func(n int) any { return n }),
		rapid.Map(rapid.IntRange(-3, 3), func(n int) any { return float64(n) }),
		rapid.Map(rapid.IntRange(0, 3), func(n int) any { return uint16(n) }),
		rapid.SampledFrom([]any{nil, "2", math.NaN(), errOwn}),
	)
	rapid.Check(t, func(t *rapid.T) {
		values := rapid.SliceOfN(number, 1, 20).Draw(t, "answers")
		ids := rapid.Permutation(manyIDs(len(values))).Draw(t, "ids")
		answers := make(mabeam.Answers, len(values))
		type entry struct {
			at int
			n  float64
		}
		var valid []entry
		for i, v := range values {
			answers[i].Agent = ids[i]
			switch v := v.(type) {
			case error:
				answers[i].Err = v
				continue
			case int:
				valid = append(valid, entry{i, float64(v)})
			case uint16:
				valid = append(valid, entry{i, float64(v)})
			case float64:
				if v == v {
					valid = append(valid, entry{i, v})
				}
			}
			answers[i].Value = v
		}
		slices.SortFunc(valid, func(x, y entry) int {
			return cmp.Or(cmp.Compare(y.n, x.n), cmp.Compare(ids[x.at], ids[y.at]))
		})
		want := entry{-1, 0}
		if len(valid) > 0 {
			want = valid[0]
		}
		got, best := highest(answers, ActionBid)
		if got != want.at || best != want.n {
			t.Errorf("%v of %v: %d with %v, want %d with %v", values, ids, got, best, want.at, want.n)
		}
		if n := len(answers) - len(answers.Missing()); n != len(valid) {
			t.Errorf("%v: %d count, want %d", values, n, len(valid))
		}
	})
}
