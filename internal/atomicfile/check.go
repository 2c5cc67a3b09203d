package atomicfile

import (
	"errors"
	"io/fs"
	"os"
	"syscall"
)

// CheckWritable returns the error that Write and Create would return for the path, as far
// as that is known before anything is written. It changes nothing.
func CheckWritable(path string) error {
	info, err := os.Stat(path)
	if failed, ok := errors.AsType[*fs.PathError](err); ok && !errors.Is(err, fs.ErrNotExist) {
		return failed.Err // for example: the name is too long
	}
	if err == nil && !info.IsDir() && !info.Mode().IsRegular() {
		return checkDevice(path, info)
	}
	f, err := create(path, temporaryName)
	if err != nil {
		return err
	}
	return f.Discard()
}

func checkDevice(path string, info fs.FileInfo) error {
	if info.Mode()&fs.ModeNamedPipe != 0 {
		return nil // opening and closing it would signal the end to its reader
	}
	file, err := os.OpenFile(path, os.O_WRONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return err
	}
	return file.Close()
}
