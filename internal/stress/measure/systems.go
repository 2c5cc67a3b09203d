package measure

import (
	"context"
	"fmt"
	"time"

	mabeam "mabeam-top/internal/runtime"
	"mabeam-top/internal/stress"
)

// stopTimeout is how long a measurement's own system may take to stop.
const stopTimeout = 10 * time.Second

// stopSystem stops a system that a measurement has started, soon if ctx has ended. One
// that does not stop is a finding.
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

// stopWatched ends a system of a measurement's own that the probes were reading:
// they read that of the repetition again.
func stopWatched(ctx context.Context, env *stress.Env, s *mabeam.System) {
	env.Watch(env.System())
	stopSystem(ctx, env, s)
}

// startSystem starts a system of a check's own, with the scenario's options but for limits,
// rates and circuits, which change may set.
func startSystem(ctx context.Context, env *stress.Env, change func(*mabeam.Options)) (*mabeam.System, error) {
	options := env.Options()
	options.MaxAgents, options.MemoryLimit, options.Rates, options.Breaker = 0, 0, nil, nil
	if change != nil {
		change(&options)
	}
	s, err := mabeam.Start(ctx, options)
	if err != nil {
		return nil, fmt.Errorf("start a system of the check's own: %w", err)
	}
	return s, nil
}

// withSystem carries a check out on a system that startSystem starts.
func withSystem(ctx context.Context, env *stress.Env, change func(*mabeam.Options), check func(*mabeam.System) error) error {
	s, err := startSystem(ctx, env, change)
	if err != nil {
		return err
	}
	defer stopSystem(ctx, env, s)
	return check(s)
}
