// Package metric has counters and histograms that many goroutines add to.
package metric

import (
	"sync/atomic"
	"unsafe"
)

// counterStripes is well above the number of cores, so that two goroutines that count at the same
// time rarely share a cache line. It is a power of two.
const counterStripes = 32

// A Counter is a sum that many goroutines can add to without contention. The zero value is ready to
// use.
type Counter struct {
	stripes [counterStripes]struct {
		n atomic.Int64
		_ [56]byte
	}
}

// Add adds n to the stripe of the goroutine. The stripe is chosen by the address of the stack,
// which is cheap to get and differs between goroutines that run at the same time.
func (c *Counter) Add(n int64) {
	var here byte
	page := uintptr(unsafe.Pointer(&here)) >> 11
	c.stripes[(page^page>>5^page>>10)%counterStripes].n.Add(n)
}

// Load returns the sum. It may or may not include concurrent additions.
func (c *Counter) Load() int64 {
	var sum int64
	for i := range c.stripes {
		sum += c.stripes[i].n.Load()
	}
	return sum
}
