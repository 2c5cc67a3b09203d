package measure

import (
	"context"
	"fmt"

	mabeam "mabeam-top/internal/runtime"
	"mabeam-top/internal/stress"
	"mabeam-top/internal/stress/report"
)

// memoryRounds is how often the memory of a sandbox is measured, and memorySandboxes the
// sandboxes of each round. A single sandbox is too small, and the median of the rounds
// ignores a round in which the process itself allocated.
const memoryRounds, memorySandboxes = 5, 10

// measureSandboxMemory measures the memory of the parts of a sandbox, in the order of
// their start.
func measureSandboxMemory(ctx context.Context, env *stress.Env, spec func() mabeam.Spec) error {
	var services, supervisors, agents, all []float64
	for range memoryRounds {
		grown, err := growStages(ctx, env, spec)
		if err != nil {
			return err
		}
		services, supervisors, agents = append(services, grown[0]), append(supervisors, grown[1]), append(agents, grown[2])
		all = append(all, sum(grown[:]))
	}
	env.Value("memory_per_sandbox", report.Median(all))
	env.Value("memory_per_sandbox.services", report.Median(services))
	env.Value("memory_per_sandbox.supervisor", report.Median(supervisors))
	env.Value("memory_per_sandbox.agents", report.Median(agents))
	return nil
}

// growStages starts some sandboxes stage by stage, and returns the growth of live memory
// per sandbox with each stage.
func growStages(ctx context.Context, env *stress.Env, spec func() mabeam.Spec) (grown [3]float64, err error) {
	some := make([]*sandbox, 0, memorySandboxes)
	defer func() {
		for _, s := range some {
			stopSystem(ctx, env, s.system)
		}
	}()
	at := liveBytes()
	stage := func(i int) {
		now := liveBytes()
		grown[i], at = (now-at)/memorySandboxes, now
	}
	for i := range memorySandboxes {
		s := &sandbox{number: i, agents: env.Params.Int("agents")}
		if s.system, err = mabeam.Start(ctx, env.Options()); err != nil {
			return grown, fmt.Errorf("start a sandbox: %w", err)
		}
		some = append(some, s)
	}
	stage(0)
	for _, s := range some {
		if err := s.startSupervisor(ctx); err != nil {
			return grown, err
		}
	}
	stage(1)
	for _, s := range some {
		if err := s.addAgents(ctx, spec); err != nil {
			return grown, err
		}
	}
	stage(2)
	return grown, nil
}
