package ui

import (
	"cmp"
	"math"
	"slices"
	"strings"

	"github.com/NimbleMarkets/ntcharts/canvas"
	"github.com/NimbleMarkets/ntcharts/canvas/graph"
	"github.com/NimbleMarkets/ntcharts/canvas/runes"
	"github.com/charmbracelet/x/ansi"

	"mabeam-top/internal/stress/stream"
)

// gutter is the width of a plot's scale with the tick after it.
const gutter = 8

// A span is the part of the run that a chart shows, in seconds since its
// start.
type span struct{ from, to float64 }

// column returns the column of a time, or -1 if it is not shown.
func (at span) column(t float64, cols int) int {
	if t < at.from || t > at.to || at.to <= at.from {
		return -1
	}
	return int(math.Round((t - at.from) / (at.to - at.from) * float64(cols-1)))
}

// A plot is what is drawn in one coordinate system.
type plot struct {
	unit string
	// log says that the scale is logarithmic.
	log bool
	// series get their look from their number. The first matters most.
	series []series
	limits []limitLine
	// empty says why there is nothing to see when no series has a point.
	empty string
}

// A series is one line of a plot.
type series struct {
	points []stream.Point
	// filled says that the area under the line is shaded.
	filled bool
}

// A limitLine is a threshold or baseline at a height of a plot.
type limitLine struct {
	value float64
	label string
}

// cell is one character of a plot.
type cell struct {
	r     rune
	paint paint
	layer layer
}

// layer is what a character of a plot belongs to.
type layer int

const (
	backLayer layer = iota
	shadeLayer
	limitLayer
	labelLayer
	lineLayer
)

// draw returns the rows of a plot with its scale at the left: exactly height
// rows, each exactly width wide. An upright line is drawn at each of the times.
func (p plot) draw(s *styles, at span, times []float64, width, height int) []string {
	cols := width - gutter
	if height < 1 {
		return nil
	}
	if cols < 4 || !p.hasPoints() {
		return p.drawEmpty(s, width, height)
	}
	y := p.yAxis(height)
	cells := make([][]cell, height)
	for i := range cells {
		cells[i] = make([]cell, cols)
	}
	for _, t := range times {
		if col := at.column(t, cols); col >= 0 {
			for row := range cells {
				cells[row][col] = cell{s.timeDash, s.faint, backLayer}
			}
		}
	}
	// A cell has two by four dots of braille.
	across, down := 2*cols, 4*height
	if s.ascii {
		across, down = cols, height
	}
	strokes := make([][]stroke, len(p.series))
	for i, line := range p.series {
		strokes[i] = line.strokes(at, y, across, down)
		if line.filled && !s.ascii && !s.colorless {
			overlay(cells, shade(strokes[i], down), s.fills[i], shadeLayer)
		}
	}
	for _, l := range p.limits {
		if row := y.cellRow(l.value, height); row >= 0 {
			for col := range cells[row] {
				cells[row][col] = cell{s.limitDash, s.limit, limitLayer}
			}
		}
	}
	// The first series is on top.
	for i, line := range slices.Backward(strokes) {
		if s.ascii {
			letters(cells, line, cell{rune(s.legend[i][0]), s.lines[i], lineLayer})
		} else {
			overlay(cells, ink(line, down, i), s.lines[i], lineLayer)
		}
	}
	p.labelLimits(s, cells, y)
	return render(cells, y.labels(s, height))
}

func (p plot) hasPoints() bool {
	return slices.ContainsFunc(p.series, func(s series) bool { return len(s.points) > 0 })
}

func (p plot) drawEmpty(s *styles, width, height int) []string {
	rows := slices.Repeat([]string{spaces(width)}, height)
	if p.hasPoints() {
		return rows // too narrow to draw in
	}
	text := s.cut(p.empty, width)
	left := (width - ansi.StringWidth(text)) / 2
	rows[(height-1)/2] = s.pad(spaces(left)+s.muted.on(text), width)
	return rows
}

// A stroke is what a line covers of one column: the rows from top to bottom.
// One that was not drawn has a top below its bottom.
type stroke struct{ top, bottom int }

var noStroke = stroke{1, 0}

// strokes reduces a line to columns. A column covers the lowest and the
// highest value in it, so that no spike is lost between two columns; neighbours
// are joined unless readings are missing between them.
func (line series) strokes(at span, y yAxis, cols, rows int) []stroke {
	out := slices.Repeat([]stroke{noStroke}, cols)
	gap := line.gap()
	lastCol, lastRow, lastTime := -1, 0, 0.0
	for _, p := range line.points {
		col := at.column(p.T, cols)
		if col < 0 || y.log && p.V <= 0 {
			continue
		}
		row := y.row(p.V, rows)
		if lastCol >= 0 && p.T-lastTime <= gap {
			join(out, lastCol, lastRow, col, row)
		}
		cover(&out[col], row)
		lastCol, lastRow, lastTime = col, row, p.T
	}
	return out
}

