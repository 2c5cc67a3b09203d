package widget

import (
	"slices"
	"strings"

	"mabeam-top/internal/ui/theme"
)

// A Panel is rows in a frame.
type Panel struct {
	// Title and Notes are at the left and right of the upper border.
	Title, Notes string
	Rows         []string
	// Bottom is the lower border; empty means a plain one.
	Bottom  string
	Focused bool
}

// Draw returns exactly height rows, each exactly width columns wide. There is
// room for height-2 rows of width-2 columns.
func (p Panel) Draw(t *theme.Theme, width, height int) []string {
	if width < 4 || height < 2 {
		return slices.Repeat([]string{theme.Spaces(width)}, max(height, 0))
	}
	out := make([]string, 0, height)
	out = append(out, rule(t, t.TopLeft, t.TopRight, p.Title, p.Notes, width, p.Focused))
	side := BorderStyle(t, p.Focused).Render(t.Vertical)
	for i := range height - 2 {
		row := ""
		if i < len(p.Rows) {
			row = p.Rows[i]
		}
		out = append(out, side+t.Pad(row, width-2)+side)
	}
	if p.Bottom == "" {
		p.Bottom = BottomBorder(t, width, p.Focused)
	}
	return append(out, p.Bottom)
}

// BorderStyle is the style of a frame.
func BorderStyle(t *theme.Theme, focused bool) theme.Style {
	if focused {
		return t.Accent
	}
	return t.Faint
}

// BottomBorder is the plain lower border of a frame.
func BottomBorder(t *theme.Theme, width int, focused bool) string {
	return BorderStyle(t, focused).Render(t.BottomLeft + strings.Repeat(t.Horizontal, max(width-2, 0)) + t.BottomRight)
}

// Heading is a horizontal line with a title at its left and notes at its right.
func Heading(t *theme.Theme, title, notes string, width int) string {
	return rule(t, t.Horizontal, t.Horizontal, title, notes, width, false)
}

func rule(t *theme.Theme, left, right, title, notes string, width int, focused bool) string {
	border := BorderStyle(t, focused)
	start := left + t.Horizontal
	if focused {
		start = left + t.CursorMark
	}
	if title != "" {
		title = t.Truncate(" "+title+" ", width-4)
	}
	room := width - 4 - theme.Width(title)
	if notes != "" {
		notes = t.Truncate(" "+notes+" ", room-1)
	}
	fill := max(room-theme.Width(notes), 0)
	return border.Render(start) + title + border.Render(strings.Repeat(t.Horizontal, fill)) + notes + border.Render(t.Horizontal+right)
}

// Message wraps a text that stands in a panel instead of its rows.
func Message(t *theme.Theme, text string, width int) []string {
	var rows []string
	for _, line := range theme.Wrap(text, max(width-2, 1)) {
		rows = append(rows, " "+t.Muted.Render(line))
	}
	return rows
}
