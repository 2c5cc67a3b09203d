package live

import tea "github.com/charmbracelet/bubbletea"

// Mouse handles a click or the wheel at a cell of the terminal. Whatever the
// mouse does, a key does as well.
func (s *Screen) Mouse(e tea.MouseEvent, wheel int) {
	const tabsRow, bodyRow = 1, 2
	if e.Y == tabsRow && wheel == 0 {
		for _, h := range s.hits {
			if e.X >= h.from && e.X < h.to {
				s.openTab(h.tab)
			}
		}
		return
	}
	for _, a := range s.areas {
		if !a.Contains(e.X, e.Y-bodyRow) {
			continue
		}
		switch {
		case wheel != 0 && a.panel < chartCount:
			s.zoom = s.zoom.In(-wheel, s.shown.T)
		case wheel != 0:
			s.scroll(a.panel, 3*wheel)
		default:
			s.click(a, e.Y-bodyRow-a.Top)
		}
		return
	}
}

// click focuses a panel. In the panel that has the focus, it does what enter does.
func (s *Screen) click(a area, row int) {
	again := s.focus() == a.panel
	switch {
	case a.panel == figuresPanel:
		return
	case a.panel < chartCount:
		s.expanded = again && !s.expanded
	case a.panel == agentsPanel:
		const heading = 2 // the border and the titles
		rows := s.agents.rows(s.inspected())
		i := s.agents.scroll.Offset + row - heading
		if row < heading || i >= len(rows) {
			break
		}
		again = again && s.agents.selected == rows[i].ID
		s.agents.selected = rows[i].ID
		if again {
			s.openAgent()
			return
		}
	}
	s.setFocus(a.panel)
}
