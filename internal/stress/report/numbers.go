package report

import (
	"math"
	"slices"
)

// Finite reports whether v is neither NaN nor infinite. JSON has only finite numbers.
func Finite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }

// Median returns the median of the values; 0 for none.
func Median(values []float64) float64 {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	n := len(sorted)
	// Halved before the addition, which could overflow.
	return sorted[(n-1)/2]/2 + sorted[n/2]/2
}
