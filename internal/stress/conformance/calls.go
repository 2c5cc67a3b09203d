package conformance

import (
	"context"

	mabeam "mabeam-top/internal/runtime"
	"mabeam-top/internal/runtime/guard"
)

// Calls are calls of a system. Tests replace them to simulate a faulty runtime.
type Calls struct {
	Allow   func(guard.Operation) error
	Start   func(context.Context, mabeam.Spec) (string, error)
	Kill    func(id string)
	Lookup  func(id string) (mabeam.Entry, bool)
	Execute func(ctx context.Context, id, action string, params any) (any, error)
	Tell    func(ctx context.Context, id, action string, params any) error
	Signal  func(mabeam.Signal) error
	Publish func(context.Context, mabeam.Event) error
	Do      func(ctx context.Context, target string, f func(context.Context) error) error
}

// A CallWrap replaces some calls of a system; nil replaces none.
type CallWrap func(Calls) Calls

// CallsOf returns the calls of a system.
func CallsOf(s *mabeam.System, wrap CallWrap) Calls {
	calls := Calls{
		Allow: s.Limiter().Allow, Start: s.StartAgent, Kill: s.KillAgent, Lookup: s.Registry().Lookup, Execute: s.Execute, Tell: s.Tell,
		Signal: func(signal mabeam.Signal) error { return s.Signal(signal) }, Publish: s.Bus().Publish, Do: s.Breaker().Do,
	}
	if wrap == nil {
		return calls
	}
	return wrap(calls)
}
