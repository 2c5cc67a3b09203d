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

// recommend says what to look at in a judged step: why it says nothing about the
// system, if that is so, always first; then each metric and threshold that failed or
// came near it, by how much and at what limit, what the probes showed meanwhile and
// where to look next, and what the measurement itself lacked. A step with nothing to
// say about gets none.
func recommend(step report.Step, against Against) []string {
	told := []string{}
	switch step.Verdict {
	case report.Inconclusive:
		told = append(told, against.Inconclusive)
	case report.Broken:
		told = append(told, "the step could not be measured to its end: see its errors"+partial(step))
	case report.Interrupted:
		told = append(told, "the step was interrupted: what it measured is partial"+partial(step))
	}
	told = append(told, against.Known...)
	for _, t := range step.Thresholds {
		if !t.OK {
			told = append(told, thresholdAdvice(t, step.Metrics))
		}
	}
	names := slices.Sorted(maps.Keys(step.Metrics))
	for _, status := range []report.Status{report.StatusFail, report.StatusWarn} {
		for _, name := range names {
			m := step.Metrics[name]
			if m.Status != status || m.Undecided != "" {
				continue
			}
			told = append(told, metricAdvice(step, name))
		}
	}
	if step.Verdict == report.Fail || step.Verdict == report.Warn {
		if taken, ok := disturbed(step, against.CPUs); ok {
			told = append(told, fmt.Sprintf("meanwhile other programs took %s of the machine: run it again without them before you believe any of this", quantity.Percent(taken)))
		}
		if text := circumstances(step); text != "" {
			told = append(told, "meanwhile "+text)
		}
	}
	if o := step.Operations; float64(o.Failed) > failedShare*float64(o.Attempted) {
		told = append(told, fmt.Sprintf("%s of %s operations failed, and their times are among those told: who is refused at once makes them shorter", quantity.Format(float64(o.Failed), "count"), quantity.Format(float64(o.Attempted), "count")))
	}
	if o := step.Operations; o.Dropped > 0 {
		told = append(told, fmt.Sprintf("%s of %s operations were dropped before they were carried out", quantity.Format(float64(o.Dropped), "count"), quantity.Format(float64(o.Attempted), "count")))
	}
	return told
}

// partial says what the metrics are of, of a step that was not measured to its end.
func partial(step report.Step) string {
	if !step.Partial() {
		return ""
	}
	return " (its metrics are of " + step.Repetitions.Text() + ")"
}

// thresholdAdvice says how a threshold was missed.
func thresholdAdvice(t report.Threshold, metrics map[string]report.Metric) string {
	m, _, _ := report.FindMetric(metrics, t.Metric)
	limit := quantity.Condition(t.Condition, m.Unit)
	if t.Actual == nil {
		return fmt.Sprintf("%s was not measured, which counts as failed against the limit %s", t.Metric, limit)
	}
	actual := report.Metric{Value: *t.Actual, Unit: m.Unit}
	if m.Unit == "bool" {
		actual.Value = *t.Actual != 0
	}
	text := fmt.Sprintf("%s is %s, limit %s", t.Metric, actual.Text(), limit)
	if t.WindowSeconds != nil && t.WorstAtSeconds != nil {
		text += fmt.Sprintf(", in the worst window of %s, from %s on", quantity.Format(*t.WindowSeconds, "s"), quantity.Format(*t.WorstAtSeconds, "s"))
	}
	return text
}

// metricAdvice says by what a metric failed or came near failing, why it was not
// measured, and whether the repetitions differ so much among themselves that a missed
// baseline may be chance.
func metricAdvice(step report.Step, name string) string {
	m := step.Metrics[name]
	by, _ := m.MainCheck()
	if m.Value == nil {
		text := name + " was not measured"
		if why := step.Remark(name); why != "" {
			text += " (" + why + ")"
		}
		return text + ", which counts as failed: " + by.Text()
	}
	text := name + " is " + m.Text()
	switch {
	case by.Kind == report.KindCondition:
		text += ", but " + by.Text()
		if why := step.Remark(name); why != "" {
			text += ": " + why
		}
		return text
	case by.Kind == report.KindFloor:
		return fmt.Sprintf("%s, %s than the floor of this machine: %s, %s", text, by.Difference, by.Limit, by.Basis)
	case m.Deviation == nil:
		return text + ", " + by.Text()
	}
	side := "below"
	if m.Better == report.Lower {
		side = "above"
	}
	text = fmt.Sprintf("%s, %s %s the baseline of %s", text, quantity.Percent(*m.Deviation), side, by.Limit)
	if m.Status == report.StatusWarn {
		text += fmt.Sprintf(", close to the %s at which it fails", quantity.Percent(*m.Tolerance))
	} else {
		text += fmt.Sprintf(" (%s allowed)", quantity.Percent(*m.Tolerance))
	}
	if len(m.Samples) < 2 || m.Interval != nil {
		return text
	}
	best, limit := slices.Max(m.Samples), *m.Baseline*(1-*m.Tolerance)
	inside := best >= limit
	if m.Better == report.Lower {
		best, limit = slices.Min(m.Samples), *m.Baseline*(1+*m.Tolerance)
		inside = best <= limit
	}
	if m.Status == report.StatusFail && inside && !math.IsNaN(best) {
		text += fmt.Sprintf("; its best repetition was within at %s, so repeat more often to tell chance from cause", quantity.Format(best, m.Unit))
	}
	return text
}

// failedShare is what share of the operations may fail before their times count for
// something.
const failedShare = 0.01

// foreignShare is what share of the machine other programs may take before figures
// are doubted.
const foreignShare = 0.1

// disturbed says whether other programs took so much of the machine while the step
// ran that its figures are to be doubted, and how much.
func disturbed(step report.Step, cpus int) (taken float64, ok bool) {
	taken, ok = foreignCPU(step.Probes, cpus)
	return taken, ok && taken > foreignShare
}

// RecommendRun says of a whole run what no step says: that what failed may be the
// fault of other programs.
func RecommendRun(r report.Report) []string {
	var names []string
	most := 0.0
	for _, s := range r.Scenarios {
		for _, step := range s.Steps {
			if taken, ok := disturbed(step, r.Host.CPUs); ok && step.Verdict == report.Fail {
				names = append(names, s.Name+" › "+step.Name)
				most = max(most, taken)
			}
		}
	}
	if len(names) == 0 {
		return nil
	}
	return []string{fmt.Sprintf("other programs took up to %s of the machine while these failed, so run them again without those before you believe it: %s",
		quantity.Percent(most), strings.Join(names, ", "))}
}
