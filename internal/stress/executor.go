package stress

import (
	"context"
	"time"

	"mabeam-top/internal/stress/profile"
	"mabeam-top/internal/stress/reference"
	"mabeam-top/internal/stress/report"
	"mabeam-top/internal/stress/stream"
)

// An executor carries out repetitions, one at a time: in this process (inProcess)
// or in a child process (childProcess).
type executor interface {
	// run carries out a job and reports what happens to the observer. It returns
	// an outcome for each part of the job. An error means that the repetition did
	// not complete; the outcomes then hold what is known of it.
	run(ctx context.Context, j job, o observer) ([]outcome, profile.Part, error)
	// command applies a command of a viewer. It does not wait. The error says why
	// the command was not applied; a child process logs what it cannot do.
	command(c stream.Command) error
	// close ends the executor and waits until nothing of it is left. The error
	// says what could not be removed.
	close() error
}

// An observer is called while a job runs, by several goroutines at once.
type observer interface {
	// event is called with an event and its time. Measured says that a sample
	// belongs to the measured part.
	event(at time.Time, e stream.Event, measured bool)
	// loadChanged is called when a load of a part begins or ends.
	loadChanged(at time.Time, part int, l loadState)
	// interval is called with what the load of a part did since the previous
	// sample.
	interval(at time.Time, part int, i interval)
}

// A loadState describes the load that runs; the zero value is no load.
type loadState struct {
	Running bool `json:"on"`
	// Metrics are the metrics that the load is for; none means all.
	Metrics []string `json:"metrics,omitempty"`
	// Draining says that no operation starts any more, and some are in flight.
	Draining bool `json:"draining,omitempty"`
	// Adjustable says that a viewer can change the rate.
	Adjustable bool `json:"follows,omitempty"`
}

// A job is one repetition of the steps of a group, in parallel on a fresh system.
type job struct {
	// Scenario and Group are indices in the plan.
	Scenario int `json:"scenario"`
	Group    int `json:"group"`
	// Number is that of the repetition, from 1; 0 is the warm-up.
	Number   int           `json:"number"`
	Parts    []part        `json:"parts"`
	Profiles profile.Files `json:"profiles"`
	// Reference says that reference works are measured before and after the
	// repetition.
	Reference bool `json:"reference,omitempty"`
}

// A part is the part of a job that belongs to one step.
type part struct {
	Step int `json:"step"`
	// Elapsed is the time that the step took before this repetition.
	Elapsed time.Duration `json:"elapsed"`
	// Limit is the length of a warm-up by time; 0 means no limit.
	Limit time.Duration `json:"limit"`

	// aborted ends when a threshold ends the loads of the step.
	aborted context.Context
}

// An outcome is the result of a repetition for one step, complete or so far.
type outcome struct {
	Results    map[string]sample `json:"results"`
	Operations report.Operations `json:"operations"`
	Errors     []report.Error    `json:"errors"`
	// Reference are the figures of the reference works around the repetition.
	Reference []reference.Figures `json:"reference,omitempty"`
	// Inconclusive says why the repetition is inconclusive; empty if it is not.
	Inconclusive string `json:"inconclusive"`
	// Disturbed says that it is inconclusive because the machine was busy with
	// other programs.
	Disturbed bool `json:"disturbed,omitempty"`
	// Steered says that a load was paused, or its rate changed.
	Steered bool `json:"steered,omitempty"`
	// Failure says why the measurement failed. It is empty if the repetition was
	// interrupted.
	Failure string `json:"failure"`
}
