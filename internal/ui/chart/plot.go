package chart

import (
	"math"
	"slices"

	"mabeam-top/internal/stress/fold"
	"mabeam-top/internal/ui/theme"
)

// A Plot is what is drawn in one coordinate system.
type Plot struct {
	Unit string
	// log says that the scale is logarithmic.
	Log bool
	// series are drawn over each other, the first on top.
	Series []Series
	Limits []Limit
	// ticks are moments that are marked at the top.
	Ticks []float64
	// empty says why there is nothing to see when no series has a point.
	Empty string
}

// A Series is one line of a plot.
type Series struct {
	Points []fold.Point
	Style  LineStyle
	// filled says that the area under the line is shaded.
	Filled bool
}

// A LineStyle is how the line of a series is told from others.
type LineStyle struct {
	Line, Fill theme.Style
	// letter is its dots where there is no braille, and pattern how it is
	// broken where there is no colour.
	Letter  rune
	Pattern int
}

// A Limit is a threshold or baseline at a height of a plot.
type Limit struct {
	Value float64
	Label string
}

// Draw returns the rows of a plot with its scale at the left: exactly height
// rows, each exactly width wide. An upright line is drawn at each of the times.
func (p Plot) Draw(s *theme.Theme, at Span, times []Vertical, width, height int) []string {
	cols := width - Gutter
	if height < 1 {
		return nil
	}
	if cols < 4 || !p.HasPoints() {
		return p.drawEmpty(s, width, height)
	}
	a := p.axis(height)
	cells := make([][]Cell, height)
	all := make([]Cell, height*cols)
	for i := range cells {
		cells[i] = all[i*cols : (i+1)*cols : (i+1)*cols]
	}
	for _, u := range times {
		if col := at.Column(u.T, cols); col >= 0 {
			for row := range cells {
				cells[row][col] = Cell{s.TimeDash, u.Paint, backLayer}
			}
		}
	}
	c := canvasOf(s, cols, height)
	traces := make([]trace, len(p.Series))
	for i, line := range p.Series {
		traces[i] = traceOf(line.Points, at, a, c.across, c.down)
		if line.Filled && !s.ASCIIOnly && !s.Colorless && line.Style.Fill != line.Style.Line {
			c.overlay(cells, c.shade(traces[i]), line.Style.Fill, shadeLayer)
		}
	}
	for i, line := range slices.Backward(p.Series) {
		if !s.ASCIIOnly && !s.Colorless {
			c.overlay(cells, c.ink(traces[i].span, Solid), line.Style.Fill, rangeLayer)
		}
	}
	for _, l := range p.Limits {
		if a.shows(l.Value) {
			row := a.row(l.Value)
			for col := range cells[row] {
				cells[row][col] = Cell{s.LimitDash, s.Limit, limitLayer}
			}
		}
	}
	for i, line := range slices.Backward(p.Series) {
		switch {
		case s.ASCIIOnly:
			overlayLetters(cells, traces[i].all(), Cell{line.Style.Letter, line.Style.Line, LineLayer})
		case s.Colorless:
			// The spread cannot be told from the line: it is part of it.
			c.overlay(cells, c.ink(traces[i].all(), line.Style.Pattern), line.Style.Line, LineLayer)
		default:
			c.overlay(cells, c.ink(traces[i].line, Solid), line.Style.Line, LineLayer)
		}
	}
	p.drawTicks(s, cells, at)
	p.labelLimits(s, cells, a)
	return RenderCells(cells, a.labels(s))
}

// An Vertical is a vertical line of a plot.
type Vertical struct {
	T     float64
	Paint theme.Style
}

func (p Plot) HasPoints() bool {
	return slices.ContainsFunc(p.Series, func(s Series) bool { return len(s.Points) > 0 })
}

func (p Plot) drawEmpty(s *theme.Theme, width, height int) []string {
	rows := slices.Repeat([]string{theme.Spaces(width)}, height)
	text := s.Truncate(p.Empty, width)
	left := (width - theme.Width(text)) / 2
	rows[(height-1)/2] = s.Pad(theme.Spaces(left)+s.Muted.Render(text), width)
	return rows
}

// axis returns the axis that the series and the limits of the plot need. A
// limit that is far from everything measured does not count: it would flatten
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

// drawTicks marks moments at the top, where nothing else is. If they are too
// dense to be told apart, they are left out.
func (p Plot) drawTicks(s *theme.Theme, cells [][]Cell, at Span) {
	cols := len(cells[0])
	marked := map[int]bool{}
	for _, t := range p.Ticks {
		if col := at.Column(t, cols); col >= 0 {
			marked[col] = true
		}
	}
	if len(marked) > cols/3 {
		return
	}
	for col := range marked {
		if c := &cells[0][col]; c.Layer < LineLayer {
			*c = Cell{s.TopTick, s.Muted, labelLayer}
		}
	}
}

// labelLimits writes what a limit is on its line, where the least of the
// series is hidden; or, if it is out of sight, in a corner with an arrow.
func (p Plot) labelLimits(s *theme.Theme, cells [][]Cell, a axis) {
	width, height := len(cells[0]), len(cells)
	for _, l := range p.Limits {
		row, text := 0, " "+l.Label+" "
		low, _ := a.bounds()
		switch {
		case a.shows(l.Value):
			row = a.row(l.Value)
		case l.Value < low:
			row, text = height-1, " "+s.Below+text
		default:
			text = " " + s.Above + text
		}
		label := []rune(s.Truncate(narrow(text), width))
		best, fewest := 0, math.MaxInt
		for _, col := range []int{1, (width - len(label)) / 2, width - len(label) - 1} {
			if hidden := drawn(cells[row], col, len(label)); hidden < fewest {
				best, fewest = col, hidden
			}
		}
		if fewest == math.MaxInt {
			continue // every place is outside or has another label
		}
		for i, r := range label {
			cells[row][best+i] = Cell{r, s.Limit, labelLayer}
		}
	}
}

// drawn counts the cells from col on that belong to a series; a place that
// does not exist or that has a label counts as most.
func drawn(row []Cell, col, n int) int {
	if col < 0 || col+n > len(row) {
		return math.MaxInt
	}
	hidden := 0
	for _, c := range row[col : col+n] {
		switch c.Layer {
		case labelLayer:
			return math.MaxInt
		case LineLayer:
			hidden++
		}
	}
	return hidden
}
