// Package atomicfile writes files that are there whole or not at all. A file gets its
// name when it is complete; until then it has a temporary name in the same folder.
package atomicfile

import (
	"bufio"
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"unicode/utf8"
)

const (
	// partialEnding ends the temporary name of a file that Create writes over some
	// time, and temporaryEnding that of a file that Write writes at once.
	partialEnding   = ".partial"
	temporaryEnding = ".tmp"
	// longestName is how many bytes of a file's name its temporary name keeps. File
	// systems allow 255; the rest makes the name unique.
	longestName = 200
)

// Write creates or replaces the file with what write writes. It writes to a temporary
// name, syncs, and renames. If several processes write the same file, the last one wins.
// Write follows symbolic links. It writes directly to what it cannot replace, such as a
// pipe or a device.
func Write(path string, write func(io.Writer) error) error {
	f, err := create(path, temporaryName)
	if err == nil {
		if err = buffered(f, write); err != nil {
			err = errors.Join(err, f.Discard())
		} else {
			err = f.commit()
		}
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}

func buffered(w io.Writer, write func(io.Writer) error) error {
	b := bufio.NewWriter(w)
	if err := write(b); err != nil {
		return err
	}
	return b.Flush()
}

// A File is a file that is written over some time. Until Commit it has the name
// NAME.*.partial, where * is unique to its writer, and keeps it if the process dies.
type File struct {
	file *os.File
	// temporary is where it is written, and path its final place. Both are empty for a
	// file that is written directly.
	temporary, path string
}

// Create begins a file. It follows symbolic links. If several processes write the same
// file, the last Commit wins.
func Create(path string) (*File, error) {
	return CreateAs(path, PartialName(path))
}

// PartialName returns a temporary name for CreateAs that no other writer uses. A parent
// process chooses it for its child, and removes the file if the child dies.
func PartialName(path string) string { return unique(filepath.Base(path)) + partialEnding }

// CreateAs is Create with a given temporary name.
func CreateAs(path, partial string) (*File, error) {
	f, err := create(path, func(string) string { return partial })
	if err != nil {
		return nil, fmt.Errorf("write %s: %w", path, err)
	}
	return f, nil
}

// RemovePartial removes the temporary file that a dead process left. It returns no error
// if there is none.
func RemovePartial(path, partial string) error {
	err := os.Remove(filepath.Join(filepath.Dir(resolved(path)), partial))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// resolved follows symbolic links.
func resolved(path string) string {
	if target, err := filepath.EvalSymlinks(path); err == nil {
		return target
	}
	return path
}

// temporaryName hides the file from listings while it is written.
func temporaryName(name string) string { return "." + unique(name) + temporaryEnding }

// unique appends a random part to a name, which it shortens if necessary.
func unique(name string) string {
	if len(name) > longestName {
		name = name[:longestName]
		for !utf8.ValidString(name) && len(name) > longestName-utf8.UTFMax {
			name = name[:len(name)-1]
		}
	}
	return name + "." + strconv.FormatUint(rand.Uint64(), 36)
}

// create begins a file under the temporary name that temporaryOf makes of its own.
func create(path string, temporaryOf func(name string) string) (*File, error) {
	path = resolved(path)
	info, err := os.Stat(path)
	switch {
	case err == nil && info.IsDir():
		return nil, errors.New("is a folder")
	case err == nil && !info.Mode().IsRegular():
		file, err := os.OpenFile(path, os.O_WRONLY, 0)
		return &File{file: file}, err
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return nil, err
	}
	folder, name := filepath.Split(path)
	temporary := filepath.Join(folder, temporaryOf(name))
	// Registered before it exists, so that a signal in between leaves nothing behind.
	unfinished.add(temporary)
	// Not os.CreateTemp: the user's umask decides who may read the file, not 0600.
	file, err := os.OpenFile(temporary, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if err != nil {
		unfinished.remove(temporary)
		return nil, creationError(folder, err)
	}
	return &File{file: file, temporary: temporary, path: path}, nil
}

// creationError leaves out the temporary name, which means nothing to the user.
func creationError(folder string, err error) error {
	if failed, ok := errors.AsType[*fs.PathError](err); ok {
		err = failed.Err
	}
	return fmt.Errorf("create a file in %s: %w", filepath.Clean(folder), err)
}

// Write writes to the file, without a buffer.
func (f *File) Write(p []byte) (int, error) { return f.file.Write(p) }

// Commit syncs the file and gives it its name. If that fails, Commit removes it. Every
// file needs one call of either Commit or Discard.
func (f *File) Commit() error {
	if err := f.commit(); err != nil {
		return fmt.Errorf("write %s: %w", cmp.Or(f.path, f.file.Name()), err)
	}
	return nil
}

func (f *File) commit() error {
	if f.path == "" {
		return f.file.Close()
	}
	defer unfinished.remove(f.temporary)
	err := errors.Join(f.file.Sync(), f.file.Close())
	if err == nil {
		err = os.Rename(f.temporary, f.path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.temporary))
	}
	return nil
}

// Discard removes the file.
func (f *File) Discard() error {
	err := f.file.Close()
	if f.path != "" {
		defer unfinished.remove(f.temporary)
		err = errors.Join(err, os.Remove(f.temporary))
	}
	return err
}
