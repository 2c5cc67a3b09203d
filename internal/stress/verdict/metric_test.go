package verdict

import (
	"math"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"mabeam-top/internal/probes/probe"
	"mabeam-top/internal/stress/report"
)

// parseConditions parses the conditions of metrics by name.
func parseConditions(t *testing.T, texts map[string]string) map[string]MetricCondition {
	t.Helper()
	all := map[string]MetricCondition{}
	for name, text := range texts {
		c, err := ParseCondition(text)
		if err != nil {
			t.Fatal(err)
		}
		all[name] = MetricCondition{Condition: c}
	}
	return all
}

// parseTable parses a baseline table.
func parseTable(t *testing.T, text string) Baselines {
	t.Helper()
	b, err := ParseBaselines([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestJudgeConditions judges metrics that must meet a condition.
func TestJudgeConditions(t *testing.T) {
	declared := map[string]report.Metric{
		"lost": {Unit: "count", Better: report.Lower}, "recovered": {Unit: "bool"}, "growth": {Unit: "ratio", Better: report.Lower},
		report.FindingsMetric: {Unit: "count", Better: report.Lower}, "rate": {Unit: "1/s", Better: report.Higher},
	}
	exact := map[string]string{"lost": "== 0", "recovered": "== true", "growth": "< 0.1", report.FindingsMetric: "== 0"}
	good := map[string]any{"lost": 0.0, "recovered": true, "growth": 0.01, report.FindingsMetric: 0.0, "rate": 100.0}
	type change func(map[string]report.Metric)
	set := func(name string, value any) change {
		return func(m map[string]report.Metric) {
			one := m[name]
			one.Value = value
			m[name] = one
		}
	}
	between := func(name string, value, low, high float64) change {
		return func(m map[string]report.Metric) {
			one := m[name]
			one.Value, one.Interval = value, &report.Interval{Low: low, High: high}
			m[name] = one
		}
	}
	for name, c := range map[string]struct {
		change     change
		thresholds []Threshold
		verdict    report.Verdict
		metric     string
		status     report.Status
		undecided  bool
		advice     string // part of the recommendations
	}{
		"all is well":         {set("rate", 100.0), nil, report.Pass, "lost", report.StatusPass, false, ""},
		"one is lost":         {set("lost", 1.0), nil, report.Fail, "lost", report.StatusFail, false, "lost is 1, but must be 0"},
		"no instead of yes":   {set("recovered", false), nil, report.Fail, "recovered", report.StatusFail, false, "recovered is no, but must be yes"},
		"something was found": {set(report.FindingsMetric, 2.0), nil, report.Fail, report.FindingsMetric, report.StatusFail, false, "findings is 2, but must be 0"},
		"no value":            {set("lost", nil), nil, report.Fail, "lost", report.StatusFail, false, "lost was not measured, so it failed: must be 0"},
		"a value that is none": {
			set("lost", math.NaN()), nil, report.Fail, "lost", report.StatusFail, false, "must be 0",
		},
		"a text": {set("lost", "none"), nil, report.Fail, "lost", report.StatusFail, false, "must be 0"},
		"not even declared by its run": {
			func(m map[string]report.Metric) { delete(m, "lost") }, nil, report.Fail, "lost", report.StatusFail, false, "lost was not measured",
		},
		"an estimate within":   {between("growth", 0.01, -0.01, 0.03), nil, report.Pass, "growth", report.StatusPass, false, ""},
		"an estimate beyond":   {between("growth", 0.3, 0.2, 0.4), nil, report.Fail, "growth", report.StatusFail, false, "growth is 0.3, but must be < 0.1"},
		"in the noise, within": {between("growth", 0.05, -0.05, 0.15), nil, report.Inconclusive, "growth", report.StatusPass, true, "growth is between -0.05 and 0.15"},
		"in the noise, beyond": {between("growth", 0.15, 0.05, 0.25), nil, report.Inconclusive, "growth", report.StatusFail, true, "run more repetitions to decide"},
		"relaxed by a threshold": {
			set("lost", 3.0),
			[]Threshold{{Metric: "lost", Condition: Condition{"<", 5}}},
			report.Pass, "lost", report.StatusInfo, false, "",
		},
		"relaxed, and still too many": {
			set("lost", 7.0),
			[]Threshold{{Metric: "lost", Condition: Condition{"<", 5}}},
			report.Fail, "lost", report.StatusInfo, false, "lost is 7, threshold < 5",
		},
		"relaxed, and missing": {
			set("lost", nil),
			[]Threshold{{Metric: "lost", Condition: Condition{"<", 5}}},
			report.Fail, "lost", report.StatusInfo, false, "lost was not measured",
		},
		"a threshold on another relaxes nothing": {
			set("lost", 1.0),
			[]Threshold{{Metric: "rate", Condition: Condition{">", 5}}},
			report.Fail, "lost", report.StatusFail, false, "",
		},
	} {
		t.Run(name, func(t *testing.T) {
			metrics := map[string]report.Metric{}
			for name, m := range declared {
				m.Value = good[name]
				metrics[name] = m
			}
			c.change(metrics)
			got := Judge(measured("", metrics), Criteria{Conditions: parseConditions(t, exact), Declared: declared, Thresholds: c.thresholds})
			m := got.Metrics[c.metric]
			if got.Verdict != c.verdict || m.Status != c.status || (m.Undecided != "") != c.undecided {
				t.Errorf("%s, %s is %+v", got.Verdict, c.metric, m)
			}
			if advice := strings.Join(got.Recommendations, "\n"); !strings.Contains(advice, c.advice) || c.verdict == report.Pass && advice != "" {
				t.Errorf("recommendations %q, want %q in them", advice, c.advice)
			}
			if relaxed := len(c.thresholds) > 0 && c.thresholds[0].Metric == c.metric; (m.Condition == "") != relaxed {
				t.Errorf("its condition is %q", m.Condition)
			}
		})
	}
}

// TestJudgeNothing judges steps without limits on their metrics.
func TestJudgeNothing(t *testing.T) {
	noFindings := parseConditions(t, map[string]string{report.FindingsMetric: "== 0"})
	found := func(n float64) report.Step {
		return measured("", map[string]report.Metric{report.FindingsMetric: {Value: n, Unit: "count"}, "rate": metric(5.0, "1/s")})
	}
	for name, c := range map[string]struct {
		step     report.Step
		criteria Criteria
		want     report.Verdict
	}{
		"information":           {measured("", map[string]report.Metric{"rate": metric(5.0, "1/s")}), Criteria{}, report.Inconclusive},
		"nothing wrong found":   {found(0), Criteria{Conditions: noFindings}, report.Inconclusive},
		"something wrong found": {found(1), Criteria{Conditions: noFindings}, report.Fail},
		"a threshold":           {found(0), Criteria{Conditions: noFindings, Thresholds: []Threshold{{Metric: "rate", Condition: Condition{">", 1}}}}, report.Pass},
		"of a component without rows": {
			measured("nobody", map[string]report.Metric{"rate": metric(5.0, "1/s")}), Criteria{Baselines: Builtin(), Tolerance: 0.2}, report.Inconclusive,
		},
	} {
		got := Judge(c.step, c.criteria)
		if got.Verdict != c.want || c.want == report.Inconclusive && !strings.Contains(got.Reason(), "none of its metrics has a limit") {
			t.Errorf("%s: %s, %q", name, got.Verdict, got.Recommendations)
		}
	}
}

// TestJudgeCutOff judges a step that did not run to its end: metrics that it did not
// measure are no failure of the system.
func TestJudgeCutOff(t *testing.T) {
	for _, v := range []report.Verdict{report.Broken, report.Interrupted} {
		got := Judge(report.Step{Verdict: v}, Criteria{
			Conditions: parseConditions(t, map[string]string{"lost": "== 0"}), Declared: map[string]report.Metric{"lost": {Unit: "count"}},
		})
		if got.Verdict != v || len(got.Metrics) != 0 {
			t.Errorf("%s with %v", got.Verdict, got.Metrics)
		}
	}
}

// TestConditionIsNeverExcused checks that what excuses a missed baseline does not excuse
// a missed condition.
func TestConditionIsNeverExcused(t *testing.T) {
	step := measured("c", map[string]report.Metric{"share": {Value: 0.7, Unit: "ratio", Better: report.Higher, Interval: &report.Interval{Low: 0.6, High: 0.8}}})
	step.Probes = map[probe.Name]report.Probe{"host_cpu_percent": {Mean: 100}, "cpu_percent": {Mean: 100}}
	got := Judge(step, Criteria{
		Baselines: parseTable(t, "c: {share: {value: 0.9, better: higher}}"), Tolerance: 0.2, CPUs: 2,
		Conditions: parseConditions(t, map[string]string{"share": "== 1"}),
	})
	if m := got.Metrics["share"]; got.Verdict != report.Fail || m.Status != report.StatusFail || m.Undecided != "" {
		t.Errorf("%s, %+v", got.Verdict, m)
	}
}

// TestUndecidedBaseline compares estimates with a baseline: within their noise they
// neither pass nor fail.
func TestUndecidedBaseline(t *testing.T) {
	b := parseTable(t, "c: {growth: {value: 0.05, better: lower}, score: {value: 1, better: higher}}") // fails above 0.06, below 0.8
	for name, c := range map[string]struct {
		metric           string
		value, low, high float64
		verdict          report.Verdict
	}{
		"inside":                   {"growth", 0.01, 0, 0.02, report.Pass},
		"near, and inside":         {"growth", 0.05, 0.045, 0.059, report.Pass},
		"near, uncertain":          {"growth", 0.05, 0.03, 0.07, report.Inconclusive},
		"beyond, uncertain":        {"growth", 0.07, 0.05, 0.09, report.Inconclusive},
		"certainly beyond":         {"growth", 0.09, 0.07, 0.1, report.Fail},
		"a score certainly beyond": {"score", 0.5, 0.4, 0.6, report.Fail},
		"a score, uncertain":       {"score", 0.9, 0.7, 1, report.Inconclusive},
		"a score inside":           {"score", 1, 0.95, 1, report.Pass},
		"a bound at the limit":     {"growth", 0.04, 0.02, 0.06, report.Pass},
		"an interval of one value": {"growth", 0.07, 0.07, 0.07, report.Fail},
	} {
		better := report.Lower
		if c.metric == "score" {
			better = report.Higher
		}
		// The other metric of the component would fail without a value if it were declared.
		got := Judge(measured("c", map[string]report.Metric{
			c.metric: {Value: c.value, Unit: "ratio", Better: better, Interval: &report.Interval{Low: c.low, High: c.high}},
		}), Criteria{Baselines: b, Tolerance: 0.2})
		if got.Verdict != c.verdict {
			t.Errorf("%s: %s, %+v", name, got.Verdict, got.Metrics[c.metric])
		}
	}
}

// TestJudgeProperties checks that another limit never improves the status of a metric,
// that a metric with a limit and no value fails, and that an undecided metric decides
// nothing.
func TestJudgeProperties(t *testing.T) {
	b := parseTable(t, "c: {m: {value: 10, better: lower, floors: [{of: allocation, share: 1}]}}")
	rapid.Check(t, func(t *rapid.T) {
		m := report.Metric{Unit: "ns", Better: report.Lower}
		if rapid.Bool().Draw(t, "measured") {
			m.Value = rapid.SampledFrom([]float64{0, 1, 5, 9, 10, 11, 11.5, 12, 12.5, 20, 100}).Draw(t, "value")
		}
		criteria := Criteria{Tolerance: 0.2}
		step := measured("", map[string]report.Metric{"m": m})
		step.Reference = map[string]float64{"allocation": rapid.SampledFrom([]float64{1, 10, 11, 50}).Draw(t, "allocation")}
		tried := false
		worst := report.StatusExceed
		grow := func(change func()) {
			change()
			tried = true
			got := Judge(step, criteria)
			one := got.Metrics["m"]
			if goodness[one.Status] > goodness[worst] {
				t.Fatalf("%v became %s, from %s, because of another limit: %+v", m.Value, one.Status, worst, one)
			}
			worst = one.Status
			if m.Value == nil && (one.Status != report.StatusFail || got.Verdict != report.Fail) {
				t.Fatalf("without a value it is %s, and the step %s", one.Status, got.Verdict)
			}
			if one.Status == report.StatusFail && one.Undecided == "" && got.Verdict != report.Fail {
				t.Fatalf("it failed, and the step is %s", got.Verdict)
			}
			if shown, ok := one.MainCheck(); !ok || shown.Status != one.Status {
				t.Fatalf("shown is %+v, of %+v", shown, one)
			}
		}
		grow(func() { criteria.Baselines, step.Component = b, "c" })
		grow(func() { criteria.FloorComponent = "c" })
		grow(func() { criteria.Conditions = map[string]MetricCondition{"m": {Condition: Condition{"<", 11.2}}} })
		if !tried {
			t.Fatal("nothing was tried")
		}
	})
}

// TestShareOfBest computes how near a metric comes to the best result on record.
func TestShareOfBest(t *testing.T) {
	b := parseTable(t, floors)
	for name, c := range map[string]struct {
		value  any
		floors string
		best   map[string]float64
		want   float64 // 0 for none
	}{
		"as good":       {500_000.0, "c", map[string]float64{"rate": 2}, 1},
		"half as good":  {500_000.0, "c", map[string]float64{"rate": 4}, 0.5},
		"better":        {500_000.0, "c", map[string]float64{"rate": 1}, 2},
		"no record":     {500_000.0, "c", nil, 0},
		"no floor":      {500_000.0, "", map[string]float64{"rate": 2}, 0},
		"not measured":  {nil, "c", map[string]float64{"rate": 2}, 0},
		"another one":   {500_000.0, "c", map[string]float64{"time_ms": 2}, 0},
		"zero":          {0.0, "c", map[string]float64{"rate": 2}, 0},
		"a record of 0": {500_000.0, "c", map[string]float64{"rate": 0}, 0},
	} {
		step := measured("c", map[string]report.Metric{"rate": ofThree(c.value)})
		step.Params, step.Reference = map[string]any{"agents": 10}, map[string]float64{"hand_over": 200}
		m := Judge(step, Criteria{Baselines: b, Tolerance: 0.2, FloorComponent: c.floors, Best: c.best}).Metrics["rate"]
		if (m.BestRatio == nil) != (c.want == 0) || m.BestRatio != nil && math.Abs(*m.BestRatio-c.want) > 1e-12 {
			t.Errorf("%s: %v, want %v", name, m.BestRatio, c.want)
		}
	}
}

// TestJudgeTimeDependent judges time-dependent conditions: if other programs used the
// CPUs, a missed one is undecided. A count that does not depend on time is not.
func TestJudgeTimeDependent(t *testing.T) {
	busy := map[probe.Name]report.Probe{"host_cpu_percent": {Mean: 100}, "cpu_percent": {Mean: 100}}
	for name, c := range map[string]struct {
		late, lost float64
		probes     map[probe.Name]report.Probe
		before     report.Verdict
		want       report.Verdict
	}{
		"met, busy":                    {0, 0, busy, "", report.Pass},
		"late on a quiet machine":      {3, 0, nil, "", report.Fail},
		"late on a busy machine":       {3, 0, busy, "", report.Inconclusive},
		"lost on a busy machine":       {0, 1, busy, "", report.Fail},
		"late, and the load was too":   {3, 0, busy, report.Inconclusive, report.Inconclusive},
		"lost, though the load lagged": {0, 1, busy, report.Inconclusive, report.Fail},
	} {
		step := measured("", map[string]report.Metric{"late": {Value: c.late, Unit: "count"}, "lost": {Value: c.lost, Unit: "count"}})
		step.Probes, step.Verdict = c.probes, c.before
		conditions := parseConditions(t, map[string]string{"late": "== 0", "lost": "== 0"})
		conditions["late"] = MetricCondition{Condition: conditions["late"].Condition, TimeDependent: true}
		if got := Judge(step, Criteria{Conditions: conditions, CPUs: 2}); got.Verdict != c.want {
			t.Errorf("%s: %s, %+v", name, got.Verdict, got.Metrics["late"])
		}
	}
}

// TestUndecidedBool keeps a bool undecided that depends on an undecided estimate,
// whether it has a condition or not.
func TestUndecidedBool(t *testing.T) {
	for _, value := range []bool{true, false} {
		stable := report.Metric{Value: value, Unit: "bool", Undecided: "depends on whether growth is beyond 0.1"}
		for name, conditions := range map[string]map[string]MetricCondition{"with a condition": parseConditions(t, map[string]string{"stable": "== true"}), "without one": nil} {
			got := Judge(measured("", map[string]report.Metric{"stable": stable, "other": metric(1.0, "ratio")}), Criteria{
				Conditions: conditions, Thresholds: []Threshold{{Metric: "other", Condition: Condition{"==", 1}}},
			})
			if m := got.Metrics["stable"]; m.Undecided != stable.Undecided || got.Verdict != report.Inconclusive {
				t.Errorf("%v, %s: %s, %+v", value, name, got.Verdict, m)
			}
		}
		got := Judge(measured("", map[string]report.Metric{"stable": stable}), Criteria{Thresholds: []Threshold{{Metric: "stable", Condition: Condition{"==", 0}}}})
		if m := got.Metrics["stable"]; m.Undecided != "" {
			t.Errorf("relaxed: %+v", m)
		}
	}
}
