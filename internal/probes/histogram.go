package probes

import (
	"math"
	"runtime/metrics"
)

// A window turns readings of a histogram that only grows into the histogram of
// what was added between two of them. The zero value is ready for the first.
type window struct {
	seen  []uint64 // the counts at the last reading
	added []uint64 // what the last reading added, reused by the next
}

// next takes a reading and returns how often each bucket was hit since the one
// before; ok is false at the first reading. The result is valid until the next
// call. It keeps nothing of h, whose memory the next metrics.Read overwrites.
func (w *window) next(h *metrics.Float64Histogram) (added []uint64, ok bool) {
	if len(w.seen) != len(h.Counts) {
		w.seen = append(w.seen[:0], h.Counts...)
		w.added = make([]uint64, len(h.Counts))
		return nil, false
	}
	for i, count := range h.Counts {
		w.added[i] = count - min(count, w.seen[i])
	}
	copy(w.seen, h.Counts)
	return w.added, true
}

// quantile returns the value below which the share q (0 to 1) of a histogram's
// values lies; ok is false if it has none. Bucket i counts the values from
// edges[i] to edges[i+1]; within a bucket they are taken as evenly spread, and
// in one that is open to a side as lying at its other edge.
func quantile(q float64, counts []uint64, edges []float64) (value float64, ok bool) {
	var total uint64
	for _, count := range counts {
		total += count
	}
	if total == 0 {
		return 0, false
	}
	rank := max(1, math.Ceil(q*float64(total))) // counts from 1
	var before float64
	for i, count := range counts {
		if n := float64(count); before+n < rank {
			before += n
			continue
		}
		low, high := edges[i], edges[i+1]
		switch {
		case math.IsInf(low, -1) && math.IsInf(high, 1):
			return 0, false // a single bucket for everything tells nothing
		case math.IsInf(low, -1):
			return high, true
		case math.IsInf(high, 1):
			return low, true
		}
		return low + (high-low)*(rank-before-0.5)/float64(count), true
	}
	return 0, false
}
