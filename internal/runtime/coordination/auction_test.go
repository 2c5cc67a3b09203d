package coordination

import (
	"errors"
	"math"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

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
		got, err := Auction(t.Context(), s, ids, "lot", AuctionRule{})
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

// What the winner pays, by the rule.
func TestAuctionRules(t *testing.T) {
	for _, c := range []struct {
		name   string
		rule   AuctionRule
		bids   []any
		winner int // -1 is nobody
		price  float64
	}{
		{"the second price", AuctionRule{SecondPrice: true}, []any{5, 9, 7}, 1, 7},
		{"of two equal bids", AuctionRule{SecondPrice: true}, []any{5, 9, 9.0}, 1, 9},
		{"below nothing", AuctionRule{SecondPrice: true}, []any{-4, -1}, 1, -4},
		{"alone", AuctionRule{SecondPrice: true}, []any{nil, 9, errOwn, "9"}, 1, 0},
		{"alone, below nothing", AuctionRule{SecondPrice: true}, []any{-3}, 0, -3},
		{"alone, at a reserve", AuctionRule{SecondPrice: true, Reserve: new(6.0)}, []any{9}, 0, 6},
		{"alone, at a reserve below nothing", AuctionRule{SecondPrice: true, Reserve: new(-6.0)}, []any{-3}, 0, -6},
		{"a reserve above the second", AuctionRule{SecondPrice: true, Reserve: new(8.0)}, []any{5, 9, 7}, 1, 8},
		{"a reserve below the second", AuctionRule{SecondPrice: true, Reserve: new(6.0)}, []any{5, 9, 7}, 1, 7},
		{"a reserve above all", AuctionRule{SecondPrice: true, Reserve: new(9.5)}, []any{5, 9, 7}, -1, 0},
		{"the first price has a reserve too", AuctionRule{Reserve: new(9.0)}, []any{5, 9, 7}, 1, 9},
		{"which may be above all", AuctionRule{Reserve: new(9.5)}, []any{5, 9, 7}, -1, 0},
		{"or nothing", AuctionRule{Reserve: new(0.0)}, []any{-1}, -1, 0},
		{"nobody bids", AuctionRule{SecondPrice: true, Reserve: new(1.0)}, []any{nil}, -1, 0},
	} {
		s := mabeamtest.Start(t, mabeam.Options{})
		ids := startAnswering(t, s, c.bids)
		want := ""
		if c.winner >= 0 {
			want = ids[c.winner]
		}
		got, err := Auction(t.Context(), s, ids, nil, c.rule)
		if err != nil || got.Winner != want || got.Price != c.price {
			t.Errorf("%s: %+v, %v; want %q for %v", c.name, got, err, want, c.price)
		}
	}
}

func TestReserveIsRefused(t *testing.T) {
	s := mabeamtest.Start(t, mabeam.Options{})
	ids := startAnswering(t, s, []any{1})
	for _, reserve := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
		if _, err := Auction(t.Context(), s, ids, nil, AuctionRule{Reserve: &reserve}); !errors.Is(err, mabeam.ErrBadCoordination) {
			t.Errorf("%v: %v", reserve, err)
		}
	}
	if n := s.Telemetry().ActionsDone; n > 0 {
		t.Errorf("%d bidders were asked", n)
	}
}

