package measure

import (
	"mabeam-top/internal/stress"
	"mabeam-top/internal/stress/report"
	"mabeam-top/internal/stress/scenario"
)

// mustBeZero describes a metric that counts what must not happen in any system.
func mustBeZero(name, doc string) scenario.Metric {
	return scenario.Metric{Name: name, Unit: "count", Better: report.Lower, Must: "== 0", Aggregation: scenario.Sum, Doc: doc}
}

// timeDependent returns the metric with Timed set.
func timeDependent(m scenario.Metric) scenario.Metric {
	m.Timed = true
	return m
}

// unmeasured reports why metrics have no value.
func unmeasured(env *stress.Env, why string, metrics ...string) {
	for _, metric := range metrics {
		env.Unmeasured(metric, why)
	}
}
