package report_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"mabeam-top/internal/stress/report"
)

// record adds a recording of so many bytes to the store.
func record(t *testing.T, s report.Store, r report.Report, bytes int) {
	t.Helper()
	f, err := s.CreateRecording(r.StartedAt, r.ID)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Write([]byte(strings.Repeat("x", bytes))); err != nil {
		t.Fatal(err)
	}
	if err := f.Commit(); err != nil {
		t.Fatal(err)
	}
	if err := s.PruneRecordings(); err != nil {
		t.Fatal(err)
	}
}

// recordedIDs returns the ids of the runs with a recording.
func recordedIDs(t *testing.T, s report.Store) string {
	t.Helper()
	runs, warnings, err := s.List()
	if err != nil || len(warnings) > 0 {
		t.Fatal(err, warnings)
	}
	var ids []string
	for _, r := range runs {
		if r.Recording != "" {
			ids = append(ids, r.ID)
		}
	}
	return strings.Join(ids, " ")
}

func TestRecordings(t *testing.T) {
	s := report.Store{Dir: filepath.Join(t.TempDir(), "state", "runs"), KeepRecordings: 3, KeepBytes: 100}
	if got, err := s.Orphans(); err != nil || len(got) > 0 {
		t.Fatal(err, got)
	}
	for i, id := range []string{"a", "b", "c", "d"} {
		save(t, s, at(id, i))
		record(t, s, at(id, i), 10)
	}
	if got := recordedIDs(t, s); got != "d c b" {
		t.Errorf("by number, kept are %q", got)
	}
	save(t, s, at("e", 5))
	record(t, s, at("e", 5), 85)
	if got := recordedIDs(t, s); got != "e d" {
		t.Errorf("by size, kept are %q", got)
	}
	save(t, s, at("f", 6))
	record(t, s, at("f", 6), 1000)
	if got := recordedIDs(t, s); got != "f" {
		t.Errorf("with one that is too large, kept are %q", got)
	}
	if got := ids(t, s); got != "f e d c b a" {
		t.Errorf("the runs are %q", got)
	}
}

func TestOrphans(t *testing.T) {
	s := report.Store{Dir: filepath.Join(t.TempDir(), "state", "runs")}
	save(t, s, at("whole", 1))
	record(t, s, at("whole", 1), 10)
	record(t, s, at("stray", 2), 20)
	f, err := s.CreateRecording(at("", 3).StartedAt, "killed")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Discard()
	if _, err := f.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	empty, err := s.CreateRecording(at("", 4).StartedAt, "empty")
	if err != nil {
		t.Fatal(err)
	}
	defer empty.Discard()
	got, err := s.Orphans()
	if err != nil || len(got) != 2 {
		t.Fatal(err, got)
	}
	if !regexp.MustCompile(`-killed\.jsonl\.\w+\.partial$`).MatchString(got[0].Path) || !strings.HasSuffix(got[1].Path, "-stray.jsonl") || got[1].Bytes != 20 ||
		!got[1].StartedAt.Equal(at("", 2).StartedAt.Truncate(time.Millisecond)) {
		t.Errorf("strays are %+v", got)
	}
}

func TestDelete(t *testing.T) {
	s := report.Store{Dir: filepath.Join(t.TempDir(), "state", "runs")}
	for i, id := range []string{"a", "b"} {
		save(t, s, at(id, i))
		record(t, s, at(id, i), 10)
	}
	runs, _, err := s.List()
	if err != nil {
		t.Fatal(err)
	}
	for range 2 { // what is gone already is no fault
		if err := s.Delete(runs[0].Path, runs[0].Recording); err != nil {
			t.Fatal(err)
		}
	}
	if got := ids(t, s); got != "a" || recordedIDs(t, s) != "a" {
		t.Errorf("left are %q", got)
	}
	baseline, err := s.SaveBaseline("v1", at("a", 0))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Delete(baseline, ""); err == nil || !strings.Contains(err.Error(), "not in the folder") {
		t.Errorf("deleting a baseline as a run: %v", err)
	}
	if _, err := os.Stat(baseline); err != nil {
		t.Error(err)
	}
}

func TestConclusive(t *testing.T) {
	var whole []report.Verdict
	for _, v := range []report.Verdict{report.Pass, report.Warn, report.Inconclusive, report.Fail, report.Broken, report.Interrupted, ""} {
		if v.Conclusive() {
			whole = append(whole, v)
		}
	}
	if !slices.Equal(whole, []report.Verdict{report.Pass, report.Warn, report.Fail}) {
		t.Errorf("whole are %v", whole)
	}
}
