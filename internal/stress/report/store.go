package report

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"mabeam-top/internal/atomicfile"
)

// A Store keeps the reports of past runs as files in one folder, and their recordings and
// the baselines in folders next to it. Several processes may use the same store.
type Store struct {
	// Dir is the folder of the reports; Save creates it.
	Dir string
	// Keep is how many runs to keep; Save removes older ones. 0 means 200.
	Keep int
	// KeepRecordings is how many recordings to keep, and KeepBytes their total size;
	// PruneRecordings removes older ones. 0 means 20 and 256 MB.
	KeepRecordings int
	KeepBytes      int64
}

// A Run is a stored report without its steps.
type Run struct {
	// Path is the file of the report.
	Path string `json:"-"`
	// Recording is the file of the recording; empty for none.
	Recording       string        `json:"-"`
	Schema          string        `json:"schema"`
	ID              string        `json:"id"`
	StartedAt       time.Time     `json:"started_at"`
	DurationSeconds float64       `json:"duration_seconds"`
	Verdict         Verdict       `json:"verdict"`
	Score           float64       `json:"score"`
	Grade           Grade         `json:"grade"`
	Scenarios       []RunScenario `json:"scenarios"`
}

// A RunScenario is one scenario of a stored report.
type RunScenario struct {
	Name      string    `json:"name"`
	Title     string    `json:"title"`
	Verdict   Verdict   `json:"verdict"`
	Score     float64   `json:"score"`
	StartedAt time.Time `json:"started_at"`
}

// DefaultStore returns the store in the user's state folder:
// $XDG_STATE_HOME or ~/.local/state, and in it mabeam-top/runs.
func DefaultStore() (Store, error) {
	state := os.Getenv("XDG_STATE_HOME")
	if !filepath.IsAbs(state) { // the specification says to ignore relative paths
		home, err := os.UserHomeDir()
		if err != nil {
			return Store{}, fmt.Errorf("find the folder of past runs: %w", err)
		}
		state = filepath.Join(home, ".local", "state")
	}
	return Store{Dir: filepath.Join(state, "mabeam-top", "runs")}, nil
}

// stamp begins the name of each file of the store, so that names sort by time. The store
// ignores files with other names.
const stamp = "20060102T150405.000Z"

var (
	storedName = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`^\d{8}T\d{6}\.\d{3}Z-[A-Za-z0-9_-]+\.json$`)
	})
	notInName = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`[^A-Za-z0-9_-]+`) })
)

// Save saves a report and returns its path. It replaces an earlier report of the same run.
func (s Store) Save(r Report) (string, error) {
	if err := os.MkdirAll(s.Dir, 0o700); err != nil {
		return "", fmt.Errorf("create the folder of past runs: %w", err)
	}
	path := filepath.Join(s.Dir, stem(r.StartedAt, r.ID)+".json")
	if err := atomicfile.Write(path, func(w io.Writer) error { return Write(w, r) }); err != nil {
		return "", err
	}
	return path, errors.Join(s.prune(), atomicfile.RemoveStale(s.Dir))
}

// stem is the name of a run's files without the ending.
func stem(startedAt time.Time, id string) string {
	id = strings.Trim(notInName().ReplaceAllString(id, "_"), "_")
	if id == "" {
		id = "run"
	}
	return startedAt.UTC().Format(stamp) + "-" + id[:min(len(id), 100)]
}

// prune removes the oldest runs above the limit.
func (s Store) prune() error {
	names, err := s.names()
	if err != nil {
		return err
	}
	keep := s.Keep
	if keep <= 0 {
		keep = 200
	}
	var old []string
	for _, name := range names[min(keep, len(names)):] {
		old = append(old, filepath.Join(s.Dir, name))
	}
	return remove(old...)
}

// remove removes files. It ignores those that another process has already removed.
func remove(paths ...string) error {
	var errs []error
	for _, path := range paths {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// readFolder lists a folder of the store; a missing folder is empty.
func readFolder(path string) ([]fs.DirEntry, error) {
	entries, err := os.ReadDir(path)
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	return entries, err
}

// names returns the names of the stored reports, the newest first.
func (s Store) names() ([]string, error) {
	entries, err := readFolder(s.Dir)
	if err != nil {
		return nil, fmt.Errorf("list past runs: %w", err)
	}
	var names []string
	for _, e := range entries {
		if e.Type().IsRegular() && storedName().MatchString(e.Name()) {
			names = append(names, e.Name())
		}
	}
	slices.Sort(names)
	slices.Reverse(names)
	return names, nil
}

// List returns all stored runs, the newest first. The warnings are for files that cannot
// be read or are not reports; err is for the folder.
func (s Store) List() (runs []Run, warnings []error, err error) {
	names, err := s.names()
	if err != nil {
		return nil, nil, err
	}
	for _, name := range names {
		run, err := readRun(filepath.Join(s.Dir, name))
		if err != nil {
			warnings = append(warnings, fmt.Errorf("past run %s: %w", name, err))
			continue
		}
		recording := filepath.Join(s.recordings(), strings.TrimSuffix(name, ".json")+recordingEnding)
		if info, err := os.Stat(recording); err == nil && info.Mode().IsRegular() {
			run.Recording = recording
		}
		runs = append(runs, run)
	}
	return runs, warnings, nil
}

func readRun(path string) (Run, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return Run{}, err
	}
	run := Run{Path: path}
	if err := json.Unmarshal(data, &run); err != nil {
		return Run{}, err
	}
	if run.Schema != Schema {
		return Run{}, fmt.Errorf("unknown schema %q; this program reads %q", run.Schema, Schema)
	}
	return run, nil
}

// Load reads a report from a file.
func Load(path string) (Report, error) {
	f, err := os.Open(path)
	if err != nil {
		return Report{}, fmt.Errorf("load report: %w", err)
	}
	r, err := Read(f)
	if err := errors.Join(err, f.Close()); err != nil {
		return Report{}, fmt.Errorf("load report %s: %w", path, err)
	}
	return r, nil
}

// LatestResults returns the newest result of each scenario, by its name.
func LatestResults(runs []Run) map[string]RunScenario {
	latest := map[string]RunScenario{}
	for _, run := range runs {
		for _, s := range run.Scenarios {
			if have, ok := latest[s.Name]; !ok || s.StartedAt.After(have.StartedAt) {
				latest[s.Name] = s
			}
		}
	}
	return latest
}
