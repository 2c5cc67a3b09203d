package report

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// LastRun is the name under which the newest stored run is asked for, so that
// no baseline can be called that.
const LastRun = "last"

var (
	// ErrNoBaseline says that no baseline of that name was saved.
	ErrNoBaseline = errors.New("no such baseline")
	// ErrNoRun says that no stored run has what was asked for.
	ErrNoRun = errors.New("no such run is stored")
)

// maxBaselineName is the longest name of a baseline in bytes.
const maxBaselineName = 100

var baselineName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]*$`)

// CheckBaselineName tells whether a baseline may have that name: letters,
// digits, dots, dashes and underscores, but neither that of the last run nor
// one that looks like a file.
func CheckBaselineName(name string) error {
	switch {
	case name == LastRun:
		return fmt.Errorf("%q means the newest run; choose another name", name)
	case strings.EqualFold(filepath.Ext(name), ".json"):
		return fmt.Errorf("%q looks like a file; a name has no .json", name)
	case len(name) > maxBaselineName || !baselineName.MatchString(name):
		return fmt.Errorf("%q is no name: use letters, digits, dots, dashes and underscores", name)
	}
	return nil
}

// baselines is the folder of the baselines, beside that of the runs: old runs
// are removed, baselines are not.
func (s Store) baselines() string { return filepath.Join(filepath.Dir(s.Dir), "baselines") }

// SaveBaseline keeps the report under a name until another one is saved under
// it, and returns its path.
func (s Store) SaveBaseline(name string, r Report) (string, error) {
	if err := CheckBaselineName(name); err != nil {
		return "", fmt.Errorf("save baseline: %w", err)
	}
	if err := os.MkdirAll(s.baselines(), 0o700); err != nil {
		return "", fmt.Errorf("make the folder of baselines: %w", err)
	}
	path := filepath.Join(s.baselines(), name+".json")
	return path, WriteFile(path, func(w io.Writer) error { return JSON(w, r) })
}

// CheckSaveBaseline says why SaveBaseline could not save a report under the name,
// as far as that can be known before. It leaves nothing behind.
func (s Store) CheckSaveBaseline(name string) error {
	if err := CheckBaselineName(name); err != nil {
		return err
	}
	file := filepath.Join(s.baselines(), name+".json")
	path := file
	// A folder that is not there is made, so what counts is the one above it.
	for {
		folder := filepath.Dir(path)
		if _, err := os.Lstat(folder); !errors.Is(err, fs.ErrNotExist) || folder == path {
			break
		}
		path = folder
	}
	if err := CheckWritable(path); err != nil {
		return fmt.Errorf("%s cannot be written: %w", file, err)
	}
	return nil
}

// Baseline returns the report that was saved under the name. If none was, the
// error wraps ErrNoBaseline and says which there are.
func (s Store) Baseline(name string) (Report, error) {
	if err := CheckBaselineName(name); err != nil {
		return Report{}, fmt.Errorf("load baseline: %w", err)
	}
	r, err := Load(filepath.Join(s.baselines(), name+".json"))
	if !errors.Is(err, fs.ErrNotExist) {
		return r, err
	}
	names, listErr := s.Baselines()
	there := "none is saved"
	if len(names) > 0 {
		there = "saved are " + strings.Join(names, ", ")
	}
	return Report{}, errors.Join(fmt.Errorf("%w: %s; %s", ErrNoBaseline, name, there), listErr)
}

// Baselines returns the names of the saved baselines, sorted.
func (s Store) Baselines() ([]string, error) {
	entries, err := readFolder(s.baselines())
	if err != nil {
		return nil, fmt.Errorf("list baselines: %w", err)
	}
	var names []string
	for _, e := range entries {
		if name, ok := strings.CutSuffix(e.Name(), ".json"); ok && e.Type().IsRegular() && CheckBaselineName(name) == nil {
			names = append(names, name)
		}
	}
	return names, nil
}

// Newest returns the newest stored run that has all of the scenarios and was
// measured to its end; with no scenarios, of any. If there is none, the error
// wraps ErrNoRun.
func (s Store) Newest(scenarios []string) (Report, error) {
	runs, _, err := s.List() // what cannot be read is not the one looked for
	if err != nil {
		return Report{}, err
	}
	for _, run := range runs {
		if run.Verdict.Whole() && !slices.ContainsFunc(scenarios, func(name string) bool { return !run.has(name) }) {
			return Load(run.Path)
		}
	}
	return Report{}, fmt.Errorf("%w that was measured to its end and has the scenarios asked for", ErrNoRun)
}

func (r Run) has(scenario string) bool {
	return slices.ContainsFunc(r.Scenarios, func(s RunScenario) bool { return s.Name == scenario })
}
