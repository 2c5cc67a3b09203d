package ui

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"mabeam-top/internal/stress/report"
	"mabeam-top/internal/stress/stream"
	"mabeam-top/internal/ui/theme"
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

func subscriptionRow(s *theme.Theme, sub stream.SubscriptionState, struck map[string]bool) row {
	full := part(sub.Queued, sub.Capacity)
	long, dropped := "-", report.Quantity(float64(sub.Dropped), theme.Count)
	if sub.FullSeconds > 0 {
		long = s.Warn.Render(theme.Seconds(sub.FullSeconds))
	}
	if sub.Dropped > 0 {
		dropped = s.Fail.Render(dropped)
	}
	return row{
		named(s, sub.Subscriber, struck), theme.Clean(sub.Pattern), s.Muted.Render(theme.Clean(sub.Policy)), report.Quantity(float64(sub.Queued), theme.Count), fillBar(s, full, 16),
		strconv.Itoa(int(100*full)) + " %", long, dropped, report.Quantity(float64(sub.Delivered), theme.Count),
	}
}

// drawBus draws the table of subscriptions.
func (l *live) drawBus(s *theme.Theme, width, height int, focused bool) []string {
	in, t := l.inspected(), &l.bus
	subs := t.rows(in)
	notes := ""
	if in != nil && in.SubscriptionsTotal > 0 {
		notes = s.Muted.Render(fmt.Sprintf("%s of %s by %s", report.Quantity(float64(len(subs)), theme.Count), report.Quantity(float64(in.SubscriptionsTotal), theme.Count), subscriptionOrderNames[t.by]))
	}
	notes = strings.TrimSpace(t.filter.note(s) + "  " + notes + l.staleNote(s))
	title := s.Strong.Render("Subscriptions")
	if len(subs) == 0 {
		return drawPanel(s, title, notes, said(s, l.noInspection(in != nil && len(in.Subscriptions) > 0, t.filter, "subscriptions"), width-2), width, height, focused)
	}
	room := max(height-3, 0)
	offset := t.scroll.show(len(subs), room, 0)
	rows, struck := make([]row, 0, room), l.struck()
	for _, sub := range subs[offset:min(offset+room, len(subs))] {
		rows = append(rows, subscriptionRow(s, sub, struck))
	}
	return drawPanel(s, title, notes, drawTable(s, subscriptionColumns, rows, -1, width-2), width, height, focused)
}
