package measure

import (
	"context"
	"fmt"

	mabeam "mabeam-top/internal/runtime"
	"mabeam-top/internal/stress"
	"mabeam-top/internal/stress/conformance"
)

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
	conformance.StopSystem(ctx, env, s)
}
