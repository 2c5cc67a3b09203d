package verdict

import (
	"slices"
	"strings"
	"testing"

	"mabeam-top/internal/stress/report"
)

// conditional returns a metric that must meet a condition.
func conditional(must string, value any, samples ...float64) report.Metric {
	m := report.Metric{Value: value, Unit: "count", Better: report.Lower, Samples: samples, Condition: must, Status: report.StatusPass}
	if !m.Meets(must) {
		m.Status = report.StatusFail
	}
	return m
}

func TestCompareConditions(t *testing.T) {
	old := conditional("", 0.0, 0, 0, 0, 0)
	old.Condition, old.Status = "", report.StatusInfo // of a report before there were conditions
	baseline := repeated(report.Lower, around(10, 5)...)
	baseline.Baseline, baseline.Status = new(float64), report.StatusFail
	gone := baseline
	gone.Value, gone.Samples, gone.MissingIn = nil, nil, []int{2}
	floor := repeated(report.Higher, around(10, 5)...)
	floor.Floor, floor.Status = &report.Floor{Value: 1, Reference: "hand_over", Share: 0.1}, report.StatusPass
	estimate := func(value, low, high float64) report.Metric {
		return report.Metric{Value: value, Unit: "ratio", Better: report.Lower, Condition: "< 0.1", Interval: &report.Interval{Low: low, High: high}, Status: report.StatusPass}
	}
	unsure := estimate(0.05, 0, 0.2)
	unsure.Undecided = "is between 0 and 0.2"
	yes := report.Metric{Value: true, Unit: "bool", Condition: "== true", Status: report.StatusPass}
	no := report.Metric{Value: false, Unit: "bool", Condition: "== true", Status: report.StatusFail}
	for name, c := range map[string]struct {
		before, now report.Metric
		verdict     report.Change
		note        string
	}{
		"broken once in four":          {conditional("== 0", 0.0, 0, 0, 0, 0), conditional("== 0", 3.0, 0, 0, 3, 0), report.Regressed, "must be 0, which held before"},
		"mended":                       {conditional("== 0", 3.0, 0, 0, 3, 0), conditional("== 0", 0.0, 0, 0, 0, 0), report.Improved, "did not hold before"},
		"held all along":               {conditional("== 0", 0.0, 0, 0), conditional("== 0", 0.0, 0, 0), report.Same, ""},
		"before there were conditions": {old, conditional("== 0", 1.0, 0, 0, 1, 0), report.Regressed, "which held before"},
		"yes became no":                {yes, no, report.Regressed, "must be yes"},
		"a condition lost its value":   {conditional("== 0", 0.0, 0, 0), conditional("== 0", nil), report.Regressed, "measured before, but not now"},
		"a baseline lost its value":    {baseline, gone, report.Regressed, "measured before, but not now"},
		"a floor lost its value":       {floor, report.Metric{Unit: "ms", Better: report.Higher, Status: report.StatusFail}, report.Regressed, "measured before, but not now"},
		"information lost its value":   {repeated(report.Lower, 1, 1), report.Metric{Unit: "ms", Status: report.StatusInfo}, report.Unknown, "not measured in the new report"},
		"found its value":              {gone, baseline, report.Unknown, "not measured in the old report"},
		"estimates that overlap":       {estimate(0.001, -0.02, 0.02), estimate(0.01, -0.01, 0.03), report.Same, "interval"},
		"estimates that do not":        {estimate(0.001, 0, 0.002), estimate(0.05, 0.04, 0.06), report.Regressed, ""},
		"an estimate beyond its limit": {estimate(0.001, 0, 0.002), estimate(0.2, 0.15, 0.25), report.Regressed, "must be < 0.1"},
		"undecided":                    {estimate(0.001, 0, 0.002), unsure, report.Unknown, "undecided"},
	} {
		t.Run(name, func(t *testing.T) {
			m := compareOne(t, c.before, c.now)
			if m.Verdict != c.verdict || !strings.Contains(m.Note, c.note) {
				t.Errorf("%s (%s), want %s (%s)", m.Verdict, m.Note, c.verdict, c.note)
			}
			if _, err := WithRegression(one(c.now), one(c.before), "old", Rule{}); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestCompareMissingMetrics compares reports of which one lacks a metric.
func TestCompareMissingMetrics(t *testing.T) {
	exact := conditional("== 0", 0.0, 0, 0)
	distribution := report.Metric{Value: 1.0, Unit: "ms", Better: report.Lower, Distribution: &report.Distribution{Count: 2000, P99: 3, Max: 9}}
	p999 := repeated(report.Lower, 4)
	p999.Baseline, p999.Status = new(float64), report.StatusPass
	for name, c := range map[string]struct {
		before, now map[string]report.Metric
		broken      bool // the new step
		metric      string
		verdict     report.Change
	}{
		"a condition":       {map[string]report.Metric{"lost": exact}, nil, false, "lost", report.Regressed},
		"information":       {map[string]report.Metric{"m": repeated(report.Lower, 1)}, nil, false, "m", report.Unknown},
		"of a step cut off": {map[string]report.Metric{"lost": exact}, nil, true, "lost", report.Unknown},
		"new":               {nil, map[string]report.Metric{"lost": exact}, false, "lost", report.Unknown},
		"a percentile of fewer operations": {
			map[string]report.Metric{"t": distribution, "t.p999": p999},
			map[string]report.Metric{"t": distribution},
			false, "t.p999", report.Unknown,
		},
		"a percentile that is one value": {
			map[string]report.Metric{"t": distribution, "t.p999": p999},
			map[string]report.Metric{"t": distribution, "t.p999": repeated(report.Lower, 40)},
			false, "t.p999", report.Unknown,
		},
	} {
		t.Run(name, func(t *testing.T) {
			now := reportOf(c.now)
			if c.broken {
				now.Scenarios[0].Steps[0].Verdict = report.Broken
			}
			r, _, err := Compare(reportOf(c.before), now, "old", Rule{})
			if err != nil {
				t.Fatal(err)
			}
			i := slices.IndexFunc(r.Metrics, func(m report.RegressionMetric) bool { return m.Metric == c.metric })
			if i < 0 || r.Metrics[i].Verdict != c.verdict {
				t.Errorf("got %+v, want %s to be %s", r.Metrics, c.metric, c.verdict)
			}
			if _, err := WithRegression(now, reportOf(c.before), "old", Rule{}); err != nil {
				t.Error(err)
			}
		})
	}
}
