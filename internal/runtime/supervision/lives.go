package supervision

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	mabeam "mabeam-top/internal/runtime"
)

// errGoexit is the error of a start whose callback has ended the goroutine.
var errGoexit error = &mabeam.PanicError{}

// add starts a new child.
func (v *Supervisor) add(ctx context.Context, spec Child) (id string, err error) {
	c := &child{Child: spec, supervisor: v}
	if spec.Supervisor == nil {
		if c.reservation, err = v.system.Reserve(spec.ID, v); err != nil {
			return "", fmt.Errorf("child %q: %w", spec.ID, err)
		}
		c.ID = c.reservation.ID()
	}
	v.mu.Lock()
	if v.phase != running {
		v.mu.Unlock()
		c.leave()
		return "", fmt.Errorf("child %q: %w", c.name(), ErrStopped)
	}
	v.children = append(v.children, c)
	v.beginStart(ctx, c)
	settled := c.settled
	v.mu.Unlock()
	<-settled
	v.mu.Lock()
	defer v.mu.Unlock()
	if c.failed != nil {
		v.forget(c)
		v.advance()
		return "", fmt.Errorf("child %q: %w", c.name(), c.failed)
	}
	return c.name(), nil
}

// beginStart begins to start a child that is down. The caller holds mu.
func (v *Supervisor) beginStart(ctx context.Context, c *child) {
	c.stage, c.due, c.abrupt, c.earlyEnds, c.settled = starting, false, false, nil, make(chan struct{})
	c.attempt++
	attempt, why := c.attempt, c.why
	ctx, c.cancelStart = context.WithCancelCause(ctx)
	within := context.CancelFunc(func() {})
	if c.StartWithin > 0 {
		ctx, within = context.WithTimeout(ctx, c.StartWithin)
	}
	stopWatching := func() bool { return true }
	if c.reservation != nil {
		stopWatching = context.AfterFunc(ctx, func() { v.abandonStart(c, attempt, mabeam.ContextError(ctx)) })
	}
	cancelStart := c.cancelStart
	v.system.Go(func() {
		var l life
		err := errGoexit
		defer func() {
			stopWatching()
			v.endStart(c, attempt, l, err)
			within()
			cancelStart(nil)
		}()
		l, err = c.begin(ctx, why)
	})
}

// abandonStart ends a start of an agent that takes too long or was canceled.
func (v *Supervisor) abandonStart(c *child, attempt int, why error) {
	v.mu.Lock()
	if c.attempt != attempt || c.stage != starting {
		v.mu.Unlock()
		return
	}
	c.attempt++ // so that the result of the start is ignored
	attempt = c.attempt
	v.mu.Unlock()
	c.reservation.Kill()
	v.endStart(c, attempt, nil, why)
}

// endStart records the result of a start.
func (v *Supervisor) endStart(c *child, attempt int, l life, err error) {
	v.mu.Lock()
	if c.attempt != attempt {
		v.mu.Unlock()
		if l != nil {
			l.kill()
		}
		return
	}
	defer v.mu.Unlock()
	defer close(c.settled)
	first := c.began.IsZero()
	switch {
	case err == nil:
		if !first {
			c.restarts++
		}
		c.stage, c.life, c.began = up, l, time.Now()
		c.mustStop = c.mustStop || c.unwanted // nobody found it while it was not there
		why, ended := c.earlyEnds[l]
		if c.earlyEnds = nil; ended {
			v.endedLocked(c, why)
			return
		}
		v.advance()
	case first: // add returns the error, and forgets the child
		c.stage, c.failed = down, err
	default:
		c.stage, c.why = down, err.Error()
		v.restart(c)
	}
}

