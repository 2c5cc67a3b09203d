//go:build !linux && !darwin

package probes

import "errors"

// PeakMemory says that this platform cannot tell.
func PeakMemory() (int64, error) {
	return 0, errors.New("the most memory that was held cannot be told on this platform")
}
