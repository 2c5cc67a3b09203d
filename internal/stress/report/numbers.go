package report

import (
	"math"
	"slices"
)

// Finite says whether v is a number that can be told: no NaN and no infinity,
// which JSON has no way to write.
func Finite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }

// Median is the middle of the values, or the mean of the two middle ones; 0 of
// none.
func Median(values []float64) float64 {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	n := len(sorted)
	// Halved before they are added: the sum may be more than any number is.
	return sorted[(n-1)/2]/2 + sorted[n/2]/2
}
