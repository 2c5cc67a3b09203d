package widget

import (
	"strings"

	"mabeam-top/internal/ui/theme"
)

// A Filter narrows a list down to the rows that contain all of its words.
type Filter struct {
	Text Field
	// Typing is true while keys go to the filter.
	Typing bool
}

// NewFilter returns a filter with a text.
func NewFilter(text string) Filter { return Filter{Text: NewField(text)} }

// Empty reports whether the filter matches everything.
func (f Filter) Empty() bool { return len(f.Text.text) == 0 }

// Matches reports whether every word of the filter occurs in the texts.
func (f Filter) Matches(texts ...string) bool {
	if f.Empty() {
		return true
	}
	text := strings.ToLower(strings.Join(texts, " "))
	for _, word := range strings.Fields(strings.ToLower(f.Text.String())) {
		if !strings.Contains(text, word) {
			return false
		}
	}
	return true
}

// Note shows the filter in the border of its list.
func (f Filter) Note(t *theme.Theme) string {
	switch {
	case f.Typing:
		return t.Accent.Render("/") + f.Text.View(t, max(len(f.Text.text)+1, 12))
	case !f.Empty():
		return t.Accent.Render("/" + f.Text.String())
	default:
		return ""
	}
}
