package coordination

import (
	"context"
	"fmt"
	"math"

	mabeam "mabeam-top/internal/runtime"
)

// An AuctionRule says which bid wins an auction and what the winner pays. With the zero
// value the highest bid wins, whatever it is, and is the price.
type AuctionRule struct {
	// SecondPrice makes the winner pay the lowest bid with which it would still have won:
	// the highest of the other bids, or the reserve if that is higher. A bidder then does
	// best to bid what the lot is worth to it (Vickrey). Without another bid and without a
	// reserve that is nothing: the price is 0, or the winner's bid if that is less.
	SecondPrice bool
	// Reserve is the lowest bid that can win; nil means that any bid can.
	Reserve *float64
}

// An AuctionResult says what became of an auction.
type AuctionResult struct {
	// Winner is the id of the highest bidder; empty if the lot was not sold.
	Winner string
	// Price is what the winner pays; 0 if there is none.
	Price float64
	// Bids are the bids, also those below the reserve. Bidders that made none
	// (ErrDeclined), whose bid is no number (ErrBadAnswer), that did not answer, or that
	// have ended since (mabeam.ErrUnknownAgent) are among them, with the reason.
	Bids mabeam.Answers
}

// Auction takes sealed bids for a lot: all bidders are asked at once
// (ActionBid, with lot as params), and none learns of another's bid. The
// highest one wins, unless it is below the reserve; of equal ones that of the
// smallest id does. Bids are numbers of any type, finite, and are compared as
// float64.
//
// The auction closes when all have answered, or at the deadline. The bid of a bidder that
// has ended by then is void: it neither wins nor sets the price. A bidder that has been
// started again under its id is bound by the bid of its earlier life. If the winner ends
// after the close, the lot stays sold: it is for the caller to hold another auction.
//
// The deadline is that of ctx, or mabeam.CoordinationTimeout from now if it has none; who is
// late has not bid. The error says that nobody was asked. It is mabeam.ErrBadCoordination
// also if the reserve is not finite.
func Auction(ctx context.Context, system *mabeam.System, bidders []string, lot any, rule AuctionRule) (AuctionResult, error) {
	if err := rule.check(); err != nil {
		return AuctionResult{}, fmt.Errorf("auction: %w", err)
	}
	r, err := system.BeginRound(ctx, bidders)
	if err != nil {
		return AuctionResult{}, fmt.Errorf("auction: %w", err)
	}
	defer r.End()
	bids := r.Ask(ActionBid, lot)
	voidBids(system, bids)
	return rule.sell(bids), nil
}

func (r AuctionRule) check() error {
	if r.Reserve != nil && (math.IsNaN(*r.Reserve) || math.IsInf(*r.Reserve, 0)) {
		return fmt.Errorf("%w: a reserve of %v", mabeam.ErrBadCoordination, *r.Reserve)
	}
	return nil
}

// voidBids gives the bids of bidders that have ended since a reason why they do not count.
func voidBids(system *mabeam.System, bids mabeam.Answers) {
	for i := range bids {
		b := &bids[i]
		if b.Err != nil {
			continue
		}
		if _, err := system.Ref(b.Agent); err != nil {
			b.Err = &mabeam.ActionError{Agent: b.Agent, Action: ActionBid, Err: mabeam.ErrUnknownAgent}
		}
	}
}

// sell finds the winner among the bids, and the price.
func (r AuctionRule) sell(bids mabeam.Answers) AuctionResult {
	sale := AuctionResult{Bids: bids}
	winner, bid := highest(bids, ActionBid, nobody)
	if winner == nobody || r.Reserve != nil && bid < *r.Reserve {
		return sale
	}
	sale.Winner, sale.Price = bids[winner].Agent, bid
	if r.SecondPrice {
		sale.Price = r.secondPrice(bids, winner, bid)
	}
	return sale
}

// secondPrice is the lowest bid with which the winner would have won, up to equal bids.
func (r AuctionRule) secondPrice(bids mabeam.Answers, winner int, bid float64) float64 {
	second, price := highest(bids, ActionBid, winner)
	switch {
	case second == nobody && r.Reserve == nil:
		return min(bid, 0)
	case second == nobody:
		return *r.Reserve
	case r.Reserve == nil:
		return price
	}
	return max(price, *r.Reserve)
}
