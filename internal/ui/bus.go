package ui

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"mabeam-top/internal/stress/quantity"
	"mabeam-top/internal/stress/stream"
)

// subscriptionTable is the table of the bus's subscriptions.
type subscriptionTable struct {
	by     subscriptionOrder
	filter filter
	scroll scroller
}

// A subscriptionOrder says which subscriptions come first.
type subscriptionOrder int

const (
	byFill subscriptionOrder = iota
	byDropped
	byDelivered
	subscriptionOrders
)

var subscriptionOrderNames = [subscriptionOrders]string{"queue", "dropped", "delivered"}

func (t *subscriptionTable) sort() { t.by = (t.by + 1) % subscriptionOrders }

// rows are the subscriptions that match the filter, in order.
func (t *subscriptionTable) rows(in *stream.Inspection) []stream.SubscriptionState {
	if in == nil {
		return nil
	}
	var out []stream.SubscriptionState
	for _, sub := range in.Subscriptions {
		if t.filter.matches(sub.Subscriber, sub.Pattern, sub.Policy) {
			out = append(out, sub)
		}
	}
	slices.SortStableFunc(out, func(a, b stream.SubscriptionState) int {
		switch t.by {
		case byDropped:
			return cmp.Compare(b.Dropped, a.Dropped)
		case byDelivered:
			return cmp.Compare(b.Delivered, a.Delivered)
		default:
			return cmp.Compare(part(b.Queued, b.Capacity), part(a.Queued, a.Capacity))
		}
	})
	return out
}

var subscriptionColumns = []column{
	{title: "subscriber", width: 14},
	{title: "listens to", width: 20, rank: 4},
	{title: "policy", width: 8, rank: 5},
	{title: "queued", width: 8, right: true, rank: 2},
	{title: "", width: 16, rank: 3},
	{title: "full", width: 5, right: true},
	{title: "full for", width: 8, right: true, rank: 3},
	{title: "dropped", width: 9, right: true},
	{title: "delivered", width: 9, right: true, rank: 1},
}

func (s *styles) subscriptionRow(sub stream.SubscriptionState, struck map[string]bool) row {
	full := part(sub.Queued, sub.Capacity)
	long, dropped := "-", quantity.Format(float64(sub.Dropped), count)
	if sub.FullSeconds > 0 {
		long = s.warn.on(seconds(sub.FullSeconds))
	}
	if sub.Dropped > 0 {
		dropped = s.fail.on(dropped)
	}
	return row{
		s.named(sub.Subscriber, struck), clean(sub.Pattern), s.muted.on(clean(sub.Policy)), quantity.Format(float64(sub.Queued), count), s.fillBar(full, 16),
		strconv.Itoa(int(100*full)) + " %", long, dropped, quantity.Format(float64(sub.Delivered), count),
	}
}

// drawBus draws the table of subscriptions.
func (l *live) drawBus(s *styles, width, height int, focused bool) []string {
	in, t := l.inspected(), &l.bus
	subs := t.rows(in)
	notes := ""
	if in != nil && in.SubscriptionsTotal > 0 {
		notes = s.muted.on(fmt.Sprintf("%s of %s by %s", quantity.Format(float64(len(subs)), count), quantity.Format(float64(in.SubscriptionsTotal), count), subscriptionOrderNames[t.by]))
	}
	notes = strings.TrimSpace(t.filter.note(s) + "  " + notes + l.staleNote(s))
	title := s.strong.on("Subscriptions")
	if len(subs) == 0 {
		return s.panel(title, notes, s.said(l.noInspection(in != nil && len(in.Subscriptions) > 0, t.filter, "subscriptions"), width-2), width, height, focused)
	}
	room := max(height-3, 0)
	offset := t.scroll.show(len(subs), room, 0)
	rows, struck := make([]row, 0, room), l.struck()
	for _, sub := range subs[offset:min(offset+room, len(subs))] {
		rows = append(rows, s.subscriptionRow(sub, struck))
	}
	return s.panel(title, notes, s.table(subscriptionColumns, rows, -1, width-2), width, height, focused)
}
