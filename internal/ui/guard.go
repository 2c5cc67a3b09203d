package ui

import (
	tea "github.com/charmbracelet/bubbletea"

	"mabeam-top/internal/ui/session"
)

// A guard is the model as Bubble Tea sees it. After a panic in the model or in one
// of its commands, it quits in order, which restores the terminal before the panic
// is reported.
type guard struct {
	tea.Model
	// died is the first panic. It belongs to the goroutine of Update.
	died *error
}

// A panicMsg is a panic in a command.
type panicMsg struct{ err error }

// Init implements tea.Model.
func (g guard) Init() tea.Cmd { return guarded(g.Model.Init()) }

// Update implements tea.Model.
func (g guard) Update(msg tea.Msg) (next tea.Model, cmd tea.Cmd) {
	defer func() {
		if p := recover(); p != nil {
			next, cmd = g.die(session.Panicked("the terminal UI", p))
		}
	}()
	if p, ok := msg.(panicMsg); ok {
		return g.die(p.err)
	}
	m, cmd := g.Model.Update(msg)
	return guard{m, g.died}, guarded(cmd)
}

func (g guard) die(err error) (tea.Model, tea.Cmd) {
	if *g.died == nil {
		*g.died = err
	}
	return g, tea.Quit
}

// guarded turns a panic in a command into a message.
func guarded(cmd tea.Cmd) tea.Cmd {
	if cmd == nil {
		return nil
	}
	return func() (msg tea.Msg) {
		defer func() {
			if p := recover(); p != nil {
				msg = panicMsg{session.Panicked("the terminal UI", p)}
			}
		}()
		msg = cmd()
		if batch, ok := msg.(tea.BatchMsg); ok {
			for i := range batch {
				batch[i] = guarded(batch[i])
			}
		}
		return msg
	}
}
