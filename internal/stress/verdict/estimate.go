package verdict

import (
	"math"
	"slices"

	"github.com/aclements/go-moremath/stats"

	"mabeam-top/internal/stress/report"
)

// An Estimate is what one repetition contributes to a quantity that noise moves: a
// slope, a change, a share, an exponent. One of its fields is set. The repetitions
// are pooled before anything is judged: an estimate that is far off in one of them
// by chance decides nothing, and a small effect that all of them have is found.
type Estimate struct {
	// Readings are equally spaced in time: their growth is asked for. If Per is set,
	// as many operations lie between two readings, and the growth with each operation
	// is asked for instead.
	Readings []float64 `json:"readings,omitempty"`
	Per      float64   `json:"per,omitempty"`
	// First and Last are readings from the beginning and from the end: the share
	// by which the later ones are less is asked for.
	First []float64 `json:"first,omitempty"`
	Last  []float64 `json:"last,omitempty"`
	// Of is how many cases there were, and Part in how many of them something
	// held: the share is asked for.
	Part int64 `json:"part,omitempty"`
	Of   int64 `json:"of,omitempty"`
	// Sizes and Values go together, with at least two sizes and several values of
	// each: the exponent e of value ~ size^e is asked for.
	Sizes  []float64 `json:"sizes,omitempty"`
	Values []float64 `json:"values,omitempty"`
}

// confidence is how sure an interval holds the quantity: a catalogue has about ten
// estimates, and one of 200 healthy runs may fail.
const confidence = 0.99

// Pool returns the quantity that the repetitions estimate together, with its
// interval. It says false where they are too few, or too short, to tell.
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

// leastReadings is how many readings show growth.
const leastReadings = 3

// poolGrowth is the median of the slopes between all pairs of readings (Theil–Sen)
// of the same repetition, as the growth over one repetition's length and a share of
// its median, or as the growth with each operation. The bounds are those of Sen (1968),
// with the variances of Kendall's S added up over the repetitions as in the seasonal and
// regional tests of Hirsch and others. Of so few readings that no ranks are that sure,
// they are those of a straight line with normal errors, if these are wider.
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

// poolChange is 1 − last/first, of the means of each repetition's readings and the
// geometric mean over the repetitions. Its bounds go by how the readings of a
// repetition differ among themselves, or by how the repetitions do, whichever is more.
// A reading of 0 counts as what it is: a rate that came to nothing has declined by all
// of it.
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

// logs are the logarithms of what is positive.
func logs(values []float64) (all []float64) {
	for _, v := range values {
		if v > 0 {
			all = append(all, math.Log(v))
		}
	}
	return all
}

// quantile is that of Student's t for the bounds of an interval.
func quantile(freedom float64) float64 {
	return stats.InvCDF(stats.TDist{V: freedom})((1 + confidence) / 2)
}

// poolShare is the share of all cases in which something held, between the bounds
// of Wilson's interval.
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

// wilson is the score interval of Wilson (1927) for a share, z being the quantile of
// the normal distribution.
func wilson(part, of, z float64) report.Interval {
	p := part / of
	middle := (p + z*z/(2*of)) / (1 + z*z/of)
	reach := z / (1 + z*z/of) * math.Sqrt(p*(1-p)/of+z*z/(4*of*of))
	return report.Interval{Low: max(middle-reach, 0), High: min(middle+reach, 1)}
}

// poolExponent is the slope of a straight line through the logarithms.
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

// A straightLine is fitted to the points of several repetitions by least squares, each
// repetition having a height of its own.
type straightLine struct {
	xs, ys  []float64 // without their repetition's mean
	heights int
}

// add adds the points of a repetition.
func (l *straightLine) add(x, y []float64) {
	meanX, meanY := stats.Mean(x), stats.Mean(y)
	for i := range x {
		l.xs, l.ys = append(l.xs, x[i]-meanX), append(l.ys, y[i]-meanY)
	}
	l.heights++
}

// slope returns the line's slope and how far the bounds of its interval are from it.
// It says false where the points do not tell: of one size, or if there are no more of
// them than the line has parameters.
func (l *straightLine) slope() (slope, reach float64, ok bool) {
	freedom := float64(len(l.xs) - l.heights - 1)
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
