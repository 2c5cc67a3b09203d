package measure

import (
	"time"

	"mabeam-top/internal/stress"
)

const (
	// leastLoad is how long a load may take at least, however much of the budget the
	// loads before it have used.
	leastLoad = 20 * time.Millisecond
	// leastBudget is enough for short loads on a machine that others keep busy.
	leastBudget = 3 * time.Second
)

// A budget bounds how long the loads of one repetition take together. Of a system that
// is a hundred times slower than expected, fewer operations are measured, and the
// repetition does not run into the timeout of its scenario.
type budget struct {
	env   *stress.Env
	until time.Time
}

// newBudget returns the budget of loads that a healthy system completes in the
// expected time.
func newBudget(env *stress.Env, expected time.Duration) budget {
	return budget{env, env.Now().Add(max(patience(expected), leastBudget))}
}

// bound returns the load, bounded by what is left of the budget.
func (b budget) bound(l stress.Load) stress.Load {
	l.For = max(b.until.Sub(b.env.Now()), leastLoad)
	return l
}

// isSpent says whether nothing is left.
func (b budget) isSpent() bool { return !b.env.Now().Before(b.until) }
