package chart

import (
	"github.com/NimbleMarkets/ntcharts/canvas"
	"github.com/NimbleMarkets/ntcharts/canvas/graph"
	"github.com/NimbleMarkets/ntcharts/canvas/runes"

	"mabeam-top/internal/ui/theme"
)

// A dotCanvas is the size of a plot in cells and in dots.
type dotCanvas struct{ cols, rows, across, down int }

// canvasOf returns the canvas of a plot. A cell has two by four braille dots,
// or is one dot in ASCII.
func canvasOf(t *theme.Theme, cols, rows int) dotCanvas {
	if t.ASCIIOnly {
		return dotCanvas{cols, rows, cols, rows}
	}
	return dotCanvas{cols, rows, 2 * cols, dotsPerRow * rows}
}

// The patterns of lines without colour.
const (
	Solid = iota
	dashed
	dotted
	Sparse
)

// hasInk reports whether a pattern draws in a column of dots.
func hasInk(pattern, x int) bool {
	switch pattern {
	case Solid:
		return true
	case dashed:
		return x%6 < 4
	case dotted:
		return x%2 == 0
	default:
		return x%4 == 0
	}
}

// ink returns a line in braille.
func (c dotCanvas) ink(line []stroke, pattern int) [][]rune {
	grid := graph.NewBrailleGrid(c.cols, c.rows, 0, 1, 0, 1)
	for x, stroke := range line {
		if hasInk(pattern, x) {
			for dot := stroke.low; dot <= stroke.high; dot++ {
				grid.Set(canvas.Point{X: x, Y: c.down - 1 - dot})
			}
		}
	}
	return grid.BraillePatterns()
}

// shade returns the area under a line in braille.
func (c dotCanvas) shade(t trace) [][]rune {
	grid := graph.NewBrailleGrid(c.cols, c.rows, 0, 1, 0, 1)
	for x, stroke := range t.line {
		for dot := range stroke.low {
			if stroke != noStroke {
				grid.Set(canvas.Point{X: x, Y: c.down - 1 - dot})
			}
		}
	}
	return grid.BraillePatterns()
}

// overlay adds dots to cells. Dots of one layer combine; other layers hide what
// is behind.
func (c dotCanvas) overlay(cells [][]Cell, dots [][]rune, p theme.Style, on layer) {
	for row := range cells {
		for col := range cells[row] {
			r, c := dots[row][col], &cells[row][col]
			if r == runes.BrailleBlockOffset {
				continue
			}
			if c.layer == on {
				r = runes.CombineBraillePatterns(c.Rune, r)
			}
			*c = Cell{r, p, on}
		}
	}
}

// overlayLetters draws a line with one character.
func overlayLetters(cells [][]Cell, line []stroke, pen Cell) {
	for x, stroke := range line {
		for dot := stroke.low; dot <= stroke.high; dot++ {
			cells[len(cells)-1-dot][x] = pen
		}
	}
}
