package ui

import tea "github.com/charmbracelet/bubbletea"

// mouse does what a click or the wheel does. Nothing needs it: whatever it does,
// a key does too.
func (m *model) mouse(e tea.MouseEvent) tea.Cmd {
	wheel := 0
	switch {
	case e.Button == tea.MouseButtonWheelUp:
		wheel = -1
	case e.Button == tea.MouseButtonWheelDown:
		wheel = 1
	case e.Button != tea.MouseButtonLeft || e.Action != tea.MouseActionPress:
		return nil
	}
	if m.help || m.size() == lineSize {
		return nil
	}
	if m.screen != liveScreen || m.dialog != nil {
		// The wheel is the arrow keys.
		switch wheel {
		case -1:
			return m.pressOne(tea.KeyMsg{Type: tea.KeyUp})
		case 1:
			return m.pressOne(tea.KeyMsg{Type: tea.KeyDown})
		}
		return nil
	}
	const tabsRow, bodyRow = 1, 2
	if e.Y == tabsRow && wheel == 0 {
		for _, h := range m.live.hits {
			if e.X >= h.from && e.X < h.to {
				m.live.open(h.tab)
			}
		}
		return nil
	}
	for _, a := range m.live.areas {
		if !a.Contains(e.X, e.Y-bodyRow) {
			continue
		}
		switch {
		case wheel != 0 && a.panel < chartCount:
			m.live.zoom = m.live.zoom.In(-wheel, m.live.shown.T)
		case wheel != 0:
			m.live.scroll(a.panel, 3*wheel)
		default:
			m.live.click(a, e.Y-bodyRow-a.Top)
		}
		break
	}
	return nil
}

// click puts the focus on a panel; on what already has it, it does what enter
// does there. row is the row of the panel that was hit.
func (l *live) click(a area, row int) {
	again := l.focus() == a.panel
	switch {
	case a.panel == figuresPanel:
		return
	case a.panel < chartCount:
		l.expanded = again && !l.expanded
	case a.panel == agentsPanel:
		const heading = 2 // the border and the titles
		rows := l.agents.rows(l.inspected())
		i := l.agents.scroll.Offset + row - heading
		if row < heading || i >= len(rows) {
			break
		}
		again = again && l.agents.selected == rows[i].ID
		l.agents.selected = rows[i].ID
		if again {
			l.openAgent()
			return
		}
	}
	l.setFocus(a.panel)
}
