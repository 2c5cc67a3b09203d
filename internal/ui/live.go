package ui

import (
	"slices"

	"mabeam-top/internal/stress/fold"
	"mabeam-top/internal/stress/stream"
	"mabeam-top/internal/ui/chart"
	"mabeam-top/internal/ui/theme"
	"mabeam-top/internal/ui/widget"
)

// live is the screen of a run.
type live struct {
	// latest is the newest snapshot, and shown the one on the screen: the
	// same, unless the screen is frozen.
	latest, shown *fold.Snapshot
	frozen        bool
	tab           tab
	// chart is for each tab the chart that was in focus last, and onList says
	// that the focus is on a list instead, which is list.
	chart    [tabCount]int
	list     [tabCount]panel
	expanded bool
	zoom     chart.Zoom
	// linear says that no scale is logarithmic.
	linear bool
	// marks are those that the reader made.
	marks []bookmark
	lints lintBook
	// steerable says that the run takes commands, blind that it does not tell of
	// its inside, asked what of it it was asked for, paused that its load is held
	// and rate by what its rates are multiplied.
	steerable bool
	blind     bool
	asked     stream.Inspect
	paused    bool
	rate      float64

	agents   agentTable
	bus      subscriptionTable
	verdicts verdictTable
	log      journal
	// areas are where the panels were drawn last.
	areas []area
	// hits are where the tabs were drawn last.
	hits []hit
}

func newLive() live {
	l := live{latest: &fold.Snapshot{}, shown: &fold.Snapshot{}, rate: 1, agents: agentTable{by: stream.ByMailbox}}
	for t := range tabCount {
		l.list[t] = tabList[t]
		if len(tabCharts[t]) > 0 {
			l.chart[t] = tabCharts[t][0]
		}
	}
	return l
}

func (l *live) setData(s *fold.Snapshot) {
	if s.T < l.latest.T {
		l.lints = lintBook{} // a replay went back
	}
	l.latest = s
	l.lints.note(lintsOf(s), s.T)
	if !l.frozen {
		l.show(s)
	}
}

func (l *live) show(s *fold.Snapshot) {
	l.shown = s
	l.verdicts.all = verdictRows(s)
}

// tally counts the verdicts so far, also while the screen is frozen.
func (l *live) tally() tally {
	if !l.frozen {
		return tallyOf(l.verdicts.all)
	}
	return tallyOf(verdictRows(l.latest))
}

func (l *live) freeze(frozen bool) {
	l.frozen = frozen
	if !frozen {
		l.show(l.latest)
	}
}

// span is the part of the run that the charts show.
func (l *live) span() chart.Span { return l.zoom.Span(l.shown.T) }

// inspected is the look inside that was the latest at the newest moment that the
// charts show, so that all on the screen is of one time; nil if there was none.
func (l *live) inspected() *stream.Inspection {
	in, _ := l.shown.InspectedAt(l.span().To)
	return in.Inspection
}

// struckSeconds is for how long a fault is shown beside whom it hit.
const struckSeconds = 3

// struck are those that a fault hit shortly before the newest moment that the charts
// show.
func (l *live) struck() map[string]bool {
	to := l.span().To
	names := map[string]bool{}
	for _, m := range slices.Backward(l.shown.Marks) {
		switch {
		case m.T > to:
		case m.T < to-struckSeconds:
			return names
		default:
			for _, name := range m.Hit {
				names[name] = true
			}
		}
	}
	return names
}

// named is a name of the system's inside, with a mark if a fault has just hit it.
func named(s *theme.Theme, name string, struck map[string]bool) string {
	if struck[name] {
		return theme.Clean(name) + " " + s.Warn.Render(string(s.Fault))
	}
	return theme.Clean(name)
}

// focus is the panel that keys go to.
func (l *live) focus() panel {
	if p := l.list[l.tab]; p != noPanel {
		return p
	}
	return panel(l.chart[l.tab])
}

func (l *live) setFocus(p panel) {
	if p < chartCount {
		l.chart[l.tab], l.list[l.tab] = int(p), noPanel
		return
	}
	l.list[l.tab] = p
}

// panels are all that the focus goes round on the tab: every chart, also those
// that are out of sight, and the lists that there is room for.
func (l *live) panels(width, height int) []panel {
	var out []panel
	areas := l.arrange(width, height)
	charts := tabCharts[l.tab]
	if !slices.ContainsFunc(areas, func(a area) bool { return a.panel < chartCount }) {
		charts = nil
	}
	for _, number := range charts {
		out = append(out, panel(number))
	}
	for _, a := range areas {
		if a.panel > chartCount-1 && a.panel != figuresPanel {
			out = append(out, a.panel)
		}
	}
	return out
}

func (l *live) moveFocus(by, width, height int) {
	panels := l.panels(width, height)
	i := max(slices.Index(panels, l.focus()), 0)
	l.setFocus(panels[(i+by+len(panels))%len(panels)])
}

