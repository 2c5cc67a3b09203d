package mabeam

import (
	"context"
	"log/slog"

	"mabeam-top/internal/runtime/internal/failure"
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
func (a *Agent) logAgent(level slog.Level, message string, err error) {
	if o := &a.system.options; o.Logger != nil {
		o.log(level, message, append([]any{"agent", a.ID(), "type", a.entry.Record().Type}, failure.Attributes(err)...)...)
	}
}

// logSubscriberPanic logs that the handler of a subscription has panicked.
func (s *System) logSubscriberPanic(sub *Subscription, err error) {
	attributes := []any{"pattern", sub.Pattern()}
	if name := sub.Subscriber(); name != "" {
		attributes = append(attributes, "subscriber", name)
	}
	s.options.log(slog.LevelError, "subscriber panicked", append(attributes, failure.Attributes(err)...)...)
}

// logRefusal tells that there is no room for an agent.
func (s *System) logRefusal(id string, why error) {
	s.options.log(slog.LevelWarn, "agent refused", "agent", id, "error", why)
}
