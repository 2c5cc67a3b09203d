package format

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"mabeam-top/internal/stress/quantity"
	"mabeam-top/internal/stress/report"
)

// notableChanges are the changes that a report lists one by one, in this order.
var notableChanges = []report.Change{report.Regressed, report.Improved, report.Unknown}

// comparisonSummary says in one line what a comparison found.
func comparisonSummary(r report.Regression) string {
	worst, regressed := worstRegression(r)
	switch {
	case worst == nil && !r.Conclusive():
		return "no metric could be compared with " + r.Baseline
	case worst == nil:
		return "no regression against " + r.Baseline
	}
	text := share(regressed, len(r.Metrics), "metric", "", "regressed") + " against " + r.Baseline
	if worst.DeltaPercent != nil {
		text += fmt.Sprintf("; the worst is %s, %s", path(*worst), difference(*worst))
	}
	return text
}

// worstRegression returns the metric that got worse by the largest percentage, or, before
// any, one without a percentage; nil if none regressed. It also counts those that did.
func worstRegression(r report.Regression) (worst *report.RegressionMetric, regressed int) {
	for i, m := range r.Metrics {
		if m.Verdict != report.Regressed {
			continue
		}
		regressed++
		if worst == nil || m.DeltaPercent == nil ||
			worst.DeltaPercent != nil && math.Abs(*m.DeltaPercent) > math.Abs(*worst.DeltaPercent) {
			worst = &r.Metrics[i]
		}
	}
	return worst, regressed
}

// A comparedMetric is a metric of a comparison that a report lists by itself.
type comparedMetric struct {
	Change report.Change
	Text   string
}

// comparedMetrics lists the metrics that changed, or that could not be compared. Metrics
// of a step that have no difference and the same note share an entry.
func comparedMetrics(r report.Report) []comparedMetric {
	var list []comparedMetric
	units := unitsOf(r)
	for _, change := range notableChanges {
		listed := map[report.RegressionMetric]bool{}
		for i, m := range r.Regression.Metrics {
			common := shared(m)
			if m.Verdict != change || listed[common] {
				continue
			}
			names := []string{m.Metric}
			for _, other := range r.Regression.Metrics[i+1:] {
				if common.Note != "" && shared(other) == common {
					names = append(names, other.Metric)
				}
			}
			if len(names) == 1 {
				list = append(list, comparedMetric{change, comparison(m, units[keyOf(m)])})
				continue
			}
			listed[common] = true
			list = append(list, comparedMetric{change, fmt.Sprintf("%s: %s › %s: %s (%s)", change, m.Scenario, m.Step, strings.Join(names, ", "), m.Note)})
		}
	}
	return list
}

// shared is what several metrics of a step may have in common: a verdict and a note. It
// is zero for a metric with a difference.
func shared(m report.RegressionMetric) report.RegressionMetric {
	if m.DeltaPercent != nil {
		return report.RegressionMetric{}
	}
	return report.RegressionMetric{Scenario: m.Scenario, Step: m.Step, Verdict: m.Verdict, Note: m.Note}
}

// unchanged counts the metrics that did not change; empty for none.
func unchanged(r report.Regression) string {
	n := 0
	for _, m := range r.Metrics {
		if m.Verdict == report.Same {
			n++
		}
	}
	predicate := fmt.Sprintf("unchanged (difference below %s or not significant)", quantity.Percent(r.Threshold))
	return share(n, len(r.Metrics), "metric", "is ", predicate)
}

// path says where a metric is in a report.
func path(m report.RegressionMetric) string {
	return m.Scenario + " › " + m.Step + ": " + m.Metric
}

// A metricKey identifies a metric in a report.
type metricKey struct{ scenario, step, metric string }

func keyOf(m report.RegressionMetric) metricKey { return metricKey{m.Scenario, m.Step, m.Metric} }

// unitsOf returns the units of a report's metrics.
func unitsOf(r report.Report) map[metricKey]string {
	units := map[metricKey]string{}
	for _, s := range r.Scenarios {
		for _, step := range s.Steps {
			for name, m := range step.Metrics {
				units[metricKey{s.Name, step.Name, name}] = m.Unit
			}
		}
	}
	return units
}

// comparison describes the change of one metric in one line.
func comparison(m report.RegressionMetric, unit string) string {
	text := string(m.Verdict) + ": " + path(m)
	if m.Old != nil || m.New != nil {
		text += fmt.Sprintf(" from %s to %s", comparedValue(m.Old, unit), comparedValue(m.New, unit))
	}
	if m.DeltaPercent != nil {
		text += ", " + difference(m)
	}
	if m.PValue != nil {
		text += ", " + pValue(*m.PValue)
	}
	if m.Note != "" {
		text += " (" + m.Note + ")"
	}
	return text
}

func comparedValue(v *float64, unit string) string {
	switch {
	case v == nil:
		return report.Metric{}.Text()
	case unit == "bool":
		return report.Metric{Value: *v != 0}.Text()
	}
	return quantity.Format(*v, unit)
}

// difference says by how much a metric changed.
func difference(m report.RegressionMetric) string {
	switch size := quantity.Percent(*m.DeltaPercent / 100); {
	case m.Verdict == report.Regressed:
		return size + " worse"
	case m.Verdict == report.Improved:
		return size + " better"
	case *m.DeltaPercent < 0:
		return size + " less"
	default:
		return size + " more"
	}
}

func pValue(p float64) string {
	if p < 0.001 {
		return "p < 0.001"
	}
	return fmt.Sprintf("p = %.3f", p)
}

// hasRegressed reports whether a metric of the step regressed.
func hasRegressed(r report.Regression, scenario, step string) bool {
	return slices.ContainsFunc(r.Metrics, func(m report.RegressionMetric) bool {
		return m.Verdict == report.Regressed && m.Scenario == scenario && m.Step == step
	})
}
