package live

import (
	"fmt"

	"mabeam-top/internal/stress/stream"
	"mabeam-top/internal/ui/diagnostic"
	"mabeam-top/internal/ui/session"
	"mabeam-top/internal/ui/theme"
	"mabeam-top/internal/ui/widget"
)

// subscriptionTable is the list of the event bus's subscriptions.
type subscriptionTable struct {
	by     session.SubscriptionOrder
	filter widget.Filter
	scroll widget.Scroll
}

// rows are the subscriptions that match the filter, in order.
func (st *subscriptionTable) rows(in *stream.Inspection) []stream.SubscriptionState {
	if in == nil {
		return nil
	}
	var out []stream.SubscriptionState
	for _, sub := range in.Subscriptions {
		if st.filter.Matches(sub.Subscriber, sub.Pattern, sub.Policy) {
			out = append(out, sub)
		}
	}
	st.by.Sort(out)
	return out
}

var subscriptionColumns = widget.Table{Indent: 1, Columns: []widget.Column{
	{Title: "subscriber", Width: 14, Most: widget.Unlimited},
	{Title: "pattern", Width: 20, Gap: 2, Rank: 7},
	{Title: "policy", Width: 8, Gap: 2, Rank: 8},
	{Title: "queued", Width: 8, Gap: 2, Right: true, Rank: 4},
	{Width: 16, Gap: 2, Rank: 6},
	{Title: "full", Width: 5, Gap: 2, Right: true, Rank: 2},
	{Title: "full for", Width: 8, Gap: 2, Right: true, Rank: 5},
	{Title: "dropped", Width: 9, Gap: 2, Right: true, Rank: 1},
	{Title: "delivered", Width: 9, Gap: 2, Right: true, Rank: 3},
}}

func subscriptionCells(t *theme.Theme, sub stream.SubscriptionState, hit map[string]bool) []string {
	full := theme.Share(sub.Queued, sub.Capacity)
	fullFor, dropped := "", count(sub.Dropped)
	if sub.FullSeconds > 0 {
		fullFor = t.Warn.Render(theme.Seconds(sub.FullSeconds))
	}
	if sub.Dropped > 0 {
		dropped = t.Fail.Render(dropped)
	}
	return []string{
		withHit(t, sub.Subscriber, hit), theme.Clean(sub.Pattern), t.Muted.Render(theme.Clean(sub.Policy)), count(sub.Queued), widget.FillBar(t, full, diagnostic.FullQueue, 16),
		percent(full), fullFor, dropped, count(sub.Delivered),
	}
}

// drawSubscriptions draws the list of subscriptions.
func (s *Screen) drawSubscriptions(width, height int, focused bool) []string {
	t, in, st := s.host.Theme, s.inspected(), &s.subscriptions
	subs := st.rows(in)
	total := ""
	if in != nil && in.SubscriptionsTotal > 0 {
		total = t.Muted.Render(fmt.Sprintf("%s of %s by %s", count(len(subs)), count(in.SubscriptionsTotal), st.by))
	}
	p := widget.Panel{Title: t.Strong.Render("Subscriptions"), Notes: s.notes(st.filter, total), Focused: focused}
	if len(subs) == 0 {
		p.Rows = widget.Message(t, s.noInspection(in != nil && len(in.Subscriptions) > 0, st.filter, "subscriptions"), width-2)
		return p.Draw(t, width, height)
	}
	from, to := st.scroll.Window(len(subs), max(height-3, 0), 0)
	layout, hit := subscriptionColumns.Fit(width-2), s.hitByFault()
	p.Rows = []string{layout.Heading(t)}
	for _, sub := range subs[from:to] {
		p.Rows = append(p.Rows, layout.Row(t, widget.Row{Cells: subscriptionCells(t, sub, hit)})...)
	}
	return p.Draw(t, width, height)
}
