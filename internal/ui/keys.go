package ui

import (
	"github.com/charmbracelet/bubbles/help"
	"github.com/charmbracelet/bubbles/key"
	tea "github.com/charmbracelet/bubbletea"

	"mabeam-top/internal/ui/theme"
)

// The keys. Which of them work is decided by the screen's actions.
var (
	keyUp          = bind("↑/k", "up", "up", "k")
	keyDown        = bind("↓/j", "down", "down", "j")
	keyPageUp      = bind("pgup", "page up", "pgup")
	keyPageDown    = bind("pgdn", "page down", "pgdown")
	keyTop         = bind("g", "top", "g", "home")
	keyBottom      = bind("G", "end", "G", "end")
	keyStart       = bind("enter", "start", "enter")
	keyMark        = bind("space", "mark", " ")
	keyFilter      = bind("/", "filter", "/")
	keyClear       = bind("esc", "clear filter", "esc")
	keyUnmark      = bind("esc", "unmark all", "esc")
	keyAccept      = bind("enter", "keep filter", "enter")
	keyFreeze      = bind("f", "freeze", "f")
	keyThaw        = bind("f", "unfreeze", "f")
	keyPause       = bind("p", "pause", "p")
	keyResume      = bind("p", "go on", "p")
	keySlower      = bind("[ ]", "load", "[")
	keyFaster      = also("]")
	keyFault       = bind("k", "fault", "k", "K")
	keyFaultInList = bind("K", "fault", "K")
	keyZoomIn      = bind("+ -", "zoom", "+", "=")
	keyZoomOut     = also("-", "_")
	keyEarlier     = bind("←→", "scroll", "left")
	keyLater       = also("right")
	keyOldest      = bind("g", "oldest", "g", "home")
	keyNewest      = bind("G", "live", "G", "end")
	keyMoment      = bind("m", "mark", "m")
	keyScale       = bind("l", "log", "l")
	keyNext        = bind("tab", "focus", "tab")
	keyPrevious    = bind("shift+tab", "focus back", "shift+tab")
	keyExpand      = bind("e", "expand", "e", "enter")
	keyWhole       = bind("e", "all of it", "e")
	keyShrink      = bind("esc", "all panels", "esc", "e", "enter")
	keyDetail      = bind("enter", "agent", "enter")
	keyAllAgents   = bind("esc", "all agents", "esc")
	keySort        = bind("s", "sort", "s")
	keyTrouble     = bind("s", "trouble only", "s")
	keyStop        = bind("esc", "stop", "esc")
	keyCharts      = bind("tab", "charts", "tab")
	keyToReport    = bind("esc", "report", "esc")
	keyMenu        = bind("esc", "menu", "esc")
	keyTheme       = bind("t", "theme", "t")
	keyHelp        = bind("?", "help", "?")
	keyClose       = bind("esc", "close help", "esc", "?", "enter", "q")
	keyQuit        = bind("q", "quit", "q")
	keyWritten     = bind("enter", "accept", "enter")
	keyChoose      = bind("enter", "choose", "enter")
	keyCancel      = bind("esc", "cancel", "esc")
	keyYes         = bind("y", "yes", "y", "Y", "enter")
	keyNo          = bind("n", "no", "n", "N", "esc", "q")
	keySuspend     = bind("ctrl+z", "suspend", "ctrl+z")
	keyAbort       = bind("ctrl+c", "stop the load and report", "ctrl+c")
	keyEnd         = bind("ctrl+c", "end", "ctrl+c")

	keyEdit      = bind("e", "parameters", "e")
	keyPast      = bind("r", "past runs", "r")
	keyFieldUp   = bind("↑", "previous", "up", "shift+tab")
	keyFieldDown = bind("↓", "next", "down", "tab")
	keyReset     = bind("ctrl+r", "as it was", "ctrl+r")
	keyKeep      = bind("esc", "keep and go back", "esc")
	keyDiscard   = bind("esc", "go back without it", "esc")
	keyNextFault = bind("enter", "next fault", "enter")

	keyExport         = bind("x", "export", "x")
	keyBaseline       = bind("b", "save as baseline", "b")
	keyCompare        = bind("c", "compare", "c")
	keyAgain          = bind("R", "run again", "R")
	keyReplay         = bind("p", "replay", "p")
	keyRuns           = bind("esc", "past runs", "esc")
	keyBack           = bind("esc", "back", "esc")
	keyOpen           = bind("enter", "report", "enter")
	keyDelete         = bind("d", "delete", "d")
	keyNextMetric     = bind("tab", "next metric", "tab")
	keyPreviousMetric = also("shift+tab")

	keyHold         = bind("p", "hold", "p", " ")
	keyGoOn         = bind("p", "go on", "p", " ")
	keyReplaySlower = bind("[ ]", "speed", "[")
	keyReplayFaster = also("]")
	keySeekBack     = bind("←→", "5 s", "left")
	keySeekOn       = also("right")
	keySeekStart    = bind("g", "to the start", "g", "home")
	keySeekEnd      = bind("G", "to the end", "G", "end")
	keyResult       = bind("r", "report", "r")
)

// keyTabs are the keys of the live screen's tabs.
var keyTabs = [tabCount]key.Binding{bind("1-6", "tabs", "1"), also("2"), also("3"), also("4"), also("5"), also("6")}

// also is a key whose help is told by that of another.
func also(keys ...string) key.Binding { return key.NewBinding(key.WithKeys(keys...)) }

func bind(name, does string, keys ...string) key.Binding {
	return key.NewBinding(key.WithKeys(keys...), key.WithHelp(name, does))
}

// An action is a key that works now, and what it does. The footer, the help
// and the handling of keys all come from one list of actions, so that none can
// tell of a key that does nothing.
type action struct {
	key key.Binding
	do  func() tea.Cmd
}

// act makes an action of a change that needs no command.
func act(k key.Binding, change func()) action {
	return action{k, func() tea.Cmd {
		change()
		return nil
	}}
}

// scrolls returns the actions of whatever can be moved through by rows.
func scrolls(page func() int, move func(by int)) []action {
	const far = 1 << 20
	return []action{
		act(keyUp, func() { move(-1) }),
		act(keyDown, func() { move(1) }),
		act(keyPageUp, func() { move(-page()) }),
		act(keyPageDown, func() { move(page()) }),
		act(keyTop, func() { move(-far) }),
		act(keyBottom, func() { move(far) }),
	}
}

// hints are the keys of actions for the footer, those that everybody guesses
// left out.
func hints(actions []action) []key.Binding {
	var out []key.Binding
	for _, a := range actions {
		switch a.key.Help().Key {
		case "", keyTabs[0].Help().Key, keyPageUp.Help().Key, keyPageDown.Help().Key, keyTop.Help().Key, keyBottom.Help().Key, keyPrevious.Help().Key, keyTheme.Help().Key, keySuspend.Help().Key, keyAbort.Help().Key:
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

// keyHint tells one key, outside of the footer.
func keyHint(s *theme.Theme, k key.Binding) string {
	return s.HelpKey.Render(k.Help().Key) + " " + s.HelpText.Render(k.Help().Desc)
}

// newHelp returns the writer of footers.
func newHelp(s *theme.Theme) help.Model {
	h := help.New()
	h.ShortSeparator, h.Ellipsis = "  ", s.Ellipsis
	h.Styles = s.HelpStyles()
	return h
}
