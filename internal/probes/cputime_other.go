//go:build !unix

package probes

import "fmt"

// cpuSeconds returns the CPU time that the process has used.
func (p *ownProcess) cpuSeconds() (float64, error) {
	times, err := p.process.Times()
	if err != nil {
		return 0, fmt.Errorf("read the CPU time: %w", err)
	}
	return times.User + times.System, nil
}
