package stress

import (
	"errors"
	"fmt"
	"time"

	"mabeam-top/internal/stress/profile"
	"mabeam-top/internal/stress/scenario"
	"mabeam-top/internal/stress/stream"
)

// A setup is the first line of a child's input.
type setup struct {
	Plan scenario.Plan `json:"plan"`
	// Hard is a limit on memory, in bytes, that the child has to set itself, and
	// NoGroup says why no control group sets it; 0 is none.
	Hard      int64  `json:"hard,omitempty"`
	NoGroup   string `json:"no_group,omitempty"`
	Steerable bool   `json:"steerable"`
}

// A request is a further line of a child's input. One of its fields is set.
type request struct {
	// Job is a job to run. The next one comes after its result.
	Job *job `json:"job,omitempty"`
	// Abort is the part of the running job whose loads have to end.
	Abort *int `json:"abort,omitempty"`
	// Command is a command of a viewer. Stop ends the running job.
	Command *stream.Command `json:"command,omitempty"`
}

// A message is a line of a child's output. The first message of a job only has its
// number and time, and at most an event: the job has begun.
type message struct {
	// Job counts the jobs of the process, from 1; 0 is before the first. An event
	// can come late, after its job has ended.
	Job int `json:"job"`
	// At is the time since the job began.
	At time.Duration `json:"at"`
	// Event is a sample, a fault or a log to pass on. Measured says that a sample
	// belongs to the measured part.
	Event    *stream.Event `json:"event,omitempty"`
	Measured bool          `json:"measured,omitempty"`
	// Progress has the outcomes of the parts so far, so that they are not lost if
	// the child dies.
	Progress []outcome      `json:"progress,omitempty"`
	Load     *partLoadState `json:"driving,omitempty"`
	Interval *partInterval  `json:"took,omitempty"`
	// Result is the result of the job, at its end.
	Result *jobResult `json:"done,omitempty"`
}

type partLoadState struct {
	Part int `json:"part"`
	loadState
}

type partInterval struct {
	Part int `json:"part"`
	interval
}

type jobResult struct {
	Outcomes []outcome    `json:"outcomes"`
	Profiled profile.Part `json:"profiled"`
	// Failure says why the repetition did not complete; empty if it did.
	Failure string `json:"failure,omitempty"`
}

// check returns what is wrong with a message of a process that runs that job, with so
// many parts.
func (m message) check(job, parts int) error {
	switch {
	case m.Job != job && m.Event == nil,
		m.Load != nil && (m.Load.Part < 0 || m.Load.Part >= parts),
		m.Interval != nil && (m.Interval.Part < 0 || m.Interval.Part >= parts),
		m.Progress != nil && len(m.Progress) != parts,
		m.Result != nil && len(m.Result.Outcomes) != parts:
		return errors.New("it sent a message that is not about its job")
	case m.Event != nil && m.Event.Sample == nil && m.Event.Fault == nil && m.Event.Log == nil:
		return fmt.Errorf("it sent an event of type %q, which children do not send", m.Event.Type)
	}
	return nil
}

// deliver passes a message of a job on.
func (m message) deliver(began time.Time, o observer) {
	at := began.Add(m.At)
	if m.Event != nil {
		o.event(at, *m.Event, m.Measured)
	}
	if m.Load != nil {
		o.loadChanged(at, m.Load.Part, m.Load.loadState)
	}
	if m.Interval != nil {
		o.interval(at, m.Interval.Part, m.Interval.interval)
	}
}
