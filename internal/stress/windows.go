package stress

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"mabeam-top/internal/stress/scenario"
	"mabeam-top/internal/stress/verdict"
)

// driving notes that a load begins or ends. Thresholds with a window look at
// each load by itself.
func (s *stepRun) loadChanged(at time.Time, l loadState) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.load = l
	if l.Running {
		s.loaded, s.sampled = at, time.Time{}
		s.beginSeries(at)
	}
}

// beginSeries begins new series for the thresholds that are watched on the load
// that runs, of which no window reaches back to before at; the lock is held.
func (s *stepRun) beginSeries(at time.Time) {
	for _, t := range s.step.Thresholds {
		if s.isWatched(t) {
			start := at.Add(-t.After) // which counts from the load's start
			if start.Before(s.loaded) {
				start = s.loaded
			}
			s.series[t.Metric] = append(s.series[t.Metric], verdict.Series{Start: start.Sub(s.began).Seconds()})
		}
	}
}

// setRate notes that the rate of the loads was multiplied by hand.
func (s *stepRun) setRate(rate float64, at time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.rate == rate {
		return
	}
	s.rate, s.turned = rate, at
	if s.load.Adjustable {
		s.beginSeries(at)
	}
}

// resume notes that the load was let go: no window reaches back into the time in
// which it was held.
func (s *stepRun) resume(at time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.resumed = at
	if s.load.Running {
		s.beginSeries(at)
	}
}

// watches says whether a threshold is to be held against the load that runs.
func (s *stepRun) isWatched(t verdict.Threshold) bool {
	base, _, _ := strings.Cut(t.Metric, ".")
	m, _ := s.step.Measurement.ThresholdMetric(t.Metric)
	running := s.load.Running || s.load.Draining && m.Probe == scenario.MedianLatency
	return t.Window > 0 && running && (len(s.load.Metrics) == 0 || slices.Contains(s.load.Metrics, base))
}

// took holds what the step's load did since the sample before against thresholds with
// a window, and stops the repetition if one of them asks for that.
func (s *stepRun) addInterval(at time.Time, i interval) {
	s.mu.Lock()
	defer s.mu.Unlock()
	// The first sample after the load's begin tells of the time before it too, and so
	// does the first after it was held.
	whole := !s.sampled.IsZero() && !s.sampled.Before(s.resumed)
	// What is done per second at another rate than planned is the hand's doing.
	byHand := s.load.Adjustable && (s.rate != 1 || whole && !s.sampled.After(s.turned))
	s.lowered = s.lowered || byHand && s.rate < 1
	s.sampled = at
	for _, t := range s.step.Thresholds {
		series := s.series[t.Metric]
		m, _ := s.step.Measurement.ThresholdMetric(t.Metric)
		point, ok := i.point(m, t)
		isLatency := point.Latencies != nil // of the load alone, whenever it began
		if !whole && !isLatency || !ok || !s.isWatched(t) {
			continue
		}
		if byHand && m.Unit == "1/s" {
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

// point is what an interval says of the metric of a threshold.
func (i interval) point(m scenario.Metric, t verdict.Threshold) (verdict.Point, bool) {
	if m.Probe == scenario.MedianLatency {
		return verdict.Point{Value: i.WaitedMS, Latencies: i.Latencies}, true
	}
	value, ok := i.Values[m.ProbeFor(t.Metric)]
	return verdict.Point{Value: value}, ok
}

// withoutWindow says of which threshold no window is left, because the rate was
// changed by hand; empty if there is none. The lock is held.
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
			return fmt.Sprintf("the rate was changed by hand, and of %s no whole window is left in which it was as planned, so nothing can be said of that threshold", t.Metric)
		}
	}
	return ""
}
