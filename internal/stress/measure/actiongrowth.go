package measure

import (
	"context"
	"fmt"
	"time"

	mabeam "mabeam-top/internal/runtime"
	"mabeam-top/internal/stress"
)

const (
	// growthParts is how many parts growth_actions are divided into: memory is read
	// between them.
	growthParts = 12
	// actionsForMemory is how many actions it takes to tell 64 bytes that each of them
	// leaves behind from what memory changes by itself.
	actionsForMemory = 12_000
)

// measureActionGrowth has one agent carry out actions as fast as they go, in all ways
// in which it can be asked, and measures whether each of them leaves memory behind.
func measureActionGrowth(ctx context.Context, env *stress.Env, spec func() mabeam.Spec, wrong *violations) error {
	actions := env.Params.Int("growth_actions")
	if actions < actionsForMemory {
		return nil
	}
	system := env.System()
	id, err := system.StartAgent(ctx, spec())
	if err != nil {
		return fmt.Errorf("start the agent of growth_actions: %w", err)
	}
	patient := context.WithoutCancel(ctx) // an idle agent works for such a caller on its goroutine
	carried := 0
	ask := func(ctx context.Context, _ stress.Op) (err error) {
		switch carried % 3 {
		case 0:
			_, err = system.Execute(patient, id, "increment", nil)
		case 1:
			_, err = system.Execute(ctx, id, "increment", nil)
		case 2:
			err = system.Tell(ctx, id, "increment", nil)
		}
		carried++
		return err
	}
	part := stress.Load{Workers: 1, Operations: actions / growthParts, For: patience(time.Duration(actions)*2*time.Microsecond) / growthParts}
	readings := make([]float64, 0, growthParts+1)
	for range growthParts + 1 { // the first fills histories and pools
		if err := env.Rehearse(ctx, part, ask); err != nil {
			return fmt.Errorf("growth_actions: %w", err)
		}
		readings = append(readings, liveBytes())
	}
	if _, err := system.Execute(ctx, id, "get_state", nil); err != nil { // after all that was told
		return fmt.Errorf("ask the agent of growth_actions: %w", err)
	}
	info, err := system.Agent(id)
	state, _ := info.State.(mabeam.DemoState)
	wrong.expect(err == nil && state.Counter == carried, "the counter of an agent is not the number of increments that it carried out")
	env.GrowthPerOperation("memory_growth_per_action_bytes", readings, float64(carried)/(growthParts+1))
	return system.StopAgent(ctx, id)
}
