package report

import (
	"fmt"
	"slices"

	"mabeam-top/internal/probes/probe"
)

// A Timeline is how a run went over time: what the probes read, and when steps,
// repetitions and faults began. It comes from the event stream; a stored report has none,
// and its timeline is zero.
type Timeline struct {
	// Times are when samples were taken, ascending, in seconds since the start of the
	// run.
	Times []float64
	// Probes has the readings of each probe, one for each of Times; NaN for none.
	Probes map[probe.Name][]float64
	// Thinned is how many samples were left out, evenly, to bound the memory of a long
	// run.
	Thinned int
	Steps   []TimelineStep
	// Faults are the injected faults, in their order.
	Faults []TimelineFault
	// FaultsLeftOut is how many further faults there were.
	FaultsLeftOut int
}

// A TimelineStep is when a step ran, and its limits.
type TimelineStep struct {
	// Scenario and Step are names.
	Scenario, Step string
	// From and To are in seconds since the start of the run.
	From, To    float64
	Repetitions []TimelineRepetition
	// Limits are those that a probe shows while the step runs.
	Limits []TimelineLimit
}

// A TimelineRepetition is when a repetition began.
type TimelineRepetition struct {
	// Number counts from 1; 0 is the warm-up.
	Number int
	// At is in seconds since the start of the run.
	At float64
}

// A TimelineLimit is a limit on a metric as a limit on the probe that shows it.
type TimelineLimit struct {
	// Metric is the metric's name, or NAME.STAT.
	Metric string
	Source CheckKind
	// Op is one of < <= > >= == !=: the probe should be Op Value.
	Op string
	// Probe is the name of the probe, and Value is in its unit.
	Probe probe.Name
	Value float64
}

// A TimelineFault is a fault, or several of the same kind at about the same time.
type TimelineFault struct {
	// Step is the name of the step that it was meant for.
	Step, Fault string
	// At is in seconds since the start of the run.
	At    float64
	Count int
	// Targets are the first targets, each once; empty for the process.
	Targets []string
}

// Text returns what was injected and what it hit, but not when.
func (f TimelineFault) Text() string {
	text := fmt.Sprintf("%s ×%d", f.Fault, f.Count)
	if targets := TargetsText(f.Targets, f.Count); targets != "" {
		text += " (" + targets + ")"
	}
	return text
}

// Step returns when a step of a scenario ran, and false if that is not known.
func (t Timeline) Step(scenario, step string) (TimelineStep, bool) {
	for _, s := range t.Steps {
		if s.Scenario == scenario && s.Step == step {
			return s, true
		}
	}
	return TimelineStep{}, false
}

// StepsAt returns the steps that ran at a time.
func (t Timeline) StepsAt(at float64) []TimelineStep {
	var running []TimelineStep
	for _, s := range t.Steps {
		if s.From <= at && at <= s.To {
			running = append(running, s)
		}
	}
	return running
}

// RepetitionAt returns the number of the repetition at a time, and false before the
// first.
func (s TimelineStep) RepetitionAt(at float64) (int, bool) {
	number, ok := 0, false
	for _, r := range s.Repetitions {
		if r.At <= at {
			number, ok = r.Number, true
		}
	}
	return number, ok
}

// A StepTimeline is the part of a timeline in which a step ran.
type StepTimeline struct {
	TimelineStep
	// Known is false for a stored report, which has no timeline.
	Known    bool
	timeline *Timeline
	// first and last bound the samples of the step.
	first, last int
}

// ForStep returns the timeline of a step.
func (t *Timeline) ForStep(scenario, step string) StepTimeline {
	found, known := t.Step(scenario, step)
	s := StepTimeline{TimelineStep: found, Known: known, timeline: t}
	if !known {
		return s
	}
	s.first, _ = slices.BinarySearch(t.Times, s.From)
	s.last, _ = slices.BinarySearch(t.Times, s.To)
	if s.last < len(t.Times) && t.Times[s.last] == s.To {
		s.last++
	}
	s.last = max(s.last, s.first)
	return s
}

// Times returns when samples were taken.
func (s StepTimeline) Times() []float64 { return s.timeline.Times[s.first:s.last] }

// Readings returns the readings of a probe, one for each of Times; nil if it was not
// read.
func (s StepTimeline) Readings(name probe.Name) []float64 {
	all := s.timeline.Probes[name]
	if len(all) < s.last {
		return nil
	}
	return all[s.first:s.last]
}

// Faults returns the faults that were injected into the step.
func (s StepTimeline) Faults() []TimelineFault {
	var faults []TimelineFault
	for _, f := range s.timeline.Faults {
		if f.At >= s.From && f.At <= s.To && (f.Step == s.Step || f.Step == "") {
			faults = append(faults, f)
		}
	}
	return faults
}
