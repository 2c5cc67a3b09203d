package mabeam

import (
	"sync/atomic"
	"unsafe"
)

// counterStripes is a power of two well above the cores of a machine, so that
// two goroutines that count at the same time seldom meet on one cache line.
const counterStripes = 32

// A counter is a sum that many goroutines add to without getting in each
// other's way. The zero value is ready to use.
type counter struct {
	stripes [counterStripes]struct {
		n atomic.Int64
		_ [56]byte
	}
}

// add adds n. Which stripe takes it depends on the goroutine: its stack's
// address is the only thing that is cheap to know and differs between any two
// goroutines that run at the same time.
func (c *counter) add(n int64) {
	var here byte
	page := uintptr(unsafe.Pointer(&here)) >> 11
	c.stripes[(page^page>>5^page>>10)%counterStripes].n.Add(n)
}

// load returns the sum. Additions made meanwhile may be in it or not.
func (c *counter) load() int64 {
	var sum int64
	for i := range c.stripes {
		sum += c.stripes[i].n.Load()
	}
	return sum
}
