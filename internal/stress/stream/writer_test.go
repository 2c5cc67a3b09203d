package stream

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"mabeam-top/internal/probes/probe"
	"mabeam-top/internal/stress/report"
)

func sampleAt(t float64) Event {
	return Event{T: t, Type: SampleTaken, Sample: probe.Sample{"goroutines": 1}}
}

func logAt(t float64, message string) Event {
	return Event{T: t, Type: Logged, Log: &Log{Level: "info", Message: message}}
}

// readAll reads a stream to its end, which must be a clean one.
func readAll(t interface{ Fatal(...any) }, r io.Reader) []Event {
	var events []Event
	for in := NewReader(r); ; {
		e, err := in.Read()
		if errors.Is(err, io.EOF) {
			return events
		}
		if err != nil {
			t.Fatal(err)
		}
		events = append(events, e)
	}
}

// outline puts events in words: t=VALUE for a sample, its message for a log.
func outline(events []Event) string {
	var words []string
	for _, e := range events {
		word := string(e.Type)
		switch {
		case e.Log != nil:
			word = e.Log.Message
		case e.Type == SampleTaken:
			word = fmt.Sprint("t=", e.T)
		}
		words = append(words, word)
	}
	return strings.Join(words, "\n")
}

func checkOutline(t *testing.T, events []Event, want ...string) {
	t.Helper()
	if got, want := outline(events), strings.Join(want, "\n"); got != want {
		t.Errorf("stream:\n%s\nwant:\n%s", got, want)
	}
}

func TestWriterWritesLines(t *testing.T) {
	var out bytes.Buffer
	w := NewWriter(&out)
	w.Emit(t.Context(), Event{T: 0.5, Type: SampleTaken, Sample: probe.Sample{"agents": 3}})
	w.Emit(t.Context(), logAt(1, "<one> & two"))
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	want := `{"t":0.5,"type":"sample","sample":{"agents":3}}
{"t":1,"type":"log","log":{"level":"info","message":"<one> & two"}}
`
	if out.String() != want {
		t.Errorf("wrote\n%swant\n%s", out.String(), want)
	}
}

func TestWriterShowsALiveReaderEachEventAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, out := io.Pipe()
		w := NewWriter(out)
		in := NewReader(r)
		for i := range 3 {
			w.Emit(t.Context(), sampleAt(float64(i)))
			if e, err := in.Read(); err != nil || e.T != float64(i) {
				t.Fatalf("read %v, %v", e, err)
			}
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
	})
}

func TestWriterDropsSamplesOfAStalledReader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, out := io.Pipe()
		w := newWriter(out, 2)
		w.Emit(t.Context(), sampleAt(0))
		synctest.Wait() // the writing goroutine has it and is stuck in the pipe
		start := time.Now()
		for i := range 8 {
			w.Emit(t.Context(), sampleAt(float64(i+1)))
		}
		if stalled := time.Since(start); stalled > 0 {
			t.Errorf("samples waited %v", stalled)
		}

		// Another event waits for room.
		reading := make(chan []Event)
		go func() {
			time.Sleep(time.Second)
			reading <- readAll(t, r)
		}()
		w.Emit(t.Context(), logAt(9, "important"))
		if waited := time.Since(start); waited != time.Second {
			t.Errorf("the log event waited %v, want until the reader read, 1s", waited)
		}
		synctest.Wait()
		w.Emit(t.Context(), sampleAt(10))
		synctest.Wait()
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		_ = out.Close()
		events := <-reading
		checkOutline(t, events,
			"t=0", "t=1", "t=2", "samples dropped because the reader was too slow: 6", "important", "t=10")
		if e := events[3]; e.Log.Level != "warn" || e.T != 9 {
			t.Errorf("%+v at %v", e.Log, e.T)
		}
	})
}

func TestWriterTellsAtCloseWhatItDropped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, out := io.Pipe()
		w := newWriter(out, 1)
		w.Emit(t.Context(), sampleAt(0))
		synctest.Wait()
		for i := range 5 {
			w.Emit(t.Context(), sampleAt(float64(i+1)))
		}
		reading := make(chan []Event)
		go func() { reading <- readAll(t, r) }()
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		_ = out.Close()
		checkOutline(t, <-reading, "t=0", "t=1", "samples dropped because the reader was too slow: 4")
	})
}

func TestWriterGivesUpWhenTheContextEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, out := io.Pipe()
		w := newWriter(out, 1)
		w.Emit(t.Context(), sampleAt(0))
		synctest.Wait()

		ended, cancel := context.WithCancel(t.Context())
		cancel()
		w.Emit(ended, logAt(1, "there is room"))
		w.Emit(t.Context(), sampleAt(2)) // dropped
		soon, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		w.Emit(soon, logAt(3, "never"))
		w.Emit(soon, logAt(4, "never"))

		reading := make(chan []Event)
		go func() { reading <- readAll(t, r) }()
		err := w.Close()
		if err == nil || !strings.HasPrefix(err.Error(), "2 events were lost") {
			t.Errorf("error %v", err)
		}
		_ = out.Close()
		checkOutline(t, <-reading, "t=0", "there is room", "samples dropped because the reader was too slow: 1")
	})
}

