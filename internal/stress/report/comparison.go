package report

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"mabeam-top/internal/stress/quantity"
)

// The words of a comparison.
const (
	wordRegressed = "REGRESSED"
	wordSame      = "SAME"
	wordUnknown   = "UNKNOWN"
)

// Word is what the comparison comes to.
func (r Regression) Word() string {
	switch {
	case r.Detected:
		return wordRegressed
	case r.Conclusive():
		return wordSame
	}
	return wordUnknown
}

// Told says whether the comparison could tell of any metric at all.
func (r Regression) Conclusive() bool {
	return slices.ContainsFunc(r.Metrics, func(m RegressionMetric) bool { return m.Verdict != Unknown })
}

// ComparisonText writes only what the report's comparison with an earlier one
// found, for a person: what became worse first, and what to look at.
func ComparisonText(w io.Writer, r Report, o TextOptions) error {
	if r.Regression == nil {
		return fmt.Errorf("write comparison as text: the report has none")
	}
	p := newPage(o)
	style := map[string]style{wordSame: green, wordRegressed: red, wordUnknown: yellow}
	word := r.Regression.Word()
	p.hang(span{style[word], word + "  "}, bold, regressionSummary(*r.Regression))
	for _, line := range r.Recommendations {
		p.wrap(plain, "  - ", line)
	}
	p.blank()
	p.comparison(r)
	for _, sc := range r.Scenarios {
		for _, step := range sc.Steps {
			if !hasRegressed(*r.Regression, sc.Name, step.Name) {
				continue
			}
			p.blank()
			p.wrap(bold, "", sc.Name+" › "+step.Name)
			for _, line := range step.Recommendations {
				p.field("look at", line)
			}
		}
	}
	if _, err := io.WriteString(w, p.out.String()); err != nil {
		return fmt.Errorf("write comparison as text: %w", err)
	}
	return nil
}

func hasRegressed(r Regression, scenario, step string) bool {
	return slices.ContainsFunc(r.Metrics, func(m RegressionMetric) bool {
		return m.Verdict == Regressed && m.Scenario == scenario && m.Step == step
	})
}

// regression writes the comparison with an earlier report as a part of the
// report.
func (p *page) regression(r Report) {
	p.wrap(bold, "", regressionSummary(*r.Regression))
	p.comparison(r)
}

// comparison writes what changed in full, and what did not as a number.
// Metrics of one step about which the same is to be said share a line.
func (p *page) comparison(r Report) {
	units := unitsOf(r)
	counts := map[Change]int{}
	for _, m := range r.Regression.Metrics {
		counts[m.Verdict]++
	}
	for _, verdict := range NotableChanges {
		told := map[RegressionMetric]bool{}
		for i, m := range r.Regression.Metrics {
			said := shared(m)
			if m.Verdict != verdict || told[said] {
				continue
			}
			names := []string{m.Metric}
			for _, other := range r.Regression.Metrics[i+1:] {
				if said.Note != "" && shared(other) == said {
					names = append(names, other.Metric)
				}
			}
			if len(names) == 1 {
				p.wrap(plain, "  - ", regressionLine(m, units[metricKey(m)]))
				continue
			}
			told[said] = true
			p.wrap(plain, "  - ", fmt.Sprintf("%s %s › %s: %s (%s)", verdict, m.Scenario, m.Step, strings.Join(names, ", "), m.Note))
		}
	}
	if n := counts["same"]; n > 0 {
		p.wrap(dim, "  - ", fmt.Sprintf("%d of %d metrics the same within %s or by chance", n, len(r.Regression.Metrics), quantity.Percent(r.Regression.Threshold)))
	}
}

// shared is what several metrics of a step may have in common: a verdict and a
// note without a difference. Of one with a difference it is the zero value.
func shared(m RegressionMetric) RegressionMetric {
	if m.DeltaPercent != nil {
		return RegressionMetric{}
	}
	return RegressionMetric{Scenario: m.Scenario, Step: m.Step, Verdict: m.Verdict, Note: m.Note}
}

// metricKey is where a metric stands in a report.
func metricKey(m RegressionMetric) [3]string { return [3]string{m.Scenario, m.Step, m.Metric} }

// unitsOf returns the units of a report's metrics.
func unitsOf(r Report) map[[3]string]string {
	units := map[[3]string]string{}
	for _, s := range r.Scenarios {
		for _, step := range s.Steps {
			for name, m := range step.Metrics {
				units[[3]string{s.Name, step.Name, name}] = m.Unit
			}
		}
	}
	return units
}

func regressionSummary(r Regression) string {
	counts := map[Change]int{}
	var worst *RegressionMetric
	for i, m := range r.Metrics {
		counts[m.Verdict]++
		if m.Verdict == Regressed && (worst == nil || m.DeltaPercent == nil ||
			worst.DeltaPercent != nil && abs(*m.DeltaPercent) > abs(*worst.DeltaPercent)) {
			worst = &r.Metrics[i]
		}
	}
	if worst == nil && !r.Conclusive() {
		return "nothing could be compared with " + r.Baseline
	}
	if worst == nil {
		return "no regression against " + r.Baseline
	}
	metrics := "metrics"
	if len(r.Metrics) == 1 {
		metrics = "metric"
	}
	text := fmt.Sprintf("%d of %d %s worse than in %s", counts[Regressed], len(r.Metrics), metrics, r.Baseline)
	if worst.DeltaPercent != nil {
		text += fmt.Sprintf(", most of all %s › %s: %s by %s", worst.Scenario, worst.Step, worst.Metric, quantity.Percent(*worst.DeltaPercent/100))
	}
	return text
}

func abs(v float64) float64 { return max(v, -v) }

func regressionLine(m RegressionMetric, unit string) string {
	value := func(v *float64) string {
		switch {
		case v == nil:
			return "none"
		case unit == "bool":
			return Metric{Value: *v != 0}.Text()
		}
		return quantity.Format(*v, unit)
	}
	line := fmt.Sprintf("%s %s › %s: %s", m.Verdict, m.Scenario, m.Step, m.Metric)
	if m.Old != nil || m.New != nil {
		line += fmt.Sprintf(" %s before, %s now", value(m.Old), value(m.New))
	}
	if m.DeltaPercent != nil {
		line += ", " + change(m)
	}
	if m.PValue != nil {
		line += ", " + probability(*m.PValue)
	}
	if m.Note != "" {
		line += " (" + m.Note + ")"
	}
	return line
}

// change is by how much a metric differs, as what its verdict makes of it.
func change(m RegressionMetric) string {
	switch size := quantity.Percent(*m.DeltaPercent / 100); {
	case m.Verdict == Regressed:
		return size + " worse"
	case m.Verdict == Improved:
		return size + " better"
	case *m.DeltaPercent < 0:
		return size + " less"
	default:
		return size + " more"
	}
}

// probability writes a p-value, and none smaller than anybody needs.
func probability(p float64) string {
	if p < 0.001 {
		return "p < 0.001"
	}
	return fmt.Sprintf("p = %.3f", p)
}
