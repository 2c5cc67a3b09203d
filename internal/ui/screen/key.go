package screen

import (
	"github.com/charmbracelet/bubbles/key"
	tea "github.com/charmbracelet/bubbletea"

	"mabeam-top/internal/ui/theme"
	"mabeam-top/internal/ui/widget"
)

// A Key is a key binding with its texts. Footer, help and handling of keys all
// come from one list of actions, so none shows a key that does nothing.
type Key struct {
	key.Binding
	// long is the text of the help page; empty for that of the footer.
	long string
	// hidden keys are not in the footer.
	hidden bool
}

// Bind returns a key. Name and short are its texts in the footer.
func Bind(name, short string, keys ...string) Key {
	return Key{Binding: key.NewBinding(key.WithKeys(keys...), key.WithHelp(name, short))}
}

// Also returns a key that the texts of another one describe.
func Also(keys ...string) Key { return Key{Binding: key.NewBinding(key.WithKeys(keys...))} }

// Help sets the text of the help page.
func (k Key) Help(long string) Key {
	k.long = long
	return k
}

// Hide leaves the key out of the footer, because everybody guesses it.
func (k Key) Hide() Key {
	k.hidden = true
	return k
}

// Unnamed returns the key without texts.
func (k Key) Unnamed() Key { return Also(k.Keys()...) }

// Name is the name of the key.
func (k Key) Name() string { return k.Binding.Help().Key }

// Short is the text of the footer.
func (k Key) Short() string { return k.Binding.Help().Desc }

// Long is the text of the help page.
func (k Key) Long() string {
	if k.long == "" {
		return k.Short()
	}
	return k.long
}

// Hint shows a key outside of the footer.
func (k Key) Hint(t *theme.Theme) string {
	return t.HelpKey.Render(k.Name()) + " " + t.HelpText.Render(k.Short())
}

// The keys that several screens have.
var (
	Up       = Bind("↑/k", "up", "up", "k").Help("Move up")
	Down     = Bind("↓/j", "down", "down", "j").Help("Move down").Hide()
	PageUp   = Bind("pgup", "page up", "pgup").Help("Page up").Hide()
	PageDown = Bind("pgdn", "page down", "pgdown").Help("Page down").Hide()
	Top      = Bind("g", "top", "g", "home").Help("Go to the top").Hide()
	Bottom   = Bind("G", "bottom", "G", "end").Help("Go to the bottom").Hide()

	FilterKey   = Bind("/", "filter", "/").Help("Filter the list")
	ClearFilter = Bind("esc", "clear filter", "esc").Help("Clear the filter")
	applyFilter = Bind("enter", "apply filter", "enter")

	Start   = Bind("enter", "start", "enter").Help("Start")
	Mark    = Bind("space", "mark", " ").Help("Mark the selected entry")
	Unmark  = Bind("esc", "unmark all", "esc").Help("Unmark all entries")
	Compare = Bind("c", "compare", "c").Help("Compare with another run or a baseline")
	Replay  = Bind("p", "replay", "p").Help("Replay the recording")
	Menu    = Bind("esc", "menu", "esc").Help("Back to the menu")
	Back    = Bind("esc", "back", "esc").Help("Back")

	// moves stands for the keys of a list in the footer.
	moves = Bind("↑↓", "move", "up")
)

// An Action is a key that works now, and what it does.
type Action struct {
	Key Key
	Do  func() tea.Cmd
}

// Act returns an action that needs no command.
func Act(k Key, do func()) Action {
	return Action{k, func() tea.Cmd {
		do()
		return nil
	}}
}

// Scroll returns the actions that move through rows.
func Scroll(page int, move func(by int)) []Action {
	const far = 1 << 20
	return []Action{
		Act(Up, func() { move(-1) }),
		Act(Down, func() { move(1) }),
		Act(PageUp, func() { move(-page) }),
		Act(PageDown, func() { move(page) }),
		Act(Top, func() { move(-far) }),
		Act(Bottom, func() { move(far) }),
	}
}

// TypeFilter returns the actions while a filter is typed. All other keys go to
// the filter. changed is called when the filter is cleared.
func TypeFilter(f *widget.Filter, changed func()) []Action {
	return []Action{
		Act(applyFilter, func() { f.Typing = false }),
		Act(ClearFilter, func() {
			*f = widget.Filter{}
			changed()
		}),
	}
}

// Hints are the keys of actions for the footer.
func Hints(actions []Action) []key.Binding {
	var out []key.Binding
	for _, a := range actions {
		switch {
		case a.Key.Name() == "" || a.Key.hidden:
		case a.Key.Name() == Up.Name():
			out = append(out, moves.Binding)
		default:
			out = append(out, a.Key.Binding)
		}
	}
	return out
}
