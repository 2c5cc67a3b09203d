package ui

import (
	"strings"

	"github.com/charmbracelet/x/ansi"

	"mabeam-top/internal/ui/theme"
)

// A column of a table of agents or subscriptions.
type column struct {
	title string
	width int
	// right says that it is aligned at the right, as numbers are.
	right bool
	// rank says what is left out first where there is no room: the highest.
	rank int
}

// A row of a table has a cell for each column.
type row []string

// drawTable draws rows under a heading, exactly width wide. The first column gets
// what the others leave. selected is the number of the row that is marked; -1
// for none.
func drawTable(s *theme.Theme, columns []column, rows []row, selected, width int) []string {
	shown, first := fitColumns(columns, width)
	line := func(cells row, mark string, heading bool) string {
		var b strings.Builder
		b.WriteString(mark)
		for i, c := range columns {
			if !shown[i] {
				continue
			}
			text, w := cells[i], c.width
			if i == 0 {
				w = first
			} else {
				b.WriteString("  ")
			}
			if c.right {
				text = s.PadLeft(text, w)
			} else {
				text = s.Pad(text, w)
			}
			if heading {
				text = s.Muted.Render(text)
			}
			b.WriteString(text)
		}
		return s.Pad(b.String(), width)
	}
	titles := make(row, len(columns))
	for i, c := range columns {
		titles[i] = c.title
	}
	out := []string{line(titles, " ", true)}
	for i, r := range rows {
		mark := " "
		if i == selected {
			mark = s.Cursor.Render(s.CursorMark)
			r = append(row{s.Cursor.Render(ansi.Strip(r[0]))}, r[1:]...)
		}
		out = append(out, line(r, mark, false))
	}
	return out
}

// fitColumns says which columns there is room for, and how wide the first can
// be.
func fitColumns(columns []column, width int) (shown []bool, first int) {
	shown = make([]bool, len(columns))
	for i := range shown {
		shown[i] = true
	}
	for {
		used, worst := 1, -1
		for i, c := range columns {
			if !shown[i] {
				continue
			}
			used += c.width
			if i > 0 {
				used += 2
				if worst < 0 || c.rank > columns[worst].rank {
					worst = i
				}
			}
		}
		if used <= width || worst < 0 {
			return shown, columns[0].width + max(width-used, 0)
		}
		shown[worst] = false
	}
}

// fillBar draws how full something is, in a width; from nine tenths on it is
// told in the colour of a warning, besides the number that stands with it.
func fillBar(s *theme.Theme, share float64, width int) string {
	share = min(max(share, 0), 1)
	full := int(share*float64(width) + 0.5)
	if share > 0 && full == 0 {
		full = 1
	}
	paint := s.Accent
	if share >= fullQueue {
		paint = s.Warn
	}
	return paint.Render(strings.Repeat(s.BarFull, full)) + s.Faint.Render(strings.Repeat(s.BarEmpty, width-full))
}

// part is n of what there is room for; 0 if there is none.
func part(n, of int) float64 {
	if of <= 0 {
		return 0
	}
	return float64(n) / float64(of)
}
