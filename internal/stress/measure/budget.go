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
	// minLoadTime is how long a load may take at least, however much of the budget the
	// loads before it have used.
	minLoadTime = 20 * time.Millisecond
	// minBudget is enough for short loads on a machine that others keep busy.
	minBudget = 3 * time.Second
)

// A budget bounds how long the loads of one repetition take together. Of a system that
// is a hundred times slower than expected, fewer operations are measured, and the
// repetition does not run into the timeout of its scenario.
type budget struct {
	env      *stress.Env
	deadline time.Time
	notBegun *atomic.Int64
}

// operationsNotBegun describes the metric that a budget reports.
func operationsNotBegun() scenario.Metric {
	return timeDependent(mustBeZero("operations_not_begun", "Operations of the loads that were not begun in four times the time that a healthy system takes for all of them, 3 s at least. With faults they are told, and not counted."))
}

// newBudget returns the budget of loads that a healthy system completes in the
// expected time.
func newBudget(env *stress.Env, expected time.Duration) budget {
	return budget{env, env.Now().Add(max(loadTimeout(expected), minBudget)), new(atomic.Int64)}
}

// bound returns the load, bounded by what is left of the budget.
func (b budget) limit(l load.Load) load.Load {
	l.For = max(b.deadline.Sub(b.env.Now()), minLoadTime)
	return l
}

// drive carries out the load within what is left of the budget, and counts the operations
// for which that was not enough.
func (b budget) run(ctx context.Context, l load.Load, op func(context.Context, load.Op) error) (load.Result, error) {
	driven, err := b.env.RunLoad(ctx, b.limit(l), op)
	if left := int64(l.Operations) - driven.Attempted; err == nil && left > 0 && !b.env.Aborted() {
		b.notBegun.Add(left)
	}
	return driven, err
}

// report reports operations_not_begun.
func (b budget) report() {
	n := b.notBegun.Load()
	const what = "operations were not begun in the time that all of them are allowed"
	switch faulty := b.env.HasFaultsOn(scenario.TargetAgents) || b.env.HasFaultsOn(scenario.TargetComponents); {
	case n > 0 && faulty:
		b.env.Note(what, n)
		n = 0
	case n > 0:
		b.env.Detail(what, n)
	}
	b.env.Value("operations_not_begun", float64(n))
}

// isSpent says whether nothing is left.
func (b budget) exceeded() bool { return !b.env.Now().Before(b.deadline) }

// patience is how long a load may take whose operations a healthy system completes
// in the expected time. A much slower system then completes fewer of them, which
// shows in its rates, instead of running into the scenario's timeout.
func loadTimeout(expected time.Duration) time.Duration { return max(4*expected, time.Second) }
