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

// leakMetrics describes what a leakCheck reports.
func leakMetrics() []scenario.Metric {
	return []scenario.Metric{
		mustBeZero("leaked_goroutines", "Increase in goroutines from before the first agent until at most one second after the last agent ends. Up to 64 idle goroutines of the system are not counted."),
		mustBeZero("leaked_registrations", "Increase in registrations from before the first agent until after the last agent ends."),
		mustBeZero("leaked_subscriptions", "Increase in subscriptions from before the first agent until after the last agent ends."),
	}
}

// A leakCheck compares the resources of a system that are in use with those before, like a
// telemetryCheck. No agent works at these times.
type leakCheck struct {
	env    *stress.Env
	system *mabeam.System
	before resourceCounts
}

// newLeakCheck counts the resources to compare later counts with.
func newLeakCheck(env *stress.Env, system *mabeam.System) *leakCheck {
	c := &leakCheck{env: env, system: system}
	c.before = c.count()
	return c
}

func (c *leakCheck) count() resourceCounts {
	return resourceCounts{int64(conformance.Goroutines(c.system)), int64(c.system.Registry().Count()), c.system.Telemetry().Subscriptions}
}

// find returns by how much each count exceeds the one before, and explains it in the
// errors. Goroutines get resources.SettleTimeout to end.
func (c *leakCheck) find(ctx context.Context) (leaked resourceCounts) {
	var now resourceCounts
	resources.WaitWhile(ctx, func() bool {
		now = c.count()
		return now[0] > c.before[0]
	})
	for i, kind := range leakKinds {
		if leaked[i] = max(now[i]-c.before[i], 0); leaked[i] > 0 {
			c.env.Detail("leaked "+kind+": still in use after all agents were stopped", leaked[i])
		}
	}
	return leaked
}

// report reports the metrics of leakMetrics and returns whether anything leaked.
func (c *leakCheck) report(ctx context.Context) bool {
	leaked := c.find(ctx)
	for i, kind := range leakKinds {
		c.env.Value("leaked_"+kind, float64(leaked[i]))
	}
	return leaked != resourceCounts{}
}
