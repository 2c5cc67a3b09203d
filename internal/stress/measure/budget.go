package measure

import (
	"context"
	"sync/atomic"
	"time"

	"mabeam-top/internal/stress"
	"mabeam-top/internal/stress/load"
	"mabeam-top/internal/stress/scenario"
)

const (
	// minLoadTime is the least time for a load, however much of the budget is used.
	minLoadTime = 20 * time.Millisecond
	// minBudget is enough for short loads on a busy machine.
	minBudget = 3 * time.Second
)

// A budget limits how long the loads of one repetition take together. If a system is a
// hundred times slower than expected, fewer operations are measured, and the repetition
// does not exceed the timeout of its scenario.
type budget struct {
	env      *stress.Env
	deadline time.Time
	notBegun *atomic.Int64
}

// operationsNotBegun describes the metric of a budget.
func operationsNotBegun() scenario.Metric {
	return timeDependent(mustBeZero("operations_not_begun", "Operations of the loads that did not begin within four times the time that a healthy system takes for all of them, but at least 3 s. With faults they are noted and not counted."))
}

// newBudget returns the budget of loads that a healthy system completes in the expected
// time.
func newBudget(env *stress.Env, expected time.Duration) budget {
	return budget{env, time.Now().Add(max(loadTimeout(expected), minBudget)), new(atomic.Int64)}
}

// limit returns the load, limited to the rest of the budget.
func (b budget) limit(l load.Load) load.Load {
	l.For = max(time.Until(b.deadline), minLoadTime)
	return l
}

// run runs the load within the rest of the budget, and counts the operations that did not
// begin.
func (b budget) run(ctx context.Context, l load.Load, op func(context.Context, load.Op) error) (load.Result, error) {
	result, err := b.env.RunLoad(ctx, b.limit(l), op)
	if left := int64(l.Operations) - result.Attempted; err == nil && left > 0 && !b.env.Aborted() {
		b.notBegun.Add(left)
	}
	return result, err
}

// report reports operations_not_begun.
func (b budget) report() {
	n := b.notBegun.Load()
	const what = "operations did not begin within the time allowed for all of them"
	switch faulty := b.env.HasFaultsOn(scenario.TargetAgents) || b.env.HasFaultsOn(scenario.TargetComponents); {
	case n > 0 && faulty:
		b.env.Note(what, n)
		n = 0
	case n > 0:
		b.env.Detail(what, n)
	}
	b.env.Value("operations_not_begun", float64(n))
}

// exceeded reports whether nothing of the budget is left.
func (b budget) exceeded() bool { return !time.Now().Before(b.deadline) }

// loadTimeout is how long a load may take that a healthy system completes in the expected
// time. A much slower system completes fewer operations, which shows in its rates, and
// does not exceed the scenario's timeout.
func loadTimeout(expected time.Duration) time.Duration { return max(4*expected, time.Second) }
