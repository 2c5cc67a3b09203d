package report

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"mabeam-top/internal/atomicfile"
)

const recordingEnding = ".jsonl"

// recordedName matches complete recordings, and partial ones: NAME.*.partial, and
// NAME.partial of earlier versions.
var recordedName = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^\d{8}T\d{6}\.\d{3}Z-[A-Za-z0-9_-]+\.jsonl((\.[0-9a-z]+)?\.partial)?$`)
})

// A RecordingFile is a recording in the store.
type RecordingFile struct {
	Path      string
	StartedAt time.Time
	Bytes     int64
}

// recordings is the folder of the recordings.
func (s Store) recordings() string { return filepath.Join(filepath.Dir(s.Dir), "recordings") }

// CreateRecording begins the recording of a run. It is in the store after Commit; before,
// only Orphans finds it, if the program dies.
func (s Store) CreateRecording(startedAt time.Time, id string) (*atomicfile.File, error) {
	if err := os.MkdirAll(s.recordings(), 0o700); err != nil {
		return nil, fmt.Errorf("create the folder of recordings: %w", err)
	}
	return atomicfile.Create(filepath.Join(s.recordings(), stem(startedAt, id)+recordingEnding))
}

// PruneRecordings removes the oldest recordings above the limits of the store. It always
// keeps the newest.
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
	var old []string
	for i, file := range files {
		room -= file.Bytes
		if i > 0 && (i >= keep || room < 0) {
			old = append(old, file.Path)
		}
	}
	return remove(old...)
}

// recorded returns the recordings, the newest first.
func (s Store) recorded() ([]RecordingFile, error) {
	entries, err := readFolder(s.recordings())
	if err != nil {
		return nil, fmt.Errorf("list recordings: %w", err)
	}
	var files []RecordingFile
	for _, e := range entries {
		if !e.Type().IsRegular() || !recordedName().MatchString(e.Name()) {
			continue
		}
		info, err := e.Info()
		if err != nil {
			continue // already removed
		}
		startedAt, _ := time.Parse(stamp, e.Name()[:len(stamp)]) // the name matches
		files = append(files, RecordingFile{Path: filepath.Join(s.recordings(), e.Name()), StartedAt: startedAt, Bytes: info.Size()})
	}
	slices.SortStableFunc(files, func(a, b RecordingFile) int { return strings.Compare(b.Path, a.Path) })
	return files, nil
}

// Orphans returns the recordings without a report, the newest first: their program died,
// or still runs. It omits empty ones.
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

// Delete removes files of the store: the report of a run, its recording, or both. It
// ignores files that are already gone.
func (s Store) Delete(paths ...string) error {
	var errs []error
	for _, path := range paths {
		switch filepath.Dir(path) {
		case filepath.Clean(s.Dir), filepath.Clean(s.recordings()):
			errs = append(errs, remove(path))
		default:
			if path != "" {
				errs = append(errs, fmt.Errorf("delete %s: not in the folder of past runs", path))
			}
		}
	}
	return errors.Join(errs...)
}
