package verdict

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"mabeam-top/internal/stress/quantity"
	"mabeam-top/internal/stress/report"
)

// judgeMetrics returns the step's metrics with their statuses: it compares them with
// the baselines of the component, their conditions, and the floors of this machine.
// It adds declared metrics that are missing, without a value, unless the step did not
// run to its end. A baseline NAME.max is compared with the highest percentile of NAME
// for which there are enough operations, because the slowest of a million operations
// depends on the machine.
func judgeMetrics(step report.Step, criteria Criteria) map[string]report.Metric {
	judged := map[string]report.Metric{}
	if step.Verdict != report.Broken && step.Verdict != report.Interrupted {
		maps.Copy(judged, criteria.Declared)
	}
	maps.Copy(judged, step.Metrics)
	baselines := map[string]Baseline{}
	for _, name := range criteria.Baselines.Metrics(step.Component) {
		b, _ := criteria.Baselines.Find(step.Component, name)
		if whole, ok := maximumOf(name); ok {
			name = addMaximum(judged, whole)
		}
		baselines[name] = b
	}
	for _, name := range criteria.Baselines.rows(criteria.FloorComponent) {
		addStatistic(judged, name)
	}
	for name, m := range judged {
		m = withoutStatus(m, criteria.relaxes(name))
		if b, ok := baselines[name]; ok {
			m = checkBaseline(m, b, criteria.Tolerance)
		}
		m = criteria.checkFloor(m, name, step, repetitions(judged, name))
		m = withShareOfBest(m, criteria.Best[name])
		m = undecided(m, step, criteria.CPUs)
		judged[name] = criteria.checkCondition(m, name, step)
	}
	return judged
}

// relaxes reports whether the scenario has a threshold on the metric, which replaces
// the condition and the floor of the catalogue.
func (c Criteria) relaxes(name string) bool {
	return slices.ContainsFunc(c.Thresholds, func(t Threshold) bool { return t.Metric == name })
}

// withoutStatus removes what an earlier judgement left in a metric.
func withoutStatus(m report.Metric, relaxed bool) report.Metric {
	m.Baseline, m.Tolerance, m.Deviation, m.Floor, m.Condition, m.BestRatio = nil, nil, nil, nil, "", nil
	// A bool is undecided because the estimate is that it depends on.
	if m.Unit != "bool" || relaxed {
		m.Undecided = ""
	}
	m.Status = report.StatusInfo
	return m
}

// repetitions returns the number of repetitions that a metric covers; for NAME.STAT
// that of NAME.
func repetitions(metrics map[string]report.Metric, name string) int {
	m := metrics[name]
	if whole, _, ok := strings.Cut(name, "."); ok && len(m.Samples) == 0 {
		m = metrics[whole]
	}
	return len(m.Samples) + len(m.MissingIn)
}

// addStatistic adds NAME.STAT to the metrics if NAME has that statistic.
func addStatistic(metrics map[string]report.Metric, name string) {
	m, stat, ok := report.FindMetric(metrics, name)
	if !ok || stat == "" || m.Distribution == nil {
		return
	}
	if v, ok := m.Distribution.Stat(stat); ok {
		metrics[name] = report.Metric{Value: v, Unit: m.Unit, Better: m.Better}
	}
}

// maximumPercentiles are the percentiles that can stand for NAME.max in a comparison
// with its baseline, the highest first.
var maximumPercentiles = []string{"p999", "p99", "p95", "p90", "p50"}

// addMaximum adds the maximum of NAME to the metrics, and the percentile that is
// compared with the baseline instead. It returns the name of the percentile, which is
// empty if NAME has no distribution or too few operations.
func addMaximum(metrics map[string]report.Metric, name string) string {
	m := metrics[name]
	if m.Distribution == nil || m.Distribution.Count == 0 {
		return ""
	}
	addStatistic(metrics, name+".max")
	for _, stat := range maximumPercentiles {
		if addStatistic(metrics, name+"."+stat); metrics[name+"."+stat].Value != nil {
			return name + "." + stat
		}
	}
	return ""
}

