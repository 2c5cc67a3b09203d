package measure

import (
	"math"
	"slices"

	"mabeam-top/internal/stress"
	"mabeam-top/internal/stress/report"
)

// A sizedValue is what was measured at one size, such as the time of an operation with so
// many agents.
type sizedValue struct {
	size  int
	value float64
}

// sortedSizes returns the distinct sizes in ascending order.
func sortedSizes(sizes []int) []int {
	return slices.Compact(slices.Sorted(slices.Values(sizes)))
}

// perDoubling returns by what factor a value grows with each doubling of the size: the
// geometric mean from the first value to the last. It returns false if there are no two
// sizes, or a value is not positive. The values are in ascending order of size.
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

// scalingSamples are the values of which a scaling exponent is estimated, with their sizes.
type scalingSamples struct{ sizes, values []float64 }

// add adds the values of one size.
func (s *scalingSamples) add(size int, values ...float64) {
	for _, v := range values {
		s.sizes, s.values = append(s.sizes, float64(size)), append(s.values, v)
	}
}

// largestTwo returns the samples of the two largest sizes, or none if there is one size
// only. At small sizes, fixed costs hide the growth.
func (s scalingSamples) largestTwo() (two scalingSamples) {
	sizes := slices.Compact(slices.Sorted(slices.Values(s.sizes)))
	if len(sizes) < 2 {
		return two
	}
	for i, size := range s.sizes {
		if size >= sizes[len(sizes)-2] {
			two.sizes, two.values = append(two.sizes, size), append(two.values, s.values[i])
		}
	}
	return two
}

// report reports the exponent of the two largest sizes, and its class as a text if text
// names a metric. If there is one size only, both are unmeasured with the reason why.
func (s scalingSamples) report(env *stress.Env, exponent, text, why string) {
	if two := s.largestTwo(); len(two.sizes) > 0 {
		interval, ok := env.Exponent(exponent, two.sizes, two.values)
		if ok && text != "" {
			env.Text(text, scalingText(interval))
		}
		if ok {
			return
		}
		why = "it needs several values above zero at each of two sizes"
	}
	env.Unmeasured(exponent, why)
	if text != "" {
		env.Unmeasured(text, why)
	}
}

// scalingText is the class of an exponent that lies in an interval, or the range of classes
// if the interval spans several.
func scalingText(i report.Interval) string {
	low, high := scalingClass(i.Low), scalingClass(i.High)
	if low == high {
		return low
	}
	return low + " to " + high
}

// scalingClass is the class of growth that an exponent stands for.
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

func sum(values []float64) (total float64) {
	for _, v := range values {
		total += v
	}
	return total
}
