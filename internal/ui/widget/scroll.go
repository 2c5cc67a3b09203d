package widget

import "mabeam-top/internal/ui/theme"

// Window returns the part of n rows to show in room rows: row at is in its
// middle, except near the ends.
func Window(n, room, at int) (from, to int) {
	from = min(max(at-room/2, 0), max(n-room, 0))
	return from, min(from+room, n)
}

// A Scroll is the position in a list that is longer than its panel.
type Scroll struct {
	Offset int
	// Moved is set once the user scrolls. Until then the list chooses its own
	// position.
	Moved bool
}

// Window returns the part of n rows to show in room rows. It starts at best
// unless the user has scrolled.
func (s *Scroll) Window(n, room, best int) (from, to int) {
	if !s.Moved {
		s.Offset = best
	}
	s.Offset = min(max(s.Offset, 0), max(n-room, 0))
	return s.Offset, min(s.Offset+max(room, 0), n)
}

// Reveal returns the part of n rows to show in room rows. It moves only as far
// as is needed to show row at.
func (s *Scroll) Reveal(n, room, at int) (from, to int) {
	s.Offset = max(min(max(s.Offset, at-room+1), at, max(n-room, 0)), 0)
	return s.Offset, min(s.Offset+max(room, 0), n)
}

// Move scrolls by rows. The next Window corrects a move that goes too far.
func (s *Scroll) Move(by int) { s.Offset, s.Moved = s.Offset+by, true }

// A Pager is a page of text that may be longer than the screen.
type Pager struct {
	rows   []string
	theme  *theme.Theme
	width  int
	offset int
}

// Layout writes the rows for a theme and a width, unless they are there from the
// last time.
func (p *Pager) Layout(t *theme.Theme, width, height int, write func() []string) {
	if p.rows == nil || p.theme != t || p.width != width {
		p.rows, p.theme, p.width = write(), t, width
	}
	p.Scroll(0, height)
}

// Scroll moves by rows.
func (p *Pager) Scroll(by, height int) {
	p.offset = min(max(p.offset+by, 0), max(len(p.rows)-height, 0))
}

// Shown returns the rows on the screen; Layout comes first.
func (p *Pager) Shown(height int) []string {
	return p.rows[min(p.offset, len(p.rows)):min(p.offset+height, len(p.rows))]
}

// Below returns the number of rows below the screen.
func (p *Pager) Below(height int) int { return max(len(p.rows)-p.offset-height, 0) }
