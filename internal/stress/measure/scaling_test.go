package measure

import (
	"math"
	"slices"
	"testing"
)

// Values that are known functions of the size.
func TestScaling(t *testing.T) {
	for name, c := range map[string]struct {
		f      func(n float64) float64
		factor float64
		e      float64
		word   string
	}{
		"constant":    {func(float64) float64 { return 7 }, 1, 0, "constant"},
		"falling":     {func(n float64) float64 { return 1 / n }, 0.5, -1, "constant"},
		"square root": {math.Sqrt, math.Sqrt2, 0.5, "logarithmic"},
		"linear":      {func(n float64) float64 { return 3 * n }, 2, 1, "linear"},
		"quadratic":   {func(n float64) float64 { return n * n }, 4, 2, "superlinear"},
	} {
		var values []sizedValue
		for _, n := range sortedSizes([]int{100, 10, 1000, 10}) {
			values = append(values, sizedValue{n, c.f(float64(n))})
		}
		factor, ok := perDoubling(values)
		if !ok || math.Abs(factor-c.factor) > 1e-9 {
			t.Errorf("%s: factor %v with each doubling, %v", name, factor, ok)
		}
		if word := scalingClass(c.e); word != c.word {
			t.Errorf("%s: the class of exponent %v is %s", name, c.e, word)
		}
	}
}

// One size is not enough.
func TestScalingNeedsTwoSizes(t *testing.T) {
	for _, values := range [][]sizedValue{nil, {{10, 1}}, {{10, 1}, {10, 2}}, {{10, 0}, {20, 1}}} {
		if f, ok := perDoubling(values); ok {
			t.Errorf("%v: factor %v", values, f)
		}
	}
	if got := sortedSizes([]int{3, 1, 3, 2}); !slices.Equal(got, []int{1, 2, 3}) {
		t.Errorf("%v", got)
	}
}
