package verdict

import (
	"fmt"

	"github.com/aclements/go-moremath/stats"

	"mabeam-top/internal/stress/quantity"
	"mabeam-top/internal/stress/report"
)

const (
	// mostByOthers is by what factor a figure may have been made worse by other
	// programs that took processors away: more than that they cannot do, even with
	// every wake-up late.
	mostByOthers = 4
	// mostByMode is how many times its floor a figure may be in a mode of the machine
	// that lasts for a few repetitions. In the worst one seen it took 2.8 times as long
	// as in the others, and reached its floor.
	mostByMode = 2
)

// doubt says of a metric that missed its baseline or floor why that may not be the
// system's doing: the limit is within its noise, the repetitions disagree about its floor,
// or other programs took so much of the machine that they can have done it. A metric that
// missed by more than these can do has failed, and so has one of memory, which they do not
// change.
func doubt(m report.Metric, step report.Step, cpus int) report.Metric {
	limit, ok := failsAt(m)
	if !ok {
		return m
	}
	if i := m.Interval; i != nil && i.Low < limit && limit < i.High {
		m.Undecided = fmt.Sprintf("is between %s and %s, and fails at %s: more repetitions tell which",
			quantity.Format(i.Low, m.Unit), quantity.Format(i.High, m.Unit), quantity.Format(limit, m.Unit))
		return m
	}
	v, isNumber := report.Number(m.Value)
	isMemory := m.Unit == "bytes" || m.Unit == "MB"
	if m.Status != report.StatusFail || !isNumber || isMemory {
		return m
	}
	excusedBy := func(factor float64) bool {
		return m.Better == report.Higher && v*factor >= limit || m.Better == report.Lower && v <= limit*factor
	}
	if held := holdingFloor(m); held >= disagreeing(len(m.Samples)) && excusedBy(mostByMode) && isMedian(m, v) && holdsBaseline(m, v) {
		m.Undecided = fmt.Sprintf("is %s, the median of %d repetitions, and misses its floor of %s, but %d of them hold it: run it with more repetitions",
			quantity.Format(v, m.Unit), len(m.Samples), quantity.Format(limit, m.Unit), held)
		return m
	}
	if taken, disturbed := disturbed(step, cpus); disturbed && excusedBy(mostByOthers) {
		m.Undecided = fmt.Sprintf("is %s, beyond its limit of %s, while other programs took %s of the machine: run it again without them",
			quantity.Format(v, m.Unit), quantity.Format(limit, m.Unit), quantity.Percent(taken))
	}
	return m
}

// holdingFloor is how many repetitions hold the metric's floor; 0 if it has none.
func holdingFloor(m report.Metric) (n int) {
	for _, v := range m.Samples {
		if m.Floor != nil && holdsFloor(v, m.Floor, m.Better) {
			n++
		}
	}
	return n
}

// disagreeing is how many repetitions on the other side of a limit leave the side of the
// median open, with 95 % confidence or as near to that as so few repetitions allow.
func disagreeing(repetitions int) int {
	ci := stats.QuantileCI(repetitions, 0.5, 0.95)
	return max(1, min(ci.LoOrder, repetitions+1-ci.HiOrder))
}

// isMedian says whether the metric's value is the median of its repetitions, of all of
// them and of no fewer than tell.
func isMedian(m report.Metric, value float64) bool {
	return len(m.MissingIn) == 0 && len(m.Samples) >= leastRepetitions && value == report.Median(m.Samples)
}

// holdsBaseline says whether the metric's value holds its baseline, or there is none.
func holdsBaseline(m report.Metric, value float64) bool {
	if m.Baseline == nil {
		return true
	}
	_, status := Status(value, Baseline{Value: *m.Baseline, Better: m.Better}, *m.Tolerance)
	return status != report.StatusFail
}

// doubtTimed says of a metric that is not as it must be, and depends on how fast the
// machine was, that other programs may have made it so.
func doubtTimed(m report.Metric, step report.Step, cpus int) report.Metric {
	if taken, disturbed := disturbed(step, cpus); disturbed {
		m.Undecided = fmt.Sprintf("is %s, while other programs took %s of the machine: run it again without them", m.Text(), quantity.Percent(taken))
	}
	return m
}

// failsAt is the limit beyond which the metric fails: that of its baseline with the
// tolerance, or its floor if that is the tighter one. It says false for a metric that
// has neither.
func failsAt(m report.Metric) (limit float64, ok bool) {
	tighter := func(v float64) {
		if !ok || m.Better == report.Higher && v > limit || m.Better == report.Lower && v < limit {
			limit, ok = v, true
		}
	}
	if m.Baseline != nil {
		share := 1 - *m.Tolerance
		if m.Better == report.Lower {
			share = 1 + *m.Tolerance
		}
		tighter(*m.Baseline * share)
	}
	if m.Floor != nil {
		tighter(m.Floor.Value)
	}
	return limit, ok
}
