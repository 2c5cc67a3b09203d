package ui

import (
	tea "github.com/charmbracelet/bubbletea"

	"mabeam-top/internal/ui/chart"
	"mabeam-top/internal/ui/widget"
)

// liveActions are the keys of the live screen.
func (m *model) liveActions() []action {
	full := m.size() == fullSize
	list := m.live.listed(full)
	freeze := keyFreeze
	if m.live.frozen {
		freeze = keyThaw
	}
	out := []action{act(freeze, func() { m.live.freeze(!m.live.frozen) })}
	out = append(out, m.steerActions(list != noPanel)...)
	for t, k := range keyTabs {
		out = append(out, act(k, func() { m.live.open(tab(t)) }))
	}
	if full {
		out = append(out, act(keyNext, func() { m.live.moveFocus(1, m.width, m.bodyHeight()) }),
			act(keyPrevious, func() { m.live.moveFocus(-1, m.width, m.bodyHeight()) }))
	}
	if list == noPanel {
		out = append(out, m.chartActions(full)...)
	} else {
		out = append(out, m.listActions(list, full)...)
	}
	out = append(out, m.timeActions()...)
	return append(out, m.leaveActions(list, full)...)
}

// chartActions are the keys of the chart in focus.
func (m *model) chartActions(full bool) []action {
	out := []action{
		act(keyOldest, func() { m.live.zoom = m.live.zoom.EndAt(0, m.live.shown.T) }),
		act(keyNewest, func() { m.live.zoom.Fixed = false }),
	}
	if full && !m.live.expanded {
		out = append(out, act(keyExpand, func() { m.live.expanded = true }))
	}
	return out
}

// listActions are the keys of the list in focus.
func (m *model) listActions(list panel, full bool) []action {
	out := scrolls(func() int { return max(m.live.rowsOf(list)-3, 1) }, func(by int) { m.live.scroll(list, by) })
	if list == agentsPanel {
		out = append(out, act(keyDetail, func() { m.live.openAgent() }))
	}
	if m.live.filterOf(list) != nil {
		sort := keySort
		if list == logPanel {
			sort = keyTrouble
		}
		out = append(out, act(keyFilter, func() { m.live.filterOf(list).Typing = true }),
			act(sort, func() { m.live.sort(list) }))
	}
	if full && m.live.tab == overviewTab {
		out = append(out, act(keyWhole, func() { m.live.open(tabOf(list)) }))
	}
	return out
}

// timeActions are the keys that say which part of the run the charts show.
func (m *model) timeActions() []action {
	zoomed := func(change func(z chart.Zoom, now float64) chart.Zoom) func() {
		return func() { m.live.zoom = change(m.live.zoom, m.live.shown.T) }
	}
	return []action{
		act(keyZoomIn, zoomed(func(z chart.Zoom, now float64) chart.Zoom { return z.In(1, now) })),
		act(keyZoomOut, zoomed(func(z chart.Zoom, now float64) chart.Zoom { return z.In(-1, now) })),
		act(keyEarlier, zoomed(func(z chart.Zoom, now float64) chart.Zoom { return z.Scroll(-scrollStep, now) })),
		act(keyLater, zoomed(func(z chart.Zoom, now float64) chart.Zoom { return z.Scroll(scrollStep, now) })),
		act(keyMoment, func() { m.live.mark() }),
		act(keyScale, func() { m.live.linear = !m.live.linear }),
	}
}

// scrollStep is the share of what is shown that the charts are scrolled by.
const scrollStep = 0.1

// leaveActions are what escape does: the smallest step back that there is.
func (m *model) leaveActions(list panel, full bool) []action {
	var filter *widget.Filter
	if list != noPanel {
		filter = m.live.filterOf(list)
	}
	switch {
	case m.live.expanded && full:
		return []action{act(keyShrink, func() { m.live.expanded = false })}
	case m.live.agents.detail != "" && m.live.tab == agentsTab:
		return []action{act(keyAllAgents, func() { m.live.closeAgent() })}
	case filter != nil && !filter.Empty():
		return []action{act(keyClear, func() { m.live.filterOf(list).Text = widget.NewField("") })}
	case m.run.replay != nil:
		return nil // what a replay is left for is told by its own keys
	case !m.running:
		return []action{act(keyToReport, func() { m.screen = reportScreen })}
	case !m.run.stopped:
		return []action{act(keyStop, func() {
			m.dialog = m.askToStop("A load is running. Stop it and show the report so far?", false)
		})}
	}
	return nil
}

// liveFilterActions are the keys while a filter is written; all others go into
// it.
func (m *model) liveFilterActions() []action {
	return []action{
		act(keyAccept, func() { m.live.typing().Typing = false }),
		act(keyClear, func() {
			f := m.live.typing()
			*f = widget.Filter{}
		}),
	}
}

// typeInLiveFilter takes a key into the filter that is written.
func (m *model) typeInLiveFilter(msg tea.KeyMsg) { m.live.typing().Text.Press(msg) }
