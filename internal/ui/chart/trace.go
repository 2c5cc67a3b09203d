package chart

import (
	"math"
	"slices"

	"mabeam-top/internal/stress/fold"
)

// A stroke is the dots of a line in one column, from low to high, counted from
// the bottom. An empty stroke has a low above its high.
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
	// line joins the means of the columns. span reaches from the smallest to the
	// largest value of each column, so no spike is lost.
	line, span []stroke
}

// all is the line and its range together.
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
	joined := true // with the column before
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

// holeBefore reports whether samples are missing before a point: the gap is
// longer than a second, and far longer than the gaps around it. Old samples are
// thinned evenly, which leaves no holes.
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

// join covers the columns after one point of a line up to and including the
// next, without a gap.
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
