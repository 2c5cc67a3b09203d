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

	"mabeam-top/internal/stress/report"
)

// queueLength is how many events a Writer holds for a reader that does not
// keep up: at the usual interval between samples, half a minute of them.
const queueLength = 256

// A Writer writes events as JSON lines. It does so from a goroutine of its own
// and holds a bounded number of events, so that a reader who stalls (a stopped
// process at the other end of a pipe) does not stall the load: when the queue
// is full, samples are dropped, and a log event tells how many were missing
// before the next event that is written. Every other event waits for room.
//
// Emit may be called from several goroutines, Close only after all of them.
type Writer struct {
	queue chan queued
	done  chan struct{}
	close sync.Once

	dropped atomic.Int64 // samples dropped since the last event was queued
	lost    atomic.Int64 // other events given up
	broken  atomic.Bool  // nothing can be written any more

	// What follows belongs to the writing goroutine until done is closed.
	out     *bufio.Writer
	line    bytes.Buffer
	encoder *json.Encoder
	lastT   float64
	err     error // the first
}

// queued is an event and how many samples were dropped just before it.
type queued struct {
	Event
	dropped int64
	flushed chan<- struct{} // if set, there is no event: what came before is to be written out
}

// NewWriter returns a Writer to w. Its goroutine begins here, because a Writer
// that is not read from must not hold whoever emits; Close must end it.
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

// Emit queues an event to be written; nobody may change it afterwards. If there
// is no room, a sample is dropped, and anything else waits until there is or
// ctx ends: then it is lost, which Close reports. A ctx that has already ended
// is no hindrance as long as there is room. After a write error, Emit does
// nothing.
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

// Flush waits until all that was emitted has been written, or ctx ends. It is
// for what must be known even if the process dies next.
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

// Close writes what is queued, waits until it is written, and returns the first
// error there was, be it of writing or of an event that could not be encoded,
// and how many events were lost. It waits as long as the reader stalls; to give
// up, close what the Writer writes to. Closing again returns the same.
func (w *Writer) Close() error {
	w.close.Do(func() { close(w.queue) })
	<-w.done
	if lost := w.lost.Load(); lost > 0 {
		return errors.Join(w.err, fmt.Errorf("%d events were lost because the reader stalled", lost))
	}
	return w.err
}

// run writes the queue until it is closed. After a write error it goes on
// emptying it, so that nobody waits in Emit.
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
		w.tellDropped(q.dropped, q.T)
		w.write(q.Event)
		if len(w.queue) == 0 { // let a live reader see it now
			w.keep(w.out.Flush())
		}
	}
	if w.broken.Load() {
		return
	}
	w.tellDropped(w.dropped.Load(), w.lastT)
	w.keep(w.out.Flush())
}

// keep notes a write error. After one, the stream has a hole: nothing that came
// later could be understood.
func (w *Writer) keep(err error) {
	if err == nil {
		return
	}
	w.broken.Store(true)
	if w.err == nil {
		w.err = fmt.Errorf("write events: %w", err)
	}
}

// tellDropped writes a log event in the place of n samples.
func (w *Writer) tellDropped(n int64, t float64) {
	if n > 0 {
		w.log(t, "warn", fmt.Sprintf("samples dropped because the reader was too slow: %d", n))
	}
}

func (w *Writer) log(t float64, level, message string) {
	w.write(Event{T: t, Type: Logged, Log: &Log{Level: level, Message: message}})
}

// write writes one event. For one that cannot be encoded, a log event says so
// in its place.
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

// onlyFinite returns the sample without the values that JSON has no way to
// write: they were not measured, and what was not measured is absent.
func onlyFinite(sample map[string]float64) map[string]float64 {
	for _, v := range sample {
		if !report.Finite(v) {
			sample = maps.Clone(sample) // others read it too
			maps.DeleteFunc(sample, func(_ string, v float64) bool { return !report.Finite(v) })
			return sample
		}
	}
	return sample
}
