package live

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"mabeam-top/internal/stress/quantity"
	"mabeam-top/internal/stress/stream"
	"mabeam-top/internal/ui/diagnostic"
	"mabeam-top/internal/ui/session"
	"mabeam-top/internal/ui/theme"
	"mabeam-top/internal/ui/widget"
)

// agentTable is the list of the busiest agents, and the details of one of them.
type agentTable struct {
	by     stream.AgentOrder
	filter widget.Filter
	// selected is the ID under the cursor; empty for the first row. Rows move, so
	// the cursor follows its agent.
	selected string
	scroll   widget.Scroll
	// detail is the ID of the agent whose details are shown; empty for none.
	detail string
	// openedAt is when the details were opened, in seconds since the start of the
	// run.
	openedAt     float64
	detailScroll widget.Scroll
}

var agentOrders = []stream.AgentOrder{stream.ByMailbox, stream.ByRate, stream.ByMemory}

// sort chooses the next order. The run decides which agents are the busiest.
func (a *agentTable) sort() {
	i := slices.Index(agentOrders, a.by)
	a.by = agentOrders[(i+1)%len(agentOrders)]
}

// rows are the agents that match the filter.
func (a *agentTable) rows(in *stream.Inspection) []stream.AgentState {
	if in == nil {
		return nil
	}
	var out []stream.AgentState
	for _, state := range in.Agents {
		if a.filter.Matches(state.ID, state.Type, state.Lifecycle) {
			out = append(out, state)
		}
	}
	return out
}

func (a *agentTable) cursor(rows []stream.AgentState) int {
	return max(slices.IndexFunc(rows, func(state stream.AgentState) bool { return state.ID == a.selected }), 0)
}

func (a *agentTable) move(rows []stream.AgentState, by int) {
	if len(rows) > 0 {
		a.selected = rows[min(max(a.cursor(rows)+by, 0), len(rows)-1)].ID
	}
}

// open shows the details of the selected agent.
func (a *agentTable) open(rows []stream.AgentState, now float64) {
	if len(rows) > 0 {
		a.selected = rows[a.cursor(rows)].ID
		a.detail, a.openedAt, a.detailScroll = a.selected, now, widget.Scroll{}
	}
}

var agentColumns = widget.Table{Indent: 1, Columns: []widget.Column{
	{Title: "agent", Width: 17, Most: widget.Unlimited},
	{Title: "type", Width: 12, Gap: 2, Rank: 7},
	{Title: "state", Width: 12, Gap: 2, Rank: 5},
	{Title: "mailbox", Width: 7, Gap: 2, Right: true, Rank: 1},
	{Width: 12, Gap: 2, Rank: 8},
	{Title: "full", Width: 5, Gap: 2, Right: true, Rank: 6},
	{Title: "actions", Width: 8, Gap: 2, Right: true, Rank: 2},
	{Title: "memory", Width: 8, Gap: 2, Right: true, Rank: 3},
	{Title: "busy for", Width: 8, Gap: 2, Right: true, Rank: 4},
}}

func agentCells(t *theme.Theme, a stream.AgentState, hit map[string]bool) []string {
	full := theme.Share(a.Mailbox, a.MailboxCapacity)
	memory, busy := "n/a", ""
	if a.MemoryBytes > 0 {
		memory = theme.Number(float64(a.MemoryBytes), theme.Bytes)
	}
	if a.BusySeconds > 0 {
		busy = theme.Seconds(a.BusySeconds)
	}
	return []string{
		withHit(t, a.ID, hit), t.Muted.Render(theme.Clean(a.Type)), theme.Clean(a.Lifecycle), count(a.Mailbox), widget.FillBar(t, full, diagnostic.FullQueue, 12),
		percent(full), theme.Number(a.ActionsPerSecond, theme.PerSecond), memory, busy,
	}
}

// withHit is a name, with a mark if a fault has just hit it.
func withHit(t *theme.Theme, name string, hit map[string]bool) string {
	if hit[name] {
		return theme.Clean(name) + " " + t.Warn.Render(string(t.Fault))
	}
	return theme.Clean(name)
}

func count[T int | int64](n T) string { return quantity.Format(float64(n), theme.Count) }

func percent(share float64) string { return strconv.Itoa(int(100*share)) + " %" }

// drawAgents draws the list of the busiest agents.
func (s *Screen) drawAgents(width, height int, focused bool) []string {
	t, in, a := s.host.Theme, s.inspected(), &s.agents
	agents := a.rows(in)
	some := in != nil && in.AgentsTotal > 0
	total := ""
	if some {
		total = t.Muted.Render(fmt.Sprintf("%s of %s by %s", count(len(agents)), count(in.AgentsTotal), session.AgentOrder(in)))
	}
	p := widget.Panel{Title: t.Strong.Render("Busiest agents"), Notes: s.notes(a.filter, total), Focused: focused}
	if len(agents) == 0 {
		p.Rows = widget.Message(t, s.noInspection(some, a.filter, "agents"), width-2)
		return p.Draw(t, width, height)
	}
	cursor := a.cursor(agents)
	from, to := a.scroll.Reveal(len(agents), max(height-3, 0), cursor)
	layout, hit := agentColumns.Fit(width-2), s.hitByFault()
	p.Rows = []string{layout.Heading(t)}
	for i, agent := range agents[from:to] {
		p.Rows = append(p.Rows, layout.Row(t, widget.Row{Cells: agentCells(t, agent, hit), Selected: focused && from+i == cursor})...)
	}
	return p.Draw(t, width, height)
}

// notes are the notes of a list of the system's inside: its filter, its total, and
// when it is from.
func (s *Screen) notes(f widget.Filter, total string) string {
	return strings.TrimSpace(f.Note(s.host.Theme) + "  " + total + s.age())
}

// age says when the inspection is from, if that is not the newest moment of the
// run.
func (s *Screen) age() string {
	in, ok := s.shown.InspectedAt(s.span().To)
	switch {
	case !ok:
		return ""
	case s.span().To-in.T > diagnostic.Stale:
		return s.host.Theme.Warn.Render("  as of " + quantity.Clock(in.T))
	case s.zoom.Fixed:
		return s.host.Theme.Accent.Render("  at " + quantity.Clock(in.T))
	}
	return ""
}

// noInspection is why a list of the system's inside is empty. some is true if it
// has rows without the filter.
func (s *Screen) noInspection(some bool, f widget.Filter, what string) string {
	switch {
	case some && !f.Empty():
		return "no " + what + " match the filter"
	case s.inspected() != nil:
		return "no " + what + " right now"
	case len(s.shown.Inspections) > 0:
		return "no snapshot before " + quantity.Clock(s.shown.Inspections[0].T)
	case s.steerable && !s.blind:
		return "waiting for the first snapshot"
	default:
		return "this run does not report its " + what
	}
}
