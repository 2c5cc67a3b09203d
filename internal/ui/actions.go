package ui

import (
	tea "github.com/charmbracelet/bubbletea"

	"mabeam-top/internal/ui/screen"
)

var (
	themeKey      = screen.Bind("t", "theme", "t").Help("Switch to the next theme").Hide()
	helpKey       = screen.Bind("?", "help", "?").Help("Show this help")
	closeHelpKey  = screen.Bind("esc", "close help", "esc", "?", "enter", "q")
	quitKey       = screen.Bind("q", "quit", "q").Help("Quit (asks while a load runs)")
	suspendKey    = screen.Bind("ctrl+z", "suspend", "ctrl+z").Help("Suspend the program").Hide()
	abortKey      = screen.Bind("ctrl+c", "stop and report", "ctrl+c").Help("Stop the load and report; again: quit now").Hide()
	quitNowKey    = screen.Bind("ctrl+c", "quit", "ctrl+c").Help("Quit now").Hide()
	backToHistory = screen.Bind("esc", "past runs", "esc").Help("Back to past runs")
)

// actions are the keys that work now.
func (m *model) actions() []screen.Action {
	out := m.screenActions()
	if m.jobs != nil {
		out = append(out, screen.Action{Key: suspendKey, Do: func() tea.Cmd { return m.suspend(true) }})
	}
	if !m.live.Loading() {
		return append(out, screen.Action{Key: quitNowKey, Do: func() tea.Cmd { return tea.Quit }})
	}
	return append(out, screen.Act(abortKey, func() {
		m.help = false
		m.host.EndOfRun()
		m.live.Stop()
	}))
}

// screenActions are the keys that do not work everywhere.
func (m *model) screenActions() []screen.Action {
	switch {
	case m.host.Dialog != nil:
		return m.host.DialogActions()
	case m.help:
		return []screen.Action{screen.Act(closeHelpKey, func() { m.help = false })}
	}
	return m.pageActions()
}

// pageActions are those without dialog and help.
func (m *model) pageActions() []screen.Action {
	out := m.current.Actions()
	if m.current.Typing() {
		return out
	}
	return append(out, screen.Act(themeKey, m.nextTheme), screen.Act(helpKey, func() { m.help = true }), screen.Action{Key: quitKey, Do: m.quit})
}

// nextTheme switches to the next theme.
func (m *model) nextTheme() {
	m.setTheme((m.theme + 1) % len(m.themes))
	text := "theme " + m.host.Theme.Name
	if m.host.Theme.Colorless {
		text += ", without colours here"
	}
	m.host.Notify("%s", text)
}

func (m *model) setTheme(i int) {
	m.theme = i
	m.host.Theme = &m.themes[i]
}

// quit asks while a load runs. While the load is stopping, it quits as soon as the
// load has ended.
func (m *model) quit() tea.Cmd {
	switch {
	case m.live.Loading():
		m.live.AskToStop("A load is running. Stop it and quit?", func() { m.quitting = true })
	case m.live.Stopping():
		m.quitting = true
	default:
		return tea.Quit
	}
	return nil
}
