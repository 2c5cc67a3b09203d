package report

import (
	"fmt"

	"mabeam-top/internal/probes/probe"
)

// A Course is how a run went over time, as far as its event stream told: what
// the probes read, and when what was done. A stored report has none, so that
// the zero value means that nothing is known. It is data to draw and to list,
// no part of the report itself.
type Course struct {
	// Times are when samples were taken, ascending, in seconds since the start
	// of the run.
	Times []float64
	// Probes has the readings of each probe, one for each of Times; NaN where
	// it was not read.
	Probes map[probe.Name][]float64
	// Thinned is how many samples were left out, evenly, to bound the memory of
	// a long run.
	Thinned int
	Steps   []CourseStep
	// Faults are the disturbances that were injected, in their order.
	Faults []CourseFault
	// FaultsLeftOut is how many more there were than are kept.
	FaultsLeftOut int
}

// A CourseStep is when a step ran and what it was held against.
type CourseStep struct {
	// Scenario and Step are names.
	Scenario, Step string
	// From and To are in seconds since the start of the run.
	From, To    float64
	Repetitions []CourseRepetition
	// Limits are those that a probe shows while the step runs.
	Limits []CourseLimit
}

// A CourseRepetition is when a repetition began.
type CourseRepetition struct {
	// Number counts from 1; 0 is the warm-up.
	Number int
	// At is in seconds since the start of the run.
	At float64
}

// A CourseLimit is a baseline or threshold as a probe shows it.
type CourseLimit struct {
	// Metric is the metric's name, or NAME.STAT.
	Metric string
	// Source is "baseline" or "threshold".
	Source string
	// Op is one of < <= > >= == !=: the probe should be Op Value.
	Op string
	// Probe is the name of the probe, and Value is in its unit.
	Probe probe.Name
	Value float64
}

// A CourseFault is a disturbance that was injected, or several of the same
// kind at about the same time.
type CourseFault struct {
	// Step is the name of the step that it was meant for.
	Step, Fault string
	// At is in seconds since the start of the run.
	At    float64
	Count int
	// Hit are the first of those that it hit, each once; empty for the process.
	Hit []string
}

// Text tells what was injected and whom it hit, but not when.
func (f CourseFault) Text() string {
	text := fmt.Sprintf("%s ×%d", f.Fault, f.Count)
	if hit := HitText(f.Hit, f.Count); hit != "" {
		text += " (" + hit + ")"
	}
	return text
}

// in says whether the fault was injected into the step.
func (f CourseFault) in(s CourseStep) bool {
	return f.At >= s.From && f.At <= s.To && (f.Step == s.Step || f.Step == "")
}

// Step returns when a step of a scenario ran, and false if that is not known.
func (c Course) Step(scenario, step string) (CourseStep, bool) {
	for _, s := range c.Steps {
		if s.Scenario == scenario && s.Step == step {
			return s, true
		}
	}
	return CourseStep{}, false
}

// at returns the steps that ran at a time.
func (c Course) at(t float64) []CourseStep {
	var running []CourseStep
	for _, s := range c.Steps {
		if s.From <= t && t <= s.To {
			running = append(running, s)
		}
	}
	return running
}

// repetition returns the number of the repetition that a time is in, and false
// before the first.
func (s CourseStep) repetition(t float64) (int, bool) {
	number, ok := 0, false
	for _, r := range s.Repetitions {
		if r.At <= t {
			number, ok = r.Number, true
		}
	}
	return number, ok
}
