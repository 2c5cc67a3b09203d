package stress

import (
	"sync/atomic"

	"mabeam-top/internal/stress/report"
)

// counterCells is how many cells the counters of a load have. Worker w counts in
// cell w modulo this number, so that up to that many workers share no cache line.
const counterCells = 64

// loadCounters are the counters of a running load, read by the probes.
type loadCounters struct {
	cells [counterCells]counterCell
	// lag is the longest delay, in nanoseconds, by which the generator began an
	// operation late since the probes read it last.
	lag atomic.Int64
	// late is how many operations the generator began late.
	late atomic.Int64
}

// A counterCell is one part of the counters. Each operation that has begun is in
// exactly one of them.
type counterCell struct {
	succeeded, failed, dropped, inflight atomic.Int64

	_ [128 - 4*8]byte // processors fetch cache lines in pairs
}

// totals returns the sums of all cells.
func (c *loadCounters) totals() report.Operations {
	var sum report.Operations
	for i := range c.cells {
		cell := &c.cells[i]
		sum.Succeeded += cell.succeeded.Load()
		sum.Failed += cell.failed.Load()
		sum.Dropped += cell.dropped.Load()
		sum.Attempted += cell.inflight.Load()
	}
	sum.Attempted += sum.Succeeded + sum.Failed + sum.Dropped
	return sum
}

// inflight returns the number of operations under way.
func (c *loadCounters) inflight() (n int64) {
	for i := range c.cells {
		n += c.cells[i].inflight.Load()
	}
	return n
}
