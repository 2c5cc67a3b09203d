package probes

import (
	"math"
	"runtime/metrics"
)

// A window computes what was added to a growing histogram between two readings. The
// zero value is ready for the first reading.
type window struct {
	last  []uint64 // the counts of the last reading
	added []uint64 // what was added before it, reused by the next reading
}

// next takes a reading and returns how much each bucket grew since the previous one; ok
// is false for the first reading. The result is valid until the next call. next does
// not keep h, whose memory the next metrics.Read overwrites.
func (w *window) next(h *metrics.Float64Histogram) (added []uint64, ok bool) {
	if len(w.last) != len(h.Counts) {
		w.last = append(w.last[:0], h.Counts...)
		w.added = make([]uint64, len(h.Counts))
		return nil, false
	}
	for i, count := range h.Counts {
		w.added[i] = count - min(count, w.last[i])
	}
	copy(w.last, h.Counts)
	return w.added, true
}

// quantile returns the value below which the share q (0 to 1) of a histogram's values
// lies; ok is false if it has none. Bucket i counts the values from edges[i] to
// edges[i+1]. They count as evenly spread, or in a bucket with an infinite edge as equal
// to the other edge.
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
			return 0, false // one bucket for all values
		case math.IsInf(low, -1):
			return high, true
		case math.IsInf(high, 1):
			return low, true
		}
		return low + (high-low)*(rank-before-0.5)/float64(count), true
	}
	return 0, false
}