func TestWriterAfterAWriteError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, out := io.Pipe()
		w := newWriter(out, 1)
		w.Emit(t.Context(), sampleAt(0))
		synctest.Wait()
		w.Emit(t.Context(), sampleAt(1))
		var waiting sync.WaitGroup
		waiting.Go(func() { w.Emit(t.Context(), logAt(2, "waits for room")) })
		synctest.Wait()

		gone := errors.New("the reader has gone")
		_ = r.CloseWithError(gone)
		waiting.Wait()
		synctest.Wait()
		for range 1000 {
			w.Emit(t.Context(), logAt(3, "into nothing"))
		}
		for range 2 {
			if err := w.Close(); !errors.Is(err, gone) {
				t.Errorf("error %v", err)
			}
		}
	})
}

func TestWriterClosedWithoutEvents(t *testing.T) {
	var out bytes.Buffer
	if err := NewWriter(&out).Close(); err != nil || out.Len() > 0 {
		t.Errorf("error %v, wrote %q", err, out.String())
	}
}

func TestWriterLeavesOutWhatIsNoNumber(t *testing.T) {
	sample := probe.Sample{"a": math.NaN(), "b": math.Inf(1), "c": math.Inf(-1), "d": 4}
	var out bytes.Buffer
	w := NewWriter(&out)
	w.Emit(t.Context(), Event{Type: SampleTaken, Sample: sample})
	w.Emit(t.Context(), Event{Type: SampleTaken, Sample: probe.Sample{"a": math.NaN()}})
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	events := readAll(t, &out)
	if len(events) != 2 || !maps.Equal(events[0].Sample, probe.Sample{"d": 4}) || len(events[1].Sample) > 0 {
		t.Errorf("read %v", events)
	}
	if len(sample) != 4 {
		t.Errorf("the event was changed: %v", sample)
	}
}

func TestWriterOfAnEventThatCannotBeEncoded(t *testing.T) {
	var out bytes.Buffer
	w := NewWriter(&out)
	w.Emit(t.Context(), logAt(1, "before"))
	w.Emit(t.Context(), Event{T: 2, Type: StepFinished, StepResult: &report.Step{Score: math.NaN()}})
	w.Emit(t.Context(), logAt(math.Inf(1), "when?"))
	w.Emit(t.Context(), logAt(3, "after"))
	err := w.Close()
	if err == nil || !strings.HasPrefix(err.Error(), "encode a step_finished event: json: ") {
		t.Fatalf("error %v", err)
	}
	checkOutline(t, readAll(t, &out),
		"before", err.Error(), "encode a log event: json: unsupported value: +Inf", "after")
}

// However slowly the reader reads: events come in their order, none is missing
// but samples, and those missing are counted.
func TestWriterLosesNothingSilently(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		kinds := rapid.SliceOfN(rapid.Bool(), 0, 200).Draw(t, "is a sample")
		length := rapid.IntRange(0, 8).Draw(t, "queue")
		pause := rapid.IntRange(0, 5).Draw(t, "pause")

		r, out := io.Pipe()
		w := newWriter(out, length)
		reading := make(chan []Event)
		go func() {
			slow := slowReader{r, pause}
			reading <- readAll(t, slow)
		}()
		for i, isSample := range kinds {
			if isSample {
				w.Emit(t.Context(), sampleAt(float64(i)))
			} else {
				w.Emit(t.Context(), logAt(float64(i), ""))
			}
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		_ = out.Close()

		next := 0
		for _, e := range <-reading {
			var missing int
			if e.Log != nil && e.Log.Message != "" {
				if _, err := fmt.Sscanf(e.Log.Message, "samples dropped because the reader was too slow: %d", &missing); err != nil {
					t.Fatalf("%q: %v", e.Log.Message, err)
				}
				for range missing {
					if next >= len(kinds) || !kinds[next] {
						t.Fatalf("%d missing before event %d, but that is no sample", missing, next)
					}
					next++
				}
				continue
			}
			if int(e.T) != next || (e.Type == SampleTaken) != kinds[next] {
				t.Fatalf("read %s %v, want event %d", e.Type, e.T, next)
			}
			next++
		}
		if next != len(kinds) {
			t.Fatalf("the stream tells of %d events of %d", next, len(kinds))
		}
	})
}

// A slowReader gives way to others before each reading.
type slowReader struct {
	io.Reader
	pause int
}

func (s slowReader) Read(p []byte) (int, error) {
	for range s.pause {
		runtime.Gosched()
	}
	return s.Reader.Read(p)
}
