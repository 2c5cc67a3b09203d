package verdict

import (
	"testing"

	"mabeam-top/internal/probes/probe"
	"mabeam-top/internal/stress/report"
)

// A metric misses its floor if its median does and the repetitions agree: all of up to
// eight, all but one of ten. Otherwise it is undecided, unless it is far beyond the
// floor, misses its baseline too, or measures memory.
func TestRepetitionsMustAgree(t *testing.T) {
	cases := []struct {
		name      string
		samples   []float64
		status    report.Status
		undecided bool
	}{
		{"all are within", []float64{3, 4, 5, 3, 4}, report.StatusPass, false},
		{"the median is within", []float64{3, 15, 5, 15, 4}, report.StatusPass, false},
		{"a mode of the machine", []float64{15, 16, 15, 4, 4}, report.StatusFail, true},
		{"one of five is within", []float64{15, 16, 15, 14, 9}, report.StatusFail, true},
		{"all are beyond", []float64{15, 16, 15, 11, 12}, report.StatusFail, false},
		{"far beyond in four of five", []float64{150, 160, 150, 140, 9}, report.StatusFail, false},
		{"one of six is within", []float64{15, 16, 15, 11, 12, 9}, report.StatusFail, true},
		{"one of eight is within", []float64{15, 16, 15, 11, 12, 15, 16, 9}, report.StatusFail, true},
		{"one of ten is within", []float64{15, 16, 15, 11, 12, 15, 16, 15, 11, 9}, report.StatusFail, false},
		{"two of ten are within", []float64{15, 16, 15, 11, 12, 15, 16, 15, 8, 9}, report.StatusFail, true},
		{"of three all are beyond", []float64{11, 12, 13}, report.StatusFail, false},
		{"too few repetitions", []float64{9, 13}, report.StatusFail, false},
	}
	withFloor := func(samples []float64, higher bool) report.Metric {
		m := report.Metric{Unit: "ms", Better: report.Lower, Status: report.StatusFail, Floor: &report.Floor{Value: 10}}
		for _, v := range samples {
			if higher {
				v = 100 / v
			}
			m.Samples = append(m.Samples, v)
		}
		if higher {
			m.Better = report.Higher
		}
		m.Value = report.Median(m.Samples)
		return m
	}
	for _, higher := range []bool{false, true} {
		for _, c := range cases {
			m := withFloor(c.samples, higher)
			m.Status = c.status
			if got := undecided(m, report.Step{}, 2); (got.Undecided != "") != c.undecided || got.Status != c.status {
				t.Errorf("%s (higher is better: %v): %q", c.name, higher, got.Undecided)
			}
		}
	}
	baseline, tolerance := 12.0, 0.2
	for name, change := range map[string]func(*report.Metric){
		"beyond the baseline":              func(m *report.Metric) { m.Baseline, m.Tolerance = &baseline, &tolerance },
		"memory":                           func(m *report.Metric) { m.Unit = "bytes" },
		"the worst of all, not the median": func(m *report.Metric) { m.Value = 16.0 },
		"no value":                         func(m *report.Metric) { m.Value = nil },
		"missing in a repetition":          func(m *report.Metric) { m.MissingIn = []int{4} },
	} {
		m := withFloor([]float64{15, 16, 15, 4, 4}, false)
		if got := undecided(m, report.Step{}, 2); got.Undecided == "" {
			t.Error("the metric is not undecided to begin with")
		}
		change(&m)
		if got := undecided(m, report.Step{}, 2); got.Undecided != "" {
			t.Errorf("%s: %q", name, got.Undecided)
		}
	}
}

// A metric that meets its time-dependent condition still fails if it misses its floor by
// more than other programs can explain.
func TestTimeDependentConditionExcusesNoFloor(t *testing.T) {
	b := parseTable(t, floors)
	for rate, undecided := range map[float64]bool{60_000: true, 1000: false} { // the floor is at 100,000
		step := measured("c", map[string]report.Metric{"rate": {Value: rate, Unit: "1/s", Samples: []float64{rate, rate, rate}}})
		step.Reference = map[string]float64{"hand_over": 200}
		step.Probes = map[probe.Name]report.Probe{"host_cpu_percent": {Mean: 100}, "cpu_percent": {Mean: 100}}
		criteria := Criteria{Baselines: b, Tolerance: 0.2, FloorComponent: "c", CPUs: 2, Conditions: map[string]MetricCondition{"rate": {Condition: Condition{">", 0}, TimeDependent: true}}}
		if got := Judge(step, criteria).Metrics["rate"]; (got.Undecided != "") != undecided || got.Status != report.StatusFail {
			t.Errorf("rate of %v: %s, %q", rate, got.Status, got.Undecided)
		}
	}
}
