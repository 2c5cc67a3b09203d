package ui

import (
	"math"
	"slices"
	"strings"

	"mabeam-top/internal/stress/report"
)

// A stepCourse is how a step went over time.
type stepCourse struct {
	report.CourseStep
	course *report.Course
	// known says that it is known at all: a stored report does not tell.
	known bool
}

// around is how long before a bad moment a fault may have been that explains it,
// in seconds.
const around = 2.0

// worst says when a threshold was at its worst, and what was done to the system
// just before.
func (c stepCourse) worst(t report.Threshold) string {
	switch {
	case t.WorstAtSeconds != nil && c.known:
		return c.moment(c.From+*t.WorstAtSeconds, "worst")
	case t.WorstAtSeconds != nil:
		return "worst " + report.Quantity(*t.WorstAtSeconds, "s") + " into the step"
	}
	return c.worstOf(t.Metric, "threshold", t.OK)
}

// worstOfBaseline is worst for a metric that failed its baseline.
func (c stepCourse) worstOfBaseline(metric string) string {
	return c.worstOf(metric, "baseline", false)
}

// worstOf looks for the worst reading of the probe that shows a metric. While
// all is well only a limit that was crossed for a moment is worth a word.
func (c stepCourse) worstOf(metric, source string, ok bool) string {
	i := slices.IndexFunc(c.Limits, func(l report.CourseLimit) bool { return l.Metric == metric && l.Source == source })
	if !c.known || i < 0 {
		return ""
	}
	limit := c.Limits[i]
	readings := c.course.Probes[limit.Probe]
	at, worst := -1.0, math.Inf(-1)
	for j, t := range c.course.Times {
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
	return c.moment(at, "worst")
}

// measured says whether a time is in a repetition and not in a warm-up.
func (c stepCourse) measured(t float64) bool {
	number := 0
	for _, r := range c.Repetitions {
		if r.At <= t {
			number = r.Number
		}
	}
	return number > 0
}

// moment tells a time of the run, and the faults just before it.
func (c stepCourse) moment(at float64, word string) string {
	text := word + " at " + report.Clock(at)
	counts := map[string]int{}
	hit := map[string][]string{}
	var names []string
	for _, f := range c.course.Faults {
		if f.At < at-around || f.At > at+1 || f.Step != "" && f.Step != c.Step {
			continue
		}
		if counts[f.Fault] == 0 {
			names = append(names, f.Fault)
		}
		counts[f.Fault] += f.Count
		for _, name := range f.Hit {
			hit[f.Fault] = report.AddHit(hit[f.Fault], name)
		}
	}
	for i, name := range names {
		names[i] = clean(report.CourseFault{Fault: name, Count: counts[name], Hit: hit[name]}.Text())
	}
	if len(names) > 0 {
		text += ", with " + strings.Join(names, ", ")
	}
	return text
}
