package conformance

import (
	"context"
	"fmt"
	"time"

	mabeam "mabeam-top/internal/runtime"
)

// stopTimeout is how long StopSystem waits for a system.
const stopTimeout = 10 * time.Second

// StopSystem stops a system that only one measurement or check uses, quickly if ctx has
// ended. It reports a system that does not stop as a finding.
func StopSystem(ctx context.Context, r Recorder, s *mabeam.System) {
	within := stopTimeout
	if ctx.Err() != nil {
		within = 300 * time.Millisecond
	}
	stopping, cancel := context.WithTimeout(context.WithoutCancel(ctx), within)
	defer cancel()
	if err := s.Stop(stopping); err != nil && ctx.Err() == nil {
		r.Finding("a system did not stop: "+err.Error(), 1)
	}
}

// startSystem starts a system for a check, with the given options but without their
// limits, rates and circuits. The function change may set these.
func startSystem(ctx context.Context, options mabeam.Options, change func(*mabeam.Options)) (*mabeam.System, error) {
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

// WithSystem runs a check on a new system with the given options, but without their limits,
// rates and circuits. The function change may set these.
func WithSystem(ctx context.Context, r Recorder, options mabeam.Options, change func(*mabeam.Options), check func(*mabeam.System) error) error {
	s, err := startSystem(ctx, options, change)
	if err != nil {
		return err
	}
	defer StopSystem(ctx, r, s)
	return check(s)
}
