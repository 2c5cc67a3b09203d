package probes

import (
	"fmt"
	"syscall"
)

// PeakMemory returns the peak resident memory of this process in bytes.
func PeakMemory() (int64, error) {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		return 0, fmt.Errorf("read the peak memory: %w", err)
	}
	return usage.Maxrss, nil // in bytes, unlike on other systems
}
