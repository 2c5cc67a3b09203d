//go:build linux || darwin

package measure

import (
	"errors"
	"fmt"
	"os"
	"syscall"
)

// limitFiles lets the process open n more files, until restore is called.
func limitFiles(n int) (restore func() error, err error) {
	// A new file gets the lowest free number.
	f, err := os.Open(os.DevNull)
	if err != nil {
		return nil, err
	}
	lowest := f.Fd()
	if err := f.Close(); err != nil {
		return nil, err
	}
	var before syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &before); err != nil {
		return nil, fmt.Errorf("read the limit on open files: %w", err)
	}
	now := before
	now.Cur = min(before.Cur, uint64(lowest)+uint64(n))
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &now); err != nil {
		return nil, fmt.Errorf("lower the limit on open files: %w", err)
	}
	return func() error { return syscall.Setrlimit(syscall.RLIMIT_NOFILE, &before) }, nil
}

func isTooManyFiles(err error) bool { return errors.Is(err, syscall.EMFILE) }
