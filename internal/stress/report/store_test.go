package report_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mabeam-top/internal/stress/report"
	"mabeam-top/internal/stress/report/reporttest"
)

// at returns a report of a run that began at another time.
func at(id string, minutes int) report.Report {
	r := reporttest.Passed()
	r.ID = id
	r.StartedAt = r.StartedAt.Add(time.Duration(minutes) * time.Minute)
	for i := range r.Scenarios {
		r.Scenarios[i].StartedAt = r.StartedAt
	}
	return r
}

func save(t *testing.T, s report.Store, r report.Report) string {
	t.Helper()
	path, err := s.Save(r)
	if err != nil {
		t.Fatal(err)
	}
	return path
}

func ids(t *testing.T, s report.Store) string {
	t.Helper()
	runs, warnings, err := s.List()
	if err != nil || len(warnings) > 0 {
		t.Fatal(err, warnings)
	}
	var ids []string
	for _, r := range runs {
		ids = append(ids, r.ID)
	}
	return strings.Join(ids, " ")
}

func TestStore(t *testing.T) {
	s := report.Store{Dir: filepath.Join(t.TempDir(), "state", "runs")}
	if got := ids(t, s); got != "" {
		t.Errorf("before anything was saved there is %q", got)
	}
	save(t, s, at("middle", 5))
	path := save(t, s, at("newest", 7))
	save(t, s, at("oldest", 0))
	save(t, s, at("middle", 5))
	if got := ids(t, s); got != "newest middle oldest" {
		t.Errorf("runs %q", got)
	}
	runs, _, err := s.List()
	if err != nil {
		t.Fatal(err)
	}
	first := runs[0]
	if first.Path != path || first.Verdict != report.Pass || first.Grade != report.Good || len(first.Scenarios) != 1 || first.Scenarios[0].Title != "Agent creation" {
		t.Errorf("newest run %+v", first)
	}
	loaded, err := report.Load(path)
	if err != nil || loaded.ID != "newest" || len(loaded.Scenarios[0].Steps[0].Metrics) != 7 {
		t.Errorf("loaded %s, %v", loaded.ID, err)
	}
}

func TestStoreKeepsABoundedNumber(t *testing.T) {
	s := report.Store{Dir: t.TempDir(), Keep: 3}
	foreign := filepath.Join(s.Dir, "notes.json")
	if err := os.WriteFile(foreign, []byte("mine"), 0o644); err != nil {
		t.Fatal(err)
	}
	for i, id := range []string{"a", "b", "c", "d", "e"} {
		save(t, s, at(id, i))
	}
	if got := ids(t, s); got != "e d c" {
		t.Errorf("kept %q", got)
	}
	if _, err := os.Stat(foreign); err != nil {
		t.Errorf("a file that is not the store's is gone: %v", err)
	}
}

func TestStoreWarnsOfBrokenFiles(t *testing.T) {
	s := report.Store{Dir: t.TempDir()}
	cut := save(t, s, at("cut", 1))
	save(t, s, at("good", 2))
	other := save(t, s, at("other", 3))
	data, err := os.ReadFile(cut)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(cut, data[:len(data)/2], 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(other, []byte(`{"schema": "other/v1"}`), 0o644); err != nil {
		t.Fatal(err)
	}
	runs, warnings, err := s.List()
	if err != nil || len(runs) != 1 || runs[0].ID != "good" {
		t.Errorf("runs %v, %v", runs, err)
	}
	if len(warnings) != 2 || !strings.Contains(warnings[0].Error(), filepath.Base(other)) || !strings.Contains(warnings[0].Error(), `"other/v1"`) || !strings.Contains(warnings[1].Error(), filepath.Base(cut)) {
		t.Errorf("warnings %v", warnings)
	}
	if _, err := report.Load(cut); err == nil || !strings.Contains(err.Error(), cut) {
		t.Errorf("loading a broken report: %v", err)
	}
}

func TestStoreEscapesIDs(t *testing.T) {
	s := report.Store{Dir: t.TempDir()}
	for _, id := range []string{"../../etc/passwd", "", "a b", strings.Repeat("x", 300)} {
		if path := save(t, s, at(id, len(id))); filepath.Dir(path) != s.Dir {
			t.Errorf("%q is stored at %s", id, path)
		}
	}
	if runs, warnings, err := s.List(); len(runs) != 4 || len(warnings) > 0 || err != nil {
		t.Errorf("runs %v, %v, %v", runs, warnings, err)
	}
}

func TestLatestResults(t *testing.T) {
	early := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	late := early.Add(time.Hour)
	last := report.LatestResults([]report.Run{
		{Scenarios: []report.RunScenario{{Name: "storm", Verdict: report.Fail, StartedAt: late}}},
		{Scenarios: []report.RunScenario{{Name: "storm", Verdict: report.Pass, StartedAt: early}, {Name: "creation", Verdict: report.Warn, StartedAt: early}}},
	})
	if len(last) != 2 || last["storm"].Verdict != report.Fail || !last["storm"].StartedAt.Equal(late) || last["creation"].Verdict != report.Warn {
		t.Errorf("last %v", last)
	}
}

func TestDefaultStore(t *testing.T) {
	for _, c := range []struct{ state, want string }{
		{"/var/state", "/var/state/mabeam-top/runs"},
		{"", "/home/me/.local/state/mabeam-top/runs"},
		{"relative", "/home/me/.local/state/mabeam-top/runs"},
	} {
		t.Setenv("XDG_STATE_HOME", c.state)
		t.Setenv("HOME", "/home/me")
		if s, err := report.DefaultStore(); err != nil || s.Dir != c.want {
			t.Errorf("with XDG_STATE_HOME=%q: %s, %v", c.state, s.Dir, err)
		}
	}
}

// Save removes old temporary files of dead processes, and no other files.
func TestSaveRemovesStaleFiles(t *testing.T) {
	s := report.Store{Dir: filepath.Join(t.TempDir(), "runs")}
	save(t, s, at("a", 1))
	old := time.Now().Add(-2 * time.Hour)
	for _, name := range []string{".old.json.x1.tmp", ".new.json.x2.tmp", "old.tmp", ".old"} {
		path := filepath.Join(s.Dir, name)
		if err := os.WriteFile(path, nil, 0o666); err != nil {
			t.Fatal(err)
		}
		if strings.Contains(name, "old") {
			if err := os.Chtimes(path, old, old); err != nil {
				t.Fatal(err)
			}
		}
	}
	save(t, s, at("b", 2))
	if got := ids(t, s); got != "b a" {
		t.Errorf("the runs are %q", got)
	}
	entries, err := os.ReadDir(s.Dir)
	if err != nil {
		t.Fatal(err)
	}
	var left []string
	for _, e := range entries {
		if filepath.Ext(e.Name()) != ".json" {
			left = append(left, e.Name())
		}
	}
	if got := strings.Join(left, " "); got != ".new.json.x2.tmp .old old.tmp" {
		t.Errorf("left are %s", got)
	}
}
