package live

import (
	"fmt"
	"slices"
	"strings"

	"mabeam-top/internal/stress/stream"
	"mabeam-top/internal/ui/diagnostic"
	"mabeam-top/internal/ui/theme"
	"mabeam-top/internal/ui/widget"
)

// drawAgent draws the details of an agent.
func (s *Screen) drawAgent(width, height int, focused bool) []string {
	t, a := s.host.Theme, &s.agents
	p := widget.Panel{Title: t.Strong.Render("Agent " + theme.Clean(a.detail)), Notes: s.age(), Focused: focused}
	in, _ := s.shown.InspectedAt(s.span().To)
	if in.Inspection == nil || in.Agent == nil || in.Agent.Summary.ID != a.detail {
		text := "waiting for a snapshot"
		switch {
		case !s.following(), s.shown.Report != nil:
			text = "no snapshot of this agent at that time"
		case in.Inspection != nil && in.Agent == nil && in.T > a.openedAt+diagnostic.Stale:
			text = "this agent no longer exists"
		}
		p.Rows = widget.Message(t, text, width-2)
		return p.Draw(t, width, height)
	}
	all := agentRows(t, in.Agent, width-2)
	from, to := a.detailScroll.Window(len(all), max(height-2, 0), 0)
	p.Rows = all[from:to]
	return p.Draw(t, width, height)
}

// agentRows are the details of an agent.
func agentRows(t *theme.Theme, a *stream.AgentDetail, width int) []string {
	rows := agentFields(t, a, width)
	heading := func(text string) { rows = append(rows, widget.Heading(t, t.Strong.Render(text), "", width)) }
	if len(a.Subscriptions) > 0 {
		heading("Subscriptions")
		for _, pattern := range a.Subscriptions {
			rows = append(rows, " "+t.Truncate(theme.Clean(pattern), width-2))
		}
	}
	heading("State")
	for _, line := range theme.Wrap(theme.Clean(a.State), max(width-2, 1)) {
		rows = append(rows, " "+line)
	}
	heading("Last events")
	if len(a.Events) == 0 {
		rows = append(rows, " "+t.Muted.Render("none"))
	}
	for _, e := range slices.Backward(a.Events) {
		rows = append(rows, " "+t.Muted.Render(t.PadLeft(theme.Seconds(e.AgoSeconds)+" ago", 12))+"  "+theme.Clean(e.Type)+t.Muted.Render("  from "+theme.Clean(e.Source)))
	}
	return rows
}

func agentFields(t *theme.Theme, a *stream.AgentDetail, width int) []string {
	const nameWidth = 14
	var rows []string
	add := func(name, text string) {
		rows = append(rows, " "+t.Muted.Render(t.Pad(name, nameWidth))+t.Truncate(text, width-nameWidth-2))
	}
	sum := a.Summary
	add("type", theme.Clean(sum.Type))
	add("state", t.Strong.Render(theme.Clean(sum.Lifecycle)))
	add("mailbox", fmt.Sprintf("%s of %s  ", count(sum.Mailbox), count(sum.MailboxCapacity))+
		widget.FillBar(t, theme.Share(sum.Mailbox, sum.MailboxCapacity), diagnostic.FullQueue, 12))
	add("actions", fmt.Sprintf("%s now, %s since opened", theme.Number(sum.ActionsPerSecond, theme.PerSecond), count(a.ActionsDone)))
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
	return rows
}
