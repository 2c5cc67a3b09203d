package stream

import (
	"errors"
	"fmt"
	"io"
	"os"

	"mabeam-top/internal/probes/probe"
)

// recordedSamples is how many samples a Recording holds: one hour at ten per
// second. A longer run is thinned.
const recordedSamples = 36_000

// A Recording is a recorded run in memory. It is immutable.
type Recording struct {
	// Events begin with run_started. Their times never decrease.
	Events []Event
	// Broken is why the recording ends before its run; nil if it is complete.
	Broken error
	// Thinned is the number of samples left out to bound the memory of a long
	// run; see Thin.
	Thinned int
}

// errNoEnd is the error of a recording without the end of its run.
var errNoEnd = errors.New("it ends before the run finished")

// LoadRecording reads a recording from a file; see ReadRecording.
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

// ReadRecording reads a recording up to the first invalid line, which Recording.Broken
// reports. The error is for a recording without any usable event.
func ReadRecording(in io.Reader) (*Recording, error) { return readRecording(in, recordedSamples) }

func readRecording(in io.Reader, most int) (*Recording, error) {
	r := &Recording{Broken: errNoEnd}
	names := map[probe.Name]probe.Name{}
	last, samples := 0.0, 0
	for reader := NewReader(in); ; {
		e, err := reader.Read()
		switch {
		case len(r.Events) == 0 && errors.Is(err, io.EOF):
			return nil, errors.New("the file is empty")
		case len(r.Events) == 0 && err != nil:
			return nil, err
		case len(r.Events) == 0 && e.Type != RunStarted:
			return nil, fmt.Errorf("line %d: not a recording: the first event must be %s, not %s", reader.number, RunStarted, e.Type)
		case errors.Is(err, io.EOF):
			return r, nil
		case err != nil && r.Broken != nil:
			r.Broken = err
			return r, nil
		case err != nil:
			return r, nil // the run has finished; the rest does not belong to it
		case len(r.Events) > 0 && e.Type == RunStarted:
			if r.Broken != nil {
				r.Broken = fmt.Errorf("line %d: another run starts before this one finished", reader.number)
			}
			return r, nil
		case e.Type == RunFinished:
			r.Broken = nil
		}
		last = e.Advance(last)
		e.T = last
		if e.Type == SampleTaken {
			if samples == most {
				samples = r.thin()
			}
			samples++
			e.Sample = interned(e.Sample, names)
		}
		r.Events = append(r.Events, e)
	}
}

// thin leaves out samples as Thin chooses, and returns how many are left.
func (r *Recording) thin() (left int) {
	var samples []int // indices of events
	for i, e := range r.Events {
		if e.Type == SampleTaken {
			samples = append(samples, i)
		}
	}
	chosen := Thin(len(samples),
		func(i int) float64 { return r.Events[samples[i]].T },
		func(i, j int) bool {
			return r.Events[samples[i]].Sample[ThinningProbe] > r.Events[samples[j]].Sample[ThinningProbe]
		})
	kept, next := r.Events[:0], 0 // of chosen
	for i, e := range r.Events {
		if e.Type == SampleTaken {
			if next == len(chosen) || i != samples[chosen[next]] {
				continue
			}
			next++
		}
		kept = append(kept, e)
	}
	clear(r.Events[len(kept):])
	r.Events = kept
	r.Thinned += len(samples) - len(chosen)
	return len(chosen)
}

// interned returns the sample with names that all samples share in memory.
func interned(sample probe.Sample, names map[probe.Name]probe.Name) probe.Sample {
	shared := make(probe.Sample, len(sample))
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
