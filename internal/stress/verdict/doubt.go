package verdict

import (
	"fmt"

	"github.com/aclements/go-moremath/stats"

	"mabeam-top/internal/stress/report"
)

// mostByOthers is by what factor a figure may have been made worse by other programs
// that took processors away: more than that they cannot do, even with every wake-up
// late.
const mostByOthers = 4

// doubt says of a metric that missed its baseline or floor why it may have: because
// the limit is within its noise, or because other programs took so much of the machine
// that they can have done it. A metric that missed by more than that has failed.
func doubt(m report.Metric, step report.Step, cpus int) report.Metric {
	limit, ok := failsAt(m)
	if !ok {
		return m
	}
	if i := m.Interval; i != nil && i.Low < limit && limit < i.High {
		m.Undecided = fmt.Sprintf("is between %s and %s, and fails at %s: more repetitions tell which",
			report.Quantity(i.Low, m.Unit), report.Quantity(i.High, m.Unit), report.Quantity(limit, m.Unit))
		return m
	}
	v, isNumber := report.Number(m.Value)
	if m.Status == report.StatusFail && missesFloorOnly(m, v) {
		if low, high := medianBetween(m.Samples); low < limit && limit < high {
			m.Undecided = fmt.Sprintf("is %s in the median of %d repetitions, some of which hold its floor of %s: more repetitions tell which count",
				report.Quantity(v, m.Unit), len(m.Samples), report.Quantity(limit, m.Unit))
			return m
		}
	}
	taken, disturbed := disturbed(step, cpus)
	isMemory := m.Unit == "bytes" || m.Unit == "MB" // which nobody's processors change
	if m.Status != report.StatusFail || !isNumber || !disturbed || isMemory {
		return m
	}
	if m.Better == report.Higher && v*mostByOthers >= limit || m.Better == report.Lower && v <= limit*mostByOthers {
		m.Undecided = fmt.Sprintf("is %s, beyond its limit of %s, while other programs took %s of the machine: run it again without them",
			report.Quantity(v, m.Unit), report.Quantity(limit, m.Unit), report.Percent(taken))
	}
	return m
}

// missesFloorOnly says whether the metric, the median of its repetitions, holds its
// baseline, which is the same on every machine and far away, if it has one.
func missesFloorOnly(m report.Metric, median float64) bool {
	if m.Floor == nil || len(m.Samples) < leastRepetitions || median != report.Median(m.Samples) {
		return false
	}
	m.Floor = nil
	limit, ok := failsAt(m)
	return !ok || m.Better == report.Higher && median >= limit || m.Better == report.Lower && median <= limit
}

// medianBetween returns the values between which the median of all repetitions that there
// could be lies, judging by some: with 95 % confidence, or as near to that as so few can
// tell. Of five these are the least and the most, of ten the second from either end. A
// machine has modes in which the same build is thrice as slow for a few repetitions; a
// build that is thrice as slow is so in all.
func medianBetween(samples []float64) (low, high float64) {
	all := stats.Sample{Xs: samples}
	_, low, high = stats.QuantileCI(len(samples), 0.5, 0.95).SampleCI(all)
	least, most := all.Bounds()
	return max(low, least), min(high, most)
}

// doubtTimed says of a metric that is not as it must be, and depends on how fast the
// machine was, that other programs may have made it so.
func doubtTimed(m report.Metric, step report.Step, cpus int) report.Metric {
	if taken, disturbed := disturbed(step, cpus); m.Status == report.StatusFail && disturbed {
		m.Undecided = fmt.Sprintf("is %s, while other programs took %s of the machine: run it again without them", m.Text(), report.Percent(taken))
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
