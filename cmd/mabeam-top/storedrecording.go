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

// recordingRoom is how many bytes a recording in the store may take: about an
// hour and a half of samples at ten a second.
const recordingRoom = 64 << 20

// A storedRecording keeps the events of a run in the store, so that the UI can
// replay it. It is bounded: the fuller it is, the fewer samples it takes. Past
// half of its room that is every second one, past three quarters every fourth,
// and so on. The zero value begins with the run.
type storedRecording struct {
	store   report.Store
	file    *atomicfile.File
	out     *stream.Writer
	written atomic.Int64
	skipped int // samples since the last that was taken
	leftOut int // samples in all
	err     error
}

// add takes the next event of the run.
func (r *storedRecording) add(e stream.Event) {
	if e.Type == stream.RunStarted && e.Run != nil && r.file == nil {
		r.err = r.begin(e.Run)
	}
	if r.out == nil {
		return
	}
	if e.Type == stream.SampleTaken {
		if r.skipped++; r.skipped < r.every() {
			r.leftOut++
			return
		}
		r.skipped = 0
	}
	if e.Type == stream.RunFinished && r.leftOut > 0 {
		r.out.Emit(context.Background(), stream.Event{T: e.T, Type: stream.Logged, Log: &stream.Log{
			Level: "info", Message: fmt.Sprintf("this recording leaves %d samples out, so that it takes no more than %s", r.leftOut, quantity.Format(recordingRoom, "bytes")),
		}})
	}
	// Also after a signal: a recording without its end is none.
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

// every is of how many samples one is taken.
func (r *storedRecording) every() int {
	every := 1
	for left := int64(recordingRoom) - r.written.Load(); every < 1<<20 && left < recordingRoom/int64(2*every); {
		every *= 2
	}
	return every
}

// close ends the recording and puts it into the store.
func (r *storedRecording) close() error {
	if r.out == nil {
		if r.err != nil {
			return fmt.Errorf("the run cannot be replayed later: %w", r.err)
		}
		return nil
	}
	err := r.out.Close()
	if err == nil {
		err = r.file.Commit()
	} else {
		_ = r.file.Discard() // the first error tells more
	}
	if err == nil {
		err = r.store.PruneRecordings()
	}
	if err != nil {
		return fmt.Errorf("the run cannot be replayed later: %w", err)
	}
	return nil
}

// A counter counts what is written.
type counter atomic.Int64

func (c *counter) Write(p []byte) (int, error) {
	(*atomic.Int64)(c).Add(int64(len(p)))
	return len(p), nil
}
