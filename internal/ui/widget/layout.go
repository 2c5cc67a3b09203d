package widget

import (
	"slices"
	"strings"

	"github.com/charmbracelet/x/ansi"

	"mabeam-top/internal/ui/theme"
)

// Beside joins blocks of rows of the same height from left to right.
func Beside(blocks ...[]string) []string {
	out := slices.Clone(blocks[0])
	for _, b := range blocks[1:] {
		for i := range out {
			out[i] += b[i]
		}
	}
	return out
}

// Overlay puts a box on the middle of rows that are all width wide.
func Overlay(s *theme.Theme, rows, box []string, width int) []string {
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

// Fit makes rows a frame: as many as the height, none wider than the width. The
// empty ones count: what an earlier frame left below, drawn before the program
// heard that the terminal had shrunk, is only erased by rows that cover it.
func Fit(s *theme.Theme, rows []string, width, height int) string {
	out := make([]string, height)
	for i, row := range rows[:min(len(rows), height)] {
		if s.ASCIIOnly {
			row = theme.ASCII(row)
		}
		out[i] = s.Truncate(row, width)
	}
	return strings.Join(out, "\n")
}