// join covers the columns between two points of a line, and in the second as
// much as makes the line whole.
func join(out []stroke, fromCol, fromRow, toCol, toRow int) {
	previous := fromRow
	for col := fromCol + 1; col <= toCol; col++ {
		row := fromRow + int(math.Round(float64((toRow-fromRow)*(col-fromCol))/float64(toCol-fromCol)))
		cover(&out[col], row)
		switch {
		case row > previous+1:
			cover(&out[col], previous+1)
		case row < previous-1:
			cover(&out[col], previous-1)
		}
		previous = row
	}
}

func cover(s *stroke, row int) {
	if *s == noStroke {
		*s = stroke{row, row}
		return
	}
	s.top, s.bottom = min(s.top, row), max(s.bottom, row)
}

// gap returns for how many seconds a line may be without a reading before it
// is broken: five times as long as usual.
func (line series) gap() float64 {
	if len(line.points) < 3 {
		return 1
	}
	gaps := make([]float64, 0, len(line.points)-1)
	for i := 1; i < len(line.points); i++ {
		gaps = append(gaps, line.points[i].T-line.points[i-1].T)
	}
	slices.Sort(gaps)
	return max(1, 5*gaps[len(gaps)/2])
}

// ink returns the dots of a line in braille.
func ink(line []stroke, rows, number int) [][]rune {
	grid := graph.NewBrailleGrid(len(line)/2, rows/4, 0, 1, 0, 1)
	for x, stroke := range line {
		if !penDown(number, x) {
			continue
		}
		for row := stroke.top; row <= stroke.bottom; row++ {
			grid.Set(canvas.Point{X: x, Y: row})
		}
	}
	return grid.BraillePatterns()
}

// shade returns sparse dots in braille for what is under a line.
func shade(line []stroke, rows int) [][]rune {
	grid := graph.NewBrailleGrid(len(line)/2, rows/4, 0, 1, 0, 1)
	for x, stroke := range line {
		if stroke == noStroke || x%2 == 1 {
			continue
		}
		for row := stroke.bottom + 1; row < rows; row++ {
			if row%2 == 0 {
				grid.Set(canvas.Point{X: x, Y: row})
			}
		}
	}
	return grid.BraillePatterns()
}

// penDown tells whether a line of that number has ink in a column of dots:
// solid, dashed, dotted.
func penDown(number, x int) bool {
	switch number {
	case 0:
		return true
	case 1:
		return x%6 < 4
	case 2:
		return x%2 == 0
	default:
		return x%4 == 0
	}
}

// overlay puts dots over what is there: dots of one layer join, others hide
// what was there.
func overlay(cells [][]cell, dots [][]rune, p paint, on layer) {
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
		for row := stroke.top; row <= stroke.bottom; row++ {
			cells[row][x] = pen
		}
	}
}

// labelLimits writes what a limit is on its line, where the least of the
// series is hidden; or, if it is out of sight, in a corner with an arrow.
func (p plot) labelLimits(s *styles, cells [][]cell, y yAxis) {
	width, height := len(cells[0]), len(cells)
	for _, l := range p.limits {
		row, text := y.cellRow(l.value, height), " "+l.label+" "
		if row < 0 {
			row = 0
			text = " " + s.above + text
			if l.value < y.low {
				row, text = height-1, " "+s.below+text[len(" "+s.above):]
			}
		}
		label := []rune(s.cut(narrow(text), width))
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
			cells[row][best+i] = cell{r, s.limit, labelLayer}
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
		pen := paint{}
		for _, c := range row {
			if c.r == 0 {
				c = cell{r: ' ', paint: pen} // a blank has no colour
			}
			if c.paint != pen {
				b.WriteString(pen.on(run.String()))
				run.Reset()
				pen = c.paint
			}
			run.WriteRune(c.r)
		}
		b.WriteString(pen.on(run.String()))
		run.Reset()
		out[i] = b.String()
	}
	return out
}

// A yAxis maps values to rows.
type yAxis struct {
	low, high float64
	log       bool
	unit      string
	ticks     []float64
}

// smallest is the least value that is told from 0: no probe measures less.
const smallest = 1e-9

