//go:build !linux

package stress

import "time"

// A kernelTimer makes waits more exact on Linux. Other systems' event queues have
// timeouts in nanoseconds, or do not offer what it takes.
type kernelTimer struct{}

func newKernelTimer() *kernelTimer { return nil }

func (*kernelTimer) set(time.Duration) {}

func (*kernelTimer) close() {}
