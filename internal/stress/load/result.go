package load

import (
	"time"

	"mabeam-top/internal/stress/report"
)

// A Result describes a load that has run, or several that ran one after the
// other. The zero value is the result of no load.
type Result struct {
	// Took is the time from the start of the first operation to the end of the
	// last, without the pauses between loads.
	Took time.Duration
	// Latency is of all operations that ended, including those that failed. It
	// is nil if the load has a Recorder, which holds the latencies then.
	Latency *Histogram
	// Late is how many operations of an open load the generator started late
	// although a worker was free.
	Late int64
	// Lag explains why the generator was late. It is zero unless the load Lagged.
	Lag Lag
	report.Operations
}

// lateShare is the share of its operations that can start late in a load that
// counts as delivered.
const lateShare = 0.01

// Add adds the result of a load that ran after this one.
func (r *Result) Add(next Result) {
	if r.Latency == nil {
		r.Latency = NewHistogram()
	}
	r.Took += next.Took
	r.Latency.Merge(next.Latency)
	r.Late += next.Late
	if r.Lag.Cause == NoLag || next.Undelivered() {
		r.Lag = next.Lag
	}
	r.Operations.Add(next.Operations)
}

// Lagged reports whether the generator started so many operations late that the
// load was not the one that was asked for. Lag says why.
func (r Result) Lagged() bool { return float64(r.Late) > lateShare*float64(r.Attempted) }

// Undelivered reports whether the load was not the one that was asked for and the
// system under test is not the cause, so that the figures say nothing about it.
func (r Result) Undelivered() bool {
	return r.Lag.Cause == OtherPrograms || r.Lag.Cause == Generator
}

// PerSecond returns the rate of the operations that succeeded.
func (r Result) PerSecond() float64 { return PerSecond(r.Succeeded, r.Took) }

// PerSecond returns the rate of n in d.
func PerSecond(n int64, d time.Duration) float64 { return float64(n) / max(d.Seconds(), 1e-9) }
