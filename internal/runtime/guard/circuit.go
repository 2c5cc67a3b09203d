package guard

import (
	"time"

	"mabeam-top/internal/runtime/internal/enum"
)

// A State is what a Breaker does with the calls of a target.
type State int

// The states of a circuit.
const (
	// Closed lets all calls through.
	Closed State = iota
	// Open refuses all calls.
	Open
	// HalfOpen lets a few calls through on trial.
	HalfOpen
)

var stateNames = []string{"closed", "open", "half-open"}

func (s State) String() string { return enum.Name(stateNames, s) }

// A StateChange is a change of a target's circuit.
type StateChange struct {
	Target string
	// State is the new state.
	State State
	// Failures is how many calls have failed in a row; 0 when State is Closed.
	Failures int
	// Since is when the circuit came into the state.
	Since time.Time
}

// A circuit is a target that has failed of late. The Breaker's mutex guards it.
type circuit struct {
	target   string
	state    State
	failures int // in a row
	// changed is when it came into its state, failed last, or was tried last.
	changed time.Time
	// trial tells the calls of the present trials from those of earlier ones. Of
	// the present ones, begun have begun and succeeded have succeeded.
	trial            uint64
	begun, succeeded int
}

// enter moves the circuit to a state, and adds that to the changes.
func (c *circuit) enter(state State, now time.Time, changes *[]StateChange) {
	c.state, c.changed = state, now
	*changes = append(*changes, StateChange{Target: c.target, State: state, Failures: c.failures, Since: now})
}

// close closes the circuit, which is a change unless it was closed.
func (c *circuit) close(now time.Time, changes *[]StateChange) {
	if c.state != Closed {
		c.failures = 0
		c.enter(Closed, now, changes)
	}
}
