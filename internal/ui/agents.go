package ui

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"mabeam-top/internal/stress/report"
	"mabeam-top/internal/stress/stream"
	"mabeam-top/internal/ui/theme"
)

// agentTable is the table of the busiest agents, and the one that is looked at
// more closely.
type agentTable struct {
	by     stream.AgentOrder
	filter filter
	// selected is the id under the cursor; empty means the first. A row may move
	// at any time, so that the cursor stays on an agent and not on a row.
	selected string
	// detail is the id of the one that is told in detail; empty for none.
	detail string
	// openedAt is when it was asked for, in seconds since the start of the run.
	openedAt     float64
	offset       int
	detailScroll scroller
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
		if t.filter.matches(a.ID, a.Type, a.Lifecycle) {
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
		t.detail, t.openedAt, t.detailScroll = t.selected, now, scroller{}
	}
}

var agentColumns = []column{
	{title: "agent", width: 17},
	{title: "type", width: 12, rank: 5},
	{title: "state", width: 12, rank: 3},
	{title: "mailbox", width: 7, right: true},
	{title: "", width: 12, rank: 6},
	{title: "full", width: 5, right: true, rank: 4},
	{title: "actions", width: 8, right: true, rank: 1},
	{title: "memory", width: 8, right: true, rank: 2},
	{title: "busy for", width: 8, right: true, rank: 3},
}

func agentRow(s *theme.Theme, a stream.AgentState, struck map[string]bool) row {
	full := part(a.Mailbox, a.MailboxCapacity)
	memory, busy := "-", "-"
	if a.MemoryBytes > 0 {
		memory = theme.Number(float64(a.MemoryBytes), theme.Bytes)
	}
	if a.BusySeconds > 0 {
		busy = theme.Seconds(a.BusySeconds)
	}
	return row{
		named(s, a.ID, struck), s.Muted.Render(theme.Clean(a.Type)), theme.Clean(a.Lifecycle), report.Quantity(float64(a.Mailbox), theme.Count), fillBar(s, full, 12),
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
	notes = strings.TrimSpace(t.filter.note(s) + "  " + notes + l.staleNote(s))
	room := max(height-3, 0)
	if len(agents) == 0 {
		return drawPanel(s, s.Strong.Render(title), notes, said(s, l.noInspection(in != nil && in.AgentsTotal > 0, t.filter, "agents"), width-2), width, height, focused)
	}
	cursor := t.cursor(agents)
	t.offset = min(max(t.offset, cursor-room+1), cursor, max(len(agents)-room, 0))
	offset := max(t.offset, 0)
	rows, struck := make([]row, 0, room), l.struck()
	for _, a := range agents[offset:min(offset+room, len(agents))] {
		rows = append(rows, agentRow(s, a, struck))
	}
	if !focused {
		cursor = offset - 1
	}
	return drawPanel(s, s.Strong.Render(title), notes, drawTable(s, agentColumns, rows, cursor-offset, width-2), width, height, focused)
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
	in, ok := l.shown.InspectedAt(l.span().to)
	switch {
	case !ok:
		return ""
	case l.span().to-in.T > stale:
		return s.Warn.Render("  as of " + report.Clock(in.T))
	case l.zoom.away:
		return s.Accent.Render("  at " + report.Clock(in.T))
	}
	return ""
}

// stale is after how many seconds an inspection is no longer of a moment.
const stale = 2

// noInspection says why a table of the system's inside is empty. some says that
// there would be rows without the filter.
func (l *live) noInspection(some bool, f filter, what string) string {
	switch {
	case some && !f.empty():
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

// said is a text in the place of a table.
func said(s *theme.Theme, text string, width int) []string {
	var rows []string
	for _, line := range theme.Wrap(text, max(width-2, 1)) {
		rows = append(rows, " "+s.Muted.Render(line))
	}
	return rows
}

// drawAgent draws the one agent that is looked at more closely.
func (l *live) drawAgent(s *theme.Theme, width, height int, focused bool) []string {
	t := &l.agents
	title := s.Strong.Render("Agent " + theme.Clean(t.detail))
	in, _ := l.shown.InspectedAt(l.span().to)
	if in.Inspection == nil || in.Agent == nil || in.Agent.Summary.ID != t.detail {
		text := "waiting for a look inside"
		switch {
		case l.zoom.away, l.frozen, l.shown.Report != nil:
			text = "nobody looked at this agent then"
		case in.Inspection != nil && in.Agent == nil && in.T > t.openedAt+stale:
			text = "there is no such agent any more"
		}
		return drawPanel(s, title, l.staleNote(s), said(s, text, width-2), width, height, focused)
	}
	all := agentRows(s, in.Agent, width-2)
	room := max(height-2, 0)
	offset := t.detailScroll.show(len(all), room, 0)
	return drawPanel(s, title, l.staleNote(s), all[offset:min(offset+room, len(all))], width, height, focused)
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
		fillBar(s, part(sum.Mailbox, sum.MailboxCapacity), 12))
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
		rows = append(rows, rule(s, s.Horizontal, s.Horizontal, s.Strong.Render(text), "", width, false))
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
