package report

import (
	"fmt"
	"slices"

	"mabeam-top/internal/probes/probe"
)

// A Step is the result of one measurement over all its repetitions.
type Step struct {
	Name        string `json:"name"`
	Measurement string `json:"measurement"`
	// Component is the component of the baseline table; empty for none.
	Component string `json:"component"`
	// Params holds every parameter, defaults included, as in a scenario file.
	Params map[string]any `json:"params"`
	// Steered means that somebody changed the load manually.
	Steered         bool    `json:"steered"`
	Verdict         Verdict `json:"verdict"`
	Score           float64 `json:"score"`
	DurationSeconds float64 `json:"duration_seconds"`
	// Isolated means that the load ran in a child process.
	Isolated bool `json:"isolated"`
	// Repetitions counts the repetitions of an unfinished step; nil if all finished.
	Repetitions *Repetitions         `json:"repetitions,omitempty"`
	Metrics     map[string]Metric    `json:"metrics"`
	Thresholds  []Threshold          `json:"thresholds"`
	Operations  Operations           `json:"operations"`
	Errors      []Error              `json:"errors"`
	Faults      []Fault              `json:"faults"`
	Probes      map[probe.Name]Probe `json:"probes"`
	// Reference holds the median cost of each reference work around the repetitions, in
	// nanoseconds per unit or in bytes. Floors are relative to it.
	Reference       map[string]float64 `json:"reference,omitempty"`
	Recommendations []string           `json:"recommendations"`
}

// Repetitions counts the repetitions that the metrics of a step come from, and those that
// the scenario asks for. A repetition that was interrupted or died is not finished; one
// that a threshold aborted is.
type Repetitions struct {
	Finished int `json:"finished"`
	Planned  int `json:"planned"`
}

// Text returns for example "2 of 5 repetitions".
func (r Repetitions) Text() string {
	return fmt.Sprintf("%d of %d repetitions", r.Finished, r.Planned)
}

// Partial reports whether some, but not all, repetitions finished.
func (s Step) Partial() bool { return s.Repetitions != nil && s.Repetitions.Finished > 0 }

// RepetitionCount returns the number of repetitions that the step's metrics know of.
func (s Step) RepetitionCount() int {
	n := 0
	for _, m := range s.Metrics {
		n = max(n, len(m.Samples)+len(m.MissingIn))
	}
	return n
}

// Reason returns why the step is not conclusive; empty if it is.
func (s Step) Reason() string {
	switch {
	case s.Verdict.Conclusive():
		return ""
	case s.Verdict == Inconclusive && len(s.Recommendations) > 0:
		return s.Recommendations[0] // the reason always comes first
	case s.Verdict != Inconclusive && len(s.Errors) > 0:
		for _, e := range slices.Backward(s.Errors) {
			if e.Kind == OperationFailed {
				return e.Message
			}
		}
		return s.Errors[len(s.Errors)-1].Message
	}
	return string(s.Verdict)
}

// Advice returns the recommendations without the Reason.
func (s Step) Advice() []string {
	if s.Verdict == Inconclusive && len(s.Recommendations) > 0 {
		return s.Recommendations[1:]
	}
	return s.Recommendations
}

// Operations counts the operations of a load: Attempted = Succeeded + Failed + Dropped.
type Operations struct {
	Attempted int64 `json:"attempted"`
	Succeeded int64 `json:"succeeded"`
	Failed    int64 `json:"failed"`
	// Dropped operations were refused or discarded before they ran.
	Dropped int64 `json:"dropped"`
}

// Add adds the operations of another part of the load.
func (o *Operations) Add(more Operations) {
	o.Attempted += more.Attempted
	o.Succeeded += more.Succeeded
	o.Failed += more.Failed
	o.Dropped += more.Dropped
}

// A Probe summarizes one probe over the measured part of a step.
type Probe struct {
	Min  float64 `json:"min"`
	Mean float64 `json:"mean"`
	Max  float64 `json:"max"`
	Last float64 `json:"last"`
}