// checkBaseline compares the metric with a baseline and sets its baseline, tolerance,
// deviation and status. A metric without a value fails.
func checkBaseline(m report.Metric, b Baseline, tolerance float64) report.Metric {
	m.Better = b.Better
	m.Baseline, m.Tolerance, m.Deviation = &b.Value, &tolerance, nil
	m.Status = report.StatusFail
	if v, ok := m.Value.(float64); ok && report.Finite(v) {
		var deviation float64
		deviation, m.Status = b.compare(v, tolerance)
		if report.Finite(deviation) {
			m.Deviation = &deviation
		}
	}
	return m
}

// compare compares a finite value with the baseline. It returns the deviation,
// (actual − baseline)/baseline with the sign changed if lower is better, and its status.
// A deviation from a baseline of 0 is 0 or infinite.
func (b Baseline) compare(actual, tolerance float64) (deviation float64, status report.Status) {
	if difference := actual - b.Value; difference != 0 { // 0/0 is not a number
		deviation = difference / b.Value
		if b.Better != report.Higher {
			deviation = -deviation
		}
	}
	return deviation, report.StatusOf(deviation, tolerance)
}

// checkFloor compares the metric with its floor, if the floor applies and there are
// enough repetitions. If the reference workload was not measured, the metric is
// undecided.
func (c Criteria) checkFloor(m report.Metric, name string, step report.Step, repetitions int) report.Metric {
	f, better, ok := c.Baselines.floorOf(c.FloorComponent, name, step.Params)
	if !ok || c.relaxes(name) || repetitions < leastRepetitions {
		return m
	}
	limit := f.limit(m.Unit, better, step.Reference)
	if limit == nil {
		if m.Status != report.StatusFail {
			m.Undecided = fmt.Sprintf("has a floor, but the reference workload %s was not measured", strings.Join(f.workloads(), " or "))
		}
		return m
	}
	m.Floor, m.Better = limit, better
	v, ok := report.Number(m.Value)
	switch {
	case !ok || !reachesFloor(v, limit, better):
		m.Status = report.StatusFail
	case m.Status == report.StatusInfo:
		m.Status = report.StatusPass
	}
	return m
}

// reachesFloor reports whether a value is not worse than a floor.
func reachesFloor(v float64, f *report.Floor, better report.Better) bool {
	return better == report.Higher && v >= f.Value || better == report.Lower && v <= f.Value
}

// withShareOfBest sets how near a metric with a floor comes to the best result on
// record. A best of 0 means that there is none.
func withShareOfBest(m report.Metric, best float64) report.Metric {
	if over, ok := m.FloorRatio(); ok && best > 0 {
		share := over / best
		m.BestRatio = &share
	}
	return m
}

// checkCondition checks the condition of the metric, if it has one. A metric without a
// value fails.
func (c Criteria) checkCondition(m report.Metric, name string, step report.Step) report.Metric {
	condition, ok := c.Conditions[name]
	if !ok || c.relaxes(name) {
		return m
	}
	m.Condition = condition.text(m.Unit)
	v, isNumber := report.Number(m.Value)
	met := isNumber && condition.Holds(v)
	switch {
	case !met:
		// What excuses a missed baseline or floor does not excuse this.
		m.Status = report.StatusFail
		if m.Unit != "bool" { // a bool depends on an estimate, which may be undecided
			m.Undecided = ""
		}
	case m.Status == report.StatusInfo:
		m.Status = report.StatusPass
	}
	if isNumber && m.Interval != nil && condition.splits(*m.Interval) {
		m.Undecided = fmt.Sprintf("is between %s and must be %s: run more repetitions to decide",
			intervalText(m), quantity.Condition(m.Condition, m.Unit))
	}
	if condition.TimeDependent && !met {
		return undecidedOnBusyMachine(m, step, c.CPUs)
	}
	return m
}

// intervalText returns the bounds of an estimate, such as "1 ms and 2 ms".
func intervalText(m report.Metric) string {
	return quantity.Format(m.Interval.Low, m.Unit) + " and " + quantity.Format(m.Interval.High, m.Unit)
}
