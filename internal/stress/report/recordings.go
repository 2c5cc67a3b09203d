package report

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"mabeam-top/internal/atomicfile"
)

const recordingEnding = ".jsonl"

// recordedName is that of a recording, or of one that is not whole: NAME.*.partial,
// and NAME.partial of earlier versions.
var recordedName = regexp.MustCompile(`^\d{8}T\d{6}\.\d{3}Z-[A-Za-z0-9_-]+\.jsonl((\.[0-9a-z]+)?\.partial)?$`)

// A RecordingFile is a recording in the store.
type RecordingFile struct {
	Path      string
	StartedAt time.Time
	Bytes     int64
}

// recordings is the folder of the recordings, beside that of the runs.
func (s Store) recordings() string { return filepath.Join(filepath.Dir(s.Dir), "recordings") }

// CreateRecording begins the recording of a run that began at that time. It is
// in the store once it is committed; until then it is only to be found if the
// program dies.
func (s Store) CreateRecording(startedAt time.Time, id string) (*atomicfile.File, error) {
	if err := os.MkdirAll(s.recordings(), 0o700); err != nil {
		return nil, fmt.Errorf("make the folder of recordings: %w", err)
	}
	return atomicfile.Create(filepath.Join(s.recordings(), stem(startedAt, id)+recordingEnding))
}

// PruneRecordings removes the oldest recordings beyond those that are kept. The
// newest is kept in any case.
func (s Store) PruneRecordings() error {
	files, err := s.recorded()
	if err != nil {
		return err
	}
	keep, room := s.KeepRecordings, s.KeepBytes
	if keep <= 0 {
		keep = 20
	}
	if room <= 0 {
		room = 256e6
	}
	var faults []error
	for i, file := range files {
		room -= file.Bytes
		if i == 0 || i < keep && room >= 0 {
			continue
		}
		// Another process may have been faster.
		if err := os.Remove(file.Path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			faults = append(faults, fmt.Errorf("remove an old recording: %w", err))
		}
	}
	return errors.Join(faults...)
}

// recorded returns the recordings, the newest first; none if the folder is not
// there.
func (s Store) recorded() ([]RecordingFile, error) {
	entries, err := readFolder(s.recordings())
	if err != nil {
		return nil, fmt.Errorf("list recordings: %w", err)
	}
	var files []RecordingFile
	for _, e := range entries {
		if !e.Type().IsRegular() || !recordedName.MatchString(e.Name()) {
			continue
		}
		info, err := e.Info()
		if err != nil {
			continue // removed meanwhile
		}
		startedAt, _ := time.Parse(stamp, e.Name()[:len(stamp)]) // the name has its form
		files = append(files, RecordingFile{Path: filepath.Join(s.recordings(), e.Name()), StartedAt: startedAt, Bytes: info.Size()})
	}
	slices.SortStableFunc(files, func(a, b RecordingFile) int { return strings.Compare(b.Path, a.Path) })
	return files, nil
}

// Strays returns the recordings of which there is no report, the newest first:
// of runs whose program died, or that still go on. One with nothing in it is
// left out.
func (s Store) Orphans() ([]RecordingFile, error) {
	files, err := s.recorded()
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(files, func(f RecordingFile) bool {
		name, _, _ := strings.Cut(filepath.Base(f.Path), recordingEnding)
		_, err := os.Stat(filepath.Join(s.Dir, name+".json"))
		return err == nil || f.Bytes == 0
	}), nil
}

// Delete removes files of the store: the report of a run, its recording, or
// both. One that is not there any more is none to remove.
func (s Store) Delete(paths ...string) error {
	var faults []error
	for _, path := range paths {
		if folder := filepath.Dir(path); path == "" {
			continue
		} else if folder != filepath.Clean(s.Dir) && folder != filepath.Clean(s.recordings()) {
			faults = append(faults, fmt.Errorf("delete %s: it is not in the folder of past runs", path))
			continue
		}
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			faults = append(faults, fmt.Errorf("delete a past run: %w", err))
		}
	}
	return errors.Join(faults...)
}
