package measure

import (
	"context"
	"errors"
	"fmt"
	"time"

	mabeam "mabeam-top/internal/runtime"
	"mabeam-top/internal/stress"
)

// stopSystemWithin is how long a measurement's own system may take to stop.
const stopSystemWithin = 10 * time.Second

// stopSystem stops a system that a measurement has started, soon if ctx has
// ended.
func stopSystem(ctx context.Context, s *mabeam.System) error {
	within := stopSystemWithin
	if ctx.Err() != nil {
		within = 300 * time.Millisecond
	}
	stopping, cancel := context.WithTimeout(context.WithoutCancel(ctx), within)
	defer cancel()
	if err := s.Stop(stopping); err != nil {
		return fmt.Errorf("stop the system: %w", err)
	}
	return nil
}

// stopWatched ends a system of a measurement's own that the probes were reading:
// they read that of the repetition again. What stays is added to err.
func stopWatched(ctx context.Context, env *stress.Env, s *mabeam.System, err *error) {
	env.Watch(env.System())
	*err = errors.Join(*err, stopSystem(ctx, s))
}
