package session

import (
	"cmp"
	"fmt"
	"slices"

	"mabeam-top/internal/stress/stream"
	"mabeam-top/internal/ui/theme"
)

// The bounds of the factor that users can set for the rates of open loads. They are
// narrower than the bounds of a command.
const (
	MinRate = 0.1
	MaxRate = 10.0
)

// RateText formats the factor of the rates as a percentage.
func RateText(rate float64) string { return fmt.Sprintf("%.0f %%", 100*rate) }

// A SubscriptionOrder is an order of subscriptions.
type SubscriptionOrder int

// The orders of subscriptions, each with the highest value first.
const (
	ByQueue SubscriptionOrder = iota
	ByDropped
	ByDelivered
	subscriptionOrders
)

// Next is the order after this one.
func (o SubscriptionOrder) Next() SubscriptionOrder { return (o + 1) % subscriptionOrders }

func (o SubscriptionOrder) String() string {
	return [subscriptionOrders]string{"queue", "dropped", "delivered"}[o]
}

// Sort orders subscriptions.
func (o SubscriptionOrder) Sort(subs []stream.SubscriptionState) {
	slices.SortStableFunc(subs, func(a, b stream.SubscriptionState) int {
		switch o {
		case ByDropped:
			return cmp.Compare(b.Dropped, a.Dropped)
		case ByDelivered:
			return cmp.Compare(b.Delivered, a.Delivered)
		default:
			return cmp.Compare(theme.Share(b.Queued, b.Capacity), theme.Share(a.Queued, a.Capacity))
		}
	})
}

// AgentOrder is the order of the agents of an inspection.
func AgentOrder(in *stream.Inspection) string {
	return theme.Clean(string(cmp.Or(in.By, stream.ByMailbox)))
}
