package load

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// A Clock stops while what it belongs to is paused, so that times measured with
// it exclude the pause. The zero value runs. One goroutine at a time stops and
// starts it; reading it takes no lock.
type Clock struct {
	state atomic.Pointer[clockState] // nil if it never stopped

	mu     sync.Mutex
	alarms map[*alarm]struct{}
}

// A clockState is the time that a clock has missed.
type clockState struct {
	missed  time.Duration // in earlier stops
	stopped time.Time     // when the current stop began; zero if it runs
}

// An alarm is a call that is due at a time of its clock.
type alarm struct {
	due   time.Time // by the clock
	timer *time.Timer
}

// Now returns the time of the clock: time.Now without the time in which it was
// stopped.
func (c *Clock) Now() time.Time { return c.At(time.Now()) }

// At returns the time of the clock at a moment since it last started.
func (c *Clock) At(t time.Time) time.Time {
	s := c.state.Load()
	if s == nil {
		return t
	}
	if !s.stopped.IsZero() && t.After(s.stopped) {
		t = s.stopped
	}
	return t.Add(-s.missed)
}

// missed returns for how long the clock was stopped until a moment.
func (c *Clock) missed(t time.Time) time.Duration { return t.Sub(c.At(t)) }

// Stopped reports whether the clock is stopped.
func (c *Clock) Stopped() bool {
	s := c.state.Load()
	return s != nil && !s.stopped.IsZero()
}

// SetStopped stops or starts the clock. It does nothing if the clock is in that
// state.
func (c *Clock) SetStopped(stopped bool, at time.Time) {
	if stopped == c.Stopped() {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if stopped {
		next := &clockState{stopped: at}
		if s := c.state.Load(); s != nil {
			next.missed = s.missed
		}
		c.state.Store(next)
		for a := range c.alarms {
			a.timer.Stop() // one that fires at this moment is in time
		}
		return
	}
	c.state.Store(&clockState{missed: c.missed(at)})
	now := c.At(at)
	for a := range c.alarms {
		a.timer.Reset(a.due.Sub(now))
	}
}

// after calls f in its own goroutine when d has passed on the clock, unless
// cancel is called first.
func (c *Clock) after(d time.Duration, f func()) (cancel func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	a := &alarm{due: c.Now().Add(d)}
	a.timer = time.AfterFunc(d, func() {
		// The timer can fire twice if the clock stops and starts at that moment.
		if c.forget(a) {
			f()
		}
	})
	if c.Stopped() {
		a.timer.Stop()
	}
	if c.alarms == nil {
		c.alarms = make(map[*alarm]struct{})
	}
	c.alarms[a] = struct{}{}
	return func() {
		c.forget(a)
		a.timer.Stop()
	}
}

// forget removes an alarm and reports whether it was still pending.
func (c *Clock) forget(a *alarm) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	_, pending := c.alarms[a]
	delete(c.alarms, a)
	return pending
}

// Sleep waits until d has passed on the clock. It returns false if ctx ends
// first. If d is not positive, it returns at once.
func (c *Clock) Sleep(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	over := make(chan struct{})
	defer c.after(d, func() { close(over) })()
	select {
	case <-over:
		return true
	case <-ctx.Done():
		return false
	}
}

// WithTimeout is context.WithTimeoutCause by the clock. Because the clock can
// stop and put the end off, the error of the context is context.Canceled.
func (c *Clock) WithTimeout(parent context.Context, d time.Duration, cause error) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(parent)
	due := c.Now().Add(d)
	stop := c.after(d, func() { cancel(cause) })
	return clockContext{ctx, c, due}, func() {
		stop()
		cancel(context.Canceled)
	}
}

// A clockContext ends at a time of a clock. It has a deadline, because the runtime
// treats contexts with a deadline differently.
type clockContext struct {
	context.Context
	clock *Clock
	due   time.Time // by the clock
}

// Deadline returns when the context ends if the clock runs from now on. Every call
// of an agent asks for it, so it reads the time only if it has to.
func (c clockContext) Deadline() (time.Time, bool) {
	deadline := c.due
	if s := c.clock.state.Load(); s != nil {
		deadline = deadline.Add(s.missed)
		if !s.stopped.IsZero() {
			deadline = deadline.Add(time.Since(s.stopped))
		}
	}
	if earlier, ok := c.Context.Deadline(); ok && earlier.Before(deadline) {
		return earlier, true
	}
	return deadline, true
}
