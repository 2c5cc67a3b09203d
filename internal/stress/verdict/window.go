package verdict

import (
	"math"

	"mabeam-top/internal/stress/report"
)

// A Point is one reading of a probe.
type Point struct {
	// At is in seconds since the start of the step; the reading stands for
	// the time since the point before.
	At float64
	// Value is in the unit of the metric that the threshold is set on.
	Value float64
}

// A Series is what a probe showed during one repetition.
type Series struct {
	// Start is when the repetition's measured load began, in seconds since
	// the start of the step.
	Start float64
	// Points are in the order of time.
	Points []Point
}

// A Window is the mean of a probe over one window of time.
type Window struct {
	// Start is in seconds since the start of the step.
	Start float64
	Value float64
	// OK says whether the condition held.
	OK bool
}

// Latest returns the window that ends with the series' last point, and false
// while none is full yet: the first one begins After the start and ends a
// Window later. Windows slide from point to point, so a dip cannot hide by
// lying across a border. It reads only the points of that window: call it at
// each sample to stop at the first window that fails.
func (t Threshold) Latest(s Series) (Window, bool) {
	n := len(s.Points)
	if n == 0 || t.Window <= 0 {
		return Window{}, false
	}
	end := s.Points[n-1].At
	start := end - t.Window.Seconds()
	// A tenth of a millisecond more or less is the sampler's jitter, and
	// would otherwise cost the first window.
	const slack = 1e-4
	if start < s.Start+t.After.Seconds()-slack {
		return Window{}, false
	}
	mean, count := 0.0, 0.0
	for i := n - 1; i >= 0 && s.Points[i].At > start+slack; i-- {
		if v := s.Points[i].Value; report.Finite(v) {
			count++
			mean += v/count - mean/count
		}
	}
	if count == 0 {
		return Window{}, false
	}
	return Window{Start: start, Value: mean, OK: t.Condition.Holds(mean)}, true
}

// Worst returns the window of all the series that is furthest on the wrong
// side of the limit (the first of several), and false if none was ever full.
func (t Threshold) Worst(series ...Series) (Window, bool) {
	var worst Window
	found := false
	for _, s := range series {
		for i := range s.Points {
			w, ok := t.Latest(Series{Start: s.Start, Points: s.Points[:i+1]})
			if ok && (!found || t.Condition.badness(w.Value) > t.Condition.badness(worst.Value)) {
				worst, found = w, true
			}
		}
	}
	return worst, found
}

// Holds says whether the condition is true of a value. Nothing is true of a
// value that is not a number, and nothing of an unknown operator.
func (c Condition) Holds(v float64) bool {
	if math.IsNaN(v) {
		return false
	}
	switch c.Op {
	case "<":
		return v < c.Limit
	case "<=":
		return v <= c.Limit
	case ">":
		return v > c.Limit
	case ">=":
		return v >= c.Limit
	case "==":
		return v == c.Limit
	case "!=":
		return v != c.Limit
	}
	return false
}

// Possible says whether the condition can hold for any value from least to most,
// either of which may be infinite.
func (c Condition) Possible(least, most float64) bool {
	switch c.Op {
	case "<":
		return least < c.Limit
	case "<=":
		return least <= c.Limit
	case ">":
		return most > c.Limit
	case ">=":
		return most >= c.Limit
	case "==":
		return least <= c.Limit && c.Limit <= most
	case "!=":
		return least != most || least != c.Limit
	}
	return false
}

// badness orders values by how far they are on the wrong side of the limit:
// more is worse.
func (c Condition) badness(v float64) float64 {
	switch c.Op {
	case "<", "<=":
		return v - c.Limit
	case ">", ">=":
		return c.Limit - v
	case "!=":
		return -math.Abs(v - c.Limit)
	}
	return math.Abs(v - c.Limit)
}
