package stream

import (
	"math"

	"mabeam-top/internal/probes/probe"
)

// ThinningProbe ranks samples where only some can be kept: the one with the
// highest value is the worst.
const ThinningProbe = probe.ActionP99MS

// Thin chooses which of the n elements of a full history to keep, and returns
// their indices in order. The newer half is kept whole. The older half is divided
// into at most n/4 spans of equal duration, and the worst element of each span is
// kept, or the newest of equals. So a history of any length reaches back to its
// start, contains its worst moments, and has full resolution for its latest part.
//
// The duration of a span is a power of two, and spans count from the first element,
// which is always kept. So when the spans become longer, each consists of whole
// former ones; otherwise an element could be replaced by its successor again and
// again, and leave a long gap.
//
// at returns the time of an element, and worse reports whether element i is
// worse than element j.
func Thin(n int, at func(i int) float64, worse func(i, j int) bool) []int {
	half := n / 2
	if half < 2 {
		return indices(n)
	}
	from := at(0)
	span := math.Exp2(math.Ceil(math.Log2(max((at(half)-from)/float64(half/2), 1e-9))))
	kept := indices(1)
	newest := -1 // the span of the last element kept; the first element is in none
	for i := 1; i < half; i++ {
		number := int((at(i) - from) / span)
		switch last := len(kept) - 1; {
		case number != newest:
			kept, newest = append(kept, i), number
		case !worse(kept[last], i):
			kept[last] = i
		}
	}
	for i := half; i < n; i++ {
		kept = append(kept, i)
	}
	return kept
}

// indices returns 0 to n-1.
func indices(n int) []int {
	all := make([]int, n)
	for i := range all {
		all[i] = i
	}
	return all
}
