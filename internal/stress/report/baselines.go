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
	"sync"

	"mabeam-top/internal/atomicfile"
)

// LastRun is the name of the newest stored run. No baseline can have it.
const LastRun = "last"

var (
	// ErrNoBaseline means that there is no baseline of that name.
	ErrNoBaseline = errors.New("no such baseline")
	// ErrNoRun means that no stored run matches.
	ErrNoRun = errors.New("no such run")
)

// baselineName is compiled when it is first needed, as all patterns of the store: most
// starts of the program need none.
var baselineName = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$`) })

// CheckBaselineName returns an error if a baseline cannot have that name. A name has
// letters, digits, dots, dashes and underscores; it is not LastRun, and does not look like
// a file.
func CheckBaselineName(name string) error {
	switch {
	case name == LastRun:
		return fmt.Errorf("%q means the newest run; choose another name", name)
	case strings.EqualFold(filepath.Ext(name), ".json"):
		return fmt.Errorf("%q looks like a file; omit .json", name)
	case !baselineName().MatchString(name):
		return fmt.Errorf("%q is not a name: use letters, digits, dots, dashes and underscores", name)
	}
	return nil
}

// baselines is the folder of the baselines. It is not that of the runs, of which old ones
// are removed.
func (s Store) baselines() string { return filepath.Join(filepath.Dir(s.Dir), "baselines") }

// SaveBaseline saves the report under a name, replaces an earlier baseline of that name,
// and returns the path.
func (s Store) SaveBaseline(name string, r Report) (string, error) {
	if err := CheckBaselineName(name); err != nil {
		return "", fmt.Errorf("save baseline: %w", err)
	}
	if err := os.MkdirAll(s.baselines(), 0o700); err != nil {
		return "", fmt.Errorf("create the folder of baselines: %w", err)
	}
	path := filepath.Join(s.baselines(), name+".json")
	return path, atomicfile.Write(path, func(w io.Writer) error { return Write(w, r) })
}

// CheckSaveBaseline returns the error that SaveBaseline would return, as far as that is
// known before. It changes nothing.
func (s Store) CheckSaveBaseline(name string) error {
	if err := CheckBaselineName(name); err != nil {
		return err
	}
	file := filepath.Join(s.baselines(), name+".json")
	path := file
	// SaveBaseline creates missing folders: check the nearest that exists.
	for {
		folder := filepath.Dir(path)
		if _, err := os.Lstat(folder); !errors.Is(err, fs.ErrNotExist) || folder == path {
			break
		}
		path = folder
	}
	if err := atomicfile.CheckWritable(path); err != nil {
		return fmt.Errorf("%s cannot be written: %w", file, err)
	}
	return nil
}

// Baseline returns the report that was saved under the name. If there is none, the error
// wraps ErrNoBaseline and lists the names that exist.
func (s Store) Baseline(name string) (Report, error) {
	if err := CheckBaselineName(name); err != nil {
		return Report{}, fmt.Errorf("load baseline: %w", err)
	}
	r, err := Load(filepath.Join(s.baselines(), name+".json"))
	if !errors.Is(err, fs.ErrNotExist) {
		return r, err
	}
	names, listErr := s.Baselines()
	known := "none is saved"
	if len(names) > 0 {
		known = "known: " + strings.Join(names, ", ")
	}
	return Report{}, errors.Join(fmt.Errorf("%w: %s; %s", ErrNoBaseline, name, known), listErr)
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

// Newest returns the newest stored run that is conclusive and has all the scenarios. If
// there is none, the error wraps ErrNoRun.
func (s Store) Newest(scenarios []string) (Report, error) {
	runs, _, err := s.List() // a run that cannot be read does not match
	if err != nil {
		return Report{}, err
	}
	for _, run := range runs {
		if run.Verdict.Conclusive() && !slices.ContainsFunc(scenarios, func(name string) bool { return !run.has(name) }) {
			return Load(run.Path)
		}
	}
	if len(scenarios) == 0 {
		return Report{}, fmt.Errorf("%w: no finished run is stored", ErrNoRun)
	}
	return Report{}, fmt.Errorf("%w: no finished run has all of %s", ErrNoRun, strings.Join(scenarios, ", "))
}

func (r Run) has(scenario string) bool {
	return slices.ContainsFunc(r.Scenarios, func(s RunScenario) bool { return s.Name == scenario })
}
