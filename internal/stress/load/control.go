package load

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// A Control pauses the loads of a run and changes the rates of its open loads.
// Both settings stay until they are set again, also for the steps that follow.
type Control struct {
	// clock stops while all current runners only wait until their loads resume.
	clock Clock

	mu      sync.Mutex // guards what follows, and the runners' state
	rate    float64
	resumed chan struct{} // closed when the loads resume
	changed chan struct{} // closed when anything changes
	runners []*Runner     // of the current steps

	// Both change with the lock held and are read without it: paused says
	// whether the loads are paused, and version counts the changes.
	paused  atomic.Bool
	version atomic.Uint64
}

// NewControl returns a control whose loads run at their planned rates.
func NewControl() *Control {
	return &Control{rate: 1, resumed: make(chan struct{}), changed: make(chan struct{})}
}

// SetPaused pauses or resumes the loads. It reports whether that is a change.
func (c *Control) SetPaused(paused bool) (changed bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.paused.Load() == paused {
		return false
	}
	c.paused.Store(paused)
	if !paused {
		close(c.resumed)
		c.resumed = make(chan struct{})
	}
	c.change(func(r *Runner, now time.Time) {
		if r.active != nil && !paused {
			r.active.working += r.active.parked
			r.active.parked = 0
		}
		r.updateClock(now)
	})
	return true
}

// SetRate multiplies the planned rates of open loads from now on. It reports
// whether that is a change.
func (c *Control) SetRate(factor float64) (changed bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.rate == factor {
		return false
	}
	c.rate = factor
	c.change(func(r *Runner, now time.Time) {
		if r.active.isAdjustable() {
			at := r.clock.At(now).Sub(r.active.began)
			r.active.arrivals = r.active.arrivals.scale(at, factor)
			r.rates.add(at, r.active.arrivals)
			r.steered = true
		}
	})
	return true
}

// change applies a change to all current runners; the lock is held.
func (c *Control) change(apply func(*Runner, time.Time)) {
	now := time.Now()
	for _, r := range c.runners {
		apply(r, now)
	}
	c.version.Add(1)
	close(c.changed)
	c.changed = make(chan struct{})
}

// SetRunners sets the runners of the current steps. They were made with this
// control.
func (c *Control) SetRunners(runners []*Runner) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.runners = runners
	c.updateClock(time.Now())
}

// Stopped reports whether every current step only waits until its load resumes,
// so that there is nothing to measure.
func (c *Control) Stopped() bool { return c.clock.Stopped() }

// updateClock stops or starts the control's clock; the lock is held.
func (c *Control) updateClock(now time.Time) {
	works := func(r *Runner) bool { return !r.clock.Stopped() }
	c.clock.SetStopped(len(c.runners) > 0 && !slices.ContainsFunc(c.runners, works), now)
}

// waitUntilRunning waits while the loads are paused. It returns false if ctx
// ends. It is called, and returns, with the lock held.
func (c *Control) waitUntilRunning(ctx context.Context) bool {
	for c.paused.Load() && ctx.Err() == nil {
		c.waitForResume(ctx)
	}
	return ctx.Err() == nil
}

// waitForResume waits until the loads resume or ctx ends. The channel that it
// returns is closed if they have resumed. It is called, and returns, with the
// lock held.
func (c *Control) waitForResume(ctx context.Context) (resumed <-chan struct{}) {
	resumed = c.resumed
	c.mu.Unlock()
	defer c.mu.Lock()
	select {
	case <-resumed:
	case <-ctx.Done():
	}
	return resumed
}