// The bid of a bidder that ends before the close neither wins nor sets the price; that of
// one which was started again does.
func TestBiddersDie(t *testing.T) {
	for name, c := range map[string]struct {
		dies, again []string
		winner      string
		price       float64
	}{
		"nobody":              {nil, nil, "c", 3},
		"the highest":         {[]string{"c"}, nil, "b", 2},
		"the second":          {[]string{"b"}, nil, "c", 2},
		"the highest two":     {[]string{"b", "c"}, nil, "a", 1},
		"all but the slowest": {[]string{"a", "b", "c"}, nil, "slow", 0},
		"one that comes back": {[]string{"c"}, []string{"c"}, "c", 3},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := mabeamtest.Start(t, mabeam.Options{})
				bids := map[string]int{"slow": 1, "a": 2, "b": 3, "c": 4}
				startBidders := func(ids []string) {
					startNamed(t, s, ids, func(id, _ string, _ any) (any, error) {
						if id == "slow" {
							time.Sleep(2 * time.Second)
						}
						return bids[id], nil
					})
				}
				ids := []string{"slow", "a", "b", "c"}
				startBidders(ids)
				time.AfterFunc(time.Second, func() {
					for _, id := range c.dies {
						s.KillAgent(id)
					}
					startBidders(c.again)
				})
				got, err := Auction(t.Context(), s, ids, nil, AuctionRule{SecondPrice: true})
				if err != nil || got.Winner != c.winner || got.Price != c.price {
					t.Errorf("%+v, %v; want %q for %v", got, err, c.winner, c.price)
				}
				for i, b := range got.Bids {
					dead := slices.Contains(c.dies, b.Agent) && !slices.Contains(c.again, b.Agent)
					if b.Agent != ids[i] || b.Value != bids[b.Agent] || errors.Is(b.Err, mabeam.ErrUnknownAgent) != dead || (b.Err != nil) != dead {
						t.Errorf("bid %d: %+v", i, b)
					}
				}
			})
		})
	}
}

// One that dies before it has bid costs the others nothing.
func TestBidderDiesUndecided(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := mabeamtest.Start(t, mabeam.Options{})
		hold := make(chan struct{})
		defer close(hold)
		ids := manyIDs(2)
		startNamed(t, s, ids, func(id, _ string, _ any) (any, error) {
			if id == ids[0] {
				<-hold
			}
			return 1, nil
		})
		began := time.Now()
		time.AfterFunc(time.Second, func() { s.KillAgent(ids[0]) })
		got, err := Auction(t.Context(), s, ids, nil, AuctionRule{})
		synctest.Wait() // for the end of the kill, which answers before it counts
		if err != nil || got.Winner != ids[1] || !errors.Is(got.Bids[0].Err, mabeam.ErrKilled) || time.Since(began) != time.Second {
			t.Errorf("%+v, %v after %v", got, err, time.Since(began))
		}
	})
}

// The winner is the smallest id among the highest bids, and what it pays is what lowering
// its bid finds, as long as nobody has bid more.
func TestAuctionFollowsModel(t *testing.T) {
	const far = -10 // below all bids and reserves
	rapid.Check(t, func(t *rapid.T) {
		values := rapid.SliceOfN(rapid.IntRange(-3, 6), 1, 8).Draw(t, "bids")
		ids := rapid.Permutation(manyIDs(len(values))).Draw(t, "ids")
		reserve := rapid.IntRange(-4, 7).Draw(t, "reserve")
		rule := AuctionRule{SecondPrice: rapid.Bool().Draw(t, "second price")}
		if rapid.Bool().Draw(t, "has a reserve") {
			rule.Reserve = new(float64(reserve))
		} else {
			reserve = far
		}
		bids := make(mabeam.Answers, len(values))
		for i, v := range values {
			bids[i] = mabeam.Answer{Agent: ids[i], Value: v}
		}
		isEnough := func(bidder, bid int) bool {
			for i, v := range values {
				if i != bidder && v > bid {
					return false
				}
			}
			return bid >= reserve
		}
		var want AuctionResult
		for i, id := range ids {
			if !isEnough(i, values[i]) || want.Winner != "" && id > want.Winner {
				continue
			}
			price := values[i]
			for rule.SecondPrice && price > far && isEnough(i, price-1) {
				price--
			}
			if price == far {
				price = min(values[i], 0)
			}
			want.Winner, want.Price = id, float64(price)
		}
		got := rule.sell(bids)
		if got.Winner != want.Winner || got.Price != want.Price {
			t.Errorf("%v of %v by %+v: %q for %v, want %q for %v", values, ids, rule, got.Winner, got.Price, want.Winner, want.Price)
		}
	})
}
