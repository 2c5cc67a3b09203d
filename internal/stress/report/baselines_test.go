package report_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mabeam-top/internal/stress/report"
	"mabeam-top/internal/stress/report/reporttest"
)

func TestBaselines(t *testing.T) {
	s := report.Store{Dir: filepath.Join(t.TempDir(), "mabeam-top", "runs")}
	if _, err := s.Baseline("v1"); !errors.Is(err, report.ErrNoBaseline) || !strings.Contains(err.Error(), "none is saved") {
		t.Errorf("before anything was saved: %v", err)
	}
	for _, r := range []report.Report{at("first", 0), at("second", 1)} {
		if _, err := s.SaveBaseline("v1", r); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.SaveBaseline("main.linux", at("third", 2)); err != nil {
		t.Fatal(err)
	}
	if r, err := s.Baseline("v1"); err != nil || r.ID != "second" {
		t.Errorf("v1 is %s, %v; want what was saved last", r.ID, err)
	}
	if _, err := s.Baseline("v2"); !errors.Is(err, report.ErrNoBaseline) || !strings.Contains(err.Error(), "known: main.linux, v1") {
		t.Errorf("a name that is not there: %v", err)
	}
	if got := ids(t, s); got != "" {
		t.Errorf("baselines are among the runs: %s", got)
	}
	if err := os.WriteFile(filepath.Join(filepath.Join(filepath.Dir(s.Dir), "baselines"), "broken.json"), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Baseline("broken"); err == nil || errors.Is(err, report.ErrNoBaseline) {
		t.Errorf("a broken file: %v", err)
	}
}

func TestCheckBaselineName(t *testing.T) {
	for name, ok := range map[string]bool{
		"v1": true, "main": true, "2026-03-14_linux.amd64": true,
		"": false, "last": false, "a.json": false, "A.JSON": false, "../v1": false, "a/b": false, ".hidden": false, "a b": false,
		strings.Repeat("x", 101): false,
	} {
		if err := report.CheckBaselineName(name); (err == nil) != ok {
			t.Errorf("%q: %v", name, err)
		}
		if ok {
			continue
		}
		s := report.Store{Dir: filepath.Join(t.TempDir(), "runs")}
		if _, err := s.SaveBaseline(name, reporttest.Passed()); err == nil {
			t.Errorf("%q was saved", name)
		}
		if _, err := s.Baseline(name); err == nil || errors.Is(err, report.ErrNoBaseline) {
			t.Errorf("%q was looked for: %v", name, err)
		}
	}
}

func TestNewest(t *testing.T) {
	s := report.Store{Dir: filepath.Join(t.TempDir(), "runs")}
	if _, err := s.Newest(nil); !errors.Is(err, report.ErrNoRun) {
		t.Errorf("without any run: %v", err)
	}
	save(t, s, at("older", 1))
	save(t, s, at("newer", 2))
	cut := at("interrupted", 3)
	cut.Verdict = report.Interrupted
	save(t, s, cut)
	other := at("other", 4)
	other.Scenarios[0].Name = "other"
	save(t, s, other)
	for _, c := range []struct {
		scenarios []string
		want      string
	}{
		{nil, "other"},
		{[]string{"other"}, "other"},
		{[]string{reporttest.Passed().Scenarios[0].Name}, "newer"},
	} {
		if r, err := s.Newest(c.scenarios); err != nil || r.ID != c.want {
			t.Errorf("%v: %s, %v; want %s", c.scenarios, r.ID, err, c.want)
		}
	}
	if _, err := s.Newest([]string{"other", "nobody"}); !errors.Is(err, report.ErrNoRun) {
		t.Errorf("a scenario that no run has: %v", err)
	}
}
