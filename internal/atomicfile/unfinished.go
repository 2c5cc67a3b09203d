package atomicfile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// unfinished holds the temporary names of the files that this process is writing.
var unfinished = unfinishedFiles{paths: make(map[string]bool)}

type unfinishedFiles struct {
	mu    sync.Mutex
	paths map[string]bool
}

func (u *unfinishedFiles) add(path string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.paths[path] = true
}

func (u *unfinishedFiles) remove(path string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	delete(u.paths, path)
}

// RemoveUnfinished removes the temporary files of this process, which is about to exit. It
// keeps a NAME.*.partial that is not empty: a recording is useful without its end.
func RemoveUnfinished() {
	unfinished.mu.Lock()
	defer unfinished.mu.Unlock()
	for path := range unfinished.paths {
		info, err := os.Stat(path)
		if err == nil && info.Size() > 0 && filepath.Ext(path) == partialEnding {
			continue
		}
		_ = os.Remove(path) // the process exits; nobody could act on an error
	}
}

// staleAfter is how old a temporary file must be to belong to a dead process: no file
// takes that long to write.
const staleAfter = time.Hour

// RemoveStale removes the temporary files that dead processes left in a folder.
func RemoveStale(folder string) error {
	entries, err := os.ReadDir(folder)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("list temporary files: %w", err)
	}
	var errs []error
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), ".") || !strings.HasSuffix(e.Name(), temporaryEnding) {
			continue
		}
		info, err := e.Info()
		if err != nil || !info.Mode().IsRegular() || time.Since(info.ModTime()) < staleAfter {
			continue // already removed, not ours, or still being written
		}
		if err := os.Remove(filepath.Join(folder, e.Name())); err != nil && !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, fmt.Errorf("remove a temporary file: %w", err))
		}
	}
	return errors.Join(errs...)
}
