package coordination

import (
	"context"
	"fmt"

	mabeam "mabeam-top/internal/runtime"
)

// An AuctionResult tells what became of an auction.
type AuctionResult struct {
	// Winner is the id of the highest bidder; empty if nobody bid.
	Winner string
	// Price is the highest bid.
	Price float64
	// Bids are the bids. Those who made none (ErrDeclined), whose bid is no
	// number (ErrBadAnswer) or who did not answer are among them, with the
	// reason.
	Bids mabeam.Answers
}

// Auction takes sealed bids for a lot: all bidders are asked at once
// (ActionBid, with lot as params), and none learns of another's bid. The
// highest one wins; of equal ones that of the smallest id does. Bids are
// numbers of any type, finite, and are compared as float64.
//
// The deadline is that of ctx, or mabeam.CoordinationTimeout from now if it has none;
// who is late has not bid. The error says that nobody was asked.
func Auction(ctx context.Context, system *mabeam.System, bidders []string, lot any) (AuctionResult, error) {
	r, err := system.BeginRound(ctx, bidders)
	if err != nil {
		return AuctionResult{}, fmt.Errorf("auction: %w", err)
	}
	defer r.End()
	sale := AuctionResult{Bids: r.Ask(ActionBid, lot)}
	if winner, price := highest(sale.Bids, ActionBid); winner >= 0 {
		sale.Winner, sale.Price = bidders[winner], price
	}
	return sale, nil
}
