package mabeam

import (
	"context"
	"errors"
	"log/slog"
)

// Logger is where what is built on the system tells what a person may want to know of: that
// of the options, or one that nobody hears.
func (s *System) Logger() *slog.Logger {
	if s.options.Logger == nil {
		return slog.New(slog.DiscardHandler)
	}
	return s.options.Logger.With("node", s.options.Node)
}

// log tells the options' logger, if there is one.
func (s *System) log(level slog.Level, message string, attributes ...any) {
	if l := s.options.Logger; l != nil {
		l.Log(context.Background(), level, message, append(attributes, "node", s.options.Node)...)
	}
}

// logCrash tells that an agent has crashed, with the stack if a callback panicked.
func (s *System) logCrash(a *Agent, failure error) {
	attributes := []any{"agent", a.ID(), "type", a.Record().Type, "error", failure}
	var panicked *PanicError
	if errors.As(failure, &panicked) {
		attributes = append(attributes, "stack", string(panicked.Stack))
	}
	s.log(slog.LevelError, "agent crashed", attributes...)
}
