package stress

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// A clock stands still while what it belongs to is held, so that what is
// measured by it leaves that time out. The zero value goes. One goroutine at a
// time stops and starts it; reading it takes no lock.
type clock struct {
	state atomic.Pointer[standstill] // nil if it has never stood still

	mu     sync.Mutex
	alarms map[*alarm]struct{}
}

// A standstill is what a clock has lost.
type standstill struct {
	before time.Duration // in which it stood still, but for this time
	since  time.Time     // when it began to stand still; zero if it goes
}

// An alarm is called when its clock shows the time.
type alarm struct {
	due   time.Time // by the clock
	timer *time.Timer
}

// now is the clock's time: what time.Now says, less all the time in which it
// stood still.
func (c *clock) now() time.Time { return c.at(time.Now()) }

// at is the clock's time at a moment since it was started last.
func (c *clock) at(t time.Time) time.Time {
	s := c.state.Load()
	if s == nil {
		return t
	}
	if !s.since.IsZero() && t.After(s.since) {
		t = s.since
	}
	return t.Add(-s.before)
}

// lost is for how long it has stood still until a moment.
func (c *clock) lost(t time.Time) time.Duration { return t.Sub(c.at(t)) }

// isStill says whether it stands still.
func (c *clock) isStill() bool {
	s := c.state.Load()
	return s != nil && !s.since.IsZero()
}

// set stops or starts it, unless it is so already.
func (c *clock) set(still bool, at time.Time) {
	if still == c.isStill() {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if still {
		next := &standstill{since: at}
		if s := c.state.Load(); s != nil {
			next.before = s.before
		}
		c.state.Store(next)
		for a := range c.alarms {
			a.timer.Stop() // one that goes off just now is in time
		}
		return
	}
	c.state.Store(&standstill{before: c.lost(at)})
	now := c.at(at)
	for a := range c.alarms {
		a.timer.Reset(a.due.Sub(now))
	}
}

// after calls f when the clock has gone on for so long, in a goroutine of its
// own, unless cancel is called before.
func (c *clock) after(d time.Duration, f func()) (cancel func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	a := &alarm{due: c.now().Add(d)}
	a.timer = time.AfterFunc(d, func() {
		// It may go off twice, if the clock is stopped and started just then.
		if c.forget(a) {
			f()
		}
	})
	if c.isStill() {
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

// forget says whether the alarm was still expected.
func (c *clock) forget(a *alarm) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	_, expected := c.alarms[a]
	delete(c.alarms, a)
	return expected
}

// sleep waits until the clock has gone on for so long, or says false when ctx
// ends before. For a time that is over it does not wait for the clock.
func (c *clock) sleep(ctx context.Context, d time.Duration) bool {
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

// withTimeout is context.WithTimeoutCause by the clock. Since the end of such a
// context can still be put off, its error is context.Canceled.
func (c *clock) withTimeout(parent context.Context, d time.Duration, cause error) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(parent)
	due := c.now().Add(d)
	stop := c.after(d, func() { cancel(cause) })
	return clockContext{ctx, c, due}, func() {
		stop()
		cancel(context.Canceled)
	}
}

// A clockContext ends at a time by a clock. It tells that as its deadline,
// because the runtime treats those who have one differently.
type clockContext struct {
	context.Context
	clock *clock
	due   time.Time // by the clock
}

// Deadline is when the context ends if its clock goes on from now. It is asked
// for with each call of an agent, so that it looks at the time only if it has to.
func (c clockContext) Deadline() (time.Time, bool) {
	deadline := c.due
	if s := c.clock.state.Load(); s != nil {
		deadline = deadline.Add(s.before)
		if !s.since.IsZero() {
			deadline = deadline.Add(time.Since(s.since))
		}
	}
	if earlier, ok := c.Context.Deadline(); ok && earlier.Before(deadline) {
		return earlier, true
	}
	return deadline, true
}
