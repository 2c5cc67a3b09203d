package verdict

import (
	"math"
	"slices"

	"github.com/aclements/go-moremath/stats"

	"mabeam-top/internal/stress/report"
)

// An Estimate holds the data of one repetition for a quantity that is estimated: a
// slope, a change, a share or an exponent. Only the fields of one of them are set. Pool
// combines the repetitions, so that an outlier in one of them decides nothing, and a
// small effect in all of them shows.
type Estimate struct {
	// Readings, equally spaced in time, estimate the growth over the repetition. If Per
	// is set, it is the number of operations between two readings, and they estimate
	// the growth per operation.
	Readings []float64 `json:"readings,omitempty"`
	Per      float64   `json:"per,omitempty"`
	// First and Last are readings from the beginning and the end. They estimate the
	// share by which the readings fell.
	First []float64 `json:"first,omitempty"`
	Last  []float64 `json:"last,omitempty"`
	// Part of Of cases had a property. They estimate the share.
	Part int64 `json:"part,omitempty"`
	Of   int64 `json:"of,omitempty"`
	// Values were measured at Sizes, at least two different ones, each several times.
	// They estimate the exponent e of value ~ size^e.
	Sizes  []float64 `json:"sizes,omitempty"`
	Values []float64 `json:"values,omitempty"`
}

// confidence is the confidence level of intervals. The catalogue has about ten
// estimates, and one in 200 healthy runs may fail.
const confidence = 0.99

// Pool estimates the quantity from all repetitions, with its interval. ok is false if
// the repetitions are too few or too short.
func Pool(estimates []Estimate) (value float64, interval report.Interval, ok bool) {
	if len(estimates) == 0 {
		return 0, interval, false
	}
	switch first := estimates[0]; {
	case len(first.Readings) > 0:
		value, interval, ok = poolGrowth(estimates)
	case len(first.First) > 0:
		value, interval, ok = poolChange(estimates)
	case len(first.Sizes) > 0:
		value, interval, ok = poolExponent(estimates)
	default:
		value, interval, ok = poolShare(estimates)
	}
	if !report.Finite(value) || !report.Finite(interval.Low) || !report.Finite(interval.High) {
		return 0, report.Interval{}, false
	}
	return value, interval, ok
}

// leastReadings is the number of readings that an estimate of growth needs.
const leastReadings = 3

// poolGrowth returns the median of the slopes between all pairs of readings of the
// same repetition (Theil–Sen): as growth over a repetition and a share of its median,
// or as growth per operation. The bounds are those of Sen (1968), with the variances of
// Kendall's S added up over the repetitions as in the seasonal and regional tests of
// Hirsch and others. With too few readings for ranks at this confidence, they are at
// least the bounds of a straight line with normal errors.
func poolGrowth(estimates []Estimate) (float64, report.Interval, bool) {
	var slopes []float64
	var line straightLine
	variance := 0.0
	for _, e := range estimates {
		n := float64(len(e.Readings))
		middle := report.Median(e.Readings)
		if n < leastReadings || middle <= 0 {
			return 0, report.Interval{}, false
		}
		scale := (n - 1) / middle
		if e.Per > 0 {
			scale = 1 / e.Per
		}
		for i := range e.Readings {
			for j := i + 1; j < len(e.Readings); j++ {
				slopes = append(slopes, (e.Readings[j]-e.Readings[i])/float64(j-i)*scale)
			}
		}
		variance += n * (n - 1) * (2*n + 5) / 18
		places, scaled := make([]float64, len(e.Readings)), make([]float64, len(e.Readings))
		for i, v := range e.Readings {
			places[i], scaled[i] = float64(i), v*scale
		}
		line.add(places, scaled)
	}
	slices.Sort(slopes)
	n := float64(len(slopes))
	reach := stats.StdNormal.InvCDF((1+confidence)/2) * math.Sqrt(variance)
	at := func(rank float64) float64 { return slopes[int(min(max(rank, 0), n-1))] }
	value := report.Median(slopes)
	interval := report.Interval{Low: at((n-reach)/2 - 1), High: at(math.Ceil((n + reach) / 2))}
	if reach >= n {
		_, around, ok := line.slope()
		if !ok {
			return 0, report.Interval{}, false
		}
		interval.Low, interval.High = min(interval.Low, value-around), max(interval.High, value+around)
	}
	return value, interval, true
}

