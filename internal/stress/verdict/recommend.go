package verdict

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"mabeam-top/internal/stress/quantity"
	"mabeam-top/internal/stress/report"
)

// failedShare is the share of the operations that may fail before the step warns about
// their latencies.
const failedShare = 0.01

// recommend returns the recommendations for a judged step: first why the step is not
// reliable, if it is not; then each metric and threshold that failed or nearly failed,
// with its limit, what the probes showed, and what the load lacked. It returns none
// for a step without remarks.
func recommend(step report.Step, criteria Criteria) []string {
	messages := []string{}
	add := func(format string, args ...any) { messages = append(messages, fmt.Sprintf(format, args...)) }
	switch step.Verdict {
	case report.Inconclusive:
		messages = append(messages, criteria.InconclusiveReason)
	case report.Broken:
		add("the step did not run to its end; see its errors%s", partialText(step))
	case report.Interrupted:
		add("the step was interrupted, and its results are partial%s", partialText(step))
	}
	messages = append(messages, criteria.KnownCauses...)
	for _, t := range step.Thresholds {
		if !t.OK {
			messages = append(messages, thresholdAdvice(t, step.Metrics))
		}
	}
	names := slices.Sorted(maps.Keys(step.Metrics))
	for _, status := range []report.Status{report.StatusFail, report.StatusWarn} {
		for _, name := range names {
			if m := step.Metrics[name]; m.Status == status && m.Undecided == "" {
				messages = append(messages, metricAdvice(step, name))
			}
		}
	}
	if step.Verdict == report.Fail || step.Verdict == report.Warn {
		if share, ok := busyMachine(step, criteria.CPUs); ok {
			add("other programs used %s of the machine: repeat the run without them before you trust this result", quantity.Percent(share))
		}
		if text := stepDiagnostics(step); text != "" {
			add("during the step: %s", text)
		}
	}
	o := step.Operations
	attempted := quantity.Format(float64(o.Attempted), "count")
	if float64(o.Failed) > failedShare*float64(o.Attempted) {
		add("%s of %s operations failed, and the latencies include them: operations that fail at once make latencies shorter", quantity.Format(float64(o.Failed), "count"), attempted)
	}
	if o.Dropped > 0 {
		add("%s of %s operations were dropped and never started", quantity.Format(float64(o.Dropped), "count"), attempted)
	}
	return messages
}

// partialText says how many repetitions the metrics of an unfinished step cover.
func partialText(step report.Step) string {
	if !step.Partial() {
		return ""
	}
	return " (its metrics cover " + step.Repetitions.Text() + ")"
}

// thresholdAdvice says how a threshold was missed.
func thresholdAdvice(t report.Threshold, metrics map[string]report.Metric) string {
	m, _, _ := report.FindMetric(metrics, t.Metric)
	limit := quantity.Condition(t.Condition, m.Unit)
	if t.Actual == nil {
		return fmt.Sprintf("%s was not measured, so its threshold %s failed", t.Metric, limit)
	}
	actual := report.Metric{Value: *t.Actual, Unit: m.Unit}
	if m.Unit == "bool" {
		actual.Value = *t.Actual != 0
	}
	text := fmt.Sprintf("%s is %s, threshold %s", t.Metric, actual.Text(), limit)
	if t.WindowSeconds != nil && t.WorstAtSeconds != nil {
		text += fmt.Sprintf(", in the worst window of %s, which starts at %s", quantity.Format(*t.WindowSeconds, "s"), quantity.Format(*t.WorstAtSeconds, "s"))
	}
	return text
}

// metricAdvice says by how much a metric failed or nearly failed, why it was not
// measured, or that the repetitions differ so much that a missed baseline may be
// chance.
func metricAdvice(step report.Step, name string) string {
	m := step.Metrics[name]
	limit, _ := m.MainCheck()
	if m.Value == nil {
		text := name + " was not measured"
		if why := step.Remark(name); why != "" {
			text += " (" + why + ")"
		}
		return text + ", so it failed: " + limit.Text()
	}
	text := name + " is " + m.Text()
	switch {
	case limit.Kind == report.KindCondition:
		text += ", but " + limit.Text()
		if why := step.Remark(name); why != "" {
			text += ": " + why
		}
		return text
	case limit.Kind == report.KindFloor:
		return fmt.Sprintf("%s, %s than the floor of this machine: %s, %s", text, limit.Difference, limit.Limit, limit.Basis)
	case m.Deviation == nil:
		return text + ", " + limit.Text()
	}
	side := "below"
	if m.Better == report.Lower {
		side = "above"
	}
	text = fmt.Sprintf("%s, %s %s the baseline of %s", text, quantity.Percent(*m.Deviation), side, limit.Limit)
	if m.Status == report.StatusWarn {
		return text + fmt.Sprintf(", close to the tolerance of %s", quantity.Percent(*m.Tolerance)) + bestRepetition(m)
	}
	return text + fmt.Sprintf(" (tolerance %s)", quantity.Percent(*m.Tolerance)) + bestRepetition(m)
}

// bestRepetition says that the best repetition of a metric that missed its baseline
// passes it. It is empty if none does.
func bestRepetition(m report.Metric) string {
	if len(m.Samples) < 2 || m.Interval != nil || m.Status != report.StatusFail {
		return ""
	}
	best, limit := slices.Max(m.Samples), *m.Baseline*(1-*m.Tolerance)
	passes := best >= limit
	if m.Better == report.Lower {
		best, limit = slices.Min(m.Samples), *m.Baseline*(1+*m.Tolerance)
		passes = best <= limit
	}
	if !passes || math.IsNaN(best) {
		return ""
	}
	return fmt.Sprintf("; its best repetition passes with %s, so run more repetitions to rule out chance", quantity.Format(best, m.Unit))
}

// RecommendRun returns the recommendations for a whole run: which steps may have failed
// because of other programs.
func RecommendRun(r report.Report) []string {
	var names []string
	most := 0.0
	for _, s := range r.Scenarios {
		for _, step := range s.Steps {
			if share, ok := busyMachine(step, r.Host.CPUs); ok && step.Verdict == report.Fail {
				names = append(names, s.Name+" › "+step.Name)
				most = max(most, share)
			}
		}
	}
	if len(names) == 0 {
		return nil
	}
	return []string{fmt.Sprintf("other programs used up to %s of the machine while these steps failed, so repeat the run without them before you trust the result: %s",
		quantity.Percent(most), strings.Join(names, ", "))}
}
