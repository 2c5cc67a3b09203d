package chart

import (
	"strings"

	"github.com/charmbracelet/x/ansi"

	"mabeam-top/internal/ui/theme"
)

// A Cell is one character of a plot.
type Cell struct {
	R     rune
	Paint theme.Style
	Layer layer
}

// layer is what a character of a plot belongs to; the later is in front.
type layer int

const (
	backLayer layer = iota
	shadeLayer
	rangeLayer
	limitLayer
	labelLayer
	LineLayer
)

// narrow replaces what does not take exactly one column, as a cell does.
func narrow(text string) string {
	return strings.Map(func(r rune) rune {
		if ansi.StringWidth(string(r)) != 1 {
			return '?'
		}
		return r
	}, text)
}

// RenderCells writes the cells with one change of colour for each run of a colour,
// behind the labels of the scale.
func RenderCells(cells [][]Cell, labels []string) []string {
	out := make([]string, len(cells))
	var b, run strings.Builder
	for i, row := range cells {
		b.Reset()
		b.WriteString(labels[i])
		pen := theme.Style{}
		for _, c := range row {
			if c.R == 0 {
				c = Cell{R: ' ', Paint: pen} // a blank has no colour
			}
			if c.Paint != pen {
				b.WriteString(pen.Render(run.String()))
				run.Reset()
				pen = c.Paint
			}
			run.WriteRune(c.R)
		}
		b.WriteString(pen.Render(run.String()))
		run.Reset()
		out[i] = b.String()
	}
	return out
}
