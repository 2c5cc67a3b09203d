//go:build !linux && !darwin

package probes

import "errors"

// PeakMemory is not supported on this platform.
func PeakMemory() (int64, error) {
	return 0, errors.New("read the peak memory: not supported on this platform")
}
