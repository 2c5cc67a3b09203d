package fold

import (
	"math"

	"mabeam-top/internal/stress/report"
	"mabeam-top/internal/stress/stream"
)

// WholeRun is a Timeline's number of samples for a report that draws or lists
// them: one hour at ten per second.
const WholeRun = 36_000

// Timeline returns the history of the run for a report. Steps that have not finished
// end now.
func (s *Snapshot) Timeline() report.Timeline {
	c := report.Timeline{Times: s.times, Probes: s.probes, Thinned: s.thinned, FaultsLeftOut: s.FaultsDropped}
	for _, step := range s.Steps {
		to := s.T
		if step.Result != nil {
			to = step.FinishedAt
		}
		c.Steps = append(c.Steps, report.TimelineStep{
			Scenario: step.Scenario, Step: step.Step.Name, From: step.StartedAt, To: to,
			Repetitions: step.Repetitions, Limits: shownLimits(step.Step.Limits),
		})
	}
	for _, m := range s.Marks {
		if m.Type == stream.FaultInjected {
			c.Faults = append(c.Faults, report.TimelineFault{Step: m.Step, Fault: m.Text, At: m.T, Count: m.Count, Targets: m.Targets})
		}
	}
	return c
}

// shownLimits are the limits that a probe shows.
func shownLimits(limits []stream.Limit) []report.TimelineLimit {
	var shown []report.TimelineLimit
	for _, l := range limits {
		if v := l.Value * l.ProbeScale; l.Probe != "" && report.Finite(v) {
			shown = append(shown, report.TimelineLimit{Metric: l.Metric, Source: l.Source, Op: l.Op, Probe: l.Probe, Value: v})
		}
	}
	return shown
}

// TimelineOf returns the history of a recorded run.
func TimelineOf(r *stream.Recording) report.Timeline {
	t := Timeline{Samples: math.MaxInt} // the recording is bounded already
	for _, e := range r.Events {
		t.Add(e)
	}
	c := t.now.Timeline()
	c.Thinned += r.Thinned
	return c
}
