package chart

import (
	"math"

	"mabeam-top/internal/stress/fold"
	"mabeam-top/internal/ui/theme"
)

// Sparkline draws values in one row. It is scaled to their range, but to no
// less than 40 % of the highest value, so that noise does not look like change.
func Sparkline(t *theme.Theme, points []fold.Point, at Span, width int) string {
	out := []rune(theme.Spaces(width))
	if len(points) == 0 {
		return string(out)
	}
	highest := make([]float64, len(out))
	low, high := math.Inf(1), 0.0
	for _, p := range points {
		if c := at.Column(p.T, width); c >= 0 {
			highest[c] = max(highest[c], p.V)
			out[c] = t.Sparks[0]
			low, high = min(low, p.V), max(high, p.V)
		}
	}
	extent := max(1.5*(high-low), 0.4*high)
	floor := max((high+low-extent)/2, 0)
	for i, v := range highest {
		if out[i] != ' ' && extent > 0 {
			level := int((v - floor) / extent * float64(len(t.Sparks)))
			out[i] = t.Sparks[min(max(level, 0), len(t.Sparks)-1)]
		}
	}
	return string(out)
}

// Bounded limits values in place, so that no arithmetic of a chart overflows.
func Bounded(points []fold.Point) []fold.Point {
	const most = 1e18
	for i := range points {
		points[i].V = min(max(points[i].V, 0), most)
	}
	return points
}
