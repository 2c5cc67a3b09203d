package report_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mabeam-top/internal/stress/report"
	"mabeam-top/internal/stress/report/reporttest"
)

// floored returns a report of a run that passed, with a rate and a time that have the same
// floor.
func floored(rate, milliseconds, floor float64) report.Report {
	step := reporttest.Creation()
	step.Metrics = map[string]report.Metric{
		"rate":    {Value: rate, Unit: "1/s", Better: report.Higher, Floor: &report.Floor{Value: floor, Reference: "hand_over", Share: 0.1}, Status: report.StatusPass},
		"time_ms": {Value: milliseconds, Unit: "ms", Better: report.Lower, Floor: &report.Floor{Value: floor, Reference: "timer", Share: 10}, Status: report.StatusPass},
		"none":    {Value: 1.0, Unit: "ms", Better: report.Neither, Status: report.StatusInfo},
		"absent":  {Unit: "ms", Better: report.Lower, Floor: &report.Floor{Value: 1, Reference: "timer", Share: 10}, Status: report.StatusFail},
		"zero":    {Value: 0.0, Unit: "ms", Better: report.Lower, Floor: &report.Floor{Value: 1, Reference: "timer", Share: 10}, Status: report.StatusPass},
	}
	return reporttest.Run(reporttest.Scenario("s", "", step))
}

func TestBest(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state", "best.json")
	best, err := report.LoadBest(path)
	if err != nil {
		t.Fatal(err)
	}
	of := func(r report.Report) map[string]float64 { return best.Figures(r.Host, "s", r.Scenarios[0].Steps[0]) }
	keep := func(r report.Report, want bool) {
		t.Helper()
		next, better := best.With(r)
		if better != want {
			t.Errorf("it is better: %v, want %v", better, want)
		}
		if err := next.Save(path); err != nil {
			t.Fatal(err)
		}
		if best, err = report.LoadBest(path); err != nil {
			t.Fatal(err)
		}
	}
	first := floored(300, 20, 100)
	if got := of(first); len(got) != 0 {
		t.Errorf("before any run there is %v", got)
	}
	keep(first, true)
	if got := of(first); len(got) != 2 || got["rate"] != 3 || got["time_ms"] != 5 {
		t.Errorf("of the first run %v", got)
	}
	keep(floored(200, 10, 100), true) // one is worse, and one better
	if got := of(first); got["rate"] != 3 || got["time_ms"] != 10 {
		t.Errorf("the better of two runs %v", got)
	}
	keep(floored(200, 60, 200), false) // on a day that is half as fast, neither is
	bad := floored(1e6, 1e-6, 1)
	bad.Verdict = report.Warn
	keep(bad, false)

	other := floored(1, 1, 1)
	other.Host.CPUModel = "another"
	if got := best.Figures(other.Host, "s", other.Scenarios[0].Steps[0]); len(got) != 0 {
		t.Errorf("of another kind of machine %v", got)
	}
	more := floored(1, 1, 1)
	more.Scenarios[0].Steps[0].Params = map[string]any{"agents": 2}
	if got := of(more); len(got) != 0 {
		t.Errorf("with other parameters %v", got)
	}
	if got := best.Figures(first.Host, "elsewhere", first.Scenarios[0].Steps[0]); len(got) != 0 {
		t.Errorf("of another scenario %v", got)
	}
}

// A file that is not one of best values has none, and a warning.
func TestLoadBestIsTolerant(t *testing.T) {
	path := filepath.Join(t.TempDir(), "best.json")
	for _, text := range []string{"", "{", "[]", `{"schema": "other"}`, `{"schema": "mabeam-top/best/v1", "machines": {"m": 3}}`} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		best, err := report.LoadBest(path)
		if err == nil || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), "ignored") {
			t.Errorf("%q: %v", text, err)
		}
		r := floored(1, 1, 1)
		if next, better := best.With(r); !better || len(next.Figures(r.Host, "s", r.Scenarios[0].Steps[0])) != 2 {
			t.Errorf("%q: nothing can be kept", text)
		}
	}
	if _, err := report.LoadBest(filepath.Dir(path)); err == nil {
		t.Error("a folder was read")
	}
}

func TestGradeNearTheBest(t *testing.T) {
	near := func(ofBest ...float64) report.Report {
		r := floored(1, 1, 1)
		metrics := r.Scenarios[0].Steps[0].Metrics
		for i, v := range ofBest {
			m := metrics[[]string{"rate", "time_ms"}[i]]
			m.BestRatio = &v
			metrics[[]string{"rate", "time_ms"}[i]] = m
		}
		r.Conclude()
		return r
	}
	for _, c := range []struct {
		report report.Report
		want   report.Grade
	}{
		{near(), report.Good}, // nothing is kept yet
		{near(1), report.Excellent},
		{near(0.8, 1.3), report.Excellent},
		{near(0.79, 1), report.Good},
	} {
		if c.report.Grade != c.want {
			t.Errorf("grade %s, want %s", c.report.Grade, c.want)
		}
	}
}
