package widget

import (
	"slices"

	tea "github.com/charmbracelet/bubbletea"
	"github.com/charmbracelet/x/ansi"

	"mabeam-top/internal/ui/theme"
)

// maxField is the number of characters that a field holds.
const maxField = 4096

// A Field is an editable line of text. Copies are independent of each other. It
// is not the bubbles text input, whose view is not exactly as wide as asked for
// and shows its cursor by colour alone.
type Field struct {
	text []rune
	// at is the position of the cursor, in characters.
	at int
}

// NewField returns a field with a text and the cursor at its end.
func NewField(text string) Field {
	runes := []rune(theme.Clean(text))
	return Field{runes, len(runes)}
}

func (f Field) String() string { return string(f.text) }

// Press handles a key. It replaces the text instead of changing it in place,
// because copies of the field share it.
func (f *Field) Press(msg tea.KeyMsg) {
	switch msg.Type {
	case tea.KeyRunes, tea.KeySpace:
		if msg.Alt {
			return
		}
		typed := []rune(theme.Clean(string(msg.Runes)))
		typed = typed[:min(len(typed), max(maxField-len(f.text), 0))]
		f.text = slices.Concat(f.text[:f.at], typed, f.text[f.at:])
		f.at += len(typed)
	case tea.KeyBackspace:
		f.remove(f.at-1, f.at)
	case tea.KeyDelete:
		f.remove(f.at, f.at+1)
	case tea.KeyCtrlU:
		f.remove(0, f.at)
	case tea.KeyCtrlK:
		f.remove(f.at, len(f.text))
	case tea.KeyCtrlW:
		from := f.at
		for from > 0 && f.text[from-1] == ' ' {
			from--
		}
		for from > 0 && f.text[from-1] != ' ' {
			from--
		}
		f.remove(from, f.at)
	case tea.KeyLeft, tea.KeyCtrlB:
		f.at = max(f.at-1, 0)
	case tea.KeyRight, tea.KeyCtrlF:
		f.at = min(f.at+1, len(f.text))
	case tea.KeyHome, tea.KeyCtrlA:
		f.at = 0
	case tea.KeyEnd, tea.KeyCtrlE:
		f.at = len(f.text)
	}
}

func (f *Field) remove(from, to int) {
	from, to = max(from, 0), min(to, len(f.text))
	if from >= to {
		return
	}
	f.text = slices.Concat(f.text[:from], f.text[to:])
	f.at = from
}

// View draws the field in exactly a width, its cursor always in sight.
func (f Field) View(t *theme.Theme, width int) string {
	if width < 1 {
		return ""
	}
	cursor := " "
	after := ""
	if f.at < len(f.text) {
		cursor, after = string(f.text[f.at]), string(f.text[f.at+1:])
	}
	before := string(f.text[:f.at])
	room := max(width-ansi.StringWidth(cursor), 0)
	if w := ansi.StringWidth(before); w > room {
		before = ansi.TruncateLeft(before, w-room+1, t.Ellipsis)
	}
	text := before + t.Caret.Render(cursor)
	if t.Colorless {
		// Reverse video is a colour, too.
		text = before + t.CaretMark + cursor
	}
	return t.Pad(text+after, width)
}
