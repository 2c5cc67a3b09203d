package live

import (
	"slices"

	"mabeam-top/internal/ui/widget"
)

// focus is the panel that keys go to.
func (s *Screen) focus() panel {
	if p := s.list[s.tab]; p != noPanel {
		return p
	}
	return panel(s.chart[s.tab])
}

func (s *Screen) setFocus(p panel) {
	if p < chartCount {
		s.chart[s.tab], s.list[s.tab] = int(p), noPanel
		return
	}
	s.list[s.tab] = p
}

// panels are the panels of the tab that can have the focus: every chart, also
// those out of sight, and the lists that there is room for.
func (s *Screen) panels() []panel {
	var out []panel
	areas := s.arrange(s.host.Width, s.bodyHeight())
	if slices.ContainsFunc(areas, func(a area) bool { return a.panel < chartCount }) {
		for _, number := range tabCharts[s.tab] {
			out = append(out, panel(number))
		}
	}
	for _, a := range areas {
		if a.panel >= chartCount && a.panel != figuresPanel {
			out = append(out, a.panel)
		}
	}
	return out
}

func (s *Screen) moveFocus(by int) {
	panels := s.panels()
	i := max(slices.Index(panels, s.focus()), 0)
	s.setFocus(panels[(i+by+len(panels))%len(panels)])
}

// openTab shows a tab.
func (s *Screen) openTab(t tab) { s.tab, s.expanded = t, false }

// listInUse is the list that keys move through; noPanel if they scroll in time.
// Where there are no charts, the list of the tab is the whole screen.
func (s *Screen) listInUse(full bool) panel {
	if !full {
		return s.mainList()
	}
	return s.list[s.tab]
}

// mainList is the list of the tab. The details of an agent are in front of the
// table of agents.
func (s *Screen) mainList() panel {
	if s.tab == agentsTab && s.agents.detail != "" {
		return detailPanel
	}
	return tabList[s.tab]
}

// heightOf is the height that a panel was drawn with.
func (s *Screen) heightOf(p panel) int {
	for _, a := range s.areas {
		if a.panel == p {
			return a.Height
		}
	}
	return 1
}

// scroll moves through a list by rows.
func (s *Screen) scroll(list panel, by int) {
	switch list {
	case agentsPanel:
		s.agents.move(s.agents.rows(s.inspected()), by)
	case detailPanel:
		s.agents.detailScroll.Move(by)
	case busPanel:
		s.subscriptions.scroll.Move(by)
	case verdictPanel:
		s.verdicts.scroll.Move(by)
	case logPanel:
		s.log.scroll.Move(by)
	}
}

// sort changes the order of a list, or which rows it shows.
func (s *Screen) sort(list panel) {
	switch list {
	case agentsPanel:
		s.agents.sort()
	case busPanel:
		s.subscriptions.by = s.subscriptions.by.Next()
	case verdictPanel:
		s.verdicts.worstFirst = !s.verdicts.worstFirst
		s.verdicts.scroll = widget.Scroll{}
	case logPanel:
		s.log.problemsOnly = !s.log.problemsOnly
		s.log.scroll = widget.Scroll{}
	}
}

// filterOf is the filter of a list; nil if it has none.
func (s *Screen) filterOf(list panel) *widget.Filter {
	switch list {
	case agentsPanel:
		return &s.agents.filter
	case busPanel:
		return &s.subscriptions.filter
	case verdictPanel:
		return &s.verdicts.filter
	case logPanel:
		return &s.log.filter
	}
	return nil
}

// typing is the filter that keys go to; nil for none.
func (s *Screen) typing() *widget.Filter {
	for _, list := range []panel{agentsPanel, busPanel, verdictPanel, logPanel} {
		if f := s.filterOf(list); f.Typing {
			return f
		}
	}
	return nil
}

// openAgent shows the details of the selected agent, on their tab.
func (s *Screen) openAgent() {
	s.agents.open(s.agents.rows(s.inspected()), s.latest.T)
	if s.agents.detail != "" {
		s.openTab(agentsTab)
		s.setFocus(detailPanel)
	}
}

func (s *Screen) closeAgent() {
	s.agents.detail = ""
	s.list[agentsTab] = agentsPanel
}
