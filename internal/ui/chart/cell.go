package chart

import (
	"strings"

	"github.com/charmbracelet/x/ansi"

	"mabeam-top/internal/ui/theme"
)

// A Cell is one character of a chart. The zero value is a blank.
type Cell struct {
	Rune  rune
	Style theme.Style
	layer layer
}

// A layer is what a cell belongs to. Later layers are in front.
type layer int

const (
	backLayer layer = iota
	shadeLayer
	rangeLayer
	limitLayer
	labelLayer
	lineLayer
)

// oneColumn replaces the characters that do not take exactly one column.
func oneColumn(text string) string {
	return strings.Map(func(r rune) rune {
		if ansi.StringWidth(string(r)) != 1 {
			return '?'
		}
		return r
	}, text)
}

// Render returns a row of cells with one change of style for each run of equal
// styles.
func Render(row []Cell) string {
	var b strings.Builder
	writeCells(&b, row)
	return b.String()
}

func writeCells(b *strings.Builder, row []Cell) {
	var run strings.Builder
	style := theme.Style{}
	for _, c := range row {
		if c.Rune == 0 {
			c = Cell{Rune: ' ', Style: style} // a blank has no colour
		}
		if c.Style != style {
			b.WriteString(style.Render(run.String()))
			run.Reset()
			style = c.Style
		}
		run.WriteRune(c.Rune)
	}
	b.WriteString(style.Render(run.String()))
}

// renderRows returns rows of cells behind the labels of an axis.
func renderRows(cells [][]Cell, labels []string) []string {
	out := make([]string, len(cells))
	var b strings.Builder
	for i, row := range cells {
		b.Reset()
		b.WriteString(labels[i])
		writeCells(&b, row)
		out[i] = b.String()
	}
	return out
}
