package mabeam

import (
	"context"
	"errors"
	"fmt"

	"mabeam-top/internal/runtime/eventbus"
	"mabeam-top/internal/runtime/guard"
	"mabeam-top/internal/runtime/internal/failure"

	"mabeam-top/internal/runtime/registry"
)

// Errors that say why the runtime refused something or gave up. They are returned wrapped: test
// for them with errors.Is. Note that it also finds an error that an action passes on: an action
// that returns another agent's ErrUnknownAgent fails with ErrUnknownAgent itself.
var (
	// ErrUnknownAgent means that no living agent has the id.
	ErrUnknownAgent = registry.ErrUnknownAgent
	// ErrUnknownAction is what a behaviour returns for an action that it does
	// not know.
	ErrUnknownAction = errors.New("unknown action")
	// ErrAlreadyRegistered means that an id is taken.
	ErrAlreadyRegistered = registry.ErrAlreadyRegistered
	// ErrMailboxFull means that the agent's mailbox has no room.
	ErrMailboxFull = errors.New("mailbox full")
	// ErrStopping means that the agent was asked to stop and accepts no more work. It is
	// also the reason why a life ended that was stopped.
	ErrStopping = errors.New("agent is stopping")
	// ErrRestarting is the reason that Terminate gets from RestartAgent.
	ErrRestarting = errors.New("agent is restarting")
	// ErrKilled means that the agent was killed, by KillAgent or through a link. It may have
	// begun an action that fails with this error: see ActionError.NotBegun.
	ErrKilled = errors.New("agent was killed")
	// ErrCrashed means that a callback of the agent panicked. It had not begun an action
	// that fails with this error; the caller of one that panicked gets the *PanicError.
	ErrCrashed = errors.New("agent crashed")
	// ErrLimitReached means that a limit of the system refuses a new agent. It,
	// ErrRateLimited and ErrCircuitOpen are the errors of package guard, repeated so that
	// callers of agents need not import it.
	ErrLimitReached = guard.ErrLimitReached
	// ErrRateLimited means that an operation exceeds its rate.
	ErrRateLimited = guard.ErrRateLimited
	// ErrCircuitOpen means that a target has failed too often of late.
	ErrCircuitOpen = guard.ErrCircuitOpen
	// ErrSystemStopped means that the system stops, or has stopped.
	ErrSystemStopped = failure.ErrSystemStopped
	// ErrBadPattern means that a pattern or event type is empty or too long.
	ErrBadPattern = eventbus.ErrBadPattern
	// ErrDisconnected means that a subscription with policy Disconnect ended because its
	// queue was full.
	ErrDisconnected = eventbus.ErrDisconnected
	// ErrTimeout means that the caller's deadline or Options.WaitTimeout has passed. It is a
	// context.DeadlineExceeded too. What was asked for may still be carried out.
	ErrTimeout = failure.ErrTimeout
)

// An ActionError says which action of which agent failed, and why: Err is
// ErrUnknownAgent, ErrUnknownAction, ErrMailboxFull, ErrStopping, ErrKilled,
// ErrCrashed, ErrTimeout, ErrRateLimited, ErrCircuitOpen, ErrSystemStopped,
// context.Canceled, a *DeadlockError, a *PanicError, a *TypeError, the reason why a
// coordination cannot use the answer, or the action's own error.
type ActionError struct {
	Agent, Action string
	Err           error
	// NotBegun means that the agent has not begun the action and never will, so that asking
	// another agent cannot carry it out twice. False means that this is not known.
	NotBegun bool
}

func (e *ActionError) Error() string {
	return fmt.Sprintf("action %q of agent %q: %v", e.Action, e.Agent, e.Err)
}

func (e *ActionError) Unwrap() error { return e.Err }

// A notBegun wraps the error of an action that its agent has not begun and never will.
// newActionError turns it into ActionError.NotBegun.
type notBegun struct{ error }

func (e notBegun) Unwrap() error { return e.error }

// newActionError returns the error of an action that failed with err.
func newActionError(id, action string, err error) *ActionError {
	reason, is := err.(notBegun) //nolint:errorlint // one that is wrapped is the action's own
	if is {
		err = reason.error
	}
	return &ActionError{Agent: id, Action: action, Err: err, NotBegun: is}
}

// A TransitionError means that an agent cannot go from one stage of its lifecycle to another.
type TransitionError struct {
	Agent    string
	From, To Lifecycle
}

func (e *TransitionError) Error() string {
	return fmt.Sprintf("agent %q cannot go from %v to %v", e.Agent, e.From, e.To)
}

// A PanicError means that a callback panicked, or ended its goroutine with runtime.Goexit: then
// Value is nil.
type PanicError = failure.PanicError

// ContextError returns the runtime's error for a context that has ended, ErrTimeout or
// context.Canceled, and nil for one that has not.
func ContextError(ctx context.Context) error { return failure.ContextError(ctx) }
