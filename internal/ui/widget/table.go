// Package widget is the parts that screens are made of: panels, tables, lists,
// text fields and filters.
package widget

import (
	"slices"
	"strings"

	"github.com/charmbracelet/x/ansi"

	"mabeam-top/internal/ui/theme"
)

// A Table lays out rows in columns. Columns that do not fit the width are left
// out. A lipgloss table cannot do that, and takes fifty times as long.
type Table struct {
	Columns []Column
	// Indent is the number of blank columns at the left.
	Indent int
	// Greedy lets columns of a higher rank take the room that one of a lower rank
	// left because it did not fit.
	Greedy bool
}

// A Column is one column of a table.
type Column struct {
	Title string
	// Width is fixed, unless Most is larger: then spare room widens the column
	// up to Most.
	Width, Most int
	// Gap is the distance to the column before.
	Gap int
	// Right aligns the cells to the right, as numbers are.
	Right bool
	// Rank decides which columns are left out: the highest rank first, rank 0
	// never. Columns of one rank are shown together or not at all.
	Rank int
}

// Unlimited is the Most of a column that takes all spare room.
const Unlimited = 1 << 20

// A Row is one row of a table.
type Row struct {
	// Cells has one text per column.
	Cells []string
	// Text, if it is not empty, replaces all cells but the first.
	Text string
	// Note follows the last cell, or wraps below the row if it does not fit there.
	Note string
	// Selected marks the row with the cursor.
	Selected bool
}

// A Layout is a table fitted to a width.
type Layout struct {
	table  Table
	width  int
	shown  []bool
	widths []int
	// spare is the room to the right of the last column.
	spare int
}

// Fit chooses the columns of a table for a width.
func (tb Table) Fit(width int) Layout {
	l := Layout{table: tb, width: width, shown: make([]bool, len(tb.Columns)), widths: make([]int, len(tb.Columns)), spare: width - tb.Indent}
	highest := 0
	for _, c := range tb.Columns {
		highest = max(highest, c.Rank)
	}
	for rank := range highest + 1 {
		need := 0
		for _, c := range tb.Columns {
			if c.Rank == rank {
				need += c.Gap + c.Width
			}
		}
		switch {
		case rank == 0 || need <= l.spare:
			l.show(rank, need)
		case !tb.Greedy:
			return l.grow()
		}
	}
	return l.grow()
}

func (l *Layout) show(rank, need int) {
	for i, c := range l.table.Columns {
		if c.Rank == rank {
			l.shown[i], l.widths[i] = true, c.Width
		}
	}
	l.spare -= need
}

// grow gives spare room to the columns that can use it.
func (l Layout) grow() Layout {
	for i, c := range l.table.Columns {
		if more := min(c.Most-c.Width, l.spare); l.shown[i] && more > 0 {
			l.widths[i] += more
			l.spare -= more
		}
	}
	return l
}

// Shows reports whether there is room for column i.
func (l Layout) Shows(i int) bool { return l.shown[i] }

// Heading returns the row of titles.
func (l Layout) Heading(t *theme.Theme) string {
	titles := make([]string, len(l.table.Columns))
	for i, c := range l.table.Columns {
		titles[i] = c.Title
	}
	return t.Muted.Render(l.cells(t, titles))
}

// Row returns the rows of the screen that a row of the table takes.
func (l Layout) Row(t *theme.Theme, r Row) []string {
	var line string
	switch {
	case r.Text != "":
		line = theme.Spaces(l.table.Indent) + t.Pad(r.Cells[0], max(l.widths[0], theme.Width(r.Cells[0]))) + " " + r.Text
	case r.Selected:
		selected := slices.Clone(r.Cells)
		selected[0] = t.Cursor.Render(ansi.Strip(selected[0]))
		line = theme.Spaces(l.table.Indent/2) + t.Cursor.Render(t.CursorMark) + l.cells(t, selected)[l.table.Indent/2+1:]
	default:
		line = l.cells(t, r.Cells)
	}
	if r.Note == "" {
		return []string{line}
	}
	if theme.Width(r.Note)+2 <= l.spare {
		return []string{line + "  " + t.Muted.Render(r.Note)}
	}
	out, indent := []string{line}, l.table.Indent+l.widths[0]+1
	for _, more := range theme.Wrap(r.Note, l.width-indent) {
		out = append(out, theme.Spaces(indent)+t.Muted.Render(more))
	}
	return out
}

func (l Layout) cells(t *theme.Theme, cells []string) string {
	var b strings.Builder
	b.WriteString(theme.Spaces(l.table.Indent))
	for i, c := range l.table.Columns {
		if !l.shown[i] {
			continue
		}
		b.WriteString(theme.Spaces(c.Gap))
		if c.Right {
			b.WriteString(t.PadLeft(cells[i], l.widths[i]))
		} else {
			b.WriteString(t.Pad(cells[i], l.widths[i]))
		}
	}
	return b.String()
}
