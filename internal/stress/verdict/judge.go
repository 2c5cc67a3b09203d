package verdict

import (
	"maps"
	"strconv"

	"mabeam-top/internal/stress/report"
)

// Against is what a step is held against besides its component's name, which
// the step itself has.
type Against struct {
	Baselines Baselines
	// Tolerance is the share of a baseline by which it may be missed.
	Tolerance  float64
	Thresholds []Threshold
	// Series are what the probes of windowed thresholds showed, by the
	// threshold's metric and in its unit, one series a repetition.
	Series map[string][]Series
	// Inconclusive is why the step is, if it is.
	Inconclusive string
	// Known is what explains a failure and was known before; it is told before all
	// that the figures suggest.
	Known []string
	// CPUs is how many the machine has; 0 if that is not known.
	CPUs int
}

// Judge returns the step with its metrics' statuses, its thresholds, verdict,
// score and recommendations filled in; the step given is not changed.
//
// A verdict that the step already has is kept if it is inconclusive, error or
// interrupted: then the metrics do not tell what they seem to tell. So does a
// step in which nothing was measured or attempted become an error, or one
// whose operations do not add up; its errors say which. Any other verdict is
// that of the worst metric or threshold.
func Judge(step report.Step, against Against) report.Step {
	step.Metrics = judgeMetrics(step.Metrics, step.Component, against.Baselines, against.Tolerance)
	step.Thresholds = make([]report.Threshold, len(against.Thresholds))
	for i, t := range against.Thresholds {
		step.Thresholds[i] = HoldThreshold(t, step.Metrics, against.Series[t.Metric])
	}
	switch step.Verdict {
	case report.Inconclusive, report.Broken, report.Interrupted:
	default:
		step.Verdict = worstOf(step)
		if why := unmeasured(step); why != "" {
			step.Verdict = report.Broken
			step.Errors = append(step.Errors[:len(step.Errors):len(step.Errors)], report.Error{Message: why, Count: 1})
		}
	}
	step.Score = report.ScoreOf(step.Metrics, step.Verdict)
	step.Recommendations = recommend(step, against)
	return step
}

// worstOf returns the verdict of the worst metric or threshold.
func worstOf(step report.Step) report.Verdict {
	worst := report.Pass
	for _, m := range step.Metrics {
		switch m.Status {
		case report.StatusFail:
			worst = report.Worst(worst, report.Fail)
		case report.StatusWarn:
			worst = report.Worst(worst, report.Warn)
		}
	}
	for _, t := range step.Thresholds {
		if !t.OK {
			worst = report.Fail
		}
	}
	return worst
}

// unmeasured says why a step that ran to its end still says nothing, or
// returns "".
func unmeasured(step report.Step) string {
	o := step.Operations
	switch {
	case len(step.Metrics) == 0:
		return "no metric was measured"
	case o.Attempted != o.Succeeded+o.Failed+o.Dropped:
		return "operations do not add up: " + strconv.FormatInt(o.Attempted, 10) + " attempted, but " +
			strconv.FormatInt(o.Succeeded, 10) + " succeeded, " + strconv.FormatInt(o.Failed, 10) + " failed and " +
			strconv.FormatInt(o.Dropped, 10) + " were dropped"
	case o.Attempted <= 0:
		return "no operation was attempted"
	}
	return ""
}

// judgeMetrics returns the metrics held against the component's baselines,
// with one more metric NAME.max for each baseline of that name, if NAME has a
// distribution. A baseline of which nothing was reported is left out.
func judgeMetrics(metrics map[string]report.Metric, component string, baselines Baselines, tolerance float64) map[string]report.Metric {
	judged := make(map[string]report.Metric, len(metrics))
	maps.Copy(judged, metrics)
	for _, name := range baselines.Metrics(component) {
		whole, isMax := maximumOf(name)
		if _, there := judged[name]; there || !isMax {
			continue
		}
		if m := judged[whole]; m.Distribution != nil && m.Distribution.Count > 0 {
			judged[name] = report.Metric{Value: m.Distribution.Max, Unit: m.Unit, Better: m.Better}
		}
	}
	for name, m := range judged {
		if b, ok := baselines.Find(component, name); ok {
			judged[name] = HoldMetric(m, b, tolerance)
			continue
		}
		m.Baseline, m.Tolerance, m.Deviation, m.Status = nil, nil, nil, report.StatusInfo
		judged[name] = m
	}
	return judged
}

