// Package chart draws plots, their axes and histograms from data alone. Of ntcharts
// it uses only the braille grids: a frame of its charts takes three times as long
// or more, and they have no limits, marks or ranges.
package chart

import (
	"math"
	"slices"

	"mabeam-top/internal/stress/fold"
	"mabeam-top/internal/ui/theme"
)

// A Plot is several series in one coordinate system.
type Plot struct {
	Unit string
	// Log selects a logarithmic scale.
	Log bool
	// Series are drawn over each other, the first on top.
	Series []Series
	Limits []Limit
	// Ticks are times to mark at the top.
	Ticks []float64
	// Empty is the text to show when no series has a point.
	Empty string
}

// A Series is one line of a plot.
type Series struct {
	Points []fold.Point
	Style  LineStyle
	// Filled shades the area under the line.
	Filled bool
}

// A LineStyle distinguishes the line of a series from the others.
type LineStyle struct {
	Line, Fill theme.Style
	// Letter draws the line where there is no braille, and Pattern breaks it
	// where there is no colour.
	Letter  rune
	Pattern int
}

// A Limit is a threshold or baseline, drawn as a horizontal line.
type Limit struct {
	Value float64
	Label string
}

// Draw returns the plot with its scale at the left: exactly height rows, each
// exactly width columns wide. It draws a vertical line at each of times.
func (p Plot) Draw(t *theme.Theme, at Span, times []Vertical, width, height int) []string {
	cols := width - gutter
	if height < 1 {
		return nil
	}
	if cols < 4 || !p.hasPoints() {
		return p.drawEmpty(t, width, height)
	}
	a, cells := p.axis(height), newCells(cols, height)
	drawVerticals(t, cells, at, times)
	c := canvasOf(t, cols, height)
	traces := make([]trace, len(p.Series))
	for i, line := range p.Series {
		traces[i] = traceOf(line.Points, at, a, c.across, c.down)
	}
	if !t.ASCIIOnly && !t.Colorless {
		p.drawAreas(c, cells, traces)
	}
	p.drawLimits(t, cells, a)
	p.drawLines(t, c, cells, traces)
	p.drawTicks(t, cells, at)
	p.labelLimits(t, cells, a)
	return renderRows(cells, a.labels(t))
}

func newCells(cols, rows int) [][]Cell {
	cells, all := make([][]Cell, rows), make([]Cell, rows*cols)
	for i := range cells {
		cells[i] = all[i*cols : (i+1)*cols : (i+1)*cols]
	}
	return cells
}

func drawVerticals(t *theme.Theme, cells [][]Cell, at Span, times []Vertical) {
	for _, v := range times {
		if col := at.Column(v.T, len(cells[0])); col >= 0 {
			for row := range cells {
				cells[row][col] = Cell{t.TimeDash, v.Style, backLayer}
			}
		}
	}
}

// drawAreas draws the areas under the lines, and the ranges of their values.
func (p Plot) drawAreas(c dotCanvas, cells [][]Cell, traces []trace) {
	for i, line := range p.Series {
		if line.Filled && line.Style.Fill != line.Style.Line {
			c.overlay(cells, c.shade(traces[i]), line.Style.Fill, shadeLayer)
		}
	}
	for i, line := range slices.Backward(p.Series) {
		c.overlay(cells, c.ink(traces[i].span, Solid), line.Style.Fill, rangeLayer)
	}
}

func (p Plot) drawLimits(t *theme.Theme, cells [][]Cell, a axis) {
	for _, l := range p.Limits {
		if a.shows(l.Value) {
			row := cells[a.row(l.Value)]
			for col := range row {
				row[col] = Cell{t.LimitDash, t.Limit, limitLayer}
			}
		}
	}
}

