package fold

import (
	"iter"
	"maps"
	"math"
	"slices"

	"mabeam-top/internal/probes/probe"
	"mabeam-top/internal/stress/report"
	"mabeam-top/internal/stress/stream"
)

// A History holds the samples of a run, oldest first, in columns: one for the
// times and one for each probe. Its length is bounded; see stream.Thin. A copy
// never changes, and the copies of one history share their memory.
type History struct {
	times []float64
	// probes has one reading for each of times, NaN where there is none.
	probes  map[probe.Name][]float64
	thinned int
}

// Len is the number of samples.
func (h *History) Len() int { return len(h.times) }

// Thinned is the number of samples left out to bound the memory of a long run.
func (h *History) Thinned() int { return h.thinned }

// add appends a sample, and thins the history when it holds limit samples.
func (h *History) add(t float64, values probe.Sample, limit int) {
	if len(values) == 0 {
		return
	}
	if len(h.times) >= limit {
		h.thin()
	}
	for name := range values {
		if _, known := h.probes[name]; !known {
			if h.probes == nil {
				h.probes = map[probe.Name][]float64{}
			}
			h.probes[name] = slices.Repeat([]float64{math.NaN()}, len(h.times))
		}
	}
	h.times = append(h.times, t)
	for name, readings := range h.probes {
		v, ok := values[name]
		if !ok || !report.Finite(v) {
			v = math.NaN()
		}
		h.probes[name] = append(readings, v)
	}
}

// thin makes new columns, because copies of the history share the present ones.
func (h *History) thin() {
	ranks := h.probes[stream.ThinningProbe]
	kept := stream.Thin(len(h.times),
		func(i int) float64 { return h.times[i] },
		func(i, j int) bool {
			// A reading is worse than none.
			return ranks != nil && (ranks[i] > ranks[j] || math.IsNaN(ranks[j]) && !math.IsNaN(ranks[i]))
		})
	choose := func(column []float64) []float64 {
		chosen := make([]float64, len(kept), cap(column))
		for i, from := range kept {
			chosen[i] = column[from]
		}
		return chosen
	}
	h.thinned += len(h.times) - len(kept)
	h.times = choose(h.times)
	for name, column := range h.probes {
		h.probes[name] = choose(column)
	}
}

// snapshot returns a copy that stays as it is when samples are added.
func (h *History) snapshot() History {
	return History{times: h.times, probes: maps.Clone(h.probes), thinned: h.thinned}
}

// A Sample is one sample of a History.
type Sample struct {
	// T is in seconds since the start of the run.
	T       float64
	history *History
	index   int
}

func (h *History) sample(i int) Sample { return Sample{h.times[i], h, i} }

// Value is the reading of a probe, and false if there is none.
func (s Sample) Value(name probe.Name) (float64, bool) {
	column, ok := s.history.probes[name]
	if !ok || math.IsNaN(column[s.index]) {
		return 0, false
	}
	return column[s.index], true
}

// Values are all readings, by probe.
func (s Sample) Values() probe.Sample {
	values := make(probe.Sample, len(s.history.probes))
	for probe := range s.history.probes {
		if v, ok := s.Value(probe); ok {
			values[probe] = v
		}
	}
	return values
}

// Since is the number of samples taken at from or later.
func (h *History) Since(from float64) int {
	first, _ := slices.BinarySearch(h.times, from)
	return len(h.times) - first
}

// Backward yields the samples taken at from or later, newest first.
func (h *History) Backward(from float64) iter.Seq[Sample] {
	return func(yield func(Sample) bool) {
		for i := len(h.times) - 1; i >= 0 && h.times[i] >= from; i-- {
			if !yield(h.sample(i)) {
				return
			}
		}
	}
}

// Last returns the newest sample, and false if there is none.
func (h *History) Last() (Sample, bool) {
	if len(h.times) == 0 {
		return Sample{}, false
	}
	return h.sample(len(h.times) - 1), true
}

// Latest returns the reading of a probe in the newest sample, and false if it has
// none.
func (h *History) Latest(name probe.Name) (float64, bool) {
	last, ok := h.Last()
	if !ok {
		return 0, false
	}
	return last.Value(name)
}

// A Point is the reading of one probe at one time.
type Point struct {
	// T is in seconds since the start of the run.
	T float64
	V float64
}

// Points returns the readings of a probe at from or later, oldest first.
func (h *History) Points(name probe.Name, from float64) []Point {
	column, ok := h.probes[name]
	if !ok {
		return nil
	}
	first := len(h.times) - h.Since(from)
	points := slices.Grow([]Point(nil), h.Since(from))
	for i := first; i < len(h.times); i++ {
		if !math.IsNaN(column[i]) {
			points = append(points, Point{T: h.times[i], V: column[i]})
		}
	}
	return points
}
