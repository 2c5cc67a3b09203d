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
	"time"

	"mabeam-top/internal/atomicfile"
)

// A Store keeps the reports of past runs as files in one folder, and beside it
// the recordings that were made of some. Several processes may use the same
// folder.
type Store struct {
	// Dir is the folder; Save makes it if it is not there.
	Dir string
	// Keep is how many runs are kept; beyond that Save removes the oldest. 0
	// means 200.
	Keep int
	// KeepRecordings is how many recordings are kept, and KeepBytes how many
	// bytes they may take together; beyond that PruneRecordings removes the
	// oldest. 0 means 20, and 256 MB.
	KeepRecordings int
	KeepBytes      int64
}

// A Run is a stored report without what was measured.
type Run struct {
	// Path is the report's file.
	Path string `json:"-"`
	// Recording is the file of the run's recording; empty if there is none.
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
	if !filepath.IsAbs(state) { // the specification says to ignore others
		home, err := os.UserHomeDir()
		if err != nil {
			return Store{}, fmt.Errorf("find the folder of past runs: %w", err)
		}
		state = filepath.Join(home, ".local", "state")
	}
	return Store{Dir: filepath.Join(state, "mabeam-top", "runs")}, nil
}

// stamp begins the name of each file of the store, so that names sort by
// time; whatever is called otherwise is not the store's.
const stamp = "20060102T150405.000Z"

var (
	storedName = regexp.MustCompile(`^\d{8}T\d{6}\.\d{3}Z-[A-Za-z0-9_-]+\.json$`)
	notInName  = regexp.MustCompile(`[^A-Za-z0-9_-]+`)
)

// Save keeps a report and returns its path. The same run saved again replaces
// itself.
func (s Store) Save(r Report) (string, error) {
	if err := os.MkdirAll(s.Dir, 0o700); err != nil {
		return "", fmt.Errorf("make the folder of past runs: %w", err)
	}
	path := filepath.Join(s.Dir, stem(r.StartedAt, r.ID)+".json")
	if err := atomicfile.Write(path, func(w io.Writer) error { return Write(w, r) }); err != nil {
		return "", err
	}
	return path, errors.Join(s.prune(), atomicfile.RemoveStale(s.Dir))
}

// stem is what the files of a run are called, but for their ending.
func stem(startedAt time.Time, id string) string {
	id = strings.Trim(notInName.ReplaceAllString(id, "_"), "_")
	if id == "" {
		id = "run"
	}
	return startedAt.UTC().Format(stamp) + "-" + id[:min(len(id), 100)]
}

// prune removes the oldest runs beyond those that are kept.
func (s Store) prune() error {
	names, err := s.names()
	if err != nil {
		return err
	}
	keep := s.Keep
	if keep <= 0 {
		keep = 200
	}
	var faults []error
	for _, name := range names[min(keep, len(names)):] {
		// Another process may have been faster.
		if err := os.Remove(filepath.Join(s.Dir, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			faults = append(faults, fmt.Errorf("remove an old run: %w", err))
		}
	}
	return errors.Join(faults...)
}

// readFolder returns what is in a folder of the store; nothing if it is not
// there.
func readFolder(path string) ([]fs.DirEntry, error) {
	entries, err := os.ReadDir(path)
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	return entries, err
}

// names returns the names of the store's files, the newest first; none if the
// folder is not there.
func (s Store) names() ([]string, error) {
	entries, err := readFolder(s.Dir)
	if err != nil {
		return nil, fmt.Errorf("list past runs: %w", err)
	}
	var names []string
	for _, e := range entries {
		if e.Type().IsRegular() && storedName.MatchString(e.Name()) {
			names = append(names, e.Name())
		}
	}
	slices.Sort(names)
	slices.Reverse(names)
	return names, nil
}

// List returns all stored runs, the newest first. A file that cannot be read
// or is not a report is left out, and the warnings say which and why; err is
// for the folder as a whole.
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
		return Run{}, fmt.Errorf("its schema is %q, not %q", run.Schema, Schema)
	}
	return run, nil
}

// Load reads the whole report of a stored run, or of any other report file.
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

// Last returns, for each scenario by its name, how it did in the newest of
// the runs that had it.
func LatestResults(runs []Run) map[string]RunScenario {
	last := map[string]RunScenario{}
	for _, run := range runs {
		for _, s := range run.Scenarios {
			if have, ok := last[s.Name]; !ok || s.StartedAt.After(have.StartedAt) {
				last[s.Name] = s
			}
		}
	}
	return last
}
