package load

import (
	"sync/atomic"

	"mabeam-top/internal/stress/report"
)

// counterCells is how many cells the counters have. Worker w counts in cell w
// modulo this number, so up to that many workers share no cache line.
const counterCells = 64

// counters count the operations of a runner's loads. The probes read them.
type counters struct {
	cells [counterCells]counterCell
	// lag is the longest delay, in nanoseconds, of the start of an operation
	// since the probes last read it.
	lag atomic.Int64
}

// A counterCell is one part of the counters. Each operation that has started is in
// exactly one of them.
type counterCell struct {
	succeeded, failed, dropped, inFlight atomic.Int64

	_ [128 - 4*8]byte // processors fetch cache lines in pairs
}

// totals returns the sums of all cells.
func (c *counters) totals() report.Operations {
	var sum report.Operations
	for i := range c.cells {
		cell := &c.cells[i]
		sum.Succeeded += cell.succeeded.Load()
		sum.Failed += cell.failed.Load()
		sum.Dropped += cell.dropped.Load()
		sum.Attempted += cell.inFlight.Load()
	}
	sum.Attempted += sum.Succeeded + sum.Failed + sum.Dropped
	return sum
}

// inFlight returns the number of operations in flight.
func (c *counters) inFlight() (n int64) {
	for i := range c.cells {
		n += c.cells[i].inFlight.Load()
	}
	return n
}