// halt ends a child's present life, if there is one: gracefully if that takes no longer than
// the child may take and ctx lasts. It returns whether the child had to be killed. The error is
// a *mabeam.DeadlockError, if the child waits for the caller; it stops afterwards.
func (v *Supervisor) halt(ctx context.Context, c *child) (killed bool, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(v.grace, cancel)()
	if within := c.stopWithin(); within > 0 {
		ctx, cancel = context.WithTimeout(ctx, within)
		defer cancel()
	}
	for {
		v.mu.Lock()
		stage, settled := c.stage, c.settled
		switch stage {
		case down:
			c.mustStop = false
			v.endedFor(c)
			v.advance()
			v.mu.Unlock()
			return killed, nil
		case up:
			c.stage, c.settled = stopping, make(chan struct{})
			l, abrupt := c.life, c.abrupt
			v.mu.Unlock()
			killed, err = v.stopLife(ctx, c, l, abrupt)
			if err != nil {
				return false, err
			}
		case starting:
			cancelStart := c.cancelStart
			v.mu.Unlock()
			select {
			case <-settled:
			case <-ctx.Done():
				cancelStart(mabeam.ErrKilled)
				<-settled
				killed = true
			}
		default:
			v.mu.Unlock()
			<-settled // whoever stops it has a time limit
		}
	}
}

// stopLife stops the life of a child that was up, or kills it if abrupt.
func (v *Supervisor) stopLife(ctx context.Context, c *child, l life, abrupt bool) (killed bool, err error) {
	if abrupt {
		l.kill()
	} else {
		err = l.stop(ctx)
	}
	var deadlock *mabeam.DeadlockError
	if errors.As(err, &deadlock) {
		v.mu.Lock()
		defer v.mu.Unlock()
		defer close(c.settled)
		c.stage = up
		if !l.isAlive() { // lifeEnded ignored that while it was stopping
			v.endedLocked(c, mabeam.ErrStopping)
		}
		return false, err
	}
	if err != nil {
		killed = l.kill()
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	defer close(c.settled)
	c.stage, c.life = down, nil
	if killed && v.phase == ending {
		v.killed++
	}
	return killed, nil
}

// stopMarked stops the children that are marked by mustStop one after the other, the newest
// first.
func (v *Supervisor) stopMarked() {
	v.mu.Lock()
	defer v.mu.Unlock()
	for {
		i := lastIndex(v.children, func(c *child) bool { return c.mustStop })
		if i < 0 {
			break
		}
		c := v.children[i]
		v.mu.Unlock()
		_, _ = v.halt(context.Background(), c) // those killed are counted
		v.mu.Lock()
	}
	v.stopping = false
	v.advance()
}

func lastIndex(list []*child, is func(*child) bool) int {
	for i := range slices.Backward(list) {
		if is(list[i]) {
			return i
		}
	}
	return -1
}

// Ended implements mabeam.Owner.
func (v *Supervisor) Ended(p *mabeam.Reservation, life mabeam.Ref) {
	if c := v.childIn(p); c != nil {
		v.lifeEnded(c, agentLife{life}, life.Err())
	}
}

// Dismissed implements mabeam.Owner.
func (v *Supervisor) Dismissed(p *mabeam.Reservation) {
	c := v.childIn(p)
	if c == nil {
		return
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	c.dismiss()
	v.endedFor(c)
	v.advance()
}

// childIn returns the child that has a reservation.
func (v *Supervisor) childIn(p *mabeam.Reservation) *child {
	v.mu.Lock()
	defer v.mu.Unlock()
	i := slices.IndexFunc(v.children, func(c *child) bool { return c.reservation == p })
	if i < 0 {
		return nil
	}
	return v.children[i]
}

// lifeEnded is called when a life of a child has ended, with the reason.
func (v *Supervisor) lifeEnded(c *child, l life, err error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	switch {
	case c.stage == starting:
		if c.earlyEnds == nil {
			c.earlyEnds = map[life]error{}
		}
		c.earlyEnds[l] = err
	case c.stage == up && c.life == l:
		v.endedLocked(c, err)
	}
}

// endedFor forgets a child that is down if it was dismissed. The caller holds mu.
func (v *Supervisor) endedFor(c *child) {
	if c.unwanted && c.stage == down {
		v.forget(c)
	}
}

// forget removes a child that is down. The caller holds mu.
func (v *Supervisor) forget(c *child) {
	if i := slices.Index(v.children, c); i >= 0 {
		v.children = slices.Concat(v.children[:i], v.children[i+1:])
		c.leave()
	}
}
