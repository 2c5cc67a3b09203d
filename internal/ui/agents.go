package ui

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"mabeam-top/internal/stress/report"
	"mabeam-top/internal/stress/stream"
	"mabeam-top/internal/ui/theme"
	"mabeam-top/internal/ui/widget"
)

// agentTable is the table of the busiest agents, and the one that is looked at
// more closely.
type agentTable struct {
	by     stream.AgentOrder
	filter widget.Filter
	// selected is the id under the cursor; empty means the first. A row may move
	// at any time, so that the cursor stays on an agent and not on a row.
	selected string
	// detail is the id of the one that is told in detail; empty for none.
	detail string
	// openedAt is when it was asked for, in seconds since the start of the run.
	openedAt     float64
	scroll       widget.Scroll
	detailScroll widget.Scroll
}

var agentOrders = []stream.AgentOrder{stream.ByMailbox, stream.ByRate, stream.ByMemory}

// sort changes the order; which agents are the busiest is then for the run to
// say.
func (t *agentTable) sort() {
	i := slices.Index(agentOrders, t.by)
	t.by = agentOrders[(i+1)%len(agentOrders)]
}

// rows are the agents that match the filter.
func (t *agentTable) rows(in *stream.Inspection) []stream.AgentState {
	if in == nil {
		return nil
	}
	var out []stream.AgentState
	for _, a := range in.Agents {
		if t.filter.Matches(a.ID, a.Type, a.Lifecycle) {
			out = append(out, a)
		}
	}
	return out
}

func (t *agentTable) cursor(rows []stream.AgentState) int {
	return max(slices.IndexFunc(rows, func(a stream.AgentState) bool { return a.ID == t.selected }), 0)
}

// move puts the cursor by rows further.
func (t *agentTable) move(rows []stream.AgentState, by int) {
	if len(rows) > 0 {
		t.selected = rows[min(max(t.cursor(rows)+by, 0), len(rows)-1)].ID
	}
}

