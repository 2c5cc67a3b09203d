package ui

import (
	"slices"
	"strings"

	"github.com/charmbracelet/x/ansi"

	"mabeam-top/internal/ui/theme"
)

// drawPanel draws a frame around rows: its title at the left of the upper border,
// its notes at the right. It is exactly height rows, each exactly width wide,
// and has room for height-2 rows of width-2.
func drawPanel(s *theme.Theme, title, notes string, rows []string, width, height int, focused bool) []string {
	return drawPanelOn(s, title, notes, rows, bottomBorder(s, width, focused), width, height, focused)
}

// drawPanelOn is panel with a lower border of one's own.
func drawPanelOn(s *theme.Theme, title, notes string, rows []string, bottom string, width, height int, focused bool) []string {
	if width < 4 || height < 2 {
		return slices.Repeat([]string{theme.Spaces(width)}, max(height, 0))
	}
	border := border(s, focused)
	out := make([]string, 0, height)
	out = append(out, rule(s, s.TopLeft, s.TopRight, title, notes, width, focused))
	side := border.Render(s.Vertical)
	for i := range height - 2 {
		row := ""
		if i < len(rows) {
			row = rows[i]
		}
		out = append(out, side+s.Pad(row, width-2)+side)
	}
	return append(out, bottom)
}

func border(s *theme.Theme, focused bool) theme.Style {
	if focused {
		return s.Accent
	}
	return s.Faint
}

// rule is a border line with a title and notes in it.
func rule(s *theme.Theme, left, right, title, notes string, width int, focused bool) string {
	border := border(s, focused)
	start := left + s.Horizontal
	if focused {
		start = left + s.CursorMark
	}
	if title != "" {
		title = s.Truncate(" "+title+" ", width-4)
	}
	room := width - 4 - theme.Width(title)
	if notes != "" {
		notes = " " + notes + " "
		if theme.Width(notes) > room-1 {
			notes = s.Truncate(notes, room-1)
		}
	}
	fill := max(room-theme.Width(notes), 0)
	return border.Render(start) + title + border.Render(strings.Repeat(s.Horizontal, fill)) + notes + border.Render(s.Horizontal+right)
}

func bottomBorder(s *theme.Theme, width int, focused bool) string {
	return border(s, focused).Render(s.BottomLeft + strings.Repeat(s.Horizontal, max(width-2, 0)) + s.BottomRight)
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
func over(s *theme.Theme, rows, box []string, width int) []string {
	out := slices.Clone(rows)
	top := max((len(rows)-len(box))/2, 0)
	for i, line := range box {
		if top+i >= len(out) {
			break
		}
		w := theme.Width(line)
		left := max((width-w)/2, 0)
		row := s.Pad(out[top+i], width)
		out[top+i] = ansi.Cut(row, 0, left) + line + ansi.Cut(row, left+w, width)
	}
	return out
}

// fit makes rows a frame: as many as the height, none wider than the width. The
// empty ones count: what an earlier frame left below, drawn before the program
// heard that the terminal had shrunk, is only erased by rows that cover it.
func fit(s *theme.Theme, rows []string, width, height int) string {
	out := make([]string, height)
	for i, row := range rows[:min(len(rows), height)] {
		if s.ASCIIOnly {
			row = theme.ASCII(row)
		}
		out[i] = s.Truncate(row, width)
	}
	return strings.Join(out, "\n")
}
