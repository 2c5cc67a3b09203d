package measure

import (
	"context"

	mabeam "mabeam-top/internal/runtime"
	"mabeam-top/internal/stress"
	"mabeam-top/internal/stress/conformance"
	"mabeam-top/internal/stress/resources"
	"mabeam-top/internal/stress/scenario"
)

// leakKinds are the kinds of resources that an agent must release when it ends.
var leakKinds = [...]string{"goroutines", "registrations", "subscriptions"}

// resourceCounts are how many resources of each of leakKinds are in use.
type resourceCounts [len(leakKinds)]int64

// countResources counts what is in use while no agent works.
func countResources(system *mabeam.System) resourceCounts {
	return resourceCounts{int64(conformance.Goroutines(system)), int64(system.Registry().Count()), system.Telemetry().Subscriptions}
}

// leakMetrics describes what reportLeaks reports.
func leakMetrics() []scenario.Metric {
	return []scenario.Metric{
		mustBeZero("leaked_goroutines", "Increase in goroutines from before the first agent until at most one second after the last agent ends. Up to 64 idle goroutines of the system are not counted."),
		mustBeZero("leaked_registrations", "Increase in registrations from before the first agent until after the last agent ends."),
		mustBeZero("leaked_subscriptions", "Increase in subscriptions from before the first agent until after the last agent ends."),
	}
}

// reportLeaks reports the metrics of leakMetrics and returns whether anything leaked.
func reportLeaks(ctx context.Context, env *stress.Env, system *mabeam.System, before resourceCounts) bool {
	leaked := findLeaks(ctx, env, system, before)
	for i, kind := range leakKinds {
		env.Value("leaked_"+kind, float64(leaked[i]))
	}
	return leaked != resourceCounts{}
}

// findLeaks returns by how much each count exceeds the one before, and explains it in the
// errors. Goroutines get resources.SettleTimeout to end.
func findLeaks(ctx context.Context, env *stress.Env, system *mabeam.System, before resourceCounts) (leaked resourceCounts) {
	var now resourceCounts
	resources.WaitWhile(ctx, func() bool {
		now = countResources(system)
		return now[0] > before[0]
	})
	for i, kind := range leakKinds {
		if leaked[i] = max(now[i]-before[i], 0); leaked[i] > 0 {
			env.Detail("leaked "+kind+": still in use after all agents were stopped", leaked[i])
		}
	}
	return leaked
}
