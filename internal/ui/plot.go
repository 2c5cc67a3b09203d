package ui

import (
	"math"
	"slices"
	"strings"

	"github.com/NimbleMarkets/ntcharts/canvas"
	"github.com/NimbleMarkets/ntcharts/canvas/graph"
	"github.com/NimbleMarkets/ntcharts/canvas/runes"
	"github.com/charmbracelet/x/ansi"

	"mabeam-top/internal/stress/fold"
	"mabeam-top/internal/ui/theme"
)

// A plot is what is drawn in one coordinate system.
type plot struct {
	unit string
	// log says that the scale is logarithmic.
	log bool
	// series are drawn over each other, the first on top.
	series []series
	limits []limitLine
	// ticks are moments that are marked at the top.
	ticks []float64
	// empty says why there is nothing to see when no series has a point.
	empty string
}

// A series is one line of a plot.
type series struct {
	points []fold.Point
	look   look
	// filled says that the area under the line is shaded.
	filled bool
}

// A look is how the line of a series is told from others.
type look struct {
	line, fill theme.Style
	// letter is its dots where there is no braille, and pattern how it is
	// broken where there is no colour.
	letter  rune
	pattern int
}

// A limitLine is a threshold or baseline at a height of a plot.
type limitLine struct {
	value float64
	label string
}

// A cell is one character of a plot.
type cell struct {
	r     rune
	paint theme.Style
	layer layer
}

// layer is what a character of a plot belongs to; the later is in front.
type layer int

const (
	backLayer layer = iota
	shadeLayer
	rangeLayer
	limitLayer
	labelLayer
	lineLayer
)

// draw returns the rows of a plot with its scale at the left: exactly height
// rows, each exactly width wide. An upright line is drawn at each of the times.
func (p plot) draw(s *theme.Theme, at span, times []upright, width, height int) []string {
	cols := width - gutter
	if height < 1 {
		return nil
	}
	if cols < 4 || !p.hasPoints() {
		return p.drawEmpty(s, width, height)
	}
	a := p.axis(height)
	cells := make([][]cell, height)
	all := make([]cell, height*cols)
	for i := range cells {
		cells[i] = all[i*cols : (i+1)*cols : (i+1)*cols]
	}
	for _, u := range times {
		if col := at.column(u.t, cols); col >= 0 {
			for row := range cells {
				cells[row][col] = cell{s.TimeDash, u.paint, backLayer}
			}
		}
	}
	c := canvasOf(s, cols, height)
	traces := make([]trace, len(p.series))
	for i, line := range p.series {
		traces[i] = newTrace(line.points, at, a, c.across, c.down)
		if line.filled && !s.ASCIIOnly && !s.Colorless && line.look.fill != line.look.line {
			c.overlay(cells, c.shade(traces[i]), line.look.fill, shadeLayer)
		}
	}
	for i, line := range slices.Backward(p.series) {
		if !s.ASCIIOnly && !s.Colorless {
			c.overlay(cells, c.ink(traces[i].span, solid), line.look.fill, rangeLayer)
		}
	}
	for _, l := range p.limits {
		if a.shows(l.value) {
			row := a.row(l.value)
			for col := range cells[row] {
				cells[row][col] = cell{s.LimitDash, s.Limit, limitLayer}
			}
		}
	}
	for i, line := range slices.Backward(p.series) {
		switch {
		case s.ASCIIOnly:
			letters(cells, traces[i].all(), cell{line.look.letter, line.look.line, lineLayer})
		case s.Colorless:
			// The spread cannot be told from the line: it is part of it.
			c.overlay(cells, c.ink(traces[i].all(), line.look.pattern), line.look.line, lineLayer)
		default:
			c.overlay(cells, c.ink(traces[i].line, solid), line.look.line, lineLayer)
		}
	}
	p.drawTicks(s, cells, at)
	p.labelLimits(s, cells, a)
	return render(cells, a.labels(s))
}

// An upright is a vertical line of a plot.
type upright struct {
	t     float64
	paint theme.Style
}

func (p plot) hasPoints() bool {
	return slices.ContainsFunc(p.series, func(s series) bool { return len(s.points) > 0 })
}