// poolChange returns 1 − last/first, of the means of each repetition's readings and the
// geometric mean over the repetitions. The bounds follow from the variance within
// repetitions or between them, whichever is larger. If the last readings are 0, the
// change is 1.
func poolChange(estimates []Estimate) (float64, report.Interval, bool) {
	var changes []float64 // logarithms
	variance, freedom := 0.0, 0.0
	for _, e := range estimates {
		if len(e.First) < 2 || len(e.Last) < 2 {
			return 0, report.Interval{}, false
		}
		first, last := stats.Mean(e.First), stats.Mean(e.Last)
		if first <= 0 || last < 0 {
			return 0, report.Interval{}, false
		}
		if last == 0 {
			return 1, report.Interval{Low: 1, High: 1}, true
		}
		changes = append(changes, math.Log(last/first))
		variance += stats.Variance(e.First)/(float64(len(e.First))*first*first) + stats.Variance(e.Last)/(float64(len(e.Last))*last*last)
		freedom += float64(len(e.First) + len(e.Last) - 2)
	}
	k := float64(len(changes))
	middle := stats.Mean(changes)
	reach := quantile(freedom) * math.Sqrt(variance) / k
	if k >= 3 {
		reach = max(reach, quantile(k-1)*stats.StdDev(changes)/math.Sqrt(k))
	}
	return 1 - math.Exp(middle), report.Interval{Low: 1 - math.Exp(middle+reach), High: 1 - math.Exp(middle-reach)}, true
}

// logs returns the logarithms of the positive values.
func logs(values []float64) (all []float64) {
	for _, v := range values {
		if v > 0 {
			all = append(all, math.Log(v))
		}
	}
	return all
}

// quantile returns the quantile of Student's t for the bounds of an interval.
func quantile(freedom float64) float64 {
	return stats.InvCDF(stats.TDist{V: freedom})((1 + confidence) / 2)
}

// poolShare returns the share of all cases with the property, with Wilson's interval.
func poolShare(estimates []Estimate) (float64, report.Interval, bool) {
	var part, of float64
	for _, e := range estimates {
		part += float64(e.Part)
		of += float64(e.Of)
	}
	if of == 0 {
		return 0, report.Interval{}, false
	}
	return part / of, wilson(part, of, stats.StdNormal.InvCDF((1+confidence)/2)), true
}

// wilson returns the score interval of Wilson (1927) for a share; z is the quantile of
// the normal distribution.
func wilson(part, of, z float64) report.Interval {
	p := part / of
	middle := (p + z*z/(2*of)) / (1 + z*z/of)
	reach := z / (1 + z*z/of) * math.Sqrt(p*(1-p)/of+z*z/(4*of*of))
	return report.Interval{Low: max(middle-reach, 0), High: min(middle+reach, 1)}
}

// poolExponent returns the slope of a straight line through the logarithms.
func poolExponent(estimates []Estimate) (float64, report.Interval, bool) {
	var line straightLine
	for _, e := range estimates {
		x, y := logs(e.Sizes), logs(e.Values)
		if len(x) != len(y) || len(x) < 2 {
			return 0, report.Interval{}, false
		}
		line.add(x, y)
	}
	e, reach, ok := line.slope()
	return e, report.Interval{Low: e - reach, High: e + reach}, ok
}

// A straightLine is fitted to the points of several repetitions by least squares. All
// repetitions share the slope; each has an intercept of its own.
type straightLine struct {
	xs, ys     []float64 // minus the mean of their repetition
	intercepts int
}

// add adds the points of a repetition.
func (l *straightLine) add(x, y []float64) {
	meanX, meanY := stats.Mean(x), stats.Mean(y)
	for i := range x {
		l.xs, l.ys = append(l.xs, x[i]-meanX), append(l.ys, y[i]-meanY)
	}
	l.intercepts++
}

// slope returns the slope of the line and the half-width of its interval. ok is false
// if all points have the same size, or if there are not more points than parameters.
func (l *straightLine) slope() (slope, reach float64, ok bool) {
	freedom := float64(len(l.xs) - l.intercepts - 1)
	var covariance, variance, left float64
	for i := range l.xs {
		covariance += l.xs[i] * l.ys[i]
		variance += l.xs[i] * l.xs[i]
	}
	if variance == 0 || freedom < 1 {
		return 0, 0, false
	}
	slope = covariance / variance
	for i := range l.xs {
		left += (l.ys[i] - slope*l.xs[i]) * (l.ys[i] - slope*l.xs[i])
	}
	return slope, quantile(freedom) * math.Sqrt(left/freedom/variance), true
}
