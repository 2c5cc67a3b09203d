package conformance

import (
	"context"
	"sync"
)

// A Checker counts violations of what one metric promises. It is safe for concurrent use.
type Checker struct {
	// Label is the prefix of each detail. It is the metric unless it is replaced.
	Label string

	recorder Recorder
	metric   string

	mu sync.Mutex
	n  int64
}

// NewChecker returns a checker for a metric.
func NewChecker(r Recorder, metric string) *Checker {
	return &Checker{Label: metric, recorder: r, metric: metric}
}

// Add counts n violations and explains them in the errors. It ignores n below 1.
func (c *Checker) Add(n int64, detail string) {
	if n <= 0 {
		return
	}
	c.mu.Lock()
	c.n += n
	c.mu.Unlock()
	c.recorder.Detail(c.Label+": "+detail, n)
}

// Expect counts a violation unless ok is true, and returns ok.
func (c *Checker) Expect(ok bool, detail string) bool {
	if !ok {
		c.Add(1, detail)
	}
	return ok
}

// CountError counts an error that the system must not return, and returns nil. Once ctx
// has ended it returns the error instead.
func (c *Checker) CountError(ctx context.Context, err error) error {
	if err == nil || ctx.Err() != nil {
		return err
	}
	c.Add(1, err.Error())
	return nil
}

// Passed reports whether there are no violations so far.
func (c *Checker) Passed() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.n == 0
}

// Report reports the metric.
func (c *Checker) Report() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.recorder.Value(c.metric, float64(c.n))
}
