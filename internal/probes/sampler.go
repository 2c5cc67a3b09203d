package probes

import (
	"context"
	"math"
	"sync"
	"time"
)

// A Source reads some probes. Read calls put once for each probe that it can
// tell now and leaves out what it cannot. A Source is read by one goroutine at
// a time, and may remember what it read to tell rates: now, which never falls,
// is what it divides by. A reading of a rate comes out right however late it
// is taken, and the first one is absent.
type Source interface {
	Read(now time.Time, put func(name string, value float64))
}

// A Sampler reads a set of sources over and over.
type Sampler struct {
	interval time.Duration

	mu      sync.Mutex // guards the sources, which remember what they read
	sources []Source
	size    int // of the largest sample yet, to make the next one at once
}

// New returns a Sampler of the sources. The interval must be positive; it is
// how often Run takes a sample.
func New(interval time.Duration, sources ...Source) *Sampler {
	return &Sampler{interval: interval, sources: sources}
}

// Run takes a sample every interval, the first when one has passed, and hands
// each to emit, until ctx ends; it returns why ctx ended. Samples that a slow
// emit leaves no time for are not made up for. Each sample is emit's to keep.
func (s *Sampler) Run(ctx context.Context, emit func(at time.Time, sample map[string]float64)) error {
	ticker := time.NewTicker(s.interval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-ticker.C:
			emit(s.Sample())
		}
	}
}

// Sample takes one sample now and says when that was. It may be called while
// Run runs, such as for a last reading at a repetition's end; rates are then
// since the last sample that either of them took.
func (s *Sampler) Sample() (at time.Time, sample map[string]float64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	at = time.Now()
	sample = make(map[string]float64, s.size)
	for _, source := range s.sources {
		source.Read(at, func(name string, value float64) {
			// The records downstream are finite by contract, and a value that
			// is not is no measurement.
			if !math.IsNaN(value) && !math.IsInf(value, 0) {
				sample[name] = value
			}
		})
	}
	s.size = max(s.size, len(sample))
	return at, sample
}
