package coordination

import (
	"testing"

	mabeam "mabeam-top/internal/runtime"
	"mabeam-top/internal/runtime/mabeamtest"
)

// The complex agent takes part in everything, and answers by its id alone.
func TestComplexAgentCoordinates(t *testing.T) {
	s := mabeamtest.Start(t, mabeam.Options{})
	ids := manyIDs(10)
	for _, id := range ids {
		spec := mabeam.ComplexSpec(mabeam.ComplexOptions{Held: 1})
		spec.ID = id
		mabeamtest.StartAgent(t, s, spec)
	}
	ctx := t.Context()
	for range 2 {
		if v, err := Vote(ctx, s, ids, nil, VoteRule{}); err != nil || v.Winner != "yes" || v.Votes != 10 {
			t.Errorf("vote: %+v, %v", v, err)
		}
		if v, err := Vote(ctx, s, ids, mabeam.Params{"choices": []any{"red"}}, VoteRule{}); err != nil || v.Winner != "red" {
			t.Errorf("vote with a choice: %+v, %v", v, err)
		}
		if _, err := Barrier(ctx, s, ids, nil); err != nil {
			t.Errorf("barrier: %v", err)
		}
		if n, err := Pipeline(ctx, s, ids, "work", nil); err != nil || n == 0 {
			t.Errorf("pipeline: %v, %v", n, err)
		}
	}
	first, err := Auction(ctx, s, ids, nil, AuctionRule{})
	if err != nil || len(first.Bids.Missing()) > 0 || first.Price < 1 || first.Price > 1000 {
		t.Errorf("auction: %+v, %v", first, err)
	}
	if e, err := Elect(ctx, s, ids, nil); err != nil || e.Leader != first.Winner || e.Priority != first.Price {
		t.Errorf("election: %+v, %v; the highest bidder was %s", e, err, first.Winner)
	}
	if a, err := Auction(ctx, s, ids, mabeam.Params{"limit": 1}, AuctionRule{}); err != nil || a.Price != 1 || a.Winner != ids[0] {
		t.Errorf("auction among equals: %+v, %v", a, err)
	}
	for _, c := range []struct {
		action string
		params mabeam.Params
	}{
		{ActionBid, mabeam.Params{"limit": 0}},
		{ActionStand, mabeam.Params{"limit": "x"}},
		{ActionVote, mabeam.Params{"choices": []any{}}},
		{ActionVote, mabeam.Params{"choices": "red"}},
	} {
		if _, err := s.Execute(ctx, ids[0], c.action, c.params); err == nil {
			t.Errorf("%s with %v: no error", c.action, c.params)
		}
	}
}
