//go:build !linux

package memlimit

import "errors"

// LimitProcess is not supported on this platform.
func LimitProcess(int64) (limit int64, err error) {
	return 0, errors.New("limit the memory of the process: not supported on this platform")
}
