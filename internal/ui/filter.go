package ui

import (
	"strings"

	"mabeam-top/internal/ui/theme"
)

// A filter narrows a list down to the rows that have all of its words.
type filter struct {
	text field
	// typing says that keys go to it.
	typing bool
}

func (f filter) empty() bool { return len(f.text.text) == 0 }

// matches says whether every word of the filter is somewhere in the texts.
func (f filter) matches(texts ...string) bool {
	if f.empty() {
		return true
	}
	text := strings.ToLower(strings.Join(texts, " "))
	for _, word := range strings.Fields(strings.ToLower(f.text.String())) {
		if !strings.Contains(text, word) {
			return false
		}
	}
	return true
}

// note tells of the filter in the border of its list.
func (f filter) note(s *theme.Theme) string {
	switch {
	case f.typing:
		return s.Accent.Render("/") + f.text.view(s, max(len(f.text.text)+1, 12))
	case !f.empty():
		return s.Accent.Render("/" + f.text.String())
	default:
		return ""
	}
}

// A scroller is the position in a list that is longer than its panel. Until
// somebody moves it, it shows what the list thinks best.
type scroller struct {
	offset int
	held   bool
}

// show returns the first row to show of n where there is room for some; best is
// the one that it shows by itself.
func (sc *scroller) show(n, room, best int) int {
	if !sc.held {
		sc.offset = best
	}
	sc.offset = min(max(sc.offset, 0), max(n-room, 0))
	return sc.offset
}

// move goes by rows from what was shown last. What is too far is taken back
// when it is shown.
func (sc *scroller) move(by int) {
	sc.offset, sc.held = sc.offset+by, true
}
