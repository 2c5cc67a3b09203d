package main

import (
	"context"
	"fmt"
	"io"
	"sync/atomic"

	"mabeam-top/internal/atomicfile"
	"mabeam-top/internal/stress/quantity"
	"mabeam-top/internal/stress/report"
	"mabeam-top/internal/stress/stream"
)

// maxRecordingBytes limits the size of a recording in the store: about 90 minutes of
// samples at ten per second.
const maxRecordingBytes = 64 << 20

// A storedRecording saves the events of a run in the store for a replay. Its size is
// limited: past half of the limit it keeps every second sample, past three quarters
// every fourth, and so on. The zero value is ready for a run.
type storedRecording struct {
	store   report.Store
	file    *atomicfile.File
	out     *stream.Writer
	written atomic.Int64
	skipped int // samples since the last one kept
	dropped int // samples in total
	err     error
}

// add adds the next event of the run.
func (r *storedRecording) add(e stream.Event) {
	if e.Type == stream.RunStarted && e.Run != nil && r.file == nil {
		r.err = r.begin(e.Run)
	}
	if r.out == nil {
		return
	}
	if e.Type == stream.SampleTaken {
		if r.skipped++; r.skipped < r.every() {
			r.dropped++
			return
		}
		r.skipped = 0
	}
	if e.Type == stream.RunFinished && r.dropped > 0 {
		r.out.Emit(context.Background(), stream.Event{T: e.T, Type: stream.Logged, Log: &stream.Log{
			Level: "info", Message: fmt.Sprintf("this recording omits %d samples to stay below %s", r.dropped, quantity.Format(maxRecordingBytes, "bytes")),
		}})
	}
	// Also after a signal, because a recording needs its end.
	r.out.Emit(context.Background(), e)
}

func (r *storedRecording) begin(run *stream.Run) error {
	store, err := report.DefaultStore()
	if err != nil {
		return err
	}
	r.store = store
	if r.file, err = store.CreateRecording(run.StartedAt, run.ID); err != nil {
		return err
	}
	r.out = stream.NewWriter(io.MultiWriter(r.file, (*counter)(&r.written)))
	return nil
}

// every returns n, such that every nth sample is kept.
func (r *storedRecording) every() int {
	every := 1
	for left := int64(maxRecordingBytes) - r.written.Load(); every < 1<<20 && left < maxRecordingBytes/int64(2*every); {
		every *= 2
	}
	return every
}

// close closes the recording and commits it to the store.
func (r *storedRecording) close() error {
	if r.out == nil {
		if r.err != nil {
			return fmt.Errorf("record the run for a replay: %w", r.err)
		}
		return nil
	}
	err := r.out.Close()
	if err == nil {
		err = r.file.Commit()
	} else {
		_ = r.file.Discard() // the first error matters
	}
	if err == nil {
		err = r.store.PruneRecordings()
	}
	if err != nil {
		return fmt.Errorf("record the run for a replay: %w", err)
	}
	return nil
}

// A counter counts written bytes.
type counter atomic.Int64

func (c *counter) Write(p []byte) (int, error) {
	(*atomic.Int64)(c).Add(int64(len(p)))
	return len(p), nil
}
