package mabeam

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"

	"mabeam-top/internal/runtime/guard"
)

// Errors that say why the runtime refused or gave up. They arrive wrapped: test
// for them with errors.Is. It looks through nested errors too: an action that
// hands on another agent's ErrUnknownAgent has that error itself.
var (
	// ErrUnknownAgent means that no living agent has the id.
	ErrUnknownAgent = errors.New("unknown agent")
	// ErrUnknownAction is what a behaviour returns for an action that it does
	// not know.
	ErrUnknownAction = errors.New("unknown action")
	// ErrAlreadyRegistered means that an id is taken.
	ErrAlreadyRegistered = errors.New("already registered")
	// ErrMailboxFull means that the agent's mailbox has no room.
	ErrMailboxFull = errors.New("mailbox full")
	// ErrStopping means that the agent was asked to stop, and accepts no more. It is
	// also why a life has ended that was stopped.
	ErrStopping = errors.New("agent is stopping")
	// ErrRestarting is the reason that Terminate gets from RestartAgent.
	ErrRestarting = errors.New("agent begins anew")
	// ErrKilled means that the agent was killed, by KillAgent or by a link. An action
	// that fails with it may have been begun: see ActionError.NotBegun.
	ErrKilled = errors.New("agent was killed")
	// ErrCrashed means that a callback of the agent panicked. An action that fails with
	// it was not begun; the caller of the one that panicked gets the *PanicError.
	ErrCrashed = errors.New("agent crashed")
	// ErrLimitReached means that a limit of the system refuses a new agent. It,
	// ErrRateLimited and ErrCircuitOpen are the errors of package guard under other
	// names, so that callers of agents need not import it.
	ErrLimitReached = guard.ErrLimitReached
	// ErrRateLimited means that an operation is over its rate.
	ErrRateLimited = guard.ErrRateLimited
	// ErrCircuitOpen means that a target has failed too often of late.
	ErrCircuitOpen = guard.ErrCircuitOpen
	// ErrSystemStopped means that the system stops, or has stopped.
	ErrSystemStopped = errors.New("system is stopped")
	// ErrBadPattern means that a pattern or event type is empty or too long.
	ErrBadPattern = errors.New("bad pattern")
	// ErrTimeout is the end of a caller's deadline, or of Options.WaitTimeout,
	// so it is a context.DeadlineExceeded too. What was asked for may still be
	// carried out.
	ErrTimeout = fmt.Errorf("timeout: %w", context.DeadlineExceeded)
)

// An ActionError says which action of which agent failed, and why: Err is
// ErrUnknownAgent, ErrUnknownAction, ErrMailboxFull, ErrStopping, ErrKilled,
// ErrCrashed, ErrTimeout, ErrRateLimited, ErrCircuitOpen, ErrSystemStopped,
// context.Canceled, a *DeadlockError, a *PanicError, a *TypeError, why a coordination
// cannot use the answer, or the action's own error.
type ActionError struct {
	Agent, Action string
	Err           error
	// NotBegun means that the agent did not begin the action, and never will: another
	// agent can be asked, and it is not carried out twice. False means that this is not
	// known.
	NotBegun bool
}

func (e *ActionError) Error() string {
	return fmt.Sprintf("action %q of agent %q: %v", e.Action, e.Agent, e.Err)
}

func (e *ActionError) Unwrap() error { return e.Err }

// A PanicError is a panic in a callback of an agent's behaviour, or the end of
// the goroutine that ran it: then Value is nil.
type PanicError struct {
	Value any
	Stack []byte
}

// newPanicError is the error of what recover returned.
func newPanicError(value any) *PanicError {
	return &PanicError{Value: value, Stack: debug.Stack()}
}

func (e *PanicError) Error() string {
	if e.Value == nil {
		return "goroutine ended"
	}
	return fmt.Sprintf("panic: %v", e.Value)
}

// Unwrap lets errors.Is find an error that was panicked with.
func (e *PanicError) Unwrap() error {
	err, _ := e.Value.(error)
	return err
}

// A TransitionError is a move that an agent's lifecycle does not allow.
type TransitionError struct {
	Agent    string
	From, To Lifecycle
}

func (e *TransitionError) Error() string {
	return fmt.Sprintf("agent %q cannot go from %v to %v", e.Agent, e.From, e.To)
}

// CallError is the runtime's error for the end of a context: ErrTimeout or
// context.Canceled; nil if it has not ended.
func CallError(ctx context.Context) error {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return ErrTimeout
	}
	return ctx.Err()
}
