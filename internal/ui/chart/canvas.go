package chart

import (
	"github.com/NimbleMarkets/ntcharts/canvas"
	"github.com/NimbleMarkets/ntcharts/canvas/graph"
	"github.com/NimbleMarkets/ntcharts/canvas/runes"

	"mabeam-top/internal/ui/theme"
)

// A dotCanvas has the size of a plot in dots.
type dotCanvas struct{ cols, rows, across, down int }

// canvasOf returns the canvas of a plot: a cell has two by four dots of
// braille, or is one dot itself.
func canvasOf(s *theme.Theme, cols, rows int) dotCanvas {
	if s.ASCIIOnly {
		return dotCanvas{cols, rows, cols, rows}
	}
	return dotCanvas{cols, rows, 2 * cols, dotsPerRow * rows}
}

// The patterns of lines.
const (
	Solid = iota
	dashed
	dotted
	Sparse
)

// hasInk tells whether a line of a pattern has ink in a column of dots.
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

// ink returns the dots of a line in braille.
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

// shade returns dots in braille for what is under a line.
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

// overlay puts dots over what is there: dots of one layer join, others hide
// what was there.
func (c dotCanvas) overlay(cells [][]Cell, dots [][]rune, p theme.Style, on layer) {
	for row := range cells {
		for col := range cells[row] {
			r, c := dots[row][col], &cells[row][col]
			if r == runes.BrailleBlockOffset {
				continue
			}
			if c.Layer == on {
				r = runes.CombineBraillePatterns(c.R, r)
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
