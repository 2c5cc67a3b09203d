package measure

import (
	"math"
	"slices"

	"mabeam-top/internal/stress/report"
)

// A sized is what was measured at one size, such as the time of an operation
// among so many agents.
type sizedValue struct {
	size  int
	value float64
}

// ascending returns the different sizes from the smallest to the largest.
func sortedSizes(sizes []int) []int {
	sorted := slices.Sorted(slices.Values(sizes))
	return slices.Compact(sorted)
}

// perDoubling is by what factor a value grows with each doubling of the size:
// the geometric mean from the first to the last. It says false if there are no
// two sizes, or a value is not positive. The values are in ascending order.
func perDoubling(values []sizedValue) (factor float64, ok bool) {
	if len(values) < 2 {
		return 0, false
	}
	first, last := values[0], values[len(values)-1]
	if first.size == last.size || first.value <= 0 || last.value <= 0 {
		return 0, false
	}
	doublings := math.Log2(float64(last.size) / float64(first.size))
	return math.Pow(last.value/first.value, 1/doublings), true
}

// scalingWords says in a word what an exponent between two bounds means.
func scalingWords(i report.Interval) string {
	low, high := scalingClass(i.Low), scalingClass(i.High)
	if low != high {
		return "undecided: " + low + " to " + high
	}
	return low
}

// scalingClass says in a word what an exponent means.
func scalingClass(e float64) string {
	switch {
	case e < 0.15:
		return "constant"
	case e < 0.85:
		return "logarithmic"
	case e <= 1.15:
		return "linear"
	}
	return "superlinear"
}

// scalingRange says in words what an exponent means that is somewhere in an interval.
func scalingRange(i report.Interval) string {
	low, high := scalingClass(i.Low), scalingClass(i.High)
	if low == high {
		return low
	}
	return low + " to " + high
}

func sum(values []float64) (total float64) {
	for _, v := range values {
		total += v
	}
	return total
}
