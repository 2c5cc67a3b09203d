package stress

import (
	"context"
	"errors"
	"time"
)

const (
	// batchSize is how many operations a worker publishes at once, at most.
	batchSize = 32
	// batchFor is the time after which a worker publishes what it has measured.
	// Publishing takes a lock and writes to shared memory, which costs more than
	// the fastest operations. Once per batchFor it costs nothing, and the probes,
	// which read ten times a second, do not notice the delay.
	batchFor = 100 * time.Microsecond
)

// A worker carries out operations of a load, one at a time, and records them.
type worker struct {
	id   int
	cell *counterCell
	// shard takes the latencies; nil if the operations record for themselves.
	shard *Shard
	// missed takes the ages of operations that were never begun; nil if nobody
	// asks for them.
	missed *Shard
	fail   func(error)

	// Measured, but not published yet.
	durations [batchSize]time.Duration
	count     int
	succeeded int64
	elapsed   time.Duration // since it published last
	running   bool          // the operation under way is counted

	_ [128]byte // keeps the workers of an array from sharing cache lines
}

// newWorkers returns the workers of a load with all the memory that they need.
// Their latencies go to the recorder, unless the operations of the load record
// for themselves. The recorder may be nil.
func newWorkers(l Load, r *Recorder) []worker {
	workers := make([]worker, l.Workers)
	var missed *Shard
	if r != nil && l.Recorder != nil && len(l.Stages) > 0 {
		missed = r.Shard()
	}
	for i := range workers {
		w := &workers[i]
		w.id, w.missed = i, missed
		if r != nil && l.Recorder == nil {
			w.shard = r.Shard()
			w.missed = w.shard
		}
	}
	return workers
}

// begin counts an operation that begins.
func (w *worker) begin() {
	w.running = true
	w.cell.inflight.Add(1)
}

// end records how an operation ended, and how long it took. The caller publishes
// before it waits for anything.
func (w *worker) end(took time.Duration, err error) {
	w.durations[w.count] = took
	w.count++
	w.elapsed += took
	switch {
	case err == nil:
		w.succeeded++
	case errors.Is(err, ErrDropped):
		w.cell.dropped.Add(1)
	default:
		w.cell.failed.Add(1)
		w.fail(err)
	}
}

// isFull reports whether the worker has to publish.
func (w *worker) isFull() bool { return w.count == batchSize || w.elapsed >= batchFor }

// publish makes what the worker has measured visible to others.
func (w *worker) publish() {
	if w.count == 0 {
		return
	}
	if w.shard != nil {
		w.shard.recordAll(w.durations[:w.count])
	}
	if w.succeeded > 0 {
		w.cell.succeeded.Add(w.succeeded)
	}
	w.count, w.succeeded, w.elapsed = 0, 0, 0
}

// rest publishes, and takes back that an operation is under way: it has ended,
// or the load has cut it off, so that it says nothing.
func (w *worker) rest() {
	w.publish()
	if w.running {
		w.running = false
		w.cell.inflight.Add(-1)
	}
}

// interrupted reports whether an operation failed because its load was stopped.
func interrupted(ctx context.Context, err error) bool {
	return err != nil && ctx.Err() != nil
}
