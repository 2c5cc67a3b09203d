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
	"mabeam-top/internal/ui/widget"
)

// subscriptionTable is the table of the bus's subscriptions.
type subscriptionTable struct {
	by     subscriptionOrder
	filter widget.Filter
	scroll widget.Scroll
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
		if t.filter.Matches(sub.Subscriber, sub.Pattern, sub.Policy) {
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
			return cmp.Compare(theme.Share(b.Queued, b.Capacity), theme.Share(a.Queued, a.Capacity))
		}
	})
	return out
}

var subscriptionColumns = widget.Table{Indent: 1, Columns: []widget.Column{
	{Title: "subscriber", Width: 14, Most: widget.Unlimited},
	{Title: "listens to", Width: 20, Gap: 2, Rank: 7},
	{Title: "policy", Width: 8, Gap: 2, Rank: 8},
	{Title: "queued", Width: 8, Gap: 2, Right: true, Rank: 4},
	{Width: 16, Gap: 2, Rank: 6},
	{Title: "full", Width: 5, Gap: 2, Right: true, Rank: 2},
	{Title: "full for", Width: 8, Gap: 2, Right: true, Rank: 5},
	{Title: "dropped", Width: 9, Gap: 2, Right: true, Rank: 1},
	{Title: "delivered", Width: 9, Gap: 2, Right: true, Rank: 3},
}}

func subscriptionRow(s *theme.Theme, sub stream.SubscriptionState, struck map[string]bool) []string {
	full := theme.Share(sub.Queued, sub.Capacity)
	long, dropped := "-", report.Quantity(float64(sub.Dropped), theme.Count)
	if sub.FullSeconds > 0 {
		long = s.Warn.Render(theme.Seconds(sub.FullSeconds))
	}
	if sub.Dropped > 0 {
		dropped = s.Fail.Render(dropped)
	}
	return []string{
		named(s, sub.Subscriber, struck), theme.Clean(sub.Pattern), s.Muted.Render(theme.Clean(sub.Policy)), report.Quantity(float64(sub.Queued), theme.Count), widget.FillBar(s, full, fullQueue, 16),
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
	notes = strings.TrimSpace(t.filter.Note(s) + "  " + notes + l.staleNote(s))
	title := s.Strong.Render("Subscriptions")
	if len(subs) == 0 {
		return widget.Panel{Title: title, Notes: notes, Rows: widget.Message(s, l.noInspection(in != nil && len(in.Subscriptions) > 0, t.filter, "subscriptions"), width-2), Focused: focused}.Draw(s, width, height)
	}
	room := max(height-3, 0)
	from, to := t.scroll.Window(len(subs), room, 0)
	layout, struck := subscriptionColumns.Fit(width-2), l.struck()
	rows := []string{layout.Heading(s)}
	for _, sub := range subs[from:to] {
		rows = append(rows, layout.Row(s, widget.Row{Cells: subscriptionRow(s, sub, struck)})...)
	}
	return widget.Panel{Title: title, Notes: notes, Rows: rows, Focused: focused}.Draw(s, width, height)
}
