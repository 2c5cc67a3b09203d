package measure

import (
	"context"
	"errors"
	"fmt"
	"time"

	mabeam "mabeam-top/internal/runtime"
	"mabeam-top/internal/runtime/agents"
	"mabeam-top/internal/stress"
	"mabeam-top/internal/stress/load"
)

// measureErrorHandling measures what an action costs that fails.
func measureErrorHandling(ctx context.Context, env *stress.Env, wrong *checker) error {
	n := env.Params.Int("error_probes")
	if n == 0 {
		return nil
	}
	ids, err := startAgentsOfType(ctx, env.System(), "demo", 1)
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
		wrong.expect(errors.Is(err, agents.ErrSimulated), "simulate_error did not return its error")
	}
	env.Latency("error_handling_time_ms", took)
	return nil
}

// measureTimeouts measures how exactly deadlines are kept, with actions that would take
// a hundred times as long. Every second one does not heed its context.
func measureTimeouts(ctx context.Context, env *stress.Env, wrong *checker) error {
	n, timeout := env.Params.Int("timeout_probes"), env.Params.Duration("probe_timeout")
	if n == 0 {
		return nil
	}
	ids, err := startAgentsOfType(ctx, env.System(), "complex", 1)
	if err != nil {
		return err
	}
	stuck, err := env.System().StartAgent(ctx, mabeam.Spec{Type: "observer", Behaviour: &spy{}})
	if err != nil {
		return fmt.Errorf("start the agent that gets stuck: %w", err)
	}
	late := load.NewHistogram()
	for i := range n {
		id, action, params, release := ids[0], "sleep", any(map[string]any{"for": (100 * timeout).String()}), func() {}
		if i%2 == 1 {
			h := newBlockRequest(timeout + settleTimeout)
			id, action, params = stuck, "block", h
			release = func() { close(h.release) }
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
		// Who heeds the deadline may answer with it just as the caller gives up.
		wrong.expect(errors.Is(err, context.DeadlineExceeded), "an action that takes much longer than its deadline did not end with the deadline")
		wrong.expect(lateness >= 0, "an action returned before its deadline, and the agent had not answered")
		late.Record(max(lateness, 0))
		if lateness > settleTimeout {
			break // more of them would take longer than the scenario has time for
		}
	}
	env.Latency("timeout_accuracy_ms", late)
	env.Value("timeout_lateness_ms", load.Milliseconds(late.Quantile(0.5)))
	return nil
}
