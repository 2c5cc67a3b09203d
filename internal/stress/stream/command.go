package stream

import "errors"

// A Command is what somebody who watches a run asks of it. Commands go the other
// way than events: over a Steerable in one process, and as JSON lines on the
// standard input of a child.
type Command struct {
	Do Do `json:"do"`
	// Paused is of SetPaused: true holds the load, false lets it go on; and of
	// SetSpeed in the same way.
	Paused bool `json:"paused,omitempty"`
	// Rate is of SetRate: by what the rates that the scenario asks for are
	// multiplied from now on. 1 is as planned.
	Rate float64 `json:"rate,omitempty"`
	// Fault is of InjectFault: the fault as a scenario file has it, such as
	// "kill_agents: 10" or "slow_actions: 3, by: 50ms, for: 2s".
	Fault string `json:"fault,omitempty"`
	// Inspect is of SetInspection: what samples tell of the system's inside
	// from now on.
	Inspect Inspect `json:"inspect,omitzero"`
	// To is of Seek: the time to go to in seconds since the start of the run.
	To float64 `json:"to,omitempty"`
	// Speed is of SetSpeed: 1 for that of the run.
	Speed float64 `json:"speed,omitempty"`
}

// A Do names a kind of command.
type Do string

// The kinds of commands.
const (
	// Stop ends the load; the partial report is still told.
	Stop Do = "stop"
	// SetPaused holds the load, or lets it go on. The time in which it is held
	// is part of no measurement.
	SetPaused Do = "pause"
	// SetRate changes the rate of open loads. A closed load has none: that is
	// told in the log.
	SetRate Do = "rate"
	// InjectFault injects a fault at once.
	InjectFault Do = "fault"
	// SetInspection says what of the system's inside samples tell. It steers
	// nothing.
	SetInspection Do = "inspect"
	// Seek and SetSpeed are for a replay alone.
	Seek     Do = "seek"
	SetSpeed Do = "speed"
)

// ErrNotSteerable is what a source answers that takes no such command, as a
// recording, or one whose run is over.
var ErrNotSteerable = errors.New("this run cannot be steered")

// A Steerable is a Source that takes commands while it runs. Command does not
// wait for what it asks for; what came of it is told in the stream: a fault as
// an event, all else as a line of the log that is ByHand, and the step's result
// says that it was steered.
type Steerable interface {
	Command(Command) error
}

// Steer gives a command to a source, if it takes any. It is for a source that
// wraps another.
func Steer(source Source, c Command) error {
	if s, ok := source.(Steerable); ok {
		return s.Command(c)
	}
	return ErrNotSteerable
}
