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
	if err := writeFile(path, write); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}

func writeFile(path string, write func(io.Writer) error) (err error) {
	if target, err := filepath.EvalSymlinks(path); err == nil {
		path = target
	}
	info, err := os.Stat(path)
	switch {
	case err == nil && info.IsDir():
		return errors.New("is a folder")
	case err == nil && !info.Mode().IsRegular():
		f, err := os.OpenFile(path, os.O_WRONLY, 0)
		if err != nil {
			return err
		}
		return errors.Join(buffered(f, write), f.Close())
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return err
	}
	folder, name := filepath.Split(path)
	// Created anew and not by os.CreateTemp, so that the user's umask and not
	// 0600 decides who may read it.
	temporary := filepath.Join(folder, "."+name+"."+strconv.FormatInt(time.Now().UnixNano(), 36)+".tmp")
	f, err := os.OpenFile(temporary, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(temporary))
		}
	}()
	if err := errors.Join(buffered(f, write), f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(temporary, path)
}

func buffered(w io.Writer, write func(io.Writer) error) error {
	b := bufio.NewWriter(w)
	if err := write(b); err != nil {
		return err
	}
	return b.Flush()
}
