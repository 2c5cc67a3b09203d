package widget

import (
	"strings"

	"github.com/charmbracelet/x/ansi"

	"mabeam-top/internal/ui/theme"
)

// A Column of a table of agents or subscriptions.
type Column struct {
	Title string
	Width int
	// right says that it is aligned at the right, as numbers are.
	Right bool
	// rank says what is left out first where there is no room: the highest.
	Rank int
}

// A Row of a table has a cell for each column.
type Row []string

// Table draws rows under a heading, exactly width wide. The first column gets
// what the others leave. selected is the number of the row that is marked; -1
// for none.
func Table(s *theme.Theme, columns []Column, rows []Row, selected, width int) []string {
	shown, first := fitColumns(columns, width)
	line := func(cells Row, mark string, heading bool) string {
		var b strings.Builder
		b.WriteString(mark)
		for i, c := range columns {
			if !shown[i] {
				continue
			}
			text, w := cells[i], c.Width
			if i == 0 {
				w = first
			} else {
				b.WriteString("  ")
			}
			if c.Right {
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
	titles := make(Row, len(columns))
	for i, c := range columns {
		titles[i] = c.Title
	}
	out := []string{line(titles, " ", true)}
	for i, r := range rows {
		mark := " "
		if i == selected {
			mark = s.Cursor.Render(s.CursorMark)
			r = append(Row{s.Cursor.Render(ansi.Strip(r[0]))}, r[1:]...)
		}
		out = append(out, line(r, mark, false))
	}
	return out
}

// fitColumns says which columns there is room for, and how wide the first can
// be.
func fitColumns(columns []Column, width int) (shown []bool, first int) {
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
			used += c.Width
			if i > 0 {
				used += 2
				if worst < 0 || c.Rank > columns[worst].Rank {
					worst = i
				}
			}
		}
		if used <= width || worst < 0 {
			return shown, columns[0].Width + max(width-used, 0)
		}
		shown[worst] = false
	}
}
