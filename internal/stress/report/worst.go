package report

import (
	"math"
	"slices"
	"strings"

	"mabeam-top/internal/stress/quantity"
)

// WorstOfThreshold returns when a threshold was at its worst, and which faults came just
// before.
func (s StepTimeline) WorstOfThreshold(t Threshold) string {
	switch {
	case t.WorstAtSeconds != nil && s.Known:
		return s.moment(s.From + *t.WorstAtSeconds)
	case t.WorstAtSeconds != nil:
		return "worst " + quantity.Format(*t.WorstAtSeconds, "s") + " into the step"
	}
	return s.worst(t.Metric, KindThreshold, t.OK)
}

// WorstOfBaseline is WorstOfThreshold for a metric that failed its baseline.
func (s StepTimeline) WorstOfBaseline(metric string) string {
	return s.worst(metric, KindBaseline, false)
}

// worst finds the worst reading of the probe that shows a metric. For a check that passed,
// it reports only a limit that was crossed for a moment.
func (s StepTimeline) worst(metric string, source CheckKind, passed bool) string {
	i := slices.IndexFunc(s.Limits, func(l TimelineLimit) bool { return l.Metric == metric && l.Source == source })
	if !s.Known || i < 0 {
		return ""
	}
	limit := s.Limits[i]
	at, worst := -1.0, math.Inf(-1)
	for i, v := range s.Readings(limit.Probe) {
		t := s.Times()[i]
		if math.IsNaN(v) || !s.measuredAt(t) {
			continue
		}
		beyond := v - limit.Value
		if strings.HasPrefix(limit.Op, ">") {
			beyond = -beyond
		}
		if beyond > worst {
			at, worst = t, beyond
		}
	}
	if at < 0 || passed && worst <= 0 {
		return ""
	}
	return s.moment(at)
}

// measuredAt reports whether a time is in a repetition, and not in a warm-up.
func (s StepTimeline) measuredAt(t float64) bool {
	number, _ := s.RepetitionAt(t)
	return number > 0
}

// around is how many seconds before a bad moment a fault may be its cause.
const around = 2.0

// moment returns the time of the worst reading and the faults around it.
func (s StepTimeline) moment(at float64) string {
	var near []TimelineFault
	for _, f := range s.timeline.Faults {
		if f.At < at-around || f.At > at+1 || f.Step != "" && f.Step != s.Step {
			continue
		}
		i := slices.IndexFunc(near, func(known TimelineFault) bool { return known.Fault == f.Fault })
		if i < 0 {
			i = len(near)
			near = append(near, TimelineFault{Fault: f.Fault})
		}
		near[i].Count += f.Count
		for _, target := range f.Targets {
			near[i].Targets = AddTarget(near[i].Targets, target)
		}
	}
	text := "worst at " + quantity.Clock(at)
	if len(near) == 0 {
		return text
	}
	texts := make([]string, len(near))
	for i, f := range near {
		texts[i] = Clean(f.Text())
	}
	return text + ", during " + strings.Join(texts, ", ")
}
