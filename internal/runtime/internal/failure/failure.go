// Package failure has the errors that all parts of the runtime share.
package failure

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"time"
)

var (
	// ErrSystemStopped means that the system is stopping or has stopped.
	ErrSystemStopped = errors.New("system is stopped")
	// ErrTimeout means that the caller's deadline or Options.WaitTimeout has passed. It is a
	// context.DeadlineExceeded too. The operation may still be carried out.
	ErrTimeout = fmt.Errorf("timeout: %w", context.DeadlineExceeded)
)

// A PanicError means that a callback panicked, or ended its goroutine with runtime.Goexit: then
// Value is nil.
type PanicError struct {
	Value any
	Stack []byte
}

// NewPanicError returns the error for a value that recover returned.
func NewPanicError(value any) *PanicError {
	return &PanicError{Value: value, Stack: debug.Stack()}
}

func (e *PanicError) Error() string {
	if e.Value == nil {
		return "goroutine ended"
	}
	return fmt.Sprintf("panic: %v", e.Value)
}

// Unwrap returns the value of the panic if that is an error.
func (e *PanicError) Unwrap() error {
	err, _ := e.Value.(error)
	return err
}

// Attributes returns log attributes for an error: the error, and the stack if it was a panic.
func Attributes(err error) []any {
	attributes := []any{slog.Any("error", err)}
	var panicked *PanicError
	if errors.As(err, &panicked) && len(panicked.Stack) > 0 {
		attributes = append(attributes, slog.String("stack", string(panicked.Stack)))
	}
	return attributes
}

// ContextError returns the runtime's error for a context that has ended, ErrTimeout or
// context.Canceled, and nil for one that has not.
func ContextError(ctx context.Context) error {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return ErrTimeout
	}
	return ctx.Err()
}

// WithDefaultTimeout returns ctx, with a timeout if it has no deadline.
func WithDefaultTimeout(ctx context.Context, timeout time.Duration) (context.Context, context.CancelFunc) {
	if _, has := ctx.Deadline(); has {
		return ctx, func() {}
	}
	return context.WithTimeout(ctx, timeout)
}
