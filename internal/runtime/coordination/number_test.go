package coordination

import (
	"cmp"
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"

	mabeam "mabeam-top/internal/runtime"
)

// The winner of auctions and elections is the first of all who answered a
// number, sorted by it and then by id. Without the winner it is the second.
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
		places := append(slices.Clone(valid), entry{nobody, 0}, entry{nobody, 0})
		first, best := highest(answers, ActionBid, nobody)
		if want := places[0]; first != want.at || best != want.n {
			t.Errorf("%v of %v: %d with %v, want %d with %v", values, ids, first, best, want.at, want.n)
		}
		second, best := highest(answers, ActionBid, first)
		if want := places[1]; second != want.at || best != want.n {
			t.Errorf("%v of %v: second %d with %v, want %d with %v", values, ids, second, best, want.at, want.n)
		}
		if n := len(answers) - len(answers.Missing()); n != len(valid) {
			t.Errorf("%v: %d count, want %d", values, n, len(valid))
		}
	})
}
