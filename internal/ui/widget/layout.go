package widget

import (
	"slices"
	"strings"

	"github.com/charmbracelet/x/ansi"

	"mabeam-top/internal/ui/theme"
)

// Beside joins blocks of the same height from left to right.
func Beside(blocks ...[]string) []string {
	out := slices.Clone(blocks[0])
	for _, b := range blocks[1:] {
		for i := range out {
			out[i] += b[i]
		}
	}
	return out
}

// An Area is a rectangle of the screen.
type Area struct{ Left, Top, Width, Height int }

// Contains reports whether a cell of the screen is in the area.
func (a Area) Contains(col, row int) bool {
	return col >= a.Left && col < a.Left+a.Width && row >= a.Top && row < a.Top+a.Height
}

// A Block is the content of an area: Height rows, each Width columns wide.
type Block struct {
	Area
	Rows []string
}

// Compose joins blocks that do not overlap into exactly height rows, each
// exactly width columns wide.
func Compose(blocks []Block, width, height int) []string {
	slices.SortStableFunc(blocks, func(a, b Block) int { return a.Left - b.Left })
	out := make([]string, height)
	var b strings.Builder
	for row := range out {
		b.Reset()
		col := 0
		for _, block := range blocks {
			if row < block.Top || row >= block.Top+block.Height {
				continue
			}
			b.WriteString(theme.Spaces(block.Left - col))
			b.WriteString(block.Rows[row-block.Top])
			col = block.Left + block.Width
		}
		b.WriteString(theme.Spaces(width - col))
		out[row] = b.String()
	}
	return out
}

// Overlay puts a box over the middle of rows.
func Overlay(t *theme.Theme, rows, box []string, width int) []string {
	out := slices.Clone(rows)
	top := max((len(rows)-len(box))/2, 0)
	for i, line := range box {
		if top+i >= len(out) {
			break
		}
		w := theme.Width(line)
		left := max((width-w)/2, 0)
		row := t.Pad(out[top+i], width)
		out[top+i] = ansi.Cut(row, 0, left) + line + ansi.Cut(row, left+w, width)
	}
	return out
}

// Frame joins rows into a frame that covers the terminal: exactly height rows,
// none wider than width. Empty rows erase what is left of an earlier frame if the
// terminal has shrunk.
func Frame(t *theme.Theme, rows []string, width, height int) string {
	out := make([]string, height)
	for i, row := range rows[:min(len(rows), height)] {
		if t.ASCIIOnly {
			row = theme.ASCII(row)
		}
		out[i] = t.Truncate(row, width)
	}
	return strings.Join(out, "\n")
}

// Flow joins items into rows, as many in a row as there is room for.
func Flow(items []string, gap string, width int) []string {
	var rows []string
	row := ""
	for _, item := range items {
		switch {
		case row == "":
			row = item
		case theme.Width(row)+theme.Width(gap)+theme.Width(item) > width:
			rows = append(rows, row)
			row = item
		default:
			row += gap + item
		}
	}
	if row != "" {
		rows = append(rows, row)
	}
	return rows
}
