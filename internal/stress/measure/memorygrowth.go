package measure

import (
	"context"
	"fmt"
	"time"

	mabeam "mabeam-top/internal/runtime"
	"mabeam-top/internal/runtime/agents"
	"mabeam-top/internal/stress"
	"mabeam-top/internal/stress/conformance"
	"mabeam-top/internal/stress/load"
	"mabeam-top/internal/stress/resources"
	"mabeam-top/internal/stress/scenario"
)

const (
	// growthParts is the number of parts of the rounds. Memory is read between them.
	growthParts = 12
	// minRoundsForMemory is how many rounds it takes to detect a leak of 64 bytes per round
	// in spite of the noise of live memory.
	minRoundsForMemory = 12_000
	// growthActionTime is roughly how long an action takes.
	growthActionTime = 2 * time.Microsecond
)

// growthTime is roughly how long measureActionGrowth and measureCallGrowth take.
func growthTime(p scenario.Params) time.Duration {
	return time.Duration(p.Int("growth_actions"))*growthActionTime + time.Duration(p.Int("growth_calls"))*callSetTime
}

// measureActionGrowth measures the memory that actions leave behind, with one agent at
// full speed and all ways to request an action.
func measureActionGrowth(ctx context.Context, env *stress.Env, spec func() mabeam.Spec, wrong *conformance.Checker) error {
	actions := env.Params.Int("growth_actions")
	if actions < minRoundsForMemory {
		return nil
	}
	system := env.System()
	id, err := system.StartAgent(ctx, spec())
	if err != nil {
		return fmt.Errorf("start the agent of growth_actions: %w", err)
	}
	patient := context.WithoutCancel(ctx) // with this context, an idle agent runs the action on the caller's goroutine
	carried, err := measureGrowth(ctx, env, "memory_growth_per_action_bytes", actions, 1, growthActionTime, func(ctx context.Context, n int) (err error) {
		switch n % 3 {
		case 0:
			_, err = system.Execute(patient, id, "increment", nil)
		case 1:
			_, err = system.Execute(ctx, id, "increment", nil)
		case 2:
			err = system.Tell(ctx, id, "increment", nil)
		}
		return err
	})
	if err != nil {
		return wrong.CountError(ctx, err)
	}
	if _, err := system.Execute(ctx, id, "get_state", nil); err != nil { // after all actions of Tell
		return fmt.Errorf("get the state of the agent of growth_actions: %w", err)
	}
	info, err := system.Agent(id)
	state, _ := info.State.(agents.DemoState)
	wrong.Expect(err == nil && state.Counter == carried, "the counter of an agent does not match the increments that it handled")
	return system.StopAgent(ctx, id)
}

// measureCallGrowth measures the memory that calls leave behind.
func measureCallGrowth(ctx context.Context, env *stress.Env, wrong *conformance.Checker) error {
	if env.Params.Int("growth_calls") < minRoundsForMemory {
		return nil
	}
	return withCallTargets(ctx, env, func(c *callTargets) error { return wrong.CountError(ctx, growCalls(ctx, env, c)) })
}

// growCalls runs the calls in rounds of one call of each kind.
func growCalls(ctx context.Context, env *stress.Env, c *callTargets) error {
	kinds := len(c.calls)
	_, err := measureGrowth(ctx, env, "memory_growth_per_call_bytes", env.Params.Int("growth_calls"), kinds, callSetTime, func(ctx context.Context, n int) error {
		if n%(callBlock*kinds) == 0 {
			if err := c.sync(ctx); err != nil {
				return err
			}
		}
		return c.calls[n%kinds].do(ctx)
	})
	return err
}

// measureGrowth runs rounds of several operations each at full speed, and reports what a
// round leaves behind as metric. A round takes roughly the time each. It returns the
// number of operations, and an error if one failed, or if they took far too long: memory
// says nothing about fewer of them.
func measureGrowth(ctx context.Context, env *stress.Env, metric string, rounds, perRound int, each time.Duration, op func(ctx context.Context, n int) error) (carried int, err error) {
	limited, cancel := context.WithTimeout(ctx, 4*loadTimeout(time.Duration(rounds)*each))
	defer cancel()
	part := load.Load{Workers: 1, Operations: rounds * perRound / growthParts}
	readings := make([]float64, 0, growthParts+1)
	for range growthParts + 1 { // the first part fills histories and pools
		err := load.Rehearse(limited, part, func(ctx context.Context, _ load.Op) error {
			carried++
			return op(ctx, carried-1)
		})
		if err != nil {
			return carried, fmt.Errorf("%s: %w", metric, err)
		}
		readings = append(readings, resources.LiveBytes())
	}
	env.GrowthPerOperation(metric, readings, float64(carried)/float64(perRound)/(growthParts+1))
	return carried, nil
}
