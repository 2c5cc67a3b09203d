package stress

import (
	"fmt"
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
	began   time.Time                   // when the load did
	sampled time.Time                   // the previous sample of the load
	resumed time.Time                   // when a paused load last resumed
	// rate multiplies the rates of adjustable loads since changed.
	rate    float64
	changed time.Time
	// leftOut says that readings are left out because the rate was not 1, and
	// lowered that it was below 1 for some.
	leftOut, lowered bool
}

// loadChanged notes that a load begins or ends. Thresholds with a window look at each
// load separately.
func (s *stepRun) loadChanged(at time.Time, l loadState) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.load = l
	if l.Running {
		s.windows.began, s.sampled = at, time.Time{}
		s.beginSeries(at)
	}
}

// beginSeries begins new series for the thresholds that are watched on the current
// load; no window of them reaches back to before at. The lock is held.
func (s *stepRun) beginSeries(at time.Time) {
	for _, t := range s.step.Thresholds {
		if s.isWatched(t) {
			start := at.Add(-t.After) // After counts from the start of the load
			if start.Before(s.windows.began) {
				start = s.windows.began
			}
			s.series[t.Metric] = append(s.series[t.Metric], verdict.Series{Start: start.Sub(s.began).Seconds()})
		}
	}
}

// setRate notes that a viewer multiplied the rates of the loads.
func (s *stepRun) setRate(rate float64, at time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.rate == rate {
		return
	}
	s.rate, s.changed = rate, at
	if s.load.Adjustable {
		s.beginSeries(at)
	}
}

// resume notes that the load resumed. No window reaches back into the pause.
func (s *stepRun) resume(at time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.resumed = at
	if s.load.Running {
		s.beginSeries(at)
	}
}

// isWatched reports whether a threshold has windows on the current load.
func (s *stepRun) isWatched(t verdict.Threshold) bool {
	base, _, _ := strings.Cut(t.Metric, ".")
	m, _ := s.step.Measurement.ThresholdMetric(t.Metric)
	running := s.load.Running || s.load.Draining && m.Probe == scenario.MedianLatency
	return t.Window > 0 && running && (len(s.load.Metrics) == 0 || slices.Contains(s.load.Metrics, base))
}

// addInterval adds what the load of the step did since the previous sample. It aborts
// the step if a threshold with abort does not hold in a window.
func (s *stepRun) addInterval(at time.Time, i interval) {
	s.mu.Lock()
	defer s.mu.Unlock()
	// The first sample of a load includes the time before the load, and the first
	// one after a pause includes the pause.
	whole := !s.sampled.IsZero() && !s.sampled.Before(s.resumed)
	// At another rate than planned, figures per second are the viewer's doing.
	steered := s.load.Adjustable && (s.rate != 1 || whole && !s.sampled.After(s.changed))
	s.lowered = s.lowered || steered && s.rate < 1
	s.sampled = at
	for _, t := range s.step.Thresholds {
		series := s.series[t.Metric]
		m, _ := s.step.Measurement.ThresholdMetric(t.Metric)
		point, ok := i.point(m, t)
		isLatency := point.Latencies != nil // of the load only, whenever it began
		if !whole && !isLatency || !ok || !s.isWatched(t) {
			continue
		}
		if steered && m.Unit == "1/s" {
			s.leftOut = true
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

// thresholdWithoutWindow reports which threshold has no complete window because the
// rate was changed; empty if there is none. The lock is held.
func (s *stepRun) thresholdWithoutWindow() string {
	if !s.leftOut {
		return ""
	}
	for _, t := range s.step.Thresholds {
		m, _ := s.step.Measurement.ThresholdMetric(t.Metric)
		if t.Window == 0 || m.Unit != "1/s" {
			continue
		}
		if _, ok := t.Worst(s.series[t.Metric]...); !ok {
			return fmt.Sprintf("the rate was changed manually and the threshold on %s has no complete window at the planned rate, so it cannot be evaluated", t.Metric)
		}
	}
	return ""
}
