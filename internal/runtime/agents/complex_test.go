package agents_test

import (
	"context"
	"fmt"
	"testing"

	mabeam "mabeam-top/internal/runtime"
	"mabeam-top/internal/runtime/agents"
	"mabeam-top/internal/runtime/coordination"
	"mabeam-top/internal/runtime/mabeamtest"
)

func TestComplexAgent(t *testing.T) {
	s := mabeamtest.Start(t, mabeam.Options{})
	ctx := context.Background()
	id := mabeamtest.StartAgent(t, s, agents.Complex(agents.ComplexOptions{Held: 1000, Hashed: 700}))
	var sums [][32]byte
	for round := 1; round <= 3; round++ {
		if n, err := s.Execute(ctx, id, "work", nil); n != round || err != nil {
			t.Errorf("work: %v, %v", n, err)
		}
		state, err := s.Execute(ctx, id, "get_state", nil)
		if err != nil {
			t.Fatal(err)
		}
		sums = append(sums, state.(agents.ComplexState).Sum)
	}
	if sums[0] == sums[1] || sums[1] == sums[2] {
		t.Error("work does not show in the state")
	}
	for _, c := range []struct {
		action string
		params map[string]any
		ok     bool
	}{
		{"ping", nil, true},
		{"hold", map[string]any{"bytes": 10}, true},
		{"work", nil, true},
		{"hold", map[string]any{"bytes": -1}, false},
		{"sleep", map[string]any{"for": "1us"}, true},
		{"sleep", nil, false},
		{"dance", nil, false},
	} {
		if _, err := s.Execute(ctx, id, c.action, c.params); (err == nil) != c.ok {
			t.Errorf("%s %v: %v", c.action, c.params, err)
		}
	}
}

// The complex agent takes part in everything, and answers by its id alone.
func TestComplexAgentCoordinates(t *testing.T) {
	s := mabeamtest.Start(t, mabeam.Options{})
	ids := make([]string, 10)
	for i := range ids {
		ids[i] = fmt.Sprint("agent ", i)
		spec := agents.Complex(agents.ComplexOptions{Held: 1})
		spec.ID = ids[i]
		mabeamtest.StartAgent(t, s, spec)
	}
	ctx := t.Context()
	for range 2 {
		if v, err := coordination.Vote(ctx, s, ids, nil, coordination.VoteRule{}); err != nil || v.Winner != "yes" || v.Votes != 10 {
			t.Errorf("vote: %+v, %v", v, err)
		}
		if v, err := coordination.Vote(ctx, s, ids, map[string]any{"choices": []any{"red"}}, coordination.VoteRule{}); err != nil || v.Winner != "red" {
			t.Errorf("vote with a choice: %+v, %v", v, err)
		}
		if _, err := coordination.Barrier(ctx, s, ids, nil); err != nil {
			t.Errorf("barrier: %v", err)
		}
		if n, err := coordination.Pipeline(ctx, s, ids, "work", nil); err != nil || n == 0 {
			t.Errorf("pipeline: %v, %v", n, err)
		}
	}
	first, err := coordination.Auction(ctx, s, ids, nil, coordination.AuctionRule{})
	if err != nil || len(first.Bids.Missing()) > 0 || first.Price < 1 || first.Price > 1000 {
		t.Errorf("auction: %+v, %v", first, err)
	}
	if e, err := coordination.Elect(ctx, s, ids, nil); err != nil || e.Leader != first.Winner || e.Priority != first.Price {
		t.Errorf("election: %+v, %v; the highest bidder was %s", e, err, first.Winner)
	}
	if a, err := coordination.Auction(ctx, s, ids, map[string]any{"limit": 1}, coordination.AuctionRule{}); err != nil || a.Price != 1 || a.Winner != ids[0] {
		t.Errorf("auction among equals: %+v, %v", a, err)
	}
	for _, c := range []struct {
		action string
		params map[string]any
	}{
		{coordination.ActionBid, map[string]any{"limit": 0}},
		{coordination.ActionStand, map[string]any{"limit": "x"}},
		{coordination.ActionVote, map[string]any{"choices": []any{}}},
		{coordination.ActionVote, map[string]any{"choices": "red"}},
	} {
		if _, err := s.Execute(ctx, ids[0], c.action, c.params); err == nil {
			t.Errorf("%s with %v: no error", c.action, c.params)
		}
	}
}
