package verdict

import (
	"maps"
	"math"
	"slices"
	"strings"

	"mabeam-top/internal/stress/report"
)

// A Point is what became of the load since the point before.
type Point struct {
	// At is in seconds since the start of the step.
	At float64
	// Value is the reading of a probe, in the unit of the metric that the threshold
	// is set on. Where Latencies are asked for and none ended, it is how long the
	// oldest operation under way had waited by then.
	Value float64
	// Latencies are those of the operations that ended; nil for a threshold on
	// anything else.
	Latencies *Latencies
}

// Latencies are the durations of some operations, in milliseconds.
type Latencies struct {
	// Buckets are in ascending order.
	Buckets []Bucket `json:"buckets"`
	Sum     float64  `json:"sum"`
}

// A Bucket is how many of the durations are about Value.
type Bucket struct {
	Value float64 `json:"value"`
	Count int64   `json:"count"`
}

// A Series is what a probe showed during one repetition.
type Series struct {
	// Start is when the repetition's measured load began, in seconds since
	// the start of the step.
	Start float64
	// Points are in the order of time.
	Points []Point
}

// A Window is what was so in one window of time.
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
	first := n
	for first > 0 && s.Points[first-1].At > start+slack {
		first--
	}
	value, ok := mean(s, first)
	if s.Points[n-1].Latencies != nil {
		value, ok = latency(t.Statistic(), s.Points[first:])
	}
	if !ok {
		return Window{}, false
	}
	return Window{Start: start, Value: value, OK: t.Condition.Holds(value)}, true
}

// mean is that of a probe over the points from first on, each for as long as it
// stands for.
func mean(s Series, first int) (float64, bool) {
	total, length := 0.0, 0.0
	for i := first; i < len(s.Points); i++ {
		before := s.Start
		if i > 0 {
			before = s.Points[i-1].At
		}
		if v := s.Points[i].Value; report.Finite(v) {
			took := max(s.Points[i].At-before, 1e-9)
			length += took
			total += (v - total) * (took / length)
		}
	}
	return total, length > 0
}

// latency is a statistic of all operations that ended in a window. If none did, they
// have waited as long as the oldest of them.
func latency(stat string, points []Point) (float64, bool) {
	counts := map[float64]int64{}
	var all Latencies
	n, waited := int64(0), 0.0
	for _, p := range points {
		waited = max(waited, p.Value)
		if p.Latencies == nil {
			continue
		}
		all.Sum += p.Latencies.Sum
		for _, b := range p.Latencies.Buckets {
			counts[b.Value] += b.Count
			n += b.Count
		}
	}
	if n == 0 {
		return waited, waited > 0
	}
	values := slices.Sorted(maps.Keys(counts))
	q, isQuantile := quantiles[stat]
	switch {
	case stat == "min":
		return values[0], true
	case stat == "max":
		return values[len(values)-1], true
	case !isQuantile:
		return all.Sum / float64(n), true
	}
	rank := int64(math.Ceil(q * float64(n)))
	for _, v := range values {
		if rank -= counts[v]; rank <= 0 {
			return v, true
		}
	}
	return values[len(values)-1], true
}

// quantiles are the shares of operations that a statistic's value is not exceeded by.
var quantiles = map[string]float64{"p50": 0.5, "p90": 0.9, "p95": 0.95, "p99": 0.99, "p999": 0.999}

// Statistic is the STAT of a threshold on NAME.STAT; empty for one on NAME.
func (t Threshold) Statistic() string {
	_, stat, _ := strings.Cut(t.Metric, ".")
	return stat
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

// Holds says whether the condition is true of a value.
func (c Condition) Holds(v float64) bool { return report.Holds(v, c.Op, c.Limit) }

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
