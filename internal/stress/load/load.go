// Package load generates load. It starts operations in a closed loop, at a rate
// or in stages, counts them and records how long they take. A viewer can pause
// the loads and change their rates while they run.
package load

import (
	"context"
	"errors"
	"time"
)

// ErrDropped marks an operation that was discarded before it was carried out,
// for lack of room. It counts as dropped instead of failed.
var ErrDropped = errors.New("dropped")

// A Load says when operations start. It is closed or open.
//
// In a closed load (no Stages), each of Workers starts an operation when its
// previous one has ended; the latency excludes any wait before the start. In an
// open load the clock decides when operations are due, whether or not earlier
// ones have ended. Their latency counts from when they were due, so a stall
// shows in every operation that it delays.
type Load struct {
	// Workers is how many operations can be in flight at once.
	Workers int
	// Operations limits the number of operations of a closed load; 0 means no
	// limit.
	Operations int
	// For limits the duration of a closed load; 0 means no limit.
	For time.Duration
	// Stages are the rates of an open load, one after the other.
	Stages []Stage

	// FixedRate says that a viewer cannot change the rate of an open load,
	// because the measurement searches for a rate itself.
	FixedRate bool
	// Metrics are the metrics that this load is for. Thresholds with a window
	// are watched on these while it runs. None means all.
	Metrics []string
	// MayLag says that the step stays conclusive if the generator cannot deliver
	// an open load: the measurement decides itself what to do about it.
	MayLag bool
	// Recorder collects the latencies that the operations record themselves. If
	// it is nil, each operation is recorded from its due time to its end.
	Recorder *Recorder
}

// A Stage is one part of an open load.
type Stage struct {
	// Rate is in operations per second.
	Rate float64
	For  time.Duration
	// Ramp says that the rate changes evenly from that of the previous stage
	// (from 0 in the first).
	Ramp bool
}

// MinOpenWorkers is how many operations of an open load should be able to be in
// flight at once, at least.
const MinOpenWorkers = 64

// IsOpen reports whether the load is an open one.
func (l Load) IsOpen() bool { return len(l.Stages) > 0 }

// IsAdjustable reports whether a viewer can change the rate of the load.
func (l Load) IsAdjustable() bool { return l.IsOpen() && !l.FixedRate }

// Limit returns the load shortened to a number of operations.
func (l Load) Limit(operations int) Load {
	if l.IsOpen() {
		first := l.Stages[0]
		l.Stages = []Stage{{Rate: first.Rate, For: time.Duration(float64(operations) / max(first.Rate, 1) * float64(time.Second))}}
		return l
	}
	if l.Operations == 0 || l.Operations > operations {
		l.Operations = operations
	}
	return l
}

// PartSize returns how many of n operations belong to one of several parts, which differ
// by one operation at most.
func PartSize(n, part, parts int) int { return n*(part+1)/parts - n*part/parts }

// An Op identifies one operation of a load.
type Op struct {
	// Worker carries it out: 0 to Workers-1.
	Worker int
	// N counts the operations of the load from 0.
	N int
	// Due is when the operation should start: by the schedule of an open load,
	// and as soon as its worker is free in a closed one.
	Due time.Time
}

// An Operation carries out one operation of a load. Several workers call it at
// once.
type Operation func(context.Context, Op) error

// A Prepared load can run once. All the memory that recording takes is allocated,
// so a measurement of memory around the run does not see it.
type Prepared struct {
	Load
	recorder *Recorder
	workers  []worker
}

// Prepare allocates what the load needs to run.
func (l Load) Prepare() *Prepared {
	p := &Prepared{Load: l, recorder: l.Recorder}
	if p.recorder == nil {
		p.recorder = NewRecorder()
	}
	p.workers = newWorkers(l, p.recorder)
	return p
}

// Latencies returns the recorder that collects the latencies of the load.
func (p *Prepared) Latencies() *Recorder { return p.recorder }
