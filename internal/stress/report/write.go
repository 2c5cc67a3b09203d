package report

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
	"sync"
	"syscall"
	"unicode/utf8"
)

const (
	// partialEnding is what the name of a file ends in that is written over some
	// time and not whole yet, and temporaryEnding that of a file that is
	// written at once.
	partialEnding   = ".partial"
	temporaryEnding = ".tmp"
	// longestName is how many bytes of a file's name its temporary name keeps.
	// File systems allow 255, of which the rest is for what makes the name
	// unique.
	longestName = 200
)

// WriteFile creates or replaces the file with what write writes, whole or not
// at all: it is written beside its place under a name that no other writer has,
// forced to the disk, and renamed. Of several writers of one file the last one
// wins. A link is followed. What is not a plain file, such as a pipe or a
// device, cannot be replaced and is written to directly.
func WriteFile(path string, write func(io.Writer) error) error {
	f, err := create(path, func(name string) string { return "." + unique(name) + temporaryEnding })
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

// A File is being written over some time. It is in its place only when it is
// whole: until Commit it is called NAME.*.partial, where * differs from writer
// to writer. That is what is left of it if the program is killed.
type File struct {
	file *os.File
	// temporary is where it is written and path its place; both are empty for
	// what is not a plain file, which is written to directly.
	temporary, path string
}

// CreateFile begins a file. A link is followed. Of several writers of one file
// the last one that commits wins.
func CreateFile(path string) (*File, error) {
	f, err := create(path, func(name string) string { return unique(name) + partialEnding })
	if err != nil {
		return nil, fmt.Errorf("write %s: %w", path, err)
	}
	return f, nil
}

// PartialName returns a name for CreateFileAs that no other writer has. It is for
// a file that another process writes, so that this one knows what to remove if
// that one dies.
func PartialName(path string) string { return unique(filepath.Base(path)) + partialEnding }

// CreateFileAs is CreateFile with the name that the file has until Commit.
func CreateFileAs(path, partial string) (*File, error) {
	f, err := create(path, func(string) string { return partial })
	if err != nil {
		return nil, fmt.Errorf("write %s: %w", path, err)
	}
	return f, nil
}

// RemovePartial removes what a process left that died while it wrote the file
// under that name; it is no error if there is nothing.
func RemovePartial(path, partial string) error {
	err := os.Remove(filepath.Join(filepath.Dir(followed(path)), partial))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// followed returns what a link leads to; the path itself if it is none.
func followed(path string) string {
	if target, err := filepath.EvalSymlinks(path); err == nil {
		return target
	}
	return path
}

// unique returns a name that begins with this one and that nobody else uses.
func unique(name string) string {
	if len(name) > longestName {
		name = name[:longestName]
		for !utf8.ValidString(name) && len(name) > longestName-utf8.UTFMax {
			name = name[:len(name)-1]
		}
	}
	return name + "." + strconv.FormatUint(rand.Uint64(), 36)
}

// create begins a file under another name, which called makes from its own.
func create(path string, called func(name string) string) (*File, error) {
	path = followed(path)
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
	temporary := filepath.Join(folder, called(name))
	// Not by os.CreateTemp, so that the user's umask and not 0600 decides who
	// may read it. It is noted first, so that whoever ends the program now does
	// not leave it behind.
	unfinished.add(temporary)
	file, err := os.OpenFile(temporary, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if err != nil {
		unfinished.remove(temporary)
		return nil, cannotCreate(folder, err)
	}
	return &File{file: file, temporary: temporary, path: path}, nil
}

// CheckWritable says why WriteFile and CreateFile could not write the file, as far
// as that can be known before. It leaves nothing behind, and a file that is there
// as it is.
func CheckWritable(path string) error {
	info, err := os.Stat(path)
	if failed, ok := errors.AsType[*fs.PathError](err); ok && !errors.Is(err, fs.ErrNotExist) {
		return failed.Err // such as that the name is too long
	}
	if err == nil && !info.IsDir() && !info.Mode().IsRegular() {
		return checkDevice(path, info)
	}
	f, err := create(path, func(name string) string { return "." + unique(name) + temporaryEnding })
	if err != nil {
		return err
	}
	return f.Discard()
}

// checkDevice is CheckWritable for what is not a plain file.
func checkDevice(path string, info fs.FileInfo) error {
	if info.Mode()&fs.ModeNamedPipe != 0 {
		return nil // its reader would see its end when it is closed again
	}
	file, err := os.OpenFile(path, os.O_WRONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return err
	}
	return file.Close()
}

// cannotCreate says in which folder no file can be created. The temporary name is
// left out: nobody has asked for it.
func cannotCreate(folder string, err error) error {
	if failed, ok := errors.AsType[*fs.PathError](err); ok {
		err = failed.Err
	}
	return fmt.Errorf("create a file in %s: %w", filepath.Clean(folder), err)
}

// Write writes to the file. It is not buffered.
func (f *File) Write(p []byte) (int, error) { return f.file.Write(p) }

// Commit forces what was written to the disk and puts the file in its place. If
// that fails, nothing is left of it. Either Commit or Discard must be called,
// once.
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

// Discard removes what was written.
func (f *File) Discard() error {
	err := f.file.Close()
	if f.path != "" {
		defer unfinished.remove(f.temporary)
		err = errors.Join(err, os.Remove(f.temporary))
	}
	return err
}

// unfinished are the files that this process writes at the moment.
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

// RemoveUnfinished removes what this process has begun to write and not
// finished. It is for a program that ends at once. A NAME.*.partial that has
// something in it is left: it is of use without its end.
func RemoveUnfinished() {
	unfinished.mu.Lock()
	defer unfinished.mu.Unlock()
	for path := range unfinished.paths {
		info, err := os.Stat(path)
		if err == nil && info.Size() > 0 && filepath.Ext(path) == partialEnding {
			continue
		}
		_ = os.Remove(path) // the program is ending; there is nobody to report to
	}
}

func buffered(w io.Writer, write func(io.Writer) error) error {
	b := bufio.NewWriter(w)
	if err := write(b); err != nil {
		return err
	}
	return b.Flush()
}
