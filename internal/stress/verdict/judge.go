package verdict

import (
	"fmt"
	"maps"
	"slices"

	"mabeam-top/internal/stress/report"
)

// Criteria is what a step is judged by. The component whose baselines apply is
// part of the step.
type Criteria struct {
	Baselines Baselines
	// Tolerance is the share of a baseline by which a metric may miss it.
	Tolerance float64
	// Conditions hold, by the metric's name, for every system that works. A threshold
	// on the same metric replaces its condition.
	Conditions map[string]MetricCondition
	// Declared are all metrics that the measurement must report. Those that the step
	// lacks are added without a value.
	Declared map[string]report.Metric
	// FloorComponent is the component whose floors apply; empty for none.
	FloorComponent string
	// Best are the best results on record, by the metric's name: by which factor each
	// was better than its floor.
	Best       map[string]float64
	Thresholds []Threshold
	// Series are the samples of the probes that thresholds with a window check, by the
	// threshold's metric and in its unit, one series per repetition.
	Series map[string][]Series
	// InconclusiveReason says why the step is inconclusive, if it is.
	InconclusiveReason string
	// KnownCauses explain a failure and were known before. They come before
	// everything that the metrics and probes suggest.
	KnownCauses []string
	// CPUs is the number of CPUs of the machine; 0 if it is unknown.
	CPUs int
}

// A MetricCondition is a condition that a metric must meet.
type MetricCondition struct {
	Condition
	// TimeDependent conditions can fail because other programs use the CPUs.
	TimeDependent bool
}

// Judge returns the step with the statuses of its metrics, its thresholds, verdict,
// score and recommendations. It does not change the step given.
//
// Judge keeps the verdicts error and interrupted, because the metrics of such a step
// are not reliable. It also keeps inconclusive, unless the step counted something that
// must never happen. A step that measured or attempted nothing, or whose operations do
// not add up, becomes an error, which is added to its errors. A step is inconclusive
// if none of its metrics has a limit or one of them is undecided, unless something else
// failed. Otherwise the worst metric or threshold decides.
func Judge(step report.Step, criteria Criteria) report.Step {
	step.Thresholds = make([]report.Threshold, len(criteria.Thresholds))
	step.Metrics = judgeMetrics(step, criteria)
	for i, t := range criteria.Thresholds {
		step.Thresholds[i] = t.evaluate(step.Metrics, criteria.Series[t.Metric])
	}
	switch step.Verdict {
	case report.Broken, report.Interrupted:
	case report.Inconclusive:
		if countedViolation(step, criteria) {
			step.Verdict = report.Fail
		}
	default:
		step.Verdict = worst(step)
		if why := unmeasured(step); why != "" {
			step.Verdict = report.Broken
			step.Errors = append(step.Errors[:len(step.Errors):len(step.Errors)], report.Error{Message: why, Count: 1})
		} else if why := inconclusiveReason(step); why != "" && step.Verdict != report.Fail {
			step.Verdict, criteria.InconclusiveReason = report.Inconclusive, why
		}
	}
	step.Score = report.ScoreOf(step.Metrics, step.Verdict)
	step.Recommendations = recommend(step, criteria)
	if why := skippedFloors(step, criteria); why != "" {
		step.Recommendations = append(step.Recommendations, why)
	}
	return step
}

// skippedFloors returns a message if floors were not checked because the step has too
// few repetitions, and otherwise the empty string.
func skippedFloors(step report.Step, criteria Criteria) string {
	n := 0
	for _, name := range criteria.Baselines.rows(criteria.FloorComponent) {
		_, exists := step.Metrics[name]
		if exists && criteria.Baselines.HasFloor(criteria.FloorComponent, name, step.Params) && repetitions(step.Metrics, name) < leastRepetitions {
			n++
		}
	}
	if n == 0 {
		return ""
	}
	return fmt.Sprintf("%d floors of speed and memory were not checked: they need at least %d repetitions", n, leastRepetitions)
}

// countedViolation reports whether the step counted something that must never happen,
// such as a lost event, or missed an exact condition. A busy machine does not excuse
// that. Time-dependent conditions do not count.
func countedViolation(step report.Step, criteria Criteria) bool {
	for name, m := range step.Metrics {
		v, ok := report.Number(m.Value)
		violated := m.Condition == "== 0" && v > 0 || m.Condition == "== true" && v == 0
		if ok && violated && m.Interval == nil && m.Undecided == "" && !criteria.Conditions[name].TimeDependent {
			return true
		}
	}
	for i, t := range criteria.Thresholds {
		result := step.Thresholds[i]
		if t.Condition == (Condition{Op: "==", Limit: 0}) && t.Window == 0 && result.Actual != nil && *result.Actual > 0 && step.Metrics[t.Metric].Unit == "count" {
			return true
		}
	}
	return false
}

// worst returns the verdict of the worst metric or threshold. It ignores undecided
// metrics.
func worst(step report.Step) report.Verdict {
	result := report.Pass
	for _, m := range step.Metrics {
		switch {
		case m.Undecided != "":
		case m.Status == report.StatusFail:
			result = report.Worst(result, report.Fail)
		case m.Status == report.StatusWarn:
			result = report.Worst(result, report.Warn)
		}
	}
	for _, t := range step.Thresholds {
		if !t.OK {
			result = report.Fail
		}
	}
	return result
}

// inconclusiveReason says why the step neither passed nor failed. It is empty if the
// step did.
func inconclusiveReason(step report.Step) string {
	if why := Undecided(step.Metrics); why != "" {
		return why
	}
	judged := len(step.Thresholds) > 0
	for name, m := range step.Metrics {
		// A measurement without findings is no evidence that its system is fast enough.
		judged = judged || m.Status != report.StatusInfo && name != report.FindingsMetric
	}
	if !judged {
		return "none of its metrics has a limit: add thresholds or a baseline to the step"
	}
	return ""
}

// Undecided names the first metric that neither passed nor failed, with the reason. It
// returns the empty string if there is none.
func Undecided(metrics map[string]report.Metric) string {
	for _, name := range slices.Sorted(maps.Keys(metrics)) {
		if why := metrics[name].Undecided; why != "" {
			return name + " " + why
		}
	}
	return ""
}

// unmeasured says why a step that ran to its end has no usable result. It is empty if
// the step has one.
func unmeasured(step report.Step) string {
	o := step.Operations
	switch {
	case len(step.Metrics) == 0:
		return "no metric was measured"
	case o.Attempted != o.Succeeded+o.Failed+o.Dropped:
		return fmt.Sprintf("operations do not add up: %d attempted, but %d succeeded, %d failed and %d dropped", o.Attempted, o.Succeeded, o.Failed, o.Dropped)
	case o.Attempted <= 0:
		return "no operation was attempted"
	}
	return ""
}
