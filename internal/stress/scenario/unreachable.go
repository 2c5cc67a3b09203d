package scenario

import (
	"fmt"
	"math"
	"slices"

	"mabeam-top/internal/stress/report"
	"mabeam-top/internal/stress/verdict"
)

// Warnings tells of the baselines and thresholds that steps of the scenario fail
// whatever the system does.
func (s Scenario) Warnings(baselines verdict.Baselines) []string {
	var told []string
	for _, step := range s.Steps() {
		for _, text := range step.Unreachable(baselines) {
			told = append(told, step.Name+": "+text)
		}
	}
	return told
}

// unreachable tells of the baselines and thresholds that the step fails whatever the
// system does, because less is asked of it than they want. That is what the arithmetic of
// baselines says, and no fault of the system: who reads the verdict has to know.
func (s *Step) Unreachable(baselines verdict.Baselines) []string {
	var told []string
	for _, name := range baselines.Metrics(s.Component) {
		m, err := s.Measurement.ThresholdMetric(name)
		if err != nil || m.CappedBy == "" {
			continue
		}
		b, _ := baselines.Find(s.Component, name)
		most, text := m.cap(s.Params)
		if b.Better == report.Higher && most < b.Value*(1-s.Tolerance) {
			told = append(told, fmt.Sprintf("%s cannot meet its baseline of %s, as %s is %s: ask for more, or give the step baseline: none and thresholds of its own",
				name, report.Quantity(b.Value, m.Unit), m.CappedBy, text))
		}
	}
	for _, t := range s.Thresholds {
		m, err := s.Measurement.ThresholdMetric(t.Metric)
		if err != nil || m.CappedBy == "" || m.Name != t.Metric {
			continue
		}
		if most, text := m.cap(s.Params); !t.Condition.Possible(math.Inf(-1), most) {
			told = append(told, fmt.Sprintf("%s cannot be %s, as %s is %s: ask for more, or change the threshold",
				t.Metric, t.Condition, m.CappedBy, text))
		}
	}
	return told
}

// heldBack tells of the metrics that missed their baselines and cannot be more than
// a rate that somebody has lowered by hand.
func (s *Step) LoweredRateNotes(metrics map[string]report.Metric) []string {
	var told []string
	for _, m := range s.Measurement.Metrics {
		_, isRate := s.Params[m.CappedBy].(float64)
		if status := metrics[m.Name].Status; isRate && (status == report.StatusFail || status == report.StatusWarn) {
			told = append(told, fmt.Sprintf("%s cannot be more than %s, which was lowered by hand, so that it does not say what the system can do", m.Name, m.CappedBy))
		}
	}
	return told
}

// cap is the most that the metric can be, and how the parameter says that.
func (m Metric) cap(p Params) (most float64, text string) {
	switch v := p[m.CappedBy].(type) {
	case int:
		return float64(v), report.Quantity(float64(v), "count")
	case []int:
		most = float64(slices.Max(v))
		return most, report.Quantity(most, "count") + " at most"
	default:
		most = p.Float(m.CappedBy)
		return most, report.Quantity(most, "1/s")
	}
}
