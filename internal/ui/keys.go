package ui

import (
	"github.com/charmbracelet/bubbles/help"
	"github.com/charmbracelet/bubbles/key"
	tea "github.com/charmbracelet/bubbletea"
)

// The keys. Which of them work is decided by the screen's actions.
var (
	keyUp       = bind("↑/k", "up", "up", "k")
	keyDown     = bind("↓/j", "down", "down", "j")
	keyPageUp   = bind("pgup", "page up", "pgup")
	keyPageDown = bind("pgdn", "page down", "pgdown")
	keyTop      = bind("g", "top", "g", "home")
	keyBottom   = bind("G", "end", "G", "end")
	keyStart    = bind("enter", "start", "enter")
	keyMark     = bind("space", "mark", " ")
	keyFilter   = bind("/", "filter", "/")
	keyClear    = bind("esc", "clear filter", "esc")
	keyUnmark   = bind("esc", "unmark all", "esc")
	keyAccept   = bind("enter", "keep filter", "enter")
	keyFreeze   = bind("f", "freeze", "f")
	keyThaw     = bind("f", "unfreeze", "f")
	keyNext     = bind("tab", "next panel", "tab")
	keyPrevious = bind("shift+tab", "previous panel", "shift+tab")
	keyExpand   = bind("enter", "expand", "enter")
	keyShrink   = bind("esc", "all panels", "esc")
	keyStop     = bind("esc", "stop", "esc")
	keyCharts   = bind("tab", "charts", "tab")
	keyToReport = bind("esc", "report", "esc")
	keyMenu     = bind("esc", "menu", "esc")
	keyHelp     = bind("?", "help", "?")
	keyClose    = bind("esc", "close help", "esc", "?", "enter", "q")
	keyQuit     = bind("q", "quit", "q")
	keyYes      = bind("y", "yes", "y", "Y", "enter")
	keyNo       = bind("n", "no", "n", "N", "esc", "q")
	keyAbort    = bind("ctrl+c", "stop the load and report", "ctrl+c")
	keyEnd      = bind("ctrl+c", "end", "ctrl+c")
)

func bind(name, does string, keys ...string) key.Binding {
	return key.NewBinding(key.WithKeys(keys...), key.WithHelp(name, does))
}

// An action is a key that works now, and what it does. The footer, the help
// and the handling of keys all come from one list of actions, so that none can
// tell of a key that does nothing.
type action struct {
	key key.Binding
	do  func(model) (model, tea.Cmd)
}

// act makes an action of a change that needs no command.
func act(k key.Binding, change func(*model)) action {
	return action{k, func(m model) (model, tea.Cmd) {
		change(&m)
		return m, nil
	}}
}

// scrolls returns the actions of whatever can be moved through by rows.
func scrolls(page func(model) int, move func(*model, int)) []action {
	const far = 1 << 20
	return []action{
		act(keyUp, func(m *model) { move(m, -1) }),
		act(keyDown, func(m *model) { move(m, 1) }),
		act(keyPageUp, func(m *model) { move(m, -page(*m)) }),
		act(keyPageDown, func(m *model) { move(m, page(*m)) }),
		act(keyTop, func(m *model) { move(m, -far) }),
		act(keyBottom, func(m *model) { move(m, far) }),
	}
}

// hints are the keys of actions for the footer, those that everybody guesses
// left out.
func hints(actions []action) []key.Binding {
	var out []key.Binding
	for _, a := range actions {
		switch a.key.Help().Key {
		case keyPageUp.Help().Key, keyPageDown.Help().Key, keyTop.Help().Key, keyBottom.Help().Key, keyPrevious.Help().Key, keyAbort.Help().Key:
			continue
		case keyUp.Help().Key:
			out = append(out, bind("↑↓", "move", "up"))
			continue
		case keyDown.Help().Key:
			continue
		}
		out = append(out, a.key)
	}
	return out
}

// newHelp returns the writer of footers and help.
func newHelp(s *styles) help.Model {
	h := help.New()
	h.ShortSeparator, h.FullSeparator, h.Ellipsis = "  ", "     ", s.ellipsis
	h.Styles = s.help()
	return h
}
