package ui

import (
	"testing"

	tea "github.com/charmbracelet/bubbletea"
	"github.com/charmbracelet/x/ansi"
	"pgregory.net/rapid"
)

func TestField(t *testing.T) {
	left, right := tea.KeyMsg{Type: tea.KeyLeft}, tea.KeyMsg{Type: tea.KeyRight}
	for _, c := range []struct {
		name string
		keys []tea.KeyMsg
		want string
	}{
		{"typed at the end", []tea.KeyMsg{keyMsg("!")}, "one two!"},
		{"typed in the middle", []tea.KeyMsg{left, left, keyMsg("x"), right, keyMsg("y")}, "one txwyo"},
		{"pasted, with a line end", []tea.KeyMsg{keyMsg("a\nb\x1b[31m")}, "one twoa b"},
		{"backspace", []tea.KeyMsg{keyMsg("backspace"), keyMsg("backspace")}, "one t"},
		{"backspace at the start", []tea.KeyMsg{keyMsg("home"), keyMsg("backspace")}, "one two"},
		{"delete", []tea.KeyMsg{keyMsg("home"), {Type: tea.KeyDelete}}, "ne two"},
		{"delete at the end", []tea.KeyMsg{{Type: tea.KeyDelete}}, "one two"},
		{"a word", []tea.KeyMsg{{Type: tea.KeyCtrlW}}, "one "},
		{"two words", []tea.KeyMsg{{Type: tea.KeyCtrlW}, {Type: tea.KeyCtrlW}, {Type: tea.KeyCtrlW}}, ""},
		{"all before", []tea.KeyMsg{left, {Type: tea.KeyCtrlU}}, "o"},
		{"all after", []tea.KeyMsg{{Type: tea.KeyCtrlA}, right, {Type: tea.KeyCtrlK}}, "o"},
		{"to the ends", []tea.KeyMsg{keyMsg("home"), keyMsg("a"), keyMsg("end"), keyMsg("z"), right}, "aone twoz"},
		{"a wide character", []tea.KeyMsg{keyMsg("宽"), keyMsg("backspace"), keyMsg("宽")}, "one two宽"},
		{"keys that are none of its", []tea.KeyMsg{keyMsg("up"), keyMsg("tab"), {Type: tea.KeyRunes, Runes: []rune("x"), Alt: true}}, "one two"},
	} {
		f := newField("one two")
		for _, k := range c.keys {
			f.press(k)
		}
		if got := f.String(); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

// Whatever is typed, the view has its width, and copies do not disturb each
// other.
func TestFieldView(t *testing.T) {
	s := newStage(t, Config{}).m.styles
	keys := []string{"a", "宽", "é", " ", "backspace", "home", "end"}
	rapid.Check(t, func(t *rapid.T) {
		f := newField("")
		for range rapid.IntRange(0, 30).Draw(t, "keys") {
			before, text := f, f.String()
			f.press(keyMsg(rapid.SampledFrom(keys).Draw(t, "key")))
			if before.String() != text {
				t.Fatalf("a copy became %q", before.String())
			}
		}
		width := rapid.IntRange(0, 30).Draw(t, "width")
		if got := ansi.StringWidth(f.view(s, width)); got != width {
			t.Fatalf("%q is %d wide, want %d", f.view(s, width), got, width)
		}
	})
}

func TestFieldIsBounded(t *testing.T) {
	f := newField("")
	for range 3 {
		f.press(tea.KeyMsg{Type: tea.KeyRunes, Runes: make([]rune, maxField)})
	}
	if len(f.text) != maxField {
		t.Errorf("it took %d characters", len(f.text))
	}
}
