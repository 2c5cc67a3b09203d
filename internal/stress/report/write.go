package report

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"time"
)

// WriteFile creates or replaces the file with what write writes, whole or not
// at all: it is written beside its place under another name, forced to the
// disk, and renamed. A link is followed. What is not a plain file, such as a
// pipe or a device, cannot be replaced and is written to directly.
func WriteFile(path string, write func(io.Writer) error) error {
	f, err := create(path, func(name string) string {
		return "." + name + "." + strconv.FormatInt(time.Now().UnixNano(), 36) + ".tmp"
	})
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
// whole: until Commit it is called NAME.partial, which is what is left of it if
// the program is killed.
type File struct {
	file *os.File
	// temporary is where it is written and path its place; both are empty for
	// what is not a plain file, which is written to directly.
	temporary, path string
}

// CreateFile begins a file. A link is followed. A NAME.partial that a killed
// program left is replaced.
func CreateFile(path string) (*File, error) {
	f, err := create(path, func(name string) string { return name + partialEnding })
	if err != nil {
		return nil, fmt.Errorf("write %s: %w", path, err)
	}
	return f, nil
}

// RemovePartial removes the NAME.partial that a process left which died while it
// wrote the file; it is no error if there is none.
func RemovePartial(path string) error {
	if target, err := filepath.EvalSymlinks(path); err == nil {
		path = target
	}
	if err := os.Remove(path + partialEnding); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// create begins a file under another name, which called tells from its own.
func create(path string, called func(name string) string) (*File, error) {
	if target, err := filepath.EvalSymlinks(path); err == nil {
		path = target
	}
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
	// Created anew and not by os.CreateTemp, so that the user's umask and not
	// 0600 decides who may read it.
	temporary := filepath.Join(folder, called(name))
	file, err := os.OpenFile(temporary, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o666)
	return &File{file: file, temporary: temporary, path: path}, err
}

// Write writes to the file. It is not buffered.
func (f *File) Write(p []byte) (int, error) { return f.file.Write(p) }

// Commit forces what was written to the disk and puts the file in its place. If
// that fails, nothing is left of it. Either Commit or Discard must be called,
// once.
func (f *File) Commit() error {
	if err := f.commit(); err != nil {
		return fmt.Errorf("write %s: %w", f.file.Name(), err)
	}
	return nil
}

func (f *File) commit() error {
	if f.path == "" {
		return f.file.Close()
	}
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
		err = errors.Join(err, os.Remove(f.temporary))
	}
	return err
}

func buffered(w io.Writer, write func(io.Writer) error) error {
	b := bufio.NewWriter(w)
	if err := write(b); err != nil {
		return err
	}
	return b.Flush()
}
