package probes

import (
	"context"
	"math"
	"sync"
	"time"

	"mabeam-top/internal/probes/probe"
)

// A Source reads some probes. Read calls put once for each probe that it can measure
// now. Only one goroutine calls Read at a time, and now never decreases. A Source may
// keep the last reading to compute rates: a rate is right however late it is read, and
// the first one is absent.
type Source interface {
	Read(now time.Time, put func(name probe.Name, value float64))
}

// A Sampler samples a set of sources periodically.
type Sampler struct {
	interval time.Duration

	mu      sync.Mutex // guards the sources, which keep their last reading
	sources []Source
	size    int // of the largest sample so far, to allocate the next one at once
}

// New returns a Sampler of the sources. Run takes a sample every interval, which must
// be positive.
func New(interval time.Duration, sources ...Source) *Sampler {
	return &Sampler{interval: interval, sources: sources}
}

// Run takes a sample every interval, the first after one interval, and calls emit with
// it, until ctx is done. It returns the error of ctx. Samples that a slow emit leaves
// no time for are skipped. emit may keep the sample.
func (s *Sampler) Run(ctx context.Context, emit func(at time.Time, sample probe.Sample)) error {
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

// Sample takes one sample now and returns it with its time. It may be called while Run
// is running, for example at the end of a repetition. Rates are since the last sample
// that either of them took.
func (s *Sampler) Sample() (at time.Time, sample probe.Sample) {
	s.mu.Lock()
	defer s.mu.Unlock()
	at = time.Now()
	sample = make(probe.Sample, s.size)
	for _, source := range s.sources {
		source.Read(at, func(name probe.Name, value float64) {
			// Reports and events hold finite numbers only.
			if !math.IsNaN(value) && !math.IsInf(value, 0) {
				sample[name] = value
			}
		})
	}
	s.size = max(s.size, len(sample))
	return at, sample
}