func (p plot) drawEmpty(s *theme.Theme, width, height int) []string {
	rows := slices.Repeat([]string{theme.Spaces(width)}, height)
	text := s.Truncate(p.empty, width)
	left := (width - theme.Width(text)) / 2
	rows[(height-1)/2] = s.Pad(theme.Spaces(left)+s.Muted.Render(text), width)
	return rows
}

// axis returns the axis that the series and the limits of the plot need. A
// limit that is far from everything measured does not count: it would flatten
// the series.
func (p plot) axis(height int) axis {
	low, high := math.Inf(1), 0.0
	for _, line := range p.series {
		for _, point := range line.points {
			if point.V > 0 {
				low, high = min(low, point.V), max(high, point.V)
			}
		}
	}
	near := 2.0
	if p.log {
		near = 30
	}
	measured := high
	for _, l := range p.limits {
		if l.value > 0 && (measured == 0 || l.value <= measured*near) {
			low, high = min(low, max(l.value, low/near)), max(high, l.value)
		}
	}
	return newAxis(low, high, p.unit, p.log, height)
}

// A stroke is what a line covers of one column of dots: from the lowest to the
// highest, counted from the bottom. One that was not drawn has a low above its
// high.
type stroke struct{ low, high int }

var noStroke = stroke{1, 0}

func (s *stroke) cover(dot int) {
	if *s == noStroke {
		*s = stroke{dot, dot}
		return
	}
	s.low, s.high = min(s.low, dot), max(s.high, dot)
}

// A trace is a series reduced to columns.
type trace struct {
	// line joins the means of the columns, and span reaches in each from the
	// least to the greatest value, so that no spike is lost between two columns.
	line, span []stroke
}

// all is the line together with its spread.
func (t trace) all() []stroke {
	out := slices.Clone(t.line)
	for i, s := range t.span {
		if s != noStroke {
			out[i].cover(s.low)
			out[i].cover(s.high)
		}
	}
	return out
}

func newTrace(points []fold.Point, at span, a axis, across, down int) trace {
	scale := float64(down) / float64(a.height*dotsPerRow)
	dot := func(v float64) int { return int(float64(a.dot(v)) * scale) }
	t := trace{line: slices.Repeat([]stroke{noStroke}, across), span: slices.Repeat([]stroke{noStroke}, across)}
	var sum float64
	n, col, lastCol, lastDot := 0, -1, -1, 0
	joined := true // to the column before
	flush := func() {
		if n == 0 {
			return
		}
		d := dot(sum / float64(n))
		if lastCol >= 0 && joined {
			join(t.line, lastCol, lastDot, col, d)
		}
		t.line[col].cover(d)
		lastCol, lastDot = col, d
	}
	for i, p := range points {
		c := at.column(p.T, across)
		if c < 0 || a.log && p.V <= 0 {
			continue
		}
		if c != col {
			flush()
			joined = c-col <= 2 || !holeBefore(points, i)
			col, sum, n = c, 0, 0
		}
		sum += p.V
		n++
		t.span[c].cover(dot(p.V))
	}
	flush()
	return t
}

// holeBefore says whether readings are missing before a point: nothing came
// for more than a second, and for far longer than before and after. What was
// thinned because it is old has no holes.
func holeBefore(points []fold.Point, i int) bool {
	if i == 0 {
		return false
	}
	usual := 0.0
	if i > 1 {
		usual = points[i-1].T - points[i-2].T
	}
	if i+1 < len(points) {
		usual = max(usual, points[i+1].T-points[i].T)
	}
	return points[i].T-points[i-1].T > max(1, 4*usual)
}

// join covers the columns between two points of a line, and in the second as
// much as makes the line whole.
func join(out []stroke, fromCol, fromDot, toCol, toDot int) {
	previous := fromDot
	for col := fromCol + 1; col <= toCol; col++ {
		dot := fromDot + int(math.Round(float64((toDot-fromDot)*(col-fromCol))/float64(toCol-fromCol)))
		out[col].cover(dot)
		switch {
		case dot > previous+1:
			out[col].cover(previous + 1)
		case dot < previous-1:
			out[col].cover(previous - 1)
		}
		previous = dot
	}
}

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
	solid = iota
	dashed
	dotted
	sparse
)

