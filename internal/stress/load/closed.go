package load

import (
	"context"
	"sync/atomic"
	"time"
)

// A closedLoad is a closed load that runs.
type closedLoad struct {
	Load
	operation Operation
	control   *Control
	watch     Stopwatch

	_ [128]byte // all workers write next; the rest is only read
	// next is the number of the next operation that no worker has claimed.
	next atomic.Int64
	_    [120]byte
}

// claim returns the numbers of up to n operations, from first to before end. There
// are none if the load has no operation left. Near the end it returns fewer, so
// that no worker still has many when the others have none and operations suddenly
// become slow.
func (c *closedLoad) claim(n int) (first, end int) {
	if c.Operations > 0 {
		left := c.Operations - int(c.next.Load())
		n = max(min(n, left/(2*c.Workers)), 1)
	}
	end = int(c.next.Add(int64(n)))
	first = end - n
	if c.Operations > 0 {
		end = min(end, c.Operations)
	}
	return first, end
}

// deadline returns when a load with a duration ends, unless it is paused.
func (c *closedLoad) deadline(now time.Time) time.Time { return now.Add(c.For - c.watch.At(now)) }

// park keeps a worker waiting while the loads are paused, or until ctx ends.
func (c *closedLoad) park(ctx context.Context) {
	c.control.mu.Lock()
	defer c.control.mu.Unlock()
	c.control.waitWhilePaused(ctx)
}

// work carries out operations until none is left, the time is over, or ctx ends.
//
// Workers claim and publish fast operations in batches. A worker whose last batch
// was slow claims one at a time, so that it does not withhold operations that
// other workers could carry out.
func (c *closedLoad) work(ctx context.Context, w *worker) {
	defer w.rest()
	began := time.Now()
	deadline := c.deadline(began)
	for size := 1; ; {
		n, end := c.claim(size)
		if n >= end {
			return
		}
		fast := true
		for ; n < end; n++ {
			if c.control.Paused() {
				w.rest()
				c.park(ctx)
				began = time.Now()
				deadline = c.deadline(began)
			}
			if ctx.Err() != nil || c.For > 0 && !began.Before(deadline) {
				return
			}
			if !w.running {
				w.begin()
			}
			err := c.operation(ctx, Op{Worker: w.id, N: n, Due: began})
			// An operation begins when the previous one has ended: one reading of
			// the clock serves both. Since reads only the monotonic clock, which
			// costs half as much as Now.
			took := time.Since(began)
			if interrupted(ctx, err) {
				return
			}
			began = began.Add(took)
			w.end(took, err)
			if err != nil {
				began = time.Now() // counting an error takes time
			}
			if w.isFull() {
				fast = fast && w.elapsed < batchFor
				w.publish()
			}
		}
		size = nextBatch(size, fast)
	}
}

// nextBatch returns how many operations a worker claims after it claimed size.
func nextBatch(size int, fast bool) int {
	if !fast {
		return 1
	}
	return min(2*size, batchSize)
}
