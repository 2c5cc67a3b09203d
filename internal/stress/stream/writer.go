package stream

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"sync"
	"sync/atomic"

	"mabeam-top/internal/probes/probe"
	"mabeam-top/internal/stress/report"
)

// queueLength is the number of events that a Writer queues for a slow reader: half a
// minute of samples.
const queueLength = 256

// A Writer writes events as JSON lines, from its own goroutine and through a bounded
// queue, so that a stalled reader (a stopped process at the other end of a pipe) does not
// stall the load. While the queue is full, samples are dropped, and a log event before the
// next event reports how many. Every other event waits for room.
//
// Emit may be called from several goroutines; Close must be called after all of them.
type Writer struct {
	queue chan queued
	done  chan struct{}
	close sync.Once

	dropped atomic.Int64 // samples dropped since the last event was queued
	lost    atomic.Int64 // other events given up
	broken  atomic.Bool  // after a write error

	// The writing goroutine owns the following fields until done is closed.
	out     *bufio.Writer
	line    bytes.Buffer
	encoder *json.Encoder
	lastT   float64
	err     error // the first error
}

// queued is an event and the number of samples dropped before it.
type queued struct {
	Event
	dropped int64
	flushed chan<- struct{} // if set, there is no event, and the output is flushed
}

// NewWriter returns a Writer to w and starts its goroutine; Close must be called to end
// it.
func NewWriter(w io.Writer) *Writer { return newWriter(w, queueLength) }

func newWriter(out io.Writer, length int) *Writer {
	w := &Writer{
		queue: make(chan queued, length),
		done:  make(chan struct{}),
		out:   bufio.NewWriterSize(out, 64<<10),
	}
	w.encoder = json.NewEncoder(&w.line)
	w.encoder.SetEscapeHTML(false)
	go w.run()
	return w
}

// Emit queues an event, which must not be modified afterwards. If the queue is full, a
// sample is dropped; any other event waits until there is room or ctx ends, and is then
// lost, which Close reports. As long as there is room, ctx may have ended. After a write
// error, Emit does nothing.
func (w *Writer) Emit(ctx context.Context, e Event) {
	if w.broken.Load() {
		return
	}
	q := queued{Event: e, dropped: w.dropped.Swap(0)}
	select {
	case w.queue <- q:
		return
	default:
	}
	if e.Type == SampleTaken {
		w.dropped.Add(q.dropped + 1)
		return
	}
	select {
	case w.queue <- q:
	case <-ctx.Done():
		w.dropped.Add(q.dropped)
		w.lost.Add(1)
	}
}

// Flush waits until all emitted events are written, or ctx ends. It is for events that
// must be known even if the process dies next.
func (w *Writer) Flush(ctx context.Context) {
	flushed := make(chan struct{})
	select {
	case w.queue <- queued{flushed: flushed}:
	case <-ctx.Done():
		return
	}
	select {
	case <-flushed:
	case <-ctx.Done():
	}
}

// Close writes the queued events and returns the first error of writing or encoding,
// together with the number of lost events. It waits as long as the reader stalls; to give
// up, close the underlying writer. Further calls return the same error.
func (w *Writer) Close() error {
	w.close.Do(func() { close(w.queue) })
	<-w.done
	if lost := w.lost.Load(); lost > 0 {
		return errors.Join(w.err, fmt.Errorf("%d events were lost because the reader stalled", lost))
	}
	return w.err
}

// run writes the queue until it is closed. After a write error it continues to empty the
// queue, so that Emit does not block.
func (w *Writer) run() {
	defer close(w.done)
	for q := range w.queue {
		if q.flushed != nil {
			w.keep(w.out.Flush())
			close(q.flushed)
			continue
		}
		if w.broken.Load() {
			continue
		}
		w.logDropped(q.dropped, q.T)
		w.write(q.Event)
		if len(w.queue) == 0 { // show it to a live reader now
			w.keep(w.out.Flush())
		}
	}
	if w.broken.Load() {
		return
	}
	w.logDropped(w.dropped.Load(), w.lastT)
	w.keep(w.out.Flush())
}

// keep records a write error. Afterwards nothing is written: a reader could not make sense
// of a stream with a gap.
func (w *Writer) keep(err error) {
	if err == nil {
		return
	}
	w.broken.Store(true)
	if w.err == nil {
		w.err = fmt.Errorf("write events: %w", err)
	}
}

// logDropped writes a log event in place of n samples.
func (w *Writer) logDropped(n int64, t float64) {
	if n > 0 {
		w.log(t, "warn", fmt.Sprintf("samples dropped because the reader was too slow: %d", n))
	}
}

func (w *Writer) log(t float64, level, message string) {
	w.write(Event{T: t, Type: Logged, Log: &Log{Level: level, Message: message}})
}

// write writes one event, or a log event in its place if it cannot be encoded.
func (w *Writer) write(e Event) {
	e.Sample = onlyFinite(e.Sample)
	w.line.Reset()
	if err := w.encoder.Encode(e); err != nil {
		err = fmt.Errorf("encode a %s event: %w", e.Type, err)
		if w.err == nil {
			w.err = err
		}
		w.log(w.lastT, "error", err.Error())
		return
	}
	w.lastT = e.T
	_, err := w.out.Write(w.line.Bytes())
	w.keep(err)
}

// onlyFinite returns the sample without NaN and infinities, which JSON cannot represent. A
// value that was not measured is absent.
func onlyFinite(sample probe.Sample) probe.Sample {
	for _, v := range sample {
		if !report.Finite(v) {
			sample = maps.Clone(sample) // consumers share it
			maps.DeleteFunc(sample, func(_ probe.Name, v float64) bool { return !report.Finite(v) })
			return sample
		}
	}
	return sample
}
