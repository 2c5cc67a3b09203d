//go:build unix

package probes

import (
	"fmt"
	"syscall"
	"time"
)

// cpuSeconds returns the CPU time that the process has used. It asks the kernel, which
// counts in microseconds: the process table counts in ticks of 10 ms, a tenth of the
// usual sample interval.
func (p *ownProcess) cpuSeconds() (float64, error) {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		return 0, fmt.Errorf("read the CPU time: %w", err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano()).Seconds(), nil
}
