package report

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// floored is a report of one run that passed, with these values of a rate and a time
// and the floor of both.
func floored(rate, milliseconds, floor float64) Report {
	step := creation()
	step.Metrics = map[string]Metric{
		"rate":    {Value: rate, Unit: "1/s", Better: Higher, Floor: &Floor{Value: floor, Reference: "hand_over", Share: 0.1}, Status: StatusPass},
		"time_ms": {Value: milliseconds, Unit: "ms", Better: Lower, Floor: &Floor{Value: floor, Reference: "timer", Share: 10}, Status: StatusPass},
		"none":    told("ms", 1.0),
		"absent":  {Unit: "ms", Better: Lower, Floor: &Floor{Value: 1, Reference: "timer", Share: 10}, Status: StatusFail},
		"zero":    {Value: 0.0, Unit: "ms", Better: Lower, Floor: &Floor{Value: 1, Reference: "timer", Share: 10}, Status: StatusPass},
	}
	return run(scenario("s", "", step))
}

func TestBest(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state", "best.json")
	best, err := LoadBest(path)
	if err != nil {
		t.Fatal(err)
	}
	of := func(r Report) map[string]float64 { return best.Figures(r.Host, "s", r.Scenarios[0].Steps[0]) }
	keep := func(r Report, want bool) {
		t.Helper()
		next, better := best.With(r)
		if better != want {
			t.Errorf("it is better: %v, want %v", better, want)
		}
		if err := next.Save(path); err != nil {
			t.Fatal(err)
		}
		if best, err = LoadBest(path); err != nil {
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
	bad.Verdict = Warn
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

// TestLoadBestIsTolerant reads what is no file of best figures: it has none, and that is
// told.
func TestLoadBestIsTolerant(t *testing.T) {
	path := filepath.Join(t.TempDir(), "best.json")
	for _, text := range []string{"", "{", "[]", `{"schema": "other"}`, `{"schema": "mabeam-top/best/v1", "machines": {"m": 3}}`} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		best, err := LoadBest(path)
		if err == nil || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), "ignored") {
			t.Errorf("%q: %v", text, err)
		}
		r := floored(1, 1, 1)
		if next, better := best.With(r); !better || len(next.Figures(r.Host, "s", r.Scenarios[0].Steps[0])) != 2 {
			t.Errorf("%q: nothing can be kept", text)
		}
	}
	if _, err := LoadBest(filepath.Dir(path)); err == nil {
		t.Error("a folder was read")
	}
}

// TestGradeByTheBest gives the grade of runs that passed.
func TestGradeByTheBest(t *testing.T) {
	near := func(ofBest ...float64) Report {
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
		report Report
		want   Grade
	}{
		{near(), Good}, // nothing is kept yet
		{near(1), Excellent},
		{near(0.8, 1.3), Excellent},
		{near(0.79, 1), Good},
	} {
		if c.report.Grade != c.want {
			t.Errorf("grade %s, want %s", c.report.Grade, c.want)
		}
	}
}
