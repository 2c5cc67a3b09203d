package verdict

import (
	"fmt"

	"github.com/aclements/go-moremath/stats"

	"mabeam-top/internal/probes/probe"
	"mabeam-top/internal/stress/quantity"
	"mabeam-top/internal/stress/report"
)

const (
	// otherProgramsFactor is the most by which other programs that use the CPUs can
	// worsen a metric, even if every wake-up is late.
	otherProgramsFactor = 4
	// machineModeFactor is the most by which a metric can miss its floor because the
	// machine was in a slow mode for a few repetitions. In the worst mode seen a
	// metric took 2.8 times as long as otherwise, and still reached its floor.
	machineModeFactor = 2
)

// undecided marks a metric that missed its baseline or floor as undecided if the system
// may not be the cause: the limit is within the noise, the repetitions disagree about
// the floor, or other programs took enough of the machine. A metric that missed by more
// than these can explain has failed, and so has a metric of memory, which they do not
// affect.
func undecided(m report.Metric, step report.Step, cpus int) report.Metric {
	limit, ok := failureLimit(m)
	if !ok {
		return m
	}
	if i := m.Interval; i != nil && i.Low < limit && limit < i.High {
		m.Undecided = fmt.Sprintf("is between %s and fails at %s: run more repetitions to decide", intervalText(m), quantity.Format(limit, m.Unit))
		return m
	}
	v, isNumber := report.Number(m.Value)
	isMemory := m.Unit == "bytes" || m.Unit == "MB"
	if m.Status != report.StatusFail || !isNumber || isMemory {
		return m
	}
	missedByAtMost := func(factor float64) bool {
		return m.Better == report.Higher && v*factor >= limit || m.Better == report.Lower && v <= limit*factor
	}
	if n := reachingFloor(m); n >= disagreement(len(m.Samples)) && missedByAtMost(machineModeFactor) && isMedian(m, v) && passesBaseline(m, v) {
		m.Undecided = fmt.Sprintf("is %s, the median of %d repetitions, and misses its floor of %s, but %d of them reach it: run more repetitions to decide",
			quantity.Format(v, m.Unit), len(m.Samples), quantity.Format(limit, m.Unit), n)
		return m
	}
	if share, busy := busyMachine(step, cpus); busy && missedByAtMost(otherProgramsFactor) {
		m.Undecided = fmt.Sprintf("is %s, beyond its limit of %s, but other programs used %s of the machine: repeat the run without them",
			quantity.Format(v, m.Unit), quantity.Format(limit, m.Unit), quantity.Percent(share))
	}
	return m
}

// undecidedOnBusyMachine marks a metric that missed a time-dependent condition as
// undecided if other programs used the machine.
func undecidedOnBusyMachine(m report.Metric, step report.Step, cpus int) report.Metric {
	if share, busy := busyMachine(step, cpus); busy {
		m.Undecided = fmt.Sprintf("is %s, but other programs used %s of the machine: repeat the run without them", m.Text(), quantity.Percent(share))
	}
	return m
}

// busyShare is the share of the machine that other programs may use before metrics are
// in doubt.
const busyShare = 0.1

// busyMachine reports whether other programs used so much of the machine during the
// step that its metrics are in doubt, and how much.
func busyMachine(step report.Step, cpus int) (share float64, busy bool) {
	share, ok := otherPrograms(step.Probes, cpus)
	return share, ok && share > busyShare
}

// otherPrograms returns the share of the machine that other programs used. The second
// result is false if the probes are missing.
func otherPrograms(probes map[probe.Name]report.Probe, cpus int) (share float64, ok bool) {
	host, ok := probes[probe.HostCPUPercent]
	own, also := probes[probe.CPUPercent]
	if !ok || !also || cpus <= 0 {
		return 0, false
	}
	return max(0, host.Mean-own.Mean/float64(cpus)) / 100, true
}

// reachingFloor returns the number of repetitions that reach the metric's floor; 0 if
// it has none.
func reachingFloor(m report.Metric) (n int) {
	for _, v := range m.Samples {
		if m.Floor != nil && reachesFloor(v, m.Floor, m.Better) {
			n++
		}
	}
	return n
}

// disagreement returns the number of repetitions on the other side of a limit that
// leave it open on which side the median is, with a confidence of 95 % or as near to
// it as the number of repetitions allows.
func disagreement(repetitions int) int {
	ci := stats.QuantileCI(repetitions, 0.5, 0.95)
	return max(1, min(ci.LoOrder, repetitions+1-ci.HiOrder))
}

// isMedian reports whether the metric's value is the median of all repetitions, and
// there are enough of them.
func isMedian(m report.Metric, value float64) bool {
	return len(m.MissingIn) == 0 && len(m.Samples) >= leastRepetitions && value == report.Median(m.Samples)
}

// passesBaseline reports whether a value passes the metric's baseline, or there is
// none.
func passesBaseline(m report.Metric, value float64) bool {
	if m.Baseline == nil {
		return true
	}
	_, status := Baseline{Value: *m.Baseline, Better: m.Better}.compare(value, *m.Tolerance)
	return status != report.StatusFail
}

// failureLimit returns the limit beyond which the metric fails: the baseline with the
// tolerance, or the floor if that is tighter. The second result is false if the metric
// has neither.
func failureLimit(m report.Metric) (limit float64, ok bool) {
	tighten := func(v float64) {
		if !ok || m.Better == report.Higher && v > limit || m.Better == report.Lower && v < limit {
			limit, ok = v, true
		}
	}
	if m.Baseline != nil {
		share := 1 - *m.Tolerance
		if m.Better == report.Lower {
			share = 1 + *m.Tolerance
		}
		tighten(*m.Baseline * share)
	}
	if m.Floor != nil {
		tighten(m.Floor.Value)
	}
	return limit, ok
}
