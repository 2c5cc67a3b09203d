package ui

import (
	"slices"
	"strings"

	"github.com/charmbracelet/x/ansi"
)

// panel draws a frame around rows: its title at the left of the upper border,
// its notes at the right. It is exactly height rows, each exactly width wide,
// and has room for height-2 rows of width-2.
func (s *styles) panel(title, notes string, rows []string, width, height int, focused bool) []string {
	return s.panelOn(title, notes, rows, s.bottom(width, focused), width, height, focused)
}

// panelOn is panel with a lower border of one's own.
func (s *styles) panelOn(title, notes string, rows []string, bottom string, width, height int, focused bool) []string {
	if width < 4 || height < 2 {
		return slices.Repeat([]string{spaces(width)}, max(height, 0))
	}
	border := s.border(focused)
	out := make([]string, 0, height)
	out = append(out, s.rule(s.topLeft, s.topRight, title, notes, width, focused))
	side := border.on(s.vertical)
	for i := range height - 2 {
		row := ""
		if i < len(rows) {
			row = rows[i]
		}
		out = append(out, side+s.pad(row, width-2)+side)
	}
	return append(out, bottom)
}

func (s *styles) border(focused bool) paint {
	if focused {
		return s.accent
	}
	return s.faint
}

// rule is a border line with a title and notes in it.
func (s *styles) rule(left, right, title, notes string, width int, focused bool) string {
	border := s.border(focused)
	start := left + s.horizontal
	if focused {
		start = left + s.cursorMark
	}
	if title != "" {
		title = s.cut(" "+title+" ", width-4)
	}
	room := width - 4 - textWidth(title)
	if notes != "" {
		notes = " " + notes + " "
		if textWidth(notes) > room-1 {
			notes = s.cut(notes, room-1)
		}
	}
	fill := max(room-textWidth(notes), 0)
	return border.on(start) + title + border.on(strings.Repeat(s.horizontal, fill)) + notes + border.on(s.horizontal+right)
}

func (s *styles) bottom(width int, focused bool) string {
	return s.border(focused).on(s.bottomLeft + strings.Repeat(s.horizontal, max(width-2, 0)) + s.bottomRight)
}

// beside joins blocks of rows of the same height from left to right.
func beside(blocks ...[]string) []string {
	out := slices.Clone(blocks[0])
	for _, b := range blocks[1:] {
		for i := range out {
			out[i] += b[i]
		}
	}
	return out
}

// over puts a box on the middle of rows that are all width wide.
func (s *styles) over(rows, box []string, width int) []string {
	out := slices.Clone(rows)
	top := max((len(rows)-len(box))/2, 0)
	for i, line := range box {
		if top+i >= len(out) {
			break
		}
		w := textWidth(line)
		left := max((width-w)/2, 0)
		row := s.pad(out[top+i], width)
		out[top+i] = ansi.Cut(row, 0, left) + line + ansi.Cut(row, left+w, width)
	}
	return out
}

// fit makes rows a frame: as many as the height, none wider than the width. The
// empty ones count: what an earlier frame left below, drawn before the program
// heard that the terminal had shrunk, is only erased by rows that cover it.
func (s *styles) fit(rows []string, width, height int) string {
	out := make([]string, height)
	for i, row := range rows[:min(len(rows), height)] {
		if s.ascii {
			row = toASCII(row)
		}
		out[i] = s.cut(row, width)
	}
	return strings.Join(out, "\n")
}
