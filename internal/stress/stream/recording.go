package stream

import (
	"errors"
	"fmt"
	"io"
	"os"

	"mabeam-top/internal/stress/report"
)

// recordedSamples is how many samples a Recording holds: at ten a second, an
// hour of them. Of a longer run it leaves out every second one.
const recordedSamples = 36_000

// A Recording is a run that was recorded, in memory. It does not change.
type Recording struct {
	// Events begin with run_started; their times never go back.
	Events []Event
	// Broken says why the recording ends before its run did; nil if it is
	// whole.
	Broken error
	// Thinned is how many samples were left out, evenly, to bound the memory
	// of a long run.
	Thinned int
}

// errNoEnd is what a recording lacks that can be read but ends too early.
var errNoEnd = errors.New("it ends before its run has finished")

// LoadRecording is ReadRecording of a file.
func LoadRecording(path string) (*Recording, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read recording: %w", err)
	}
	r, err := ReadRecording(file)
	if err := errors.Join(err, file.Close()); err != nil {
		return nil, fmt.Errorf("read recording %s: %w", path, err)
	}
	return r, nil
}

// ReadRecording reads a recording as far as it goes: what comes after a line
// that cannot be read is left out, because nobody could tell what it is about.
// That is told by Broken. The error is for one of which there is nothing to
// show.
func ReadRecording(in io.Reader) (*Recording, error) { return readRecording(in, recordedSamples) }

func readRecording(in io.Reader, most int) (*Recording, error) {
	r := &Recording{Broken: errNoEnd}
	names := map[string]string{}
	last, samples, every, skipped := 0.0, 0, 1, 0
	for reader := NewReader(in); ; {
		e, err := reader.Read()
		switch {
		case len(r.Events) == 0 && errors.Is(err, io.EOF):
			return nil, errors.New("it is empty")
		case len(r.Events) == 0 && err != nil:
			return nil, err
		case len(r.Events) == 0 && e.Type != RunStarted:
			return nil, fmt.Errorf("line %d: it does not begin with a %s, but with a %s", reader.number, RunStarted, e.Type)
		case errors.Is(err, io.EOF):
			return r, nil
		case err != nil && r.Broken != nil:
			r.Broken = err
			return r, nil
		case err != nil:
			return r, nil // the run has finished: what follows is no part of it
		case len(r.Events) > 0 && e.Type == RunStarted:
			if r.Broken != nil {
				r.Broken = fmt.Errorf("line %d: another run begins before this one has finished", reader.number)
			}
			return r, nil
		case e.Type == RunFinished:
			r.Broken = nil
		}
		if report.Finite(e.T) && e.T <= lastTime {
			last = max(last, e.T)
		}
		e.T = last
		if e.Type == SampleTaken {
			if skipped++; skipped < every {
				r.Thinned++
				continue
			}
			skipped = 0
			if samples == most {
				r.thin()
				samples -= samples / 2
				every *= 2
			}
			samples++
			e.Sample = interned(e.Sample, names)
		}
		r.Events = append(r.Events, e)
	}
}

// thin leaves out every second sample.
func (r *Recording) thin() {
	kept, samples := r.Events[:0], 0
	for _, e := range r.Events {
		if e.Type == SampleTaken {
			if samples++; samples%2 == 0 {
				r.Thinned++
				continue
			}
		}
		kept = append(kept, e)
	}
	clear(r.Events[len(kept):])
	r.Events = kept
}

// interned returns the sample with names that all samples share.
func interned(sample map[string]float64, names map[string]string) map[string]float64 {
	shared := make(map[string]float64, len(sample))
	for name, v := range sample {
		known, ok := names[name]
		if !ok {
			known, names[name] = name, name
		}
		shared[known] = v
	}
	return shared
}

// Length is the time of the last event in seconds since the start of the run.
func (r *Recording) Length() float64 { return r.Events[len(r.Events)-1].T }

// Report returns what the run came to, as far as the recording goes.
func (r *Recording) Report() report.Report {
	var c Collector
	for _, e := range r.Events {
		c.Add(e)
	}
	why := r.Broken
	if why != nil {
		why = fmt.Errorf("the recording breaks off: %w", why)
	}
	return c.Finish(why)
}

// Course returns how the run went over time.
func (r *Recording) Course() report.Course {
	var k CourseKeeper
	for _, e := range r.Events {
		k.Add(e)
	}
	c := k.Course()
	c.Thinned += r.Thinned
	return c
}
