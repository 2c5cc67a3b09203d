package probes

import (
	"fmt"
	"syscall"
)

// PeakMemory returns the most physical memory that this process has held, in
// bytes.
func PeakMemory() (int64, error) {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		return 0, fmt.Errorf("read the most memory that was held: %w", err)
	}
	return usage.Maxrss, nil // in bytes here, unlike elsewhere
}
