package scenario

import (
	"fmt"
	"math"
	"slices"

	"mabeam-top/internal/stress/quantity"
	"mabeam-top/internal/stress/report"
	"mabeam-top/internal/stress/verdict"
)

// Warnings returns the baselines and thresholds that steps of the scenario fail, whatever
// the system does.
func (s Scenario) Warnings(baselines verdict.Baselines) []string {
	var notes []string
	for _, step := range s.Steps() {
		for _, text := range step.Unreachable(baselines) {
			notes = append(notes, step.Name+": "+text)
		}
	}
	return notes
}

// Unreachable returns the baselines and thresholds that the step fails, whatever the
// system does, because its load is too small for them. A reader of the verdict has to know
// that this is not a fault of the system.
func (s *Step) Unreachable(baselines verdict.Baselines) []string {
	var notes []string
	for _, name := range baselines.Metrics(s.Component) {
		m, err := s.Measurement.ThresholdMetric(name)
		if err != nil || m.CappedBy == "" {
			continue
		}
		b, _ := baselines.Find(s.Component, name)
		most, text := m.cap(s.Params)
		if b.Better == report.Higher && most < b.Value*(1-s.Tolerance) {
			notes = append(notes, fmt.Sprintf("%s cannot reach its baseline of %s because %s is %s; increase it, or use baseline: none and your own thresholds",
				name, quantity.Format(b.Value, m.Unit), m.CappedBy, text))
		}
	}
	for _, t := range s.Thresholds {
		m, err := s.Measurement.ThresholdMetric(t.Metric)
		if err != nil || m.CappedBy == "" || m.Name != t.Metric {
			continue
		}
		if most, text := m.cap(s.Params); !t.Condition.Possible(math.Inf(-1), most) {
			notes = append(notes, fmt.Sprintf("%s cannot be %s because %s is %s; increase it, or change the threshold",
				t.Metric, t.Condition, m.CappedBy, text))
		}
	}
	return notes
}

// cap returns the most that the metric can be, and how to print it.
func (m Metric) cap(p Params) (most float64, text string) {
	switch v := p[m.CappedBy].(type) {
	case int:
		return float64(v), quantity.Format(float64(v), "count")
	case []int:
		most = float64(slices.Max(v))
		return most, quantity.Format(most, "count") + " at most"
	default:
		most = p.Float(m.CappedBy)
		return most, quantity.Format(most, "1/s")
	}
}
