package stress

import (
	"slices"
	"sync"
	"time"

	"mabeam-top/internal/probes"
	"mabeam-top/internal/probes/probe"
	"mabeam-top/internal/stress/load"
	"mabeam-top/internal/stress/report"
	"mabeam-top/internal/stress/scenario"
	"mabeam-top/internal/stress/verdict"
)

// loadProbes are the probes of the loads that run: the sum of all of them for viewers,
// and those of each step for its thresholds.
type loadProbes struct {
	mu    sync.Mutex
	steps []*stepLoad
}

// A stepLoad is what was read of the loads of one step.
type stepLoad struct {
	env      *Env
	last     report.Operations
	at       time.Time // of that reading
	supplied map[probe.Name]int64
	// ended is when an operation was last seen to end, or a load to begin.
	ended     time.Time
	intervals []interval // that nobody has taken yet
	// flushed has latencies that a flush has read, for the probes.
	flushed *load.Histogram
}

// An interval is what the loads of a step did between two samples.
type interval struct {
	// Values are probes.
	Values probe.Sample `json:"values"`
	// Latencies are those of the operations that ended.
	Latencies *verdict.Latencies `json:"latencies"`
	// WaitedMS is for how long, at the end of the interval, no operation had ended
	// although some were in flight.
	WaitedMS float64 `json:"waited_ms"`

	at time.Time // of its end
}

// with returns the interval with the values of other probes, which are of the whole
// system.
func (i interval) with(values probe.Sample) interval {
	whole := make(probe.Sample, len(values))
	for name, v := range values {
		if !slices.Contains(scenario.StepProbes, name) {
			whole[name] = v
		}
	}
	for _, name := range []probe.Name{probe.EventsDeliveredPerSecond, probe.EventsDropped} {
		if v, ok := values[name]; ok {
			whole[name] = v // unless the step supplies its own
		}
	}
	for name, v := range i.Values {
		whole[name] = v
	}
	i.Values = whole
	return i
}

// setParts sets the parts whose loads are read.
func (l *loadProbes) setParts(parts []*partRun) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.steps = nil
	for _, p := range parts {
		l.steps = append(l.steps, &stepLoad{env: p.env, flushed: load.NewHistogram()})
	}
}

// take returns the intervals of each step, once: two samples can be taken at about the
// same time.
func (l *loadProbes) take() [][]interval {
	l.mu.Lock()
	defer l.mu.Unlock()
	var all [][]interval
	for _, s := range l.steps {
		all = append(all, s.intervals)
		s.intervals = nil
	}
	return all
}

// flush reads the load of one step now, and returns its intervals.
func (l *loadProbes) flush(step int) []interval {
	l.mu.Lock()
	defer l.mu.Unlock()
	if step >= len(l.steps) {
		return nil // the repetition is over
	}
	s := l.steps[step]
	_, recent := s.read(time.Now())
	s.flushed.Merge(recent)
	intervals := s.intervals
	s.intervals = nil
	return intervals
}

// progress returns the outcome of each step so far.
func (l *loadProbes) progress() []outcome {
	l.mu.Lock()
	defer l.mu.Unlock()
	outcomes := make([]outcome, len(l.steps))
	for i, s := range l.steps {
		outcomes[i] = s.env.progress()
	}
	return outcomes
}

// Read implements probes.Source: it reads what the loads did since the previous
// reading. Between repetitions it reads nothing.
func (l *loadProbes) Read(now time.Time, put func(probe.Name, float64)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.steps) == 0 {
		return
	}
	var inFlight int64
	var lag time.Duration
	rates := probe.Sample{}
	all := load.NewHistogram()
	for _, s := range l.steps {
		i, recent := s.read(now)
		all.Merge(recent)
		all.Merge(s.flushed)
		s.flushed.Reset()
		inFlight += s.env.loads.InFlight()
		lag = max(lag, s.env.loads.TakeLag())
		for _, rate := range []probe.Name{probe.OfferedPerSecond, probe.CompletedPerSecond, probe.FailedPerSecond} {
			if v, ok := i.Values[rate]; ok {
				rates[rate] += v
			}
		}
	}
	put(probe.InFlight, float64(inFlight))
	put(probe.GeneratorLagMS, load.Milliseconds(lag))
	if all.Count() > 0 {
		put(probe.ActionP50MS, load.Milliseconds(all.Quantile(0.5)))
		put(probe.ActionP95MS, load.Milliseconds(all.Quantile(0.95)))
		put(probe.ActionP99MS, load.Milliseconds(all.Quantile(0.99)))
	}
	for rate, v := range rates {
		put(rate, v)
	}
}

// read reads the load of one step. It returns what the load did since the previous
// reading, and the latencies of that.
func (s *stepLoad) read(now time.Time) (interval, *load.Histogram) {
	e := s.env
	recent := load.NewHistogram()
	e.mu.Lock()
	recorders, supplied := slices.Clone(e.recorders), e.supplied
	e.mu.Unlock()
	for _, r := range recorders {
		r.Recent(recent.Merge)
	}
	e.loads.SampleProcessors()
	total := e.loads.Operations()
	busy := e.loads.InFlight() > 0 || e.loads.Due(now) > total.Succeeded+total.Failed+total.Dropped
	if recent.Count() > 0 || !busy || s.ended.IsZero() {
		s.ended = now
	}
	i := interval{Values: probe.Sample{}, Latencies: latencies(recent), WaitedMS: load.Milliseconds(now.Sub(s.ended)), at: now}
	total.Attempted = e.loads.Due(now)
	// Too short an interval has no rates; the next reading covers it.
	if s.at.IsZero() || now.Sub(s.at) >= probes.MinRateInterval {
		s.readRates(i.Values, now, total, supplied)
	}
	s.intervals = append(s.intervals, i)
	return i, recent
}

// readRates adds the rates since the previous reading of rates.
func (s *stepLoad) readRates(values probe.Sample, now time.Time, total report.Operations, supplied map[probe.Name]func() int64) {
	counts := map[probe.Name]int64{}
	for name, count := range supplied {
		counts[name] = count()
	}
	since, first := now.Sub(s.at), s.at.IsZero()
	if !first {
		// A load that was cut off had asked for more than it gets.
		values[probe.OfferedPerSecond] = load.PerSecond(max(total.Attempted-s.last.Attempted, 0), since)
		values[probe.CompletedPerSecond] = load.PerSecond(total.Succeeded-s.last.Succeeded, since)
		values[probe.FailedPerSecond] = load.PerSecond(total.Failed-s.last.Failed, since)
	}
	for name, n := range counts {
		switch {
		case name == probe.EventsDropped:
			values[name] = float64(n)
		case !first:
			values[name] = load.PerSecond(n-s.supplied[name], since)
		}
	}
	s.last, s.at, s.supplied = total, now, counts
}

// latencies returns the buckets of a histogram, in milliseconds.
func latencies(h *load.Histogram) *verdict.Latencies {
	all := &verdict.Latencies{Sum: h.Sum() / 1e6}
	for upTo, n := range h.Buckets() {
		all.Buckets = append(all.Buckets, verdict.Bucket{Value: load.Milliseconds(upTo), Count: n})
	}
	return all
}
