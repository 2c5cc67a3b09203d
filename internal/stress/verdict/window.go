package verdict

import (
	"maps"
	"math"
	"slices"

	"mabeam-top/internal/stress/report"
)

// A Point is one sample of a probe, and describes the time since the sample before it.
type Point struct {
	// At is in seconds since the start of the step.
	At float64
	// Value is the probe's value, in the unit of the metric that the threshold is
	// on. For a threshold on latencies it is the age of the oldest operation in
	// flight, which counts if no operation ended.
	Value float64
	// Latencies are the latencies of the operations that ended; nil if the threshold
	// is not on latencies.
	Latencies *Latencies
}

// Latencies is a histogram of the durations of some operations, in milliseconds.
type Latencies struct {
	// Buckets are in ascending order.
	Buckets []Bucket `json:"buckets"`
	Sum     float64  `json:"sum"`
}

// A Bucket counts the durations that are about Value.
type Bucket struct {
	Value float64 `json:"value"`
	Count int64   `json:"count"`
}

// A Series holds the samples of a probe during one repetition.
type Series struct {
	// Start is when the measured load of the repetition began, in seconds since the
	// start of the step.
	Start float64
	// Points are in chronological order.
	Points []Point
}

// A Window is the result of a threshold in one window of time.
type Window struct {
	// Start is in seconds since the start of the step.
	Start float64
	Value float64
	// OK reports whether the condition held.
	OK bool
}

// Latest returns the window that ends with the last point of the series. The
// second result is false while no window is full: the first one begins After the
// start and ends a Window later. Windows slide from point to point, so that no dip
// is split by a border. Latest reads only the points of that window; call it for
// each sample to stop at the first window that fails.
func (t Threshold) Latest(s Series) (Window, bool) {
	n := len(s.Points)
	if n == 0 || t.Window <= 0 {
		return Window{}, false
	}
	end := s.Points[n-1].At
	start := end - t.Window.Seconds()
	// The sampler's jitter of up to a tenth of a millisecond must not cost the first
	// window.
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

// mean returns the time-weighted mean of a probe over the points from first on.
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

// latency returns a statistic of all operations that ended in a window. If none
// ended, it is the age of the oldest operation in flight.
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

// quantiles maps the name of a percentile to its share.
var quantiles = map[string]float64{"p50": 0.5, "p90": 0.9, "p95": 0.95, "p99": 0.99, "p999": 0.999}

// Worst returns the window of all series that lies furthest on the wrong side of
// the limit, the first of several. The second result is false if no window was full.
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
