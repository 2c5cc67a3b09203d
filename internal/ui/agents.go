package ui

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"mabeam-top/internal/stress/quantity"
	"mabeam-top/internal/stress/stream"
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

func (s *styles) agentRow(a stream.AgentState, struck map[string]bool) row {
	full := part(a.Mailbox, a.MailboxCapacity)
	memory, busy := "-", "-"
	if a.MemoryBytes > 0 {
		memory = reading(float64(a.MemoryBytes), bytesUnit)
	}
	if a.BusySeconds > 0 {
		busy = seconds(a.BusySeconds)
	}
	return row{
		s.named(a.ID, struck), s.muted.on(clean(a.Type)), clean(a.Lifecycle), quantity.Format(float64(a.Mailbox), count), s.fillBar(full, 12),
		strconv.Itoa(int(100*full)) + " %", reading(a.ActionsPerSecond, perSecond), memory, busy,
	}
}

// drawAgents draws the table of the busiest agents.
func (l *live) drawAgents(s *styles, width, height int, focused bool) []string {
	in, t := l.inspected(), &l.agents
	title, notes := "Busiest agents", ""
	agents := t.rows(in)
	if in != nil && in.AgentsTotal > 0 {
		notes = s.muted.on(fmt.Sprintf("%s of %s by %s", quantity.Format(float64(len(agents)), count), quantity.Format(float64(in.AgentsTotal), count), orderName(in.By)))
	}
	notes = strings.TrimSpace(t.filter.note(s) + "  " + notes + l.staleNote(s))
	room := max(height-3, 0)
	if len(agents) == 0 {
		return s.panel(s.strong.on(title), notes, s.said(l.noInspection(in != nil && in.AgentsTotal > 0, t.filter, "agents"), width-2), width, height, focused)
	}
	cursor := t.cursor(agents)
	t.offset = min(max(t.offset, cursor-room+1), cursor, max(len(agents)-room, 0))
	offset := max(t.offset, 0)
	rows, struck := make([]row, 0, room), l.struck()
	for _, a := range agents[offset:min(offset+room, len(agents))] {
		rows = append(rows, s.agentRow(a, struck))
	}
	if !focused {
		cursor = offset - 1
	}
	return s.panel(s.strong.on(title), notes, s.table(agentColumns, rows, cursor-offset, width-2), width, height, focused)
}

func orderName(by stream.AgentOrder) string {
	if by == "" {
		return string(stream.ByMailbox)
	}
	return clean(string(by))
}

// staleNote says of when an inspection is: where that is not the newest moment on the
// screen, and where this is in the past.
func (l *live) staleNote(s *styles) string {
	in, ok := l.shown.InspectedAt(l.span().to)
	switch {
	case !ok:
		return ""
	case l.span().to-in.T > stale:
		return s.warn.on("  as of " + quantity.Clock(in.T))
	case l.zoom.away:
		return s.accent.on("  at " + quantity.Clock(in.T))
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
		return "nobody looked inside before " + quantity.Clock(l.shown.Inspections[0].T)
	case l.steerable && !l.blind:
		return "waiting for the first look inside"
	default:
		return "this run does not tell of its " + what
	}
}

// said is a text in the place of a table.
func (s *styles) said(text string, width int) []string {
	var rows []string
	for _, line := range s.wrap(text, max(width-2, 1)) {
		rows = append(rows, " "+s.muted.on(line))
	}
	return rows
}

// drawAgent draws the one agent that is looked at more closely.
func (l *live) drawAgent(s *styles, width, height int, focused bool) []string {
	t := &l.agents
	title := s.strong.on("Agent " + clean(t.detail))
	in, _ := l.shown.InspectedAt(l.span().to)
	if in.Inspection == nil || in.Agent == nil || in.Agent.Summary.ID != t.detail {
		text := "waiting for a look inside"
		switch {
		case l.zoom.away, l.frozen, l.shown.Report != nil:
			text = "nobody looked at this agent then"
		case in.Inspection != nil && in.Agent == nil && in.T > t.openedAt+stale:
			text = "there is no such agent any more"
		}
		return s.panel(title, l.staleNote(s), s.said(text, width-2), width, height, focused)
	}
	all := s.agentRows(in.Agent, width-2)
	room := max(height-2, 0)
	offset := t.detailScroll.show(len(all), room, 0)
	return s.panel(title, l.staleNote(s), all[offset:min(offset+room, len(all))], width, height, focused)
}

func (s *styles) agentRows(a *stream.AgentDetail, width int) []string {
	const nameWidth = 14
	var rows []string
	add := func(name, text string) {
		rows = append(rows, " "+s.muted.on(s.pad(name, nameWidth))+s.cut(text, width-nameWidth-2))
	}
	sum := a.Summary
	add("type", clean(sum.Type))
	add("state", s.strong.on(clean(sum.Lifecycle)))
	add("mailbox", fmt.Sprintf("%s of %s  ", quantity.Format(float64(sum.Mailbox), count), quantity.Format(float64(sum.MailboxCapacity), count))+
		s.fillBar(part(sum.Mailbox, sum.MailboxCapacity), 12))
	add("actions", fmt.Sprintf("%s now, %s since it is looked at", reading(sum.ActionsPerSecond, perSecond), quantity.Format(float64(a.ActionsDone), count)))
	if sum.BusySeconds > 0 {
		add("busy for", seconds(sum.BusySeconds))
	}
	if sum.MemoryBytes > 0 {
		add("memory", reading(float64(sum.MemoryBytes), bytesUnit))
	}
	add("age", fmt.Sprintf("%s, version %d", seconds(a.AgeSeconds), a.Version))
	add("changed", seconds(a.ChangedSeconds)+" ago")
	if a.Parent != "" {
		add("parent", clean(a.Parent))
	}
	if len(a.Capabilities) > 0 {
		add("capabilities", clean(strings.Join(a.Capabilities, ", ")))
	}
	heading := func(text string) {
		rows = append(rows, s.rule(s.horizontal, s.horizontal, s.strong.on(text), "", width, false))
	}
	if len(a.Subscriptions) > 0 {
		heading("Listens to")
		for _, pattern := range a.Subscriptions {
			rows = append(rows, " "+s.cut(clean(pattern), width-2))
		}
	}
	heading("State")
	for _, line := range s.wrap(clean(a.State), max(width-2, 1)) {
		rows = append(rows, " "+line)
	}
	heading("Last events")
	if len(a.Events) == 0 {
		rows = append(rows, " "+s.muted.on("none"))
	}
	for _, e := range slices.Backward(a.Events) {
		rows = append(rows, " "+s.muted.on(s.padLeft(seconds(e.AgoSeconds)+" ago", 12))+"  "+clean(e.Type)+s.muted.on("  from "+clean(e.Source)))
	}
	return rows
}

// seconds writes a length of time.
func seconds(v float64) string { return quantity.Format(v, "s") }
