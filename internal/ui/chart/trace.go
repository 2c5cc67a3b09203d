package chart

import (
	"math"
	"slices"

	"mabeam-top/internal/stress/fold"
)

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

func traceOf(points []fold.Point, at Span, a axis, across, down int) trace {
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
		c := at.Column(p.T, across)
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
