package stress

import (
	"context"
	"time"

	"mabeam-top/internal/stress/profile"
	"mabeam-top/internal/stress/reference"
	"mabeam-top/internal/stress/report"
	"mabeam-top/internal/stress/stream"
)

// A rig is where repetitions are carried out, one at a time: in this process
// (a bench), or in one of their own (a child).
type executor interface {
	// run carries a job out and tells what goes on meanwhile. There is an
	// outcome for each part of the job. The error says that the repetition did
	// not come to its end; what is known of it is in the outcomes all the same.
	run(ctx context.Context, j job, w observer) ([]outcome, profile.Part, error)
	// command does what a viewer asks of the load. It does not wait. The error
	// says why it is not done; what a process of its own cannot do, it logs.
	command(c stream.Command) error
	// close ends the rig and waits until nothing of it is left. The error says
	// what is left all the same.
	close() error
}

// A watcher is told what goes on while a job is carried out, by several
// goroutines at once.
type observer interface {
	// pass passes an event on, which happened at that time. Measured says of a
	// sample that it was taken in the measured part.
	event(at time.Time, e stream.Event, measured bool)
	// driving says that a part begins or ends a load.
	loadChanged(at time.Time, part int, l loadState)
	// took says what a part's own load has done since the sample before.
	interval(at time.Time, part int, i interval)
}

// A loadState says that a load begins, and which, or ends.
type loadState struct {
	Running bool `json:"on"`
	// Metrics are what it is for; none means all.
	Metrics []string `json:"metrics,omitempty"`
	// Draining says that no operation begins any more, and some are still under way.
	Draining bool `json:"draining,omitempty"`
	// Adjustable says that its rate can be changed manually.
	Adjustable bool `json:"follows,omitempty"`
}

// A job is one repetition of steps of a group, side by side on a fresh system.
type job struct {
	// Scenario and Group are places in the plan.
	Scenario int `json:"scenario"`
	Group    int `json:"group"`
	// Number is that of the repetition, from 1; 0 is the warm-up.
	Number   int           `json:"number"`
	Parts    []part        `json:"parts"`
	Profiles profile.Files `json:"profiles"`
	// Reference says that reference works are to be measured around the repetition.
	Reference bool `json:"reference,omitempty"`
}

// A part is a step's part of a job.
type part struct {
	Step int `json:"step"`
	// Elapsed is the step's own time before this repetition.
	Elapsed time.Duration `json:"elapsed"`
	// Limit is when a warm-up by time ends; 0 means that it does not.
	Limit time.Duration `json:"limit"`

	// aborted ends when a threshold ends the step's loads.
	aborted context.Context
}

// An outcome is what a repetition says of one step, at its end or so far.
type outcome struct {
	Results    map[string]sample `json:"results"`
	Operations report.Operations `json:"operations"`
	Errors     []report.Error    `json:"errors"`
	// Reference are the rounds of reference works around the repetition.
	Reference []reference.Figures `json:"reference,omitempty"`
	// Inconclusive says why the repetition is inconclusive.
	Inconclusive string `json:"inconclusive"`
	// Disturbed says that it is because the machine was busy with other things.
	Disturbed bool `json:"disturbed,omitempty"`
	// Steered says that its loads were held, or had another rate than planned.
	Steered bool `json:"steered,omitempty"`
	// Failure says why the measurement came to nothing. It is empty if the
	// repetition was cut off.
	Failure string `json:"failure"`
}