func (p Plot) drawLines(t *theme.Theme, c dotCanvas, cells [][]Cell, traces []trace) {
	for i, line := range slices.Backward(p.Series) {
		switch {
		case t.ASCIIOnly:
			overlayLetters(cells, traces[i].all(), Cell{line.Style.Letter, line.Style.Line, lineLayer})
		case t.Colorless:
			// Without colours, the range looks like the line anyway.
			c.overlay(cells, c.ink(traces[i].all(), line.Style.Pattern), line.Style.Line, lineLayer)
		default:
			c.overlay(cells, c.ink(traces[i].line, Solid), line.Style.Line, lineLayer)
		}
	}
}

// A Vertical is a vertical line of a plot.
type Vertical struct {
	T     float64
	Style theme.Style
}

func (p Plot) hasPoints() bool {
	return slices.ContainsFunc(p.Series, func(s Series) bool { return len(s.Points) > 0 })
}

func (p Plot) drawEmpty(t *theme.Theme, width, height int) []string {
	rows := slices.Repeat([]string{theme.Spaces(width)}, height)
	text := t.Truncate(p.Empty, width)
	left := (width - theme.Width(text)) / 2
	rows[(height-1)/2] = t.Pad(theme.Spaces(left)+t.Muted.Render(text), width)
	return rows
}

// axis returns the axis that fits the series and the limits of the plot. A
// limit far from all measured values does not count, because it would flatten
// the series.
func (p Plot) axis(height int) axis {
	low, high := math.Inf(1), 0.0
	for _, line := range p.Series {
		for _, point := range line.Points {
			if point.V > 0 {
				low, high = min(low, point.V), max(high, point.V)
			}
		}
	}
	near := 2.0
	if p.Log {
		near = 30
	}
	measured := high
	for _, l := range p.Limits {
		if l.Value > 0 && (measured == 0 || l.Value <= measured*near) {
			low, high = min(low, max(l.Value, low/near)), max(high, l.Value)
		}
	}
	return newAxis(low, high, p.Unit, p.Log, height)
}

// drawTicks marks times at the top row, in cells that no series uses. It draws
// none if they are too dense to distinguish.
func (p Plot) drawTicks(t *theme.Theme, cells [][]Cell, at Span) {
	cols := len(cells[0])
	marked := map[int]bool{}
	for _, tick := range p.Ticks {
		if col := at.Column(tick, cols); col >= 0 {
			marked[col] = true
		}
	}
	if len(marked) > cols/3 {
		return
	}
	for col := range marked {
		if c := &cells[0][col]; c.layer < lineLayer {
			*c = Cell{t.TopTick, t.Muted, labelLayer}
		}
	}
}

// labelLimits writes the label of each limit on its line, at the place where it
// hides least of the series. A limit outside of the axis has its label in a
// corner, with an arrow.
func (p Plot) labelLimits(t *theme.Theme, cells [][]Cell, a axis) {
	width, height := len(cells[0]), len(cells)
	for _, l := range p.Limits {
		row, text := 0, " "+l.Label+" "
		low, _ := a.bounds()
		switch {
		case a.shows(l.Value):
			row = a.row(l.Value)
		case l.Value < low:
			row, text = height-1, " "+t.Below+text
		default:
			text = " " + t.Above + text
		}
		label := []rune(t.Truncate(oneColumn(text), width))
		best, fewest := 0, math.MaxInt
		for _, col := range []int{1, (width - len(label)) / 2, width - len(label) - 1} {
			if hidden := drawn(cells[row], col, len(label)); hidden < fewest {
				best, fewest = col, hidden
			}
		}
		if fewest == math.MaxInt {
			continue // every place is outside or taken by another label
		}
		for i, r := range label {
			cells[row][best+i] = Cell{r, t.Limit, labelLayer}
		}
	}
}

// drawn counts the cells of a series from col on. A place that does not exist
// or has a label counts as most.
func drawn(row []Cell, col, n int) int {
	if col < 0 || col+n > len(row) {
		return math.MaxInt
	}
	hidden := 0
	for _, c := range row[col : col+n] {
		switch c.layer {
		case labelLayer:
			return math.MaxInt
		case lineLayer:
			hidden++
		}
	}
	return hidden
}