// open shows the agent under the cursor in detail, from now on.
func (t *agentTable) open(rows []stream.AgentState, now float64) {
	if len(rows) > 0 {
		t.selected = rows[t.cursor(rows)].ID
		t.detail, t.openedAt, t.detailScroll = t.selected, now, widget.Scroll{}
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

func agentRow(s *theme.Theme, a stream.AgentState, struck map[string]bool) []string {
	full := theme.Share(a.Mailbox, a.MailboxCapacity)
	memory, busy := "-", "-"
	if a.MemoryBytes > 0 {
		memory = theme.Number(float64(a.MemoryBytes), theme.Bytes)
	}
	if a.BusySeconds > 0 {
		busy = theme.Seconds(a.BusySeconds)
	}
	return []string{
		named(s, a.ID, struck), s.Muted.Render(theme.Clean(a.Type)), theme.Clean(a.Lifecycle), report.Quantity(float64(a.Mailbox), theme.Count), widget.FillBar(s, full, fullQueue, 12),
		strconv.Itoa(int(100*full)) + " %", theme.Number(a.ActionsPerSecond, theme.PerSecond), memory, busy,
	}
}

// drawAgents draws the table of the busiest agents.
func (l *live) drawAgents(s *theme.Theme, width, height int, focused bool) []string {
	in, t := l.inspected(), &l.agents
	title, notes := "Busiest agents", ""
	agents := t.rows(in)
	if in != nil && in.AgentsTotal > 0 {
		notes = s.Muted.Render(fmt.Sprintf("%s of %s by %s", report.Quantity(float64(len(agents)), theme.Count), report.Quantity(float64(in.AgentsTotal), theme.Count), orderName(in.By)))
	}
	notes = strings.TrimSpace(t.filter.Note(s) + "  " + notes + l.staleNote(s))
	room := max(height-3, 0)
	if len(agents) == 0 {
		return widget.Panel{Title: s.Strong.Render(title), Notes: notes, Rows: widget.Message(s, l.noInspection(in != nil && in.AgentsTotal > 0, t.filter, "agents"), width-2), Focused: focused}.Draw(s, width, height)
	}
	cursor := t.cursor(agents)
	from, to := t.scroll.Reveal(len(agents), room, cursor)
	layout, struck := agentColumns.Fit(width-2), l.struck()
	rows := []string{layout.Heading(s)}
	for i, a := range agents[from:to] {
		rows = append(rows, layout.Row(s, widget.Row{Cells: agentRow(s, a, struck), Selected: focused && from+i == cursor})...)
	}
	return widget.Panel{Title: s.Strong.Render(title), Notes: notes, Rows: rows, Focused: focused}.Draw(s, width, height)
}

func orderName(by stream.AgentOrder) string {
	if by == "" {
		return string(stream.ByMailbox)
	}
	return theme.Clean(string(by))
}

// staleNote says of when an inspection is: where that is not the newest moment on the
// screen, and where this is in the past.
func (l *live) staleNote(s *theme.Theme) string {
	in, ok := l.shown.InspectedAt(l.span().To)
	switch {
	case !ok:
		return ""
	case l.span().To-in.T > stale:
		return s.Warn.Render("  as of " + report.Clock(in.T))
	case l.zoom.Fixed:
		return s.Accent.Render("  at " + report.Clock(in.T))
	}
	return ""
}

// stale is after how many seconds an inspection is no longer of a moment.
const stale = 2

// noInspection says why a table of the system's inside is empty. some says that
// there would be rows without the filter.
func (l *live) noInspection(some bool, f widget.Filter, what string) string {
	switch {
	case some && !f.Empty():
		return "none of these " + what + " matches the filter"
	case l.inspected() != nil:
		return "no " + what + " at this moment"
	case len(l.shown.Inspections) > 0:
		return "nobody looked inside before " + report.Clock(l.shown.Inspections[0].T)
	case l.steerable && !l.blind:
		return "waiting for the first look inside"
	default:
		return "this run does not tell of its " + what
	}
}

// drawAgent draws the one agent that is looked at more closely.
func (l *live) drawAgent(s *theme.Theme, width, height int, focused bool) []string {
	t := &l.agents
	title := s.Strong.Render("Agent " + theme.Clean(t.detail))
	in, _ := l.shown.InspectedAt(l.span().To)
	if in.Inspection == nil || in.Agent == nil || in.Agent.Summary.ID != t.detail {
		text := "waiting for a look inside"
		switch {
		case l.zoom.Fixed, l.frozen, l.shown.Report != nil:
			text = "nobody looked at this agent then"
		case in.Inspection != nil && in.Agent == nil && in.T > t.openedAt+stale:
			text = "there is no such agent any more"
		}
		return widget.Panel{Title: title, Notes: l.staleNote(s), Rows: widget.Message(s, text, width-2), Focused: focused}.Draw(s, width, height)
	}
	all := agentRows(s, in.Agent, width-2)
	room := max(height-2, 0)
	from, to := t.detailScroll.Window(len(all), room, 0)
	return widget.Panel{Title: title, Notes: l.staleNote(s), Rows: all[from:to], Focused: focused}.Draw(s, width, height)
}

func agentRows(s *theme.Theme, a *stream.AgentDetail, width int) []string {
	const nameWidth = 14
	var rows []string
	add := func(name, text string) {
		rows = append(rows, " "+s.Muted.Render(s.Pad(name, nameWidth))+s.Truncate(text, width-nameWidth-2))
	}
	sum := a.Summary
	add("type", theme.Clean(sum.Type))
	add("state", s.Strong.Render(theme.Clean(sum.Lifecycle)))
	add("mailbox", fmt.Sprintf("%s of %s  ", report.Quantity(float64(sum.Mailbox), theme.Count), report.Quantity(float64(sum.MailboxCapacity), theme.Count))+
		widget.FillBar(s, theme.Share(sum.Mailbox, sum.MailboxCapacity), fullQueue, 12))
	add("actions", fmt.Sprintf("%s now, %s since it is looked at", theme.Number(sum.ActionsPerSecond, theme.PerSecond), report.Quantity(float64(a.ActionsDone), theme.Count)))
	if sum.BusySeconds > 0 {
		add("busy for", theme.Seconds(sum.BusySeconds))
	}
	if sum.MemoryBytes > 0 {
		add("memory", theme.Number(float64(sum.MemoryBytes), theme.Bytes))
	}
	add("age", fmt.Sprintf("%s, version %d", theme.Seconds(a.AgeSeconds), a.Version))
	add("changed", theme.Seconds(a.ChangedSeconds)+" ago")
	if a.Parent != "" {
		add("parent", theme.Clean(a.Parent))
	}
	if len(a.Capabilities) > 0 {
		add("capabilities", theme.Clean(strings.Join(a.Capabilities, ", ")))
	}
	heading := func(text string) {
		rows = append(rows, widget.Heading(s, s.Strong.Render(text), "", width))
	}
	if len(a.Subscriptions) > 0 {
		heading("Listens to")
		for _, pattern := range a.Subscriptions {
			rows = append(rows, " "+s.Truncate(theme.Clean(pattern), width-2))
		}
	}
	heading("State")
	for _, line := range theme.Wrap(theme.Clean(a.State), max(width-2, 1)) {
		rows = append(rows, " "+line)
	}
	heading("Last events")
	if len(a.Events) == 0 {
		rows = append(rows, " "+s.Muted.Render("none"))
	}
	for _, e := range slices.Backward(a.Events) {
		rows = append(rows, " "+s.Muted.Render(s.PadLeft(theme.Seconds(e.AgoSeconds)+" ago", 12))+"  "+theme.Clean(e.Type)+s.Muted.Render("  from "+theme.Clean(e.Source)))
	}
	return rows
}
