package format

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// A line has a gap where there are no readings, and keeps every peak of many readings.
func TestLinePath(t *testing.T) {
	identity := func(v float64) float64 { return v }
	nan := math.NaN()
	if got, want := linePath([]float64{0, 1, 2, 3}, []float64{5, nan, 7, 8}, identity, identity), "M0.00 5.00M2.00 7.00L3.00 8.00"; got != want {
		t.Errorf("path %s, want %s", got, want)
	}
	rapid.Check(t, func(t *rapid.T) {
		values := rapid.SliceOfN(rapid.Float64Range(0, 99), 1, 3000).Draw(t, "values")
		times := make([]float64, len(values))
		for i := range times {
			times[i] = float64(i)
		}
		got := linePath(times, values, identity, identity)
		if n := strings.Count(got, "L") + strings.Count(got, "M"); n > mostPoints {
			t.Fatalf("%d points", n)
		}
		for _, v := range []float64{slices.Max(values), slices.Min(values)} {
			if !strings.Contains(got, fmt.Sprintf(" %.2f", v)) {
				t.Fatalf("%.2f is not in %s", v, got)
			}
		}
	})
}