// yAxis returns the scale that the series and the limits of the plot need. A
// limit that is far from everything measured does not count: it would flatten
// the series.
func (p plot) yAxis(height int) yAxis {
	low, high := math.Inf(1), 0.0
	for _, line := range p.series {
		for _, point := range line.points {
			if point.V > 0 {
				low, high = min(low, point.V), max(high, point.V)
			}
		}
	}
	near := 3.0
	if p.log {
		near = 30
	}
	top := high
	for _, l := range p.limits {
		if l.value > 0 && (top == 0 || l.value <= top*near) {
			low, high = min(low, max(l.value, low/near)), max(high, l.value)
		}
	}
	if high < smallest {
		return yAxis{high: 1, unit: p.unit, ticks: []float64{0, 1}}
	}
	if p.log {
		return logAxis(low, high, p.unit, height)
	}
	return linearAxis(high, p.unit, height)
}

func linearAxis(high float64, unit string, height int) yAxis {
	step := niceStep(high / float64(min(max(height/2, 1), 5)))
	top := math.Ceil(high*1.04/(step/2)) * step / 2
	y := yAxis{high: top, unit: unit}
	for i := 0; float64(i)*step <= top*(1+1e-9); i++ {
		y.ticks = append(y.ticks, float64(i)*step)
	}
	return y
}

// niceStep rounds up to 1, 2 or 5 times a power of ten.
func niceStep(v float64) float64 {
	power := math.Pow(10, math.Floor(math.Log10(v)))
	for _, f := range []float64{1, 2, 5} {
		if f*power >= v*(1-1e-9) {
			return f * power
		}
	}
	return 10 * power
}

func logAxis(low, high float64, unit string, height int) yAxis {
	top := niceStep(high * 1.04)
	low = max(1/niceStep(1/low), top/1e6)
	y := yAxis{low: low, high: top, log: true, unit: unit}
	from, to := math.Ceil(math.Log10(low)-1e-9), math.Floor(math.Log10(top)+1e-9)
	every := max(1, math.Ceil((to-from+1)*1.5/float64(height)))
	for e := from; e <= to; e += every {
		y.ticks = append(y.ticks, math.Pow(10, e))
	}
	if height >= 6 && top >= 4*math.Pow(10, to) {
		y.ticks = append(y.ticks, top) // far enough from the last
	}
	return y
}

// row returns the row of a value; what is outside is drawn at the edge.
func (y yAxis) row(v float64, rows int) int {
	share := 0.0
	if y.log {
		share = math.Log(max(v, y.low)/y.low) / math.Log(y.high/y.low)
	} else {
		share = (v - y.low) / (y.high - y.low)
	}
	share = min(max(share, 0), 1)
	return int(math.Round((1 - share) * float64(rows-1)))
}

// cellRow returns the row of cells that shows a value, as exactly as the dots
// do, or -1 if it is out of sight.
func (y yAxis) cellRow(v float64, height int) int {
	if v < y.low || v > y.high {
		return -1
	}
	return y.row(v, 4*height) / 4
}

// labels returns the scale: one text for each row, each as wide as the gutter.
func (y yAxis) labels(s *styles, height int) []string {
	out := slices.Repeat([]string{spaces(gutter)}, height)
	for _, v := range slices.SortedFunc(slices.Values(y.ticks), func(a, b float64) int { return cmp.Compare(b, a) }) {
		if row := y.cellRow(v, height); row >= 0 {
			out[row] = s.muted.on(s.padLeft(axisLabel(v, y.unit), gutter-1)) + s.faint.on(string(s.tick))
		}
	}
	return out
}

// sparkline draws values in one row. It shows how they move, not how large
// they are: it is scaled to their range, but to no less than four tenths of
// the highest, so that noise does not look like a storm.
func (s *styles) sparkline(points []stream.Point, at span, width int) string {
	out := []rune(spaces(width))
	if len(points) == 0 {
		return string(out)
	}
	highest := make([]float64, len(out))
	low, high := math.Inf(1), 0.0
	for _, p := range points {
		if c := at.column(p.T, width); c >= 0 {
			highest[c] = max(highest[c], p.V)
			out[c] = s.sparks[0]
			low, high = min(low, p.V), max(high, p.V)
		}
	}
	extent := max(1.5*(high-low), 0.4*high)
	floor := max((high+low-extent)/2, 0)
	for i, v := range highest {
		if out[i] != ' ' && extent > 0 {
			level := int((v - floor) / extent * float64(len(s.sparks)))
			out[i] = s.sparks[min(max(level, 0), len(s.sparks)-1)]
		}
	}
	return string(out)
}
