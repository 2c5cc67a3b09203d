package widget

import (
	"slices"
	"strings"

	"mabeam-top/internal/ui/theme"
)

// Message is a text in the place of a table.
func Message(s *theme.Theme, text string, width int) []string {
	var rows []string
	for _, line := range theme.Wrap(text, max(width-2, 1)) {
		rows = append(rows, " "+s.Muted.Render(line))
	}
	return rows
}

// Panel draws a frame around rows: its title at the left of the upper border,
// its notes at the right. It is exactly height rows, each exactly width wide,
// and has room for height-2 rows of width-2.
func Panel(s *theme.Theme, title, notes string, rows []string, width, height int, focused bool) []string {
	return PanelOn(s, title, notes, rows, BottomBorder(s, width, focused), width, height, focused)
}

// PanelOn is panel with a lower border of one's own.
func PanelOn(s *theme.Theme, title, notes string, rows []string, bottom string, width, height int, focused bool) []string {
	if width < 4 || height < 2 {
		return slices.Repeat([]string{theme.Spaces(width)}, max(height, 0))
	}
	border := BorderStyle(s, focused)
	out := make([]string, 0, height)
	out = append(out, Rule(s, s.TopLeft, s.TopRight, title, notes, width, focused))
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

func BorderStyle(s *theme.Theme, focused bool) theme.Style {
	if focused {
		return s.Accent
	}
	return s.Faint
}

// Rule is a border line with a title and notes in it.
func Rule(s *theme.Theme, left, right, title, notes string, width int, focused bool) string {
	border := BorderStyle(s, focused)
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

func BottomBorder(s *theme.Theme, width int, focused bool) string {
	return BorderStyle(s, focused).Render(s.BottomLeft + strings.Repeat(s.Horizontal, max(width-2, 0)) + s.BottomRight)
}
