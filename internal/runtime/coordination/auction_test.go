package coordination

import (
	"errors"
	"math"
	"slices"
	"testing"

	mabeam "mabeam-top/internal/runtime"
	"mabeam-top/internal/runtime/mabeamtest"
)

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
