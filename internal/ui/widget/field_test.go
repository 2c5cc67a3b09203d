package widget

import (
	"testing"

	tea "github.com/charmbracelet/bubbletea"
	"github.com/charmbracelet/x/ansi"
	"pgregory.net/rapid"

	"mabeam-top/internal/ui/theme"
)

func TestField(t *testing.T) {
	left, right := tea.KeyMsg{Type: tea.KeyLeft}, tea.KeyMsg{Type: tea.KeyRight}
	for _, c := range []struct {
		name string
		keys []tea.KeyMsg
		want string
	}{
		{"typed at the end", []tea.KeyMsg{typed("!")}, "one two!"},
		{"typed in the middle", []tea.KeyMsg{left, left, typed("x"), right, typed("y")}, "one txwyo"},
		{"pasted, with a line end", []tea.KeyMsg{typed("a\nb\x1b[31m")}, "one twoa b"},
		{"backspace", []tea.KeyMsg{typed("backspace"), typed("backspace")}, "one t"},
		{"backspace at the start", []tea.KeyMsg{typed("home"), typed("backspace")}, "one two"},
		{"delete", []tea.KeyMsg{typed("home"), {Type: tea.KeyDelete}}, "ne two"},
		{"delete at the end", []tea.KeyMsg{{Type: tea.KeyDelete}}, "one two"},
		{"a word", []tea.KeyMsg{{Type: tea.KeyCtrlW}}, "one "},
		{"two words", []tea.KeyMsg{{Type: tea.KeyCtrlW}, {Type: tea.KeyCtrlW}, {Type: tea.KeyCtrlW}}, ""},
		{"all before", []tea.KeyMsg{left, {Type: tea.KeyCtrlU}}, "o"},
		{"all after", []tea.KeyMsg{{Type: tea.KeyCtrlA}, right, {Type: tea.KeyCtrlK}}, "o"},
		{"to the ends", []tea.KeyMsg{typed("home"), typed("a"), typed("end"), typed("z"), right}, "aone twoz"},
		{"a wide character", []tea.KeyMsg{typed("宽"), typed("backspace"), typed("宽")}, "one two宽"},
		{"keys that are none of its", []tea.KeyMsg{typed("up"), typed("tab"), {Type: tea.KeyRunes, Runes: []rune("x"), Alt: true}}, "one two"},
	} {
		f := NewField("one two")
		for _, k := range c.keys {
			f.Press(k)
		}
		if got := f.String(); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

// The view has its width for any text, and copies are independent.
func TestFieldView(t *testing.T) {
	s := theme.Plain(false)
	keys := []string{"a", "宽", "é", " ", "backspace", "home", "end"}
	rapid.Check(t, func(t *rapid.T) {
		f := NewField("")
		for range rapid.IntRange(0, 30).Draw(t, "keys") {
			before, text := f, f.String()
			f.Press(typed(rapid.SampledFrom(keys).Draw(t, "key")))
			if before.String() != text {
				t.Fatalf("a copy became %q", before.String())
			}
		}
		width := rapid.IntRange(0, 30).Draw(t, "width")
		if got := ansi.StringWidth(f.View(s, width)); got != width {
			t.Fatalf("%q is %d wide, want %d", f.View(s, width), got, width)
		}
	})
}

func TestFieldIsBounded(t *testing.T) {
	f := NewField("")
	for range 3 {
		f.Press(tea.KeyMsg{Type: tea.KeyRunes, Runes: make([]rune, maxField)})
	}
	if len(f.text) != maxField {
		t.Errorf("it took %d characters", len(f.text))
	}
}

// typed is a key by its name, or as the text that it types.
func typed(k string) tea.KeyMsg {
	named := map[string]tea.KeyType{"backspace": tea.KeyBackspace, "home": tea.KeyHome, "end": tea.KeyEnd, "up": tea.KeyUp, "tab": tea.KeyTab}
	if kind, ok := named[k]; ok {
		return tea.KeyMsg{Type: kind}
	}
	return tea.KeyMsg{Type: tea.KeyRunes, Runes: []rune(k)}
}
