package stress

import (
	"slices"
	"sync"
	"time"

	"mabeam-top/internal/probes"
	"mabeam-top/internal/stress/load"
	"mabeam-top/internal/stress/report"
	"mabeam-top/internal/stress/scenario"
	"mabeam-top/internal/stress/verdict"
)

// A loadSource supplies the probes that the loads of the running steps feed: all of
// them together for who looks at the run, and each by itself for what the step is
// held against.
type loadProbes struct {
	mu    sync.Mutex
	loads []*stepLoad
}

// A watchedLoad is what is read of one step's loads.
type stepLoad struct {
	env  *Env
	last report.Operations
	at   time.Time // of that reading
	own  map[string]int64
	// ended is when an operation was last seen to have ended, or a load begun.
	ended     time.Time
	intervals []interval // that nobody has taken yet
	// flushed are latencies that a flush has read, for the probes.
	flushed *load.Histogram
}

// An interval is what a step's own load did between two samples.
type interval struct {
	// Values are probes.
	Values map[string]float64 `json:"values"`
	// Latencies are of the operations that ended.
	Latencies *verdict.Latencies `json:"latencies"`
	// WaitedMS is how long, at its end, nothing had ended though something was under
	// way.
	WaitedMS float64 `json:"waited_ms"`

	at time.Time // of its end
}

// with fills in what other probes showed of the whole system.
func (i interval) with(values map[string]float64) interval {
	whole := make(map[string]float64, len(values))
	for probe, v := range values {
		if !slices.Contains(scenario.StepProbes, probe) {
			whole[probe] = v
		}
	}
	for _, probe := range []string{scenario.DeliveredRate, scenario.EventsDropped} {
		if v, ok := values[probe]; ok {
			whole[probe] = v // unless the step has its own
		}
	}
	for probe, v := range i.Values {
		whole[probe] = v
	}
	i.Values = whole
	return i
}

// watch says which steps' loads are told from now on.
func (l *loadProbes) setParts(parts []*partRun) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.loads = nil
	for _, p := range parts {
		l.loads = append(l.loads, &stepLoad{env: p.env, flushed: load.NewHistogram()})
	}
}

// take returns what each step's load did between readings, once: two samples may be
// taken at about the same time.
func (l *loadProbes) take() [][]interval {
	l.mu.Lock()
	defer l.mu.Unlock()
	var all [][]interval
	for _, w := range l.loads {
		all = append(all, w.intervals)
		w.intervals = nil
	}
	return all
}

// flush takes a reading of one step, and returns what nobody has taken yet.
func (l *loadProbes) flush(i int) []interval {
	l.mu.Lock()
	defer l.mu.Unlock()
	if i >= len(l.loads) {
		return nil // the repetition is over
	}
	w := l.loads[i]
	_, recent := w.read(time.Now())
	w.flushed.Merge(recent)
	took := w.intervals
	w.intervals = nil
	return took
}

// progress is what the running repetition says so far of each step.
func (l *loadProbes) progress() []outcome {
	l.mu.Lock()
	defer l.mu.Unlock()
	outcomes := make([]outcome, len(l.loads))
	for i, w := range l.loads {
		outcomes[i] = w.env.progress()
	}
	return outcomes
}

// Read tells what the loads did since the last reading. Between repetitions
// there is nothing to tell.
func (l *loadProbes) Read(now time.Time, put func(string, float64)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.loads) == 0 {
		return
	}
	var inflight int64
	var lag time.Duration
	rates := map[string]float64{}
	all := load.NewHistogram()
	for _, w := range l.loads {
		took, recent := w.read(now)
		all.Merge(recent)
		all.Merge(w.flushed)
		w.flushed.Reset()
		inflight += w.env.loads.InFlight()
		lag = max(lag, w.env.loads.TakeLag())
		for _, rate := range []string{scenario.OfferedRate, scenario.CompletedRate, scenario.FailedRate} {
			if v, ok := took.Values[rate]; ok {
				rates[rate] += v
			}
		}
	}
	put("inflight", float64(inflight))
	put("generator_lag_ms", load.Milliseconds(lag))
	if all.Count() > 0 {
		put("action_p50_ms", load.Milliseconds(all.Quantile(0.5)))
		put("action_p95_ms", load.Milliseconds(all.Quantile(0.95)))
		put("action_p99_ms", load.Milliseconds(all.Quantile(0.99)))
	}
	for rate, v := range rates {
		put(rate, v)
	}
}

// read takes a reading of one step, and returns what was since the last, and the
// latencies of that.
func (w *stepLoad) read(now time.Time) (interval, *load.Histogram) {
	e := w.env
	recent := load.NewHistogram()
	e.mu.Lock()
	recorders, supplied := slices.Clone(e.recorders), e.supplied
	e.mu.Unlock()
	for _, r := range recorders {
		r.Recent(recent.Merge)
	}
	total := e.loads.Operations()
	e.loads.SampleProcessors()
	underWay := e.loads.InFlight() > 0 || e.loads.Due(now) > total.Succeeded+total.Failed+total.Dropped
	if recent.Count() > 0 || !underWay || w.ended.IsZero() {
		w.ended = now
	}
	took := interval{Values: map[string]float64{}, Latencies: latencies(recent), WaitedMS: load.Milliseconds(now.Sub(w.ended)), at: now}
	defer func() { w.intervals = append(w.intervals, took) }()
	total.Attempted = e.loads.Due(now)
	since := now.Sub(w.at)
	if !w.at.IsZero() && since < probes.ShortestSpan {
		return took, recent // too short for a rate; the next reading covers it
	}
	own := map[string]int64{}
	for probe, count := range supplied {
		own[probe] = count()
	}
	if !w.at.IsZero() {
		// A load that was broken off had asked for more than it gets.
		took.Values[scenario.OfferedRate] = load.PerSecond(max(total.Attempted-w.last.Attempted, 0), since)
		took.Values[scenario.CompletedRate] = load.PerSecond(total.Succeeded-w.last.Succeeded, since)
		took.Values[scenario.FailedRate] = load.PerSecond(total.Failed-w.last.Failed, since)
	}
	for probe, n := range own {
		switch {
		case probe == scenario.EventsDropped:
			took.Values[probe] = float64(n)
		case !w.at.IsZero():
			took.Values[probe] = load.PerSecond(n-w.own[probe], since)
		}
	}
	w.last, w.at, w.own = total, now, own
	return took, recent
}

// latencies returns the histogram's buckets, in milliseconds.
func latencies(h *load.Histogram) *verdict.Latencies {
	all := &verdict.Latencies{Sum: h.Sum() / 1e6}
	for upTo, n := range h.Buckets() {
		all.Buckets = append(all.Buckets, verdict.Bucket{Value: load.Milliseconds(upTo), Count: n})
	}
	return all
}
