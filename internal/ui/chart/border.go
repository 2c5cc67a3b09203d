package chart

import (
	"slices"

	"mabeam-top/internal/ui/theme"
	"mabeam-top/internal/ui/widget"
)

// A border is the lower border of a chart, which carries an axis.
type border struct {
	cells []Cell
	// axis is the part of the cells below the plot.
	axis []Cell
}

// newBorder returns the border of a chart. Its axis is empty if the chart is too
// narrow.
func newBorder(t *theme.Theme, width int, focused bool) border {
	style := widget.BorderStyle(t, focused)
	cells := slices.Repeat([]Cell{{Rune: []rune(t.Horizontal)[0], Style: style}}, width)
	cells[0].Rune, cells[width-1].Rune = []rune(t.BottomLeft)[0], []rune(t.BottomRight)[0]
	return border{cells, cells[1+gutter : width-1]}
}

// free reports whether nothing is written on a part of the axis.
func (b border) free(from, to int) bool {
	return from >= 0 && to <= len(b.axis) && !slices.ContainsFunc(b.axis[from:to], func(c Cell) bool { return c.layer == labelLayer })
}

// write writes text on the axis, whatever is there.
func (b border) write(col int, text string, style theme.Style) {
	for i, r := range []rune(text) {
		if c := col + i; c >= 0 && c < len(b.axis) {
			b.axis[c] = Cell{r, style, labelLayer}
		}
	}
}

func (b border) String() string { return Render(b.cells) }