// mark marks the newest moment on the screen.
func (l *live) mark() {
	number := 1
	if n := len(l.marks); n > 0 {
		number = l.marks[n-1].number + 1
	}
	l.marks = append(slices.Clone(l.marks[max(len(l.marks)-maxBookmarks+1, 0):]), bookmark{l.span().To, number})
}

// open shows a tab.
func (l *live) open(t tab) {
	l.tab, l.expanded = t, false
}

// listed is the list that keys move through; noPanel if they move the time.
// Without charts, which are full screens, the list of the tab is all there is.
func (l *live) listed(full bool) panel {
	if !full {
		return l.wholeList()
	}
	return l.list[l.tab]
}

// wholeList is the list of the tab where it has all the room: an agent in
// detail is in front of the table.
func (l *live) wholeList() panel {
	if l.tab == agentsTab && l.agents.detail != "" {
		return detailPanel
	}
	return tabList[l.tab]
}

// rowsOf is the height that a panel was drawn with.
func (l *live) rowsOf(p panel) int {
	for _, a := range l.areas {
		if a.panel == p {
			return a.Height
		}
	}
	return 1
}

// scroll moves through a list by rows: its cursor, if it has one.
func (l *live) scroll(list panel, by int) {
	switch list {
	case agentsPanel:
		l.agents.move(l.agents.rows(l.inspected()), by)
	case detailPanel:
		l.agents.detailScroll.Move(by)
	case busPanel:
		l.bus.scroll.Move(by)
	case verdictPanel:
		l.verdicts.scroll.Move(by)
	case logPanel:
		l.log.scroll.Move(by)
	}
}

// sort puts the rows of a list into another order, or shows other ones.
func (l *live) sort(list panel) {
	switch list {
	case agentsPanel:
		l.agents.sort()
	case busPanel:
		l.bus.sort()
	case verdictPanel:
		l.verdicts.worstFirst = !l.verdicts.worstFirst
		l.verdicts.scroll = widget.Scroll{}
	case logPanel:
		l.log.troubleOnly = !l.log.troubleOnly
		l.log.scroll = widget.Scroll{}
	}
}

// filterOf is the filter of a list; nil if it has none.
func (l *live) filterOf(list panel) *widget.Filter {
	switch list {
	case agentsPanel:
		return &l.agents.filter
	case busPanel:
		return &l.bus.filter
	case verdictPanel:
		return &l.verdicts.filter
	case logPanel:
		return &l.log.filter
	}
	return nil
}

// typing is the filter that keys go to; nil if there is none.
func (l *live) typing() *widget.Filter {
	for _, list := range []panel{agentsPanel, busPanel, verdictPanel, logPanel} {
		if f := l.filterOf(list); f.Typing {
			return f
		}
	}
	return nil
}

// openAgent shows the agent under the cursor in detail, on its tab.
func (l *live) openAgent() {
	l.agents.open(l.agents.rows(l.inspected()), l.latest.T)
	if l.agents.detail != "" {
		l.open(agentsTab)
		l.setFocus(detailPanel)
	}
}

func (l *live) closeAgent() {
	l.agents.detail = ""
	l.list[agentsTab] = agentsPanel
}

// view draws the body of the screen. full says that there is room for charts.
func (l *live) view(s *theme.Theme, width, height int, full bool) []string {
	switch {
	case full:
		l.areas = l.arrange(width, height)
	case tabList[l.tab] != noPanel:
		l.areas = []area{{l.wholeList(), widget.Area{Width: width, Height: height}}}
	default:
		l.areas = nil
		return l.small(s, width, height)
	}
	blocks := make([]widget.Block, len(l.areas))
	for i, a := range l.areas {
		blocks[i] = widget.Block{Area: a.Area, Rows: l.draw(s, a)}
	}
	return widget.Compose(blocks, width, height)
}

func (l *live) draw(s *theme.Theme, a area) []string {
	focused := a.panel == l.focus()
	switch a.panel {
	case figuresPanel:
		return l.drawFigures(s, figures, 2, a.Width, a.Height)
	case agentsPanel:
		// Beside the charts, who listens is of more use than a table of no agents.
		if in := l.inspected(); l.tab == overviewTab && in != nil && in.AgentsTotal == 0 && in.SubscriptionsTotal > 0 {
			return l.drawBus(s, a.Width, a.Height, focused)
		}
		return l.drawAgents(s, a.Width, a.Height, focused)
	case detailPanel:
		return l.drawAgent(s, a.Width, a.Height, focused)
	case busPanel:
		return l.drawBus(s, a.Width, a.Height, focused)
	case verdictPanel:
		return l.drawVerdicts(s, a.Width, a.Height, focused)
	case logPanel:
		return l.drawLog(s, a.Width, a.Height, focused)
	default:
		return l.drawChart(s, int(a.panel), a.Width, a.Height, focused)
	}
}
