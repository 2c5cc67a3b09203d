package stress

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"mabeam-top/internal/stress/profile"
	"mabeam-top/internal/stress/stream"
)

// An order is what a child is started with: the first line of its input.
type setup struct {
	// Documents are the scenarios of the plan, with every default and override
	// filled in.
	Documents []setupDocument `json:"documents"`
	// Hard is a limit on its memory, in bytes, that it has to keep by itself,
	// and NoGroup says why no control group does; 0 is none.
	Hard      int64  `json:"hard,omitempty"`
	NoGroup   string `json:"no_group,omitempty"`
	Steerable bool   `json:"steerable"`
}

type setupDocument struct {
	File   string `json:"file"`
	Source string `json:"source"`
}

// An instruction is any further line of a child's input. One of its fields is
// set.
type request struct {
	// Job is to be carried out; the next comes when its end was told.
	Job *job `json:"job,omitempty"`
	// Abort is the part of the running job whose loads are to end.
	Abort *int `json:"abort,omitempty"`
	// Command is of who watches the run. Stop ends the running job.
	Command *stream.Command `json:"command,omitempty"`
}

// A message is a line of a child's output. The first of a job says that it has begun:
// it has its number and time, and an event at most.
type message struct {
	// Job counts the jobs of the process, from 1; 0 is before the first. An
	// event may come late, after its job has ended.
	Job int `json:"job"`
	// At is the time since the job began.
	At time.Duration `json:"at"`
	// Event is a sample, a fault or a log, to be passed on; of a sample,
	// Measured says whether it is of the measured part.
	Event    *stream.Event `json:"event,omitempty"`
	Measured bool          `json:"measured,omitempty"`
	// Progress is what the job says so far of each of its parts, so that not
	// all is lost if the child dies.
	Progress []outcome      `json:"progress,omitempty"`
	Driving  *partLoadState `json:"driving,omitempty"`
	Took     *partInterval  `json:"took,omitempty"`
	// Done is what the job says at its end.
	Done *jobResult `json:"done,omitempty"`
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
	// Failure says why the repetition did not come to its end.
	Failure string `json:"failure,omitempty"`
}

// check says what is wrong with a message of a process that is at that job, with
// so many parts.
func (m message) check(job, parts int) error {
	switch {
	case m.Job != job && m.Event == nil,
		m.Driving != nil && (m.Driving.Part < 0 || m.Driving.Part >= parts),
		m.Took != nil && (m.Took.Part < 0 || m.Took.Part >= parts),
		m.Progress != nil && len(m.Progress) != parts,
		m.Done != nil && len(m.Done.Outcomes) != parts:
		return errors.New("it does not speak of the job that it was given")
	case m.Event != nil && m.Event.Sample == nil && m.Event.Fault == nil && m.Event.Log == nil:
		return fmt.Errorf("it tells an event of type %q, which is not its to tell", m.Event.Type)
	}
	return nil
}

// tell passes a message of a job on.
func (m message) deliver(began time.Time, w observer) {
	at := began.Add(m.At)
	if m.Event != nil {
		w.event(at, *m.Event, m.Measured)
	}
	if m.Driving != nil {
		w.loadChanged(at, m.Driving.Part, m.Driving.loadState)
	}
	if m.Took != nil {
		w.interval(at, m.Took.Part, m.Took.interval)
	}
}

// unmarshalMessage reads a line of a child's output.
func unmarshalMessage(line []byte) (m message, err error) {
	err = json.Unmarshal(line, &m)
	return m, err
}
