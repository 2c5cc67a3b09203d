package live

import (
	"slices"

	"mabeam-top/internal/probes/probe"
	"mabeam-top/internal/stress/fold"
	"mabeam-top/internal/ui/chart"
)

// points returns the points of a line.
func (s *Screen) points(line line, at chart.Span) []fold.Point {
	points := s.shown.Points(line.probe, at.From)
	switch {
	case line.steady:
		points = ratesOver(points, 1)
	case line.counter:
		points = rates(points)
	}
	return chart.Bounded(points)
}

// collections returns the times of garbage collections.
func (s *Screen) collections(at chart.Span) []float64 {
	var out []float64
	for _, p := range rates(s.shown.Points(probe.GCCycles, at.From)) {
		if p.V > 0 {
			out = append(out, p.T)
		}
	}
	return out
}

// valueAt returns the value of a probe at a time. Some probes are not in every
// sample, so it may be up to a second old.
func (s *Screen) valueAt(name probe.Name, t float64) (float64, bool) {
	for sample := range s.shown.Backward(t - 1) {
		if sample.T > t {
			continue
		}
		if v, ok := sample.Value(name); ok {
			return v, true
		}
	}
	return 0, false
}

// rates turns values of a counter into its growth per second between samples. A
// counter that falls belongs to a fresh system, and began at 0.
func rates(points []fold.Point) []fold.Point { return ratesOver(points, 0) }

// ratesOver is rates over at least a number of seconds.
func ratesOver(points []fold.Point, atLeast float64) []fold.Point {
	var out []fold.Point
	from := 0
	for i := 1; i < len(points); i++ {
		for from+1 < i && points[i].T-points[from+1].T >= atLeast-1e-9 {
			from++
		}
		if points[i].V < points[i-1].V {
			from = i - 1
		}
		grown, seconds := points[i].V-points[from].V, points[i].T-points[from].T
		if grown < 0 {
			grown = points[i].V
		}
		if seconds > 0 && seconds >= atLeast-1e-9 {
			out = append(out, fold.Point{T: points[i].T, V: grown / seconds})
		}
	}
	return out
}

// countUntil counts the points up to a time.
func countUntil(points []fold.Point, t float64) int {
	i, _ := slices.BinarySearchFunc(points, t, func(p fold.Point, t float64) int {
		if p.T <= t {
			return -1
		}
		return 1
	})
	return i
}
