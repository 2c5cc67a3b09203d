package measure

import (
	"context"
	"fmt"
	"time"

	mabeam "mabeam-top/internal/runtime"
	"mabeam-top/internal/runtime/guard"
	"mabeam-top/internal/stress"
)

// stopTimeout is how long a measurement's own system may take to stop.
const stopTimeout = 10 * time.Second

// startWatched starts a system that the probes read, and that faults hit, until stop is
// called.
func startWatched(ctx context.Context, env *stress.Env, options mabeam.Options) (s *mabeam.System, stop func(), err error) {
	if s, err = mabeam.Start(ctx, options); err != nil {
		return nil, nil, fmt.Errorf("start another system: %w", err)
	}
	env.Watch(s)
	return s, func() { stopWatched(ctx, env, s) }, nil
}

// stopWatched stops a watched system. The probes read the repetition's system again.
func stopWatched(ctx context.Context, env *stress.Env, s *mabeam.System) {
	env.Watch(env.System())
	stopSystem(ctx, env, s)
}

// stopSystem stops a system that a measurement has started, quickly if ctx has ended. It
// reports a system that does not stop as a finding.
func stopSystem(ctx context.Context, env *stress.Env, s *mabeam.System) {
	within := stopTimeout
	if ctx.Err() != nil {
		within = 300 * time.Millisecond
	}
	stopping, cancel := context.WithTimeout(context.WithoutCancel(ctx), within)
	defer cancel()
	if err := s.Stop(stopping); err != nil && ctx.Err() == nil {
		env.Finding("a system did not stop: "+err.Error(), 1)
	}
}

// startSystem starts a system for a check, with the scenario's options but without its
// limits, rates and circuits. The function change may set these.
func startSystem(ctx context.Context, env *stress.Env, change func(*mabeam.Options)) (*mabeam.System, error) {
	options := env.Options()
	options.MaxAgents, options.MemoryLimit, options.Rates, options.Breaker = 0, 0, nil, nil
	if change != nil {
		change(&options)
	}
	s, err := mabeam.Start(ctx, options)
	if err != nil {
		return nil, fmt.Errorf("start the system of a check: %w", err)
	}
	return s, nil
}

// withSystem runs a check on a system that startSystem starts.
func withSystem(ctx context.Context, env *stress.Env, change func(*mabeam.Options), check func(*mabeam.System) error) error {
	s, err := startSystem(ctx, env, change)
	if err != nil {
		return err
	}
	defer stopSystem(ctx, env, s)
	return check(s)
}

// systemCalls are calls of a system. Tests replace them to simulate a faulty runtime.
type systemCalls struct {
	allow   func(guard.Operation) error
	start   func(context.Context, mabeam.Spec) (string, error)
	kill    func(id string)
	lookup  func(id string) (mabeam.Entry, bool)
	execute func(ctx context.Context, id, action string, params any) (any, error)
	tell    func(ctx context.Context, id, action string, params any) error
	signal  func(mabeam.Signal) error
	publish func(context.Context, mabeam.Event) error
	do      func(ctx context.Context, target string, f func(context.Context) error) error
}

// A callWrap replaces some calls of a system; nil replaces none.
type callWrap func(systemCalls) systemCalls

// callsOf returns the calls of a system.
func callsOf(s *mabeam.System, wrap callWrap) systemCalls {
	calls := systemCalls{
		allow: s.Limiter().Allow, start: s.StartAgent, kill: s.KillAgent, lookup: s.Registry().Lookup, execute: s.Execute, tell: s.Tell,
		signal: func(signal mabeam.Signal) error { return s.Signal(signal) }, publish: s.Bus().Publish, do: s.Breaker().Do,
	}
	if wrap == nil {
		return calls
	}
	return wrap(calls)
}