// HoldMetric returns the metric with its baseline, tolerance, deviation and
// status set. One without a value fails: no data is never a pass.
func HoldMetric(m report.Metric, b Baseline, tolerance float64) report.Metric {
	m.Better = b.Better
	m.Baseline, m.Tolerance, m.Deviation = &b.Value, &tolerance, nil
	m.Status = report.StatusFail
	if v, ok := m.Value.(float64); ok && report.Finite(v) {
		var deviation float64
		deviation, m.Status = Status(v, b, tolerance)
		if report.Finite(deviation) {
			m.Deviation = &deviation
		}
	}
	return m
}

// Status holds a finite value against a baseline and returns its deviation,
// (actual − baseline)/baseline with the sign turned so that more is better,
// and what that means within the tolerance t: above t exceed, below −t fail,
// below −t/2 warn, else pass. From a baseline of 0 there is no such share:
// what equals it deviates by 0, what is better or worse by an infinite amount.
func Status(actual float64, b Baseline, tolerance float64) (deviation float64, status report.Status) {
	if difference := actual - b.Value; difference != 0 { // 0/0 is not a number
		deviation = difference / b.Value
		if b.Better != report.Higher {
			deviation = -deviation
		}
	}
	switch {
	case deviation > tolerance:
		return deviation, report.StatusExceed
	case deviation < -tolerance:
		return deviation, report.StatusFail
	case deviation < -tolerance/2:
		return deviation, report.StatusWarn
	}
	return deviation, report.StatusPass
}

// HoldThreshold evaluates a threshold over a step's metrics, or over what a
// probe showed if it is windowed. Without a value it does not hold.
func HoldThreshold(t Threshold, metrics map[string]report.Metric, series []Series) report.Threshold {
	held := report.Threshold{Metric: t.Metric, Condition: t.Condition.String()}
	if t.Window > 0 {
		seconds := t.Window.Seconds()
		held.WindowSeconds = &seconds
		if w, ok := t.Worst(series...); ok {
			held.Actual, held.WorstAtSeconds, held.OK = &w.Value, &w.Start, w.OK
		}
		return held
	}
	if v, ok := Lookup(metrics, t.Metric); ok {
		held.Actual, held.OK = &v, t.Condition.Holds(v)
	}
	return held
}

// Lookup returns the number that a metric's name stands for: a metric's value
// (a bool counts 1 or 0), or for NAME.STAT that statistic of NAME's
// distribution. It returns false where nothing was measured.
func Lookup(metrics map[string]report.Metric, name string) (float64, bool) {
	m, stat, ok := report.Find(metrics, name)
	if ok && stat == "" {
		return number(m.Value)
	}
	d := m.Distribution
	if d == nil || d.Count <= 0 {
		return 0, false
	}
	v, ok := map[string]float64{
		"min": d.Min, "mean": d.Mean, "stddev": d.Stddev, "p50": d.P50, "p90": d.P90,
		"p95": d.P95, "p99": d.P99, "p999": d.P999, "max": d.Max,
	}[stat]
	return v, ok && report.Finite(v)
}

// number returns a metric's value as a number, and false if it is not one.
func number(value any) (float64, bool) {
	switch v := value.(type) {
	case float64:
		return v, report.Finite(v)
	case bool:
		if v {
			return 1, true
		}
		return 0, true
	}
	return 0, false
}
