package stress

import (
	"slices"
	"time"

	"mabeam-top/internal/stress/report"
)

// An interval is what the loads of one step did between two samples of the probes.
type interval struct {
	// Latency is of the operations that ended in it, and of those that were given
	// up in it. It is valid until the next call of Env.interval.
	Latency *Histogram
	// Operations are those that ended in it; Attempted are those that became due.
	// Of a load that was broken off more can have become due than were attempted
	// in the end: then Attempted of the interval after that is negative.
	report.Operations
	// Inflight is how many operations are under way at its end.
	Inflight int64
	// Oldest is for how long, at its end, the operation has been due that has
	// waited longest and has not ended; 0 if there is none. A window in which
	// nothing ended has no latencies, and yet was at least so slow.
	Oldest time.Duration
}

// interval returns what happened since it was called last. One goroutine at a time
// may call it.
func (e *Env) interval(now time.Time) interval {
	totals := e.counters.totals()
	totals.Attempted = e.asked(now)
	i := interval{Latency: e.recent, Inflight: e.counters.inflight(), Oldest: e.oldest(now)}
	i.Latency.Reset()
	e.mu.Lock()
	defer e.mu.Unlock()
	i.Operations = report.Operations{
		Attempted: totals.Attempted - e.sampled.Attempted, Succeeded: totals.Succeeded - e.sampled.Succeeded,
		Failed: totals.Failed - e.sampled.Failed, Dropped: totals.Dropped - e.sampled.Dropped,
	}
	e.sampled = totals
	i.Latency.Merge(e.ended)
	e.ended.Reset()
	for _, r := range e.recorders {
		r.Recent(i.Latency.Merge)
	}
	return i
}

// oldest returns for how long the operation has been due that has waited longest
// and has not ended. It can be too long by batchFor in a closed load, where a
// worker says only once per batch when its operation began.
func (e *Env) oldest(now time.Time) time.Duration {
	e.mu.Lock()
	workers := e.workers
	e.mu.Unlock()
	begun := e.counters.totals().Attempted - e.earlier.Load()
	oldest := e.gate.waiting(now, int(begun))
	for i := range workers {
		oldest = max(oldest, workers[i].age(now))
	}
	return oldest
}

// attach makes a load that begins visible to the probes; detach ends that. What
// was recorded since the last sample is kept for the next one.
func (e *Env) attach(d *Driver) (detach func()) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.recorders = append(e.recorders, d.recorder)
	e.workers = d.workers
	return func() {
		e.mu.Lock()
		defer e.mu.Unlock()
		d.recorder.Recent(e.ended.Merge)
		e.recorders = slices.DeleteFunc(e.recorders, func(r *Recorder) bool { return r == d.recorder })
		e.workers = nil
	}
}
