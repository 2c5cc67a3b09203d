package report

import (
	"math"
	"slices"
	"strings"

	"mabeam-top/internal/stress/quantity"
)

// A StepCourse is how a step went over time.
type StepTimeline struct {
	TimelineStep
	timeline *Timeline
	// known says that it is known at all: a stored report does not tell.
	Known bool
}

// StepCourse returns how a step of a scenario went.
func (c *Timeline) ForStep(scenario, step string) StepTimeline {
	found, known := c.Step(scenario, step)
	return StepTimeline{TimelineStep: found, timeline: c, Known: known}
}

// around is how long before a bad moment a fault may have been that explains it,
// in seconds.
const around = 2.0

// Worst says when a threshold was at its worst, and what was done to the system
// just before.
func (c StepTimeline) WorstOfThreshold(t Threshold) string {
	switch {
	case t.WorstAtSeconds != nil && c.Known:
		return c.moment(c.From + *t.WorstAtSeconds)
	case t.WorstAtSeconds != nil:
		return "worst " + quantity.Format(*t.WorstAtSeconds, "s") + " into the step"
	}
	return c.worstOf(t.Metric, KindThreshold, t.OK)
}

// WorstOfBaseline is Worst for a metric that failed its baseline.
func (c StepTimeline) WorstOfBaseline(metric string) string {
	return c.worstOf(metric, KindBaseline, false)
}

// worstOf looks for the worst reading of the probe that shows a metric. While
// all is well only a limit that was crossed for a moment is worth a word.
func (c StepTimeline) worstOf(metric string, source CheckKind, ok bool) string {
	i := slices.IndexFunc(c.Limits, func(l TimelineLimit) bool { return l.Metric == metric && l.Source == source })
	if !c.Known || i < 0 {
		return ""
	}
	limit := c.Limits[i]
	readings := c.timeline.Probes[limit.Probe]
	at, worst := -1.0, math.Inf(-1)
	for j, t := range c.timeline.Times {
		if t < c.From || t > c.To || j >= len(readings) || math.IsNaN(readings[j]) || !c.measured(t) {
			continue
		}
		by := readings[j] - limit.Value
		if strings.HasPrefix(limit.Op, ">") {
			by = -by
		}
		if by > worst {
			at, worst = t, by
		}
	}
	if at < 0 || ok && worst <= 0 {
		return ""
	}
	return c.moment(at)
}

// measured says whether a time is in a repetition and not in a warm-up.
func (c StepTimeline) measured(t float64) bool {
	number, _ := c.RepetitionAt(t)
	return number > 0
}

// moment tells the worst time of the run, and the faults just before it.
func (c StepTimeline) moment(at float64) string {
	text := "worst at " + quantity.Clock(at)
	counts := map[string]int{}
	hit := map[string][]string{}
	var names []string
	for _, f := range c.timeline.Faults {
		if f.At < at-around || f.At > at+1 || f.Step != "" && f.Step != c.Step {
			continue
		}
		if counts[f.Fault] == 0 {
			names = append(names, f.Fault)
		}
		counts[f.Fault] += f.Count
		for _, name := range f.Targets {
			hit[f.Fault] = AddTarget(hit[f.Fault], name)
		}
	}
	for i, name := range names {
		names[i] = Clean(TimelineFault{Fault: name, Count: counts[name], Targets: hit[name]}.Text())
	}
	if len(names) > 0 {
		text += ", with " + strings.Join(names, ", ")
	}
	return text
}
