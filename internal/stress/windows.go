package stress

import (
	"slices"
	"strings"
	"time"

	"mabeam-top/internal/stress/scenario"
	"mabeam-top/internal/stress/verdict"
)

// windows are the readings of a step for its thresholds with a window. The step's lock
// guards them.
type windows struct {
	series  map[string][]verdict.Series // by metric, one of each load
	load    loadState                   // that runs
	sampled time.Time                   // the previous sample of the load
	// rate multiplies the rates of adjustable loads.
	rate float64
	// steered says that a viewer has paused the load or changed its rate. Such a step
	// has no verdict, so no window is watched.
	steered bool
}

// loadChanged notes that a load begins or ends. Thresholds with a window look at each
// load separately.
func (s *stepRun) loadChanged(at time.Time, l loadState) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.load = l
	if !l.Running {
		return
	}
	s.sampled = time.Time{}
	s.windows.steered = s.windows.steered || l.Adjustable && s.rate != 1
	for _, t := range s.step.Thresholds {
		if s.isWatched(t) {
			s.series[t.Metric] = append(s.series[t.Metric], verdict.Series{Start: at.Sub(s.began).Seconds()})
		}
	}
}

// setRate sets by what a viewer multiplies the rates of the loads.
func (s *stepRun) setRate(rate float64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.windows.steered = s.windows.steered || s.load.Adjustable && s.rate != rate
	s.rate = rate
}

// setPaused records that a viewer has paused the loads.
func (s *stepRun) setPaused() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.windows.steered = true
}

// isWatched reports whether a threshold has windows on the current load.
func (s *stepRun) isWatched(t verdict.Threshold) bool {
	base, _, _ := strings.Cut(t.Metric, ".")
	m, _ := s.step.Measurement.ThresholdMetric(t.Metric)
	running := s.load.Running || s.load.Draining && m.Probe == scenario.MedianLatency
	return t.Window > 0 && running && !s.windows.steered && (len(s.load.Metrics) == 0 || slices.Contains(s.load.Metrics, base))
}

// addInterval adds what the load of the step did since the previous sample. It aborts
// the step if a threshold with abort does not hold in a window.
func (s *stepRun) addInterval(at time.Time, i interval) {
	s.mu.Lock()
	defer s.mu.Unlock()
	whole := !s.sampled.IsZero() // the first sample of a load includes the time before it
	s.sampled = at
	for _, t := range s.step.Thresholds {
		series := s.series[t.Metric]
		m, _ := s.step.Measurement.ThresholdMetric(t.Metric)
		point, ok := i.point(m, t)
		isLatency := point.Latencies != nil // of the load only, whenever it began
		if !whole && !isLatency || !ok || !s.isWatched(t) {
			continue
		}
		point.At, point.Value = at.Sub(s.began).Seconds(), point.Value/m.ProbeScale(s.step.Params)
		now := &series[len(series)-1]
		now.Points = append(now.Points, point)
		if w, full := t.Latest(*now); full && !w.OK && t.Abort {
			s.abort()
		}
	}
}

// point returns the reading of a threshold's metric.
func (i interval) point(m scenario.Metric, t verdict.Threshold) (verdict.Point, bool) {
	if m.Probe == scenario.MedianLatency {
		return verdict.Point{Value: i.WaitedMS, Latencies: i.Latencies}, true
	}
	value, ok := i.Values[m.ProbeFor(t.Metric)]
	return verdict.Point{Value: value}, ok
}
