package load

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
	// shard takes the latencies; nil if the operations record them themselves.
	shard *Shard
	// missed takes the ages of operations that never started; nil if nobody needs
	// them.
	missed *Shard
	failed func(error)

	// Measured, but not published yet.
	durations [batchSize]time.Duration
	count     int
	succeeded int64
	elapsed   time.Duration // since it last published
	running   bool          // the operation in flight is counted

	_ [128]byte // keeps the workers of a slice from sharing cache lines
}

// newWorkers returns the workers of a load with all the memory that they need.
// Their latencies go to the recorder, unless the operations of the load record
// them themselves. The recorder can be nil.
func newWorkers(l Load, r *Recorder) []worker {
	workers := make([]worker, l.Workers)
	var missed *Shard
	if r != nil && l.Recorder != nil && l.IsOpen() {
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

// begin counts an operation that starts.
func (w *worker) begin() {
	w.running = true
	w.cell.inFlight.Add(1)
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
		w.failed(err)
	}
}

// isFull reports whether the worker has to publish.
func (w *worker) isFull() bool { return w.count == batchSize || w.elapsed >= batchFor }

// publish makes visible to others what the worker has measured.
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

// rest publishes, and stops counting the operation in flight: it has ended, or the
// end of the load has cut it off, so that it means nothing.
func (w *worker) rest() {
	w.publish()
	if w.running {
		w.running = false
		w.cell.inFlight.Add(-1)
	}
}

// interrupted reports whether an operation failed because its load was stopped.
func interrupted(ctx context.Context, err error) bool {
	return err != nil && ctx.Err() != nil
}
