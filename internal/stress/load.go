package stress

import (
	"context"
	"errors"
	"sync"
	"time"
)

// ErrDropped marks an operation that was thrown away before it was carried
// out, for lack of room; it counts as dropped instead of failed.
var ErrDropped = errors.New("dropped")

// A Load says when operations are started. It is closed or open.
//
// In a closed load (no Stages), each of Workers starts an operation when its
// last one has ended; latency leaves out any waiting to start. In an open load
// operations are due by the clock, whatever the answers, and latency counts
// from when one was due: a stall is seen by all it delays.
type Load struct {
	// Workers is how many operations may be under way at once.
	Workers int
	// Operations bounds a closed load by their number; 0 means no bound.
	Operations int
	// For bounds a closed load by time; 0 means no bound.
	For time.Duration
	// Stages are the rates of an open load, one after the other.
	Stages []Stage

	// Steady says that the rate of an open load is not to be changed by hand:
	// the measurement looks for one by itself.
	Steady bool
	// Metrics are what this load is for, of the metrics that probes show:
	// thresholds that have to hold in every window are watched on these while
	// it runs. None means all.
	Metrics []string
	// MayLag says that an open load which the generator itself cannot deliver
	// does not make the step inconclusive: the measurement looks at Driven.Late
	// and judges by itself.
	MayLag bool
	// Recorder collects latencies. If it is nil, Drive records each operation
	// from its due time to its end; otherwise the operations record what they
	// find in it themselves.
	Recorder *Recorder
}

// An Op says which operation of a load is to be carried out.
type Op struct {
	// Worker carries it out: 0 to Workers-1.
	Worker int
	// N counts the load's operations from 0.
	N int
	// Due is when it should start: by the schedule of an open load, and as
	// soon as its worker is free in a closed one.
	Due time.Time
}

// An operation carries out one operation of a load. It is called by several
// workers at once.
type operation func(context.Context, Op) error

const (
	// lagShare is the share of the interval between operations by which the
	// generator may be late.
	lagShare = 0.1
	// lagFloor is the delay up to which an operation is never late. A tenth of the
	// interval is less than any machine keeps to at high rates: to wake an idle
	// processor of a virtual machine takes 35 to 75 µs at the median, and a
	// hypervisor that shares its processors takes them away for 1 to 4 ms a few
	// times a second. Below the floor the delay is in the latencies, which count
	// from due times, but the load is the one that was asked for: at 10,000/s its
	// rate over any 20 ms differs by a tenth at most.
	lagFloor = 2 * time.Millisecond
	// lateShare is the share of the operations that may be late.
	lateShare = 0.01
	// drainFor is how long, after an open load's end, operations that were
	// due in time may still be started.
	drainFor = time.Second
	// mostAges is how many different ages are recorded of operations that were
	// never begun. Of more, neighbours count as the first of them.
	mostAges = 100_000
)

// drive carries the load out, which has begun to pass the gate, and returns when
// every operation that it started has ended: at its end, or soon after ctx ends.
func (l Load) drive(ctx context.Context, op operation, workers []worker, counters *loadCounters, gate *gate, fail func(error)) {
	defer gate.end()
	for i := range workers {
		w := &workers[i]
		w.cell, w.fail = &counters.cells[i%counterCells], fail
	}
	var work func(context.Context, *worker)
	if len(l.Stages) > 0 {
		g := newGenerator(op, gate, counters)
		defer g.wait.close()
		work = g.work
	} else {
		work = (&closedLoad{Load: l, operation: op, gate: gate, start: gate.clock.now()}).work
	}
	var wg sync.WaitGroup
	for i := range workers {
		wg.Go(func() { work(ctx, &workers[i]) })
	}
	wg.Wait()
}
