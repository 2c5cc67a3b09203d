package load

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// A Control pauses the loads of a run and changes the rates of its open loads.
// Both settings stay until they are set again, also for the steps that follow.
type Control struct {
	mu       sync.Mutex
	rate     float64
	changes  int           // of the rate
	pausedAt time.Time     // zero unless the loads are paused
	missed   time.Duration // in earlier pauses
	changed  chan struct{} // closed when anything changes

	// Both change with the lock held and are read without it: paused says
	// whether the loads are paused, and version counts the changes.
	paused  atomic.Bool
	version atomic.Uint64
}

// NewControl returns a control whose loads run at their planned rates.
func NewControl() *Control { return &Control{rate: 1, changed: make(chan struct{})} }

// SetPaused pauses or resumes the loads.
func (c *Control) SetPaused(paused bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.paused.Load() == paused {
		return
	}
	now := time.Now()
	c.missed = c.pausedFor(now)
	c.pausedAt = time.Time{}
	if paused {
		c.pausedAt = now
	}
	c.paused.Store(paused)
	c.change()
}

// SetRate multiplies the planned rates of open loads from now on.
func (c *Control) SetRate(factor float64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.rate == factor {
		return
	}
	c.rate = factor
	c.changes++
	c.change()
}

// settings are what a viewer has set that affects a load.
type settings struct {
	rate    float64
	changes int           // of the rate
	paused  time.Duration // in all
}

// settings returns the current settings for a load.
func (c *Control) settings(l Load) settings {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !l.IsAdjustable() {
		return settings{rate: 1, paused: c.pausedFor(time.Now())}
	}
	return settings{c.rate, c.changes, c.pausedFor(time.Now())}
}

// change wakes whoever waits for a change; the lock is held.
func (c *Control) change() {
	c.version.Add(1)
	close(c.changed)
	c.changed = make(chan struct{})
}

// Paused reports whether the loads are paused.
func (c *Control) Paused() bool { return c.paused.Load() }

// pausedFor returns for how long the loads have been paused in all; the lock is
// held.
func (c *Control) pausedFor(now time.Time) time.Duration {
	if c.pausedAt.IsZero() {
		return c.missed
	}
	return c.missed + now.Sub(c.pausedAt)
}

// waitWhilePaused returns false if ctx ends. It is called, and returns, with the
// lock held.
func (c *Control) waitWhilePaused(ctx context.Context) bool {
	for c.paused.Load() && ctx.Err() == nil {
		changed := c.changed
		c.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
		}
		c.mu.Lock()
	}
	return ctx.Err() == nil
}

// A Stopwatch measures time without the pauses of a Control.
type Stopwatch struct {
	control *Control
	start   time.Time
	missed  time.Duration // in pauses before the start
}

// Start returns a stopwatch that starts now.
func (c *Control) Start() Stopwatch {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.start()
}

// start is Start with the lock held.
func (c *Control) start() Stopwatch {
	now := time.Now()
	return Stopwatch{c, now, c.pausedFor(now)}
}

// At returns what the stopwatch shows at a moment since the loads were last paused
// or resumed.
func (s Stopwatch) At(now time.Time) time.Duration {
	s.control.mu.Lock()
	defer s.control.mu.Unlock()
	return s.at(now)
}

// at is At with the lock held.
func (s Stopwatch) at(now time.Time) time.Duration {
	return now.Sub(s.start) - (s.control.pausedFor(now) - s.missed)
}

// Elapsed returns what the stopwatch shows now.
func (s Stopwatch) Elapsed() time.Duration { return s.At(time.Now()) }

// Sleep waits until the stopwatch shows a time. It returns false if ctx ends.
func (s Stopwatch) Sleep(ctx context.Context, until time.Duration) bool {
	for {
		s.control.mu.Lock()
		changed, paused, left := s.control.changed, s.control.paused.Load(), until-s.at(time.Now())
		s.control.mu.Unlock()
		switch {
		case ctx.Err() != nil:
			return false
		case paused:
			select {
			case <-changed:
			case <-ctx.Done():
			}
		case left <= 0:
			return true
		default:
			timer := time.NewTimer(left)
			select {
			case <-timer.C:
			case <-changed:
			case <-ctx.Done():
			}
			timer.Stop()
		}
	}
}
