package measure

import (
	"context"
	"errors"
	"fmt"
	"time"

	mabeam "mabeam-top/internal/runtime"
	"mabeam-top/internal/runtime/agents"
	"mabeam-top/internal/stress"
	"mabeam-top/internal/stress/conformance"
	"mabeam-top/internal/stress/load"
	"mabeam-top/internal/stress/resources"
)

// measureErrorHandling measures how long an action that fails takes.
func measureErrorHandling(ctx context.Context, env *stress.Env, wrong *conformance.Checker) error {
	n := env.Params.Int("error_probes")
	if n == 0 {
		return nil
	}
	ids, err := startAgents(ctx, env.System(), 1, agents.Demo)
	if err != nil {
		return err
	}
	took := load.NewHistogram()
	for end := time.Now().Add(loadTimeout(0)); n > 0 && (took.Count() == 0 || time.Now().Before(end)); n-- {
		asked := time.Now()
		_, err := env.System().Execute(ctx, ids[0], "simulate_error", nil)
		took.Record(time.Since(asked))
		if ctx.Err() != nil {
			return ctx.Err()
		}
		wrong.Expect(errors.Is(err, agents.ErrSimulated), "simulate_error did not return its error")
	}
	env.Latency("error_handling_time_ms", took)
	return nil
}

// measureTimeouts measures how late callers learn of their deadline, with actions that take
// a hundred times as long. Every second action ignores its context.
func measureTimeouts(ctx context.Context, env *stress.Env, wrong *conformance.Checker) error {
	n, timeout := env.Params.Int("timeout_probes"), env.Params.Duration("probe_timeout")
	if n == 0 {
		return nil
	}
	sleeper, err := env.System().StartAgent(ctx, specOf("complex"))
	if err != nil {
		return fmt.Errorf("start the agent that sleeps: %w", err)
	}
	blocked, err := env.System().StartAgent(ctx, mabeam.Spec{Type: "blocker", Behaviour: blocker{within: timeout + resources.SettleTimeout}})
	if err != nil {
		return fmt.Errorf("start the agent that blocks: %w", err)
	}
	late := load.NewHistogram()
	for i := range n {
		id, action, params, release := sleeper, "sleep", any(map[string]any{"for": (100 * timeout).String()}), func() {}
		if i%2 == 1 {
			released := make(chan struct{})
			id, action, params = blocked, "block", released
			release = func() { close(released) }
		}
		limited, cancel := context.WithTimeout(ctx, timeout)
		_, err := env.System().Execute(limited, id, action, params)
		deadline, _ := limited.Deadline()
		lateness := time.Since(deadline)
		cancel()
		release()
		if ctx.Err() != nil {
			return ctx.Err()
		}
		// An agent that heeds the deadline may return it just as the caller gives up.
		wrong.Expect(errors.Is(err, context.DeadlineExceeded), "an action that takes much longer than its deadline did not end with DeadlineExceeded")
		wrong.Expect(lateness >= 0, "an action returned before its deadline although the agent had not answered")
		late.Record(max(lateness, 0))
		if lateness > resources.SettleTimeout {
			break // more actions would exceed the scenario's timeout
		}
	}
	env.Latency("timeout_accuracy_ms", late)
	env.Value("timeout_lateness_ms", load.Milliseconds(late.Quantile(0.5)))
	return nil
}

// A blocker is an agent whose action lasts until the channel in its parameters is closed,
// whatever its context says, but not longer than within.
type blocker struct {
	mabeam.Defaults
	within time.Duration
}

func (b blocker) HandleAction(_ context.Context, _ *mabeam.Agent, _ string, released any) (any, error) {
	select {
	case <-released.(chan struct{}):
	case <-time.After(b.within):
	}
	return nil, nil
}
