package verdict

import "time"

// A Threshold is a condition on a metric that fails the step when it does not
// hold.
type Threshold struct {
	// Metric is a metric's name, or NAME.STAT for a statistic of its
	// distribution (min, mean, stddev, p50, p90, p95, p99, p999, max).
	Metric    string
	Condition Condition
	// Window, if set, is the length of the windows in each of which the
	// condition must hold.
	Window time.Duration
	// After is how much of the step's start is left out of the windows.
	After time.Duration
	// Abort says that the step is stopped at the first window that fails.
	Abort bool
}

// A Condition compares a number with a limit.
type Condition struct {
	// Op is one of < <= > >= == !=.
	Op    string
	Limit float64
}
