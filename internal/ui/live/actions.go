package live

import (
	tea "github.com/charmbracelet/bubbletea"

	"mabeam-top/internal/ui/chart"
	"mabeam-top/internal/ui/screen"
	"mabeam-top/internal/ui/widget"
)

var (
	freezeKey     = screen.Bind("f", "freeze", "f").Help("Freeze the screen (the load keeps running)")
	unfreezeKey   = screen.Bind("f", "unfreeze", "f").Help("Unfreeze the screen")
	tabsKey       = screen.Bind("1-6", "tabs", "1").Help("Open a tab: overview, agents, bus, runtime, verdicts, log").Hide()
	nextKey       = screen.Bind("tab", "focus", "tab").Help("Focus next panel")
	previousKey   = screen.Bind("shift+tab", "focus back", "shift+tab").Help("Focus previous panel").Hide()
	oldestKey     = screen.Bind("g", "oldest", "g", "home").Help("Scroll to the start of the run").Hide()
	newestKey     = screen.Bind("G", "live", "G", "end").Help("Follow the run again").Hide()
	expandKey     = screen.Bind("e", "expand", "e", "enter").Help("Expand the chart, with its statistics")
	shrinkKey     = screen.Bind("esc", "all panels", "esc", "e", "enter").Help("Back to all panels")
	openTabKey    = screen.Bind("e", "open tab", "e").Help("Open the tab of this list")
	zoomInKey     = screen.Bind("+ -", "zoom", "+", "=").Help("Zoom the time axis in / out")
	zoomOutKey    = screen.Also("-", "_")
	earlierKey    = screen.Bind("←→", "scroll", "left").Help("Scroll in time (values are those at the right edge)")
	laterKey      = screen.Also("right")
	bookmarkKey   = screen.Bind("m", "mark", "m").Help("Mark this moment in charts and log")
	scaleKey      = screen.Bind("l", "log", "l").Help("Switch between logarithmic and linear scale")
	agentKey      = screen.Bind("enter", "agent", "enter").Help("Show the selected agent")
	allAgentsKey  = screen.Bind("esc", "all agents", "esc").Help("Back to all agents")
	sortKey       = screen.Bind("s", "sort", "s").Help("Change the order")
	problemsKey   = screen.Bind("s", "problems only", "s").Help("Show problems only, or everything")
	stopKey       = screen.Bind("esc", "stop", "esc").Help("Stop the load and show the report so far (asks first)")
	showReportKey = screen.Bind("esc", "report", "esc").Help("Show the report")
)

// tabKeys are the keys of the tabs.
var tabKeys = [tabCount]screen.Key{tabsKey, screen.Also("2"), screen.Also("3"), screen.Also("4"), screen.Also("5"), screen.Also("6")}

// Actions returns the keys that work now.
func (s *Screen) Actions() []screen.Action {
	if f := s.typing(); f != nil {
		return screen.TypeFilter(f, func() {})
	}
	if s.replaying() {
		return s.replayActions()
	}
	return s.liveActions()
}

// Typing reports whether letters are text.
func (s *Screen) Typing() bool { return s.typing() != nil }

// Type handles a key as text of the filter.
func (s *Screen) Type(msg tea.KeyMsg) { s.typing().Text.Press(msg) }

func (s *Screen) full() bool { return s.host.Size() == screen.Full }

func (s *Screen) liveActions() []screen.Action {
	full := s.full()
	list := s.listInUse(full)
	freeze := freezeKey
	if s.frozen {
		freeze = unfreezeKey
	}
	out := []screen.Action{screen.Act(freeze, s.toggleFreeze)}
	out = append(out, s.steerActions(list != noPanel)...)
	for t, k := range tabKeys {
		out = append(out, screen.Act(k, func() { s.openTab(tab(t)) }))
	}
	if full {
		out = append(out, screen.Act(nextKey, func() { s.moveFocus(1) }), screen.Act(previousKey, func() { s.moveFocus(-1) }))
	}
	if list == noPanel {
		out = append(out, s.chartActions(full)...)
	} else {
		out = append(out, s.listActions(list, full)...)
	}
	out = append(out, s.timeActions()...)
	return append(out, s.leaveActions(list, full)...)
}

// chartActions are the keys for the chart in focus.
func (s *Screen) chartActions(full bool) []screen.Action {
	out := []screen.Action{
		screen.Act(oldestKey, func() { s.zoom = s.zoom.EndAt(0, s.shown.T) }),
		screen.Act(newestKey, func() { s.zoom.Fixed = false }),
	}
	if full && !s.expanded {
		out = append(out, screen.Act(expandKey, func() { s.expanded = true }))
	}
	return out
}

// listActions are the keys for the list in focus.
func (s *Screen) listActions(list panel, full bool) []screen.Action {
	out := screen.Scroll(max(s.heightOf(list)-3, 1), func(by int) { s.scroll(list, by) })
	if list == agentsPanel {
		out = append(out, screen.Act(agentKey, s.openAgent))
	}
	if f := s.filterOf(list); f != nil {
		sort := sortKey
		if list == logPanel {
			sort = problemsKey
		}
		out = append(out, screen.Act(screen.FilterKey, func() { f.Typing = true }), screen.Act(sort, func() { s.sort(list) }))
	}
	if full && s.tab == overviewTab {
		out = append(out, screen.Act(openTabKey, func() { s.openTab(tabOf(list)) }))
	}
	return out
}

// scrollStep is the share of the shown time that a key scrolls by.
const scrollStep = 0.1

// timeActions are the keys for the part of the run that the charts show.
func (s *Screen) timeActions() []screen.Action {
	zoom := func(change func(z chart.Zoom, now float64) chart.Zoom) func() {
		return func() { s.zoom = change(s.zoom, s.shown.T) }
	}
	return []screen.Action{
		screen.Act(zoomInKey, zoom(func(z chart.Zoom, now float64) chart.Zoom { return z.In(1, now) })),
		screen.Act(zoomOutKey, zoom(func(z chart.Zoom, now float64) chart.Zoom { return z.In(-1, now) })),
		screen.Act(earlierKey, zoom(func(z chart.Zoom, now float64) chart.Zoom { return z.Scroll(-scrollStep, now) })),
		screen.Act(laterKey, zoom(func(z chart.Zoom, now float64) chart.Zoom { return z.Scroll(scrollStep, now) })),
		screen.Act(bookmarkKey, s.bookmark),
		screen.Act(scaleKey, func() { s.linear = !s.linear }),
	}
}

// leaveActions are what escape does: the smallest step back that there is. A
// replay is left by keys of its own.
func (s *Screen) leaveActions(list panel, full bool) []screen.Action {
	filter := &widget.Filter{}
	if f := s.filterOf(list); f != nil {
		filter = f
	}
	switch {
	case s.expanded && full:
		return []screen.Action{screen.Act(shrinkKey, func() { s.expanded = false })}
	case s.agents.detail != "" && s.tab == agentsTab:
		return []screen.Action{screen.Act(allAgentsKey, s.closeAgent)}
	case !filter.Empty():
		return []screen.Action{screen.Act(screen.ClearFilter, func() { filter.Text = widget.NewField("") })}
	case s.run.Replay != nil:
		return nil
	case !s.running:
		return []screen.Action{screen.Act(showReportKey, s.links.Report)}
	case !s.run.Stopped():
		return []screen.Action{screen.Act(stopKey, func() {
			s.AskToStop("A load is running. Stop it and show the report so far?", func() {})
		})}
	}
	return nil
}
