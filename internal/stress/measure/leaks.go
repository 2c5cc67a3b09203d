package measure

import (
	"context"

	mabeam "mabeam-top/internal/runtime"
	"mabeam-top/internal/stress"
	"mabeam-top/internal/stress/scenario"
)

// maxIdleGoroutines is how many goroutines a system at rest keeps for later work at
// most, as the runtime documents.
const maxIdleGoroutines = 64

// held is what agents hold of a system and of the process.
type resourceCounts struct {
	system                                   *mabeam.System
	goroutines, registrations, subscriptions int64
}

// countGoroutines counts the process's goroutines while no agent works, without those that
// the system keeps for later work, but no more of them than it documents: a system that
// keeps every goroutine leaks, whatever it says.
func countGoroutines(system *mabeam.System) int {
	return stress.Goroutines() - min(system.Goroutines(), maxIdleGoroutines)
}

// countResources counts what is held while no agent works.
func countResources(system *mabeam.System) resourceCounts {
	return resourceCounts{
		system:        system,
		goroutines:    int64(countGoroutines(system)),
		registrations: int64(system.Registry().Count()),
		subscriptions: system.Telemetry().Subscriptions,
	}
}

// leakMetrics describe what reportLeaks reports.
func leakMetrics() []scenario.Metric {
	return []scenario.Metric{
		mustBeZero("leaked_goroutines", "Goroutines more than before, at most a second after the last agent has ended; up to 64 that the system keeps for later work are not counted."),
		mustBeZero("leaked_registrations", "Registrations more than before, after the last agent has ended."),
		mustBeZero("leaked_subscriptions", "Subscriptions more than before, after the last agent has ended."),
	}
}

// reportLeaks reports the metrics of leakMetrics and returns whether anything leaked.
func reportLeaks(ctx context.Context, env *stress.Env, before resourceCounts) (leaked bool) {
	for _, l := range findLeaks(ctx, env, before) {
		env.Value("leaked_"+l.kind, float64(l.n))
		leaked = leaked || l.n > 0
	}
	return leaked
}

// A leak is a kind of things of which there are more than before; n is 0 if
// there are not.
type leakCount struct {
	kind string
	n    int64
}

// findLeaks returns by kind what is held now and was not before, at most
// settleTimeout after it should be gone, and explains it in the errors.
func findLeaks(ctx context.Context, env *stress.Env, before resourceCounts) []leakCount {
	var now resourceCounts
	waitWhile(ctx, func() bool {
		now = countResources(before.system)
		return now.goroutines > before.goroutines
	})
	leaks := []leakCount{
		{"goroutines", max(now.goroutines-before.goroutines, 0)},
		{"registrations", max(now.registrations-before.registrations, 0)},
		{"subscriptions", max(now.subscriptions-before.subscriptions, 0)},
	}
	for _, l := range leaks {
		if l.n > 0 {
			env.Detail("leaked "+l.kind+": what agents held is still there after they were stopped", l.n)
		}
	}
	return leaks
}