// penDown tells whether a line of a pattern has ink in a column of dots.
func penDown(pattern, x int) bool {
	switch pattern {
	case solid:
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
		if penDown(pattern, x) {
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
func (c dotCanvas) overlay(cells [][]cell, dots [][]rune, p theme.Style, on layer) {
	for row := range cells {
		for col := range cells[row] {
			r, c := dots[row][col], &cells[row][col]
			if r == runes.BrailleBlockOffset {
				continue
			}
			if c.layer == on {
				r = runes.CombineBraillePatterns(c.r, r)
			}
			*c = cell{r, p, on}
		}
	}
}

// letters draws a line with one character.
func letters(cells [][]cell, line []stroke, pen cell) {
	for x, stroke := range line {
		for dot := stroke.low; dot <= stroke.high; dot++ {
			cells[len(cells)-1-dot][x] = pen
		}
	}
}

// drawTicks marks moments at the top, where nothing else is. If they are too
// dense to be told apart, they are left out.
func (p plot) drawTicks(s *theme.Theme, cells [][]cell, at span) {
	cols := len(cells[0])
	marked := map[int]bool{}
	for _, t := range p.ticks {
		if col := at.column(t, cols); col >= 0 {
			marked[col] = true
		}
	}
	if len(marked) > cols/3 {
		return
	}
	for col := range marked {
		if c := &cells[0][col]; c.layer < lineLayer {
			*c = cell{s.TopTick, s.Muted, labelLayer}
		}
	}
}

// labelLimits writes what a limit is on its line, where the least of the
// series is hidden; or, if it is out of sight, in a corner with an arrow.
func (p plot) labelLimits(s *theme.Theme, cells [][]cell, a axis) {
	width, height := len(cells[0]), len(cells)
	for _, l := range p.limits {
		row, text := 0, " "+l.label+" "
		low, _ := a.bounds()
		switch {
		case a.shows(l.value):
			row = a.row(l.value)
		case l.value < low:
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
			cells[row][best+i] = cell{r, s.Limit, labelLayer}
		}
	}
}

// narrow replaces what does not take exactly one column, as a cell does.
func narrow(text string) string {
	return strings.Map(func(r rune) rune {
		if ansi.StringWidth(string(r)) != 1 {
			return '?'
		}
		return r
	}, text)
}

// drawn counts the cells from col on that belong to a series; a place that
// does not exist or that has a label counts as most.
func drawn(row []cell, col, n int) int {
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

// render writes the cells with one change of colour for each run of a colour,
// behind the labels of the scale.
func render(cells [][]cell, labels []string) []string {
	out := make([]string, len(cells))
	var b, run strings.Builder
	for i, row := range cells {
		b.Reset()
		b.WriteString(labels[i])
		pen := theme.Style{}
		for _, c := range row {
			if c.r == 0 {
				c = cell{r: ' ', paint: pen} // a blank has no colour
			}
			if c.paint != pen {
				b.WriteString(pen.Render(run.String()))
				run.Reset()
				pen = c.paint
			}
			run.WriteRune(c.r)
		}
		b.WriteString(pen.Render(run.String()))
		run.Reset()
		out[i] = b.String()
	}
	return out
}

// sparkline draws values in one row. It shows how they move, not how large
// they are: it is scaled to their range, but to no less than four tenths of
// the highest, so that noise does not look like a storm.
func sparkline(s *theme.Theme, points []fold.Point, at span, width int) string {
	out := []rune(theme.Spaces(width))
	if len(points) == 0 {
		return string(out)
	}
	highest := make([]float64, len(out))
	low, high := math.Inf(1), 0.0
	for _, p := range points {
		if c := at.column(p.T, width); c >= 0 {
			highest[c] = max(highest[c], p.V)
			out[c] = s.Sparks[0]
			low, high = min(low, p.V), max(high, p.V)
		}
	}
	extent := max(1.5*(high-low), 0.4*high)
	floor := max((high+low-extent)/2, 0)
	for i, v := range highest {
		if out[i] != ' ' && extent > 0 {
			level := int((v - floor) / extent * float64(len(s.Sparks)))
			out[i] = s.Sparks[min(max(level, 0), len(s.Sparks)-1)]
		}
	}
	return string(out)
}
