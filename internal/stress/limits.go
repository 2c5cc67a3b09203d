package stress

import (
	"maps"
	"slices"

	"mabeam-top/internal/stress/report"
	"mabeam-top/internal/stress/scenario"
	"mabeam-top/internal/stress/stream"
	"mabeam-top/internal/stress/verdict"
)

// Limits returns the baselines, thresholds and exact conditions that a step is checked
// against. It does not return floors: they are known only after the reference works have
// been measured.
func Limits(s *scenario.Step, baselines verdict.Baselines) []stream.Limit {
	var limits []stream.Limit
	for _, name := range baselines.Metrics(s.Component) {
		m, err := s.Measurement.ThresholdMetric(name)
		if err != nil {
			continue // of another measurement that shares the component
		}
		b, _ := baselines.Find(s.Component, name)
		l := stream.Limit{Metric: name, Source: report.KindBaseline, Op: "<=", Value: b.Value, Tolerance: s.Tolerance}
		if b.Better == report.Higher {
			l.Op = ">="
		}
		limits = append(limits, shown(s, l, m))
	}
	for _, t := range s.Thresholds {
		m, _ := s.Measurement.ThresholdMetric(t.Metric) // checked when the scenario was read
		l := stream.Limit{Metric: t.Metric, Source: report.KindThreshold, Op: t.Condition.Op, Value: t.Condition.Limit}
		limits = append(limits, shown(s, l, m))
	}
	exact := s.Conditions(false)
	for _, name := range slices.Sorted(maps.Keys(exact)) {
		if slices.ContainsFunc(s.Thresholds, func(t verdict.Threshold) bool { return t.Metric == name }) {
			continue // the threshold replaces the condition
		}
		m, _ := s.Measurement.Metric(name)
		limits = append(limits, stream.Limit{Metric: name, Source: report.KindCondition, Op: exact[name].Op, Value: exact[name].Limit, Unit: m.Unit})
	}
	return limits
}

// shown adds the probe that shows the metric of a limit while it is measured.
func shown(s *scenario.Step, l stream.Limit, m scenario.Metric) stream.Limit {
	l.Unit = m.Unit
	if probe := m.ProbeFor(l.Metric); probe != "" && !m.Late {
		l.Probe, l.ProbeScale = probe, m.ProbeScale(s.Params)
	}
	return l
}
