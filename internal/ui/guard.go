package ui

import (
	"fmt"
	"runtime/debug"

	tea "github.com/charmbracelet/bubbletea"
)

// A guard is the model as Bubble Tea sees it. A panic in it, or in the work that
// it asks for, ends the program in order: the terminal is given back first, and
// then the panic is told.
type guard struct {
	tea.Model
	// died is what the first panic was. It belongs to the UI's goroutine.
	died *error
}

// A panicMsg tells of a panic in some work.
type panicMsg struct{ err error }

// panicked makes an error of what was recovered, with the stack that led to it.
func panicked(where string, p any) error {
	return fmt.Errorf("%s: panic: %v\n%s", where, p, debug.Stack())
}

// Init implements tea.Model.
func (g guard) Init() tea.Cmd { return guarded(g.Model.Init()) }

// Update implements tea.Model.
func (g guard) Update(msg tea.Msg) (next tea.Model, cmd tea.Cmd) {
	defer func() {
		if p := recover(); p != nil {
			next, cmd = g.die(panicked("the terminal UI", p))
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
				msg = panicMsg{panicked("the terminal UI", p)}
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
