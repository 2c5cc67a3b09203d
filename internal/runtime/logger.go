package mabeam

import (
	"context"
	"errors"
	"log/slog"
)

// Logger is for what is built on the system, to log what a person may want to know of: that
// of the options, or one that nobody hears.
func (s *System) Logger() *slog.Logger {
	if s.options.Logger == nil {
		return slog.New(slog.DiscardHandler)
	}
	return s.options.Logger.With("node", s.options.Node)
}

// log tells the options' logger, if there is one. What is told, and once each:
//
//	agent crashed                         a callback panicked, or its goroutine ended
//	callback panicked after its agent's end
//	terminate panicked                    after a crash, or after a start that failed
//	subscriber panicked                   a handler of the bus that is no agent's
//	agent refused                         by a limit or a rate
//	agent did not start
//	callback goes on after its agent's end
//	system stops because a supervisor gave up
func (o *Options) log(level slog.Level, message string, attributes ...any) {
	if o.Logger != nil {
		o.Logger.Log(context.Background(), level, message, append(attributes, "node", o.Node)...)
	}
}

// logAgent tells what became of an agent, with the stack if a callback panicked.
func (a *Agent) logAgent(level slog.Level, message string, failure error) {
	if o := &a.system.options; o.Logger != nil {
		o.log(level, message, append([]any{"agent", a.ID(), "type", a.record.Load().Type}, failureAttributes(failure)...)...)
	}
}

// logPanic tells that the handler of a subscription panicked.
func (s *Subscription) logPanic(failure error) {
	attributes := []any{"pattern", s.pattern}
	if s.name != nil {
		attributes = append(attributes, "subscriber", *s.name)
	}
	s.bus.options.log(slog.LevelError, "subscriber panicked", append(attributes, failureAttributes(failure)...)...)
}

// logRefusal tells that there is no room for an agent.
func (s *System) logRefusal(id string, why error) {
	s.options.log(slog.LevelWarn, "agent refused", "agent", id, "error", why)
}

// failureAttributes are the error, and the stack if it is a panic's.
func failureAttributes(failure error) []any {
	attributes := []any{"error", failure}
	var panicked *PanicError
	if errors.As(failure, &panicked) && len(panicked.Stack) > 0 {
		attributes = append(attributes, "stack", string(panicked.Stack))
	}
	return attributes
}
