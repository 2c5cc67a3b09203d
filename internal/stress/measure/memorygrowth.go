package measure

import (
	"context"
	"fmt"
	"time"

	mabeam "mabeam-top/internal/runtime"
	"mabeam-top/internal/runtime/agents"
	"mabeam-top/internal/stress"
	"mabeam-top/internal/stress/load"
	"mabeam-top/internal/stress/scenario"
)

const (
	// growthParts is how many parts the rounds are divided into: memory is read
	// between them.
	growthParts = 12
	// minRoundsForMemory is how many rounds it takes to tell 64 bytes that each of them
	// leaves behind from what memory changes by itself.
	minRoundsForMemory = 12_000
	// growthActionTime is about how long an action takes.
	growthActionTime = 2 * time.Microsecond
)

// growthTime is about how long it takes to see whether actions and calls leave memory
// behind.
func growthTime(p scenario.Params) time.Duration {
	return time.Duration(p.Int("growth_actions"))*growthActionTime + time.Duration(p.Int("growth_calls"))*callSetTime
}

// measureActionGrowth has one agent carry out actions as fast as they go, in all ways
// in which it can be asked, and measures whether each of them leaves memory behind.
func measureActionGrowth(ctx context.Context, env *stress.Env, spec func() mabeam.Spec, wrong *checker) error {
	actions := env.Params.Int("growth_actions")
	if actions < minRoundsForMemory {
		return nil
	}
	system := env.System()
	id, err := system.StartAgent(ctx, spec())
	if err != nil {
		return fmt.Errorf("start the agent of growth_actions: %w", err)
	}
	patient := context.WithoutCancel(ctx) // an idle agent works for such a caller on its goroutine
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
		return wrong.countError(ctx, err)
	}
	if _, err := system.Execute(ctx, id, "get_state", nil); err != nil { // after all that was told
		return fmt.Errorf("ask the agent of growth_actions: %w", err)
	}
	info, err := system.Agent(id)
	state, _ := info.State.(agents.DemoState)
	wrong.expect(err == nil && state.Counter == carried, "the counter of an agent is not the number of increments that it carried out")
	return system.StopAgent(ctx, id)
}

// measureCallGrowth measures whether calls leave memory behind.
func measureCallGrowth(ctx context.Context, env *stress.Env, wrong *checker) error {
	if env.Params.Int("growth_calls") < minRoundsForMemory {
		return nil
	}
	return withCallTargets(ctx, env, func(c *callTargets) error { return wrong.countError(ctx, growCalls(ctx, env, c)) })
}

// growCalls is measureCallGrowth with callers. A round is one call of each kind.
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

// measureGrowth carries out rounds of so many operations, each round in about a known
// time, as fast as they go, and reports what a round leaves behind as metric. It returns
// how many operations were carried out. An error tells that one failed, or that they took
// far longer: of fewer of them memory says nothing.
func measureGrowth(ctx context.Context, env *stress.Env, metric string, rounds, perRound int, each time.Duration, op func(ctx context.Context, n int) error) (carried int, err error) {
	limited, cancel := context.WithTimeout(ctx, 4*loadTimeout(time.Duration(rounds)*each))
	defer cancel()
	part := load.Load{Workers: 1, Operations: rounds * perRound / growthParts}
	readings := make([]float64, 0, growthParts+1)
	for range growthParts + 1 { // the first fills histories and pools
		err := load.Rehearse(limited, part, func(ctx context.Context, _ load.Op) error {
			carried++
			return op(ctx, carried-1)
		})
		if err != nil {
			return carried, fmt.Errorf("%s: %w", metric, err)
		}
		readings = append(readings, liveBytes())
	}
	env.GrowthPerOperation(metric, readings, float64(carried)/float64(perRound)/(growthParts+1))
	return carried, nil
}
