package widget

import (
	"strings"

	"mabeam-top/internal/ui/theme"
)

// A Filter narrows a list down to the rows that have all of its words.
type Filter struct {
	Text Field
	// typing says that keys go to it.
	Typing bool
}

func (f Filter) Empty() bool { return len(f.Text.text) == 0 }

// Matches says whether every word of the filter is somewhere in the texts.
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

// Note tells of the filter in the border of its list.
func (f Filter) Note(s *theme.Theme) string {
	switch {
	case f.Typing:
		return s.Accent.Render("/") + f.Text.View(s, max(len(f.Text.text)+1, 12))
	case !f.Empty():
		return s.Accent.Render("/" + f.Text.String())
	default:
		return ""
	}
}
