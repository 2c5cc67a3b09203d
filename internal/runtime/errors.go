package runtime

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
)

// Errors that say why the runtime refused or gave up. They arrive wrapped:
// test for them with errors.Is.
var (
	ErrUnknownAgent      = errors.New("unknown agent")
	ErrUnknownAction     = errors.New("unknown action")
	ErrAlreadyRegistered = errors.New("already registered")
	ErrMailboxFull       = errors.New("mailbox full")
	ErrStopping          = errors.New("agent is stopping")
	ErrKilled            = errors.New("agent was killed")
	ErrCrashed           = errors.New("agent crashed")
	ErrLimitReached      = errors.New("limit reached")
	ErrSystemStopped     = errors.New("system is stopped")
	ErrBadPattern        = errors.New("bad pattern")
	// ErrTimeout is the end of a caller's deadline, so it is a
	// context.DeadlineExceeded too.
	ErrTimeout = fmt.Errorf("timeout: %w", context.DeadlineExceeded)
)

// An ActionError says which action of which agent failed, and why: Err is
// ErrUnknownAgent, ErrUnknownAction, ErrMailboxFull, ErrStopping, ErrKilled,
// ErrCrashed, ErrTimeout, context.Canceled, a *PanicError or the action's own
// error.
type ActionError struct {
	Agent, Action string
	Err           error
}

func (e *ActionError) Error() string {
	return fmt.Sprintf("action %q of agent %q: %v", e.Action, e.Agent, e.Err)
}

func (e *ActionError) Unwrap() error { return e.Err }

// A PanicError is a panic in a callback of an agent's behaviour.
type PanicError struct {
	Value any
	Stack []byte
}

// newPanicError is the error of what recover returned.
func newPanicError(value any) *PanicError {
	return &PanicError{Value: value, Stack: debug.Stack()}
}

func (e *PanicError) Error() string { return fmt.Sprintf("panic: %v", e.Value) }

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

// callError turns the end of a caller's context into the runtime's error.
func callError(ctx context.Context) error {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return ErrTimeout
	}
	return ctx.Err()
}
