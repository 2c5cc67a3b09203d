//go:build !linux

package load

import "time"

// A kernelTimer makes waits more exact on Linux. The event queues of other systems
// have timeouts in nanoseconds, or do not offer such a timer.
type kernelTimer struct{}

func newKernelTimer() *kernelTimer { return nil }

func (*kernelTimer) set(time.Duration) {}

func (*kernelTimer) close() {}
