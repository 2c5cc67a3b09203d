package stream

import "errors"

// A Command is a request from a viewer to a run. Commands travel in the opposite
// direction of events: through a Steerable within a process, and as JSON lines on the
// standard input of a child process.
type Command struct {
	Do Do `json:"do"`
	// Paused belongs to SetPaused and SetSpeed: true pauses, false resumes.
	Paused bool `json:"paused,omitempty"`
	// Rate belongs to SetRate: the factor applied to the rates of the scenario. 1 is
	// the planned rate.
	Rate float64 `json:"rate,omitempty"`
	// Fault belongs to InjectFault: the fault in the syntax of scenario files, such as
	// "kill_agents: 10" or "slow_actions: 3, by: 50ms, for: 2s".
	Fault string `json:"fault,omitempty"`
	// Inspect belongs to SetInspection: what the following samples report about the
	// internals of the system.
	Inspect Inspect `json:"inspect,omitzero"`
	// To belongs to Seek: the target time in seconds since the start of the run.
	To float64 `json:"to,omitempty"`
	// Speed belongs to SetSpeed: 1 is the original speed of the run.
	Speed float64 `json:"speed,omitempty"`
}

// A Do names a kind of command.
type Do string

// The kinds of commands.
const (
	// Stop stops the load. The partial report still follows.
	Stop Do = "stop"
	// SetPaused pauses or resumes the load. Paused time is not measured.
	SetPaused Do = "pause"
	// SetRate changes the rate of open loads. A closed load has no rate.
	SetRate Do = "rate"
	// InjectFault injects a fault immediately.
	InjectFault Do = "fault"
	// SetInspection selects what samples report about the internals of the system. It
	// does not change the load.
	SetInspection Do = "inspect"
	// Seek and SetSpeed apply to replays only.
	Seek     Do = "seek"
	SetSpeed Do = "speed"
)

// ErrNotSteerable is returned by a source that does not support a command, or whose
// run is over.
var ErrNotSteerable = errors.New("this run cannot be steered")

// A Steerable is a Source that accepts commands while it runs. Command returns
// without waiting for its effect. The effect appears in the stream, as a fault event or
// a log event with ByHand set, and the result of the step is marked as steered.
type Steerable interface {
	Command(Command) error
}

// Steer sends a command to a source. It returns ErrNotSteerable if the source accepts
// none.
func Steer(source Source, c Command) error {
	if s, ok := source.(Steerable); ok {
		return s.Command(c)
	}
	return ErrNotSteerable
}
