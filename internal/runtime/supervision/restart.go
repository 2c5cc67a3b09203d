package supervision

import (
	"errors"
	"fmt"
	"time"

	mabeam "mabeam-top/internal/runtime"
)

// endedLocked decides whether to restart a child whose life has ended without the supervisor's
// doing. The caller holds mu.
func (v *Supervisor) endedLocked(c *child, err error) {
	c.stage, c.life = down, nil
	c.why = reasonOf(err)
	if time.Since(c.began) > v.spec.Backoff.longest() {
		c.inARow = 0
	}
	switch {
	case c.mustStop, c.unwanted, v.phase != running:
		c.mustStop = false
		v.endedFor(c)
		v.advance()
	case c.Restart == Temporary:
		v.forget(c)
		v.advance()
	case c.Restart == Permanent || mabeam.IsAbnormal(err):
		v.restart(c)
	default:
		if c.reservation != nil {
			c.reservation.ReleaseRoom()
		}
		v.advance()
	}
}

// reasonOf says in words why a life has ended.
func reasonOf(err error) string {
	var failure interface{ Failure() error }
	switch {
	case errors.As(err, &failure) && failure.Failure() != nil:
		return failure.Failure().Error()
	case !mabeam.IsAbnormal(err):
		return "it stopped itself"
	case errors.Is(err, mabeam.ErrKilled):
		return "killed"
	}
	return err.Error()
}

// restart marks a child that is down to be started again, together with those that the strategy
// ties to it. The supervisor gives up instead if it has restarted too often. The caller holds
// mu.
func (v *Supervisor) restart(c *child) {
	switch {
	case c.unwanted:
		v.endedFor(c)
		v.advance()
		return
	case v.phase != running || v.system.Running().Err() != nil:
		return
	case !v.restarts.allows(time.Now()):
		v.endLocked(&GaveUpData{
			SupervisorID: v.spec.ID, ChildID: c.name(), Reason: c.why,
			Restarts: v.restarts.Restarts, Within: v.restarts.Within,
		})
		return
	}
	for _, x := range v.tied(c) {
		switch {
		case x == c || x.unwanted:
			continue
		case x.Restart == Temporary:
			x.dismiss()
		case !x.due:
			x.due, x.why = true, fmt.Sprintf("together with %q: %s", c.name(), c.why)
		}
		x.mustStop = true
	}
	c.due = true
	if wait := v.spec.Backoff.wait(c.inARow); wait > 0 {
		c.pause = time.AfterFunc(wait, func() { v.endPause(c) })
	}
	c.inARow++
	v.advance()
}

// endPause continues a restart after its backoff.
func (v *Supervisor) endPause(c *child) {
	v.mu.Lock()
	defer v.mu.Unlock()
	c.endPause()
	v.advance()
}

// advance begins the next stop or start that is due, if it can begin now. Children that are
// restarted together are all stopped, one after the other, before the first of them is started
// again, and are then started one after the other. The caller holds mu.
func (v *Supervisor) advance() {
	if v.stopping || v.phase == ended {
		return
	}
	if lastIndex(v.children, func(c *child) bool { return c.mustStop }) >= 0 {
		v.stopping = true
		v.system.Go(v.stopMarked)
		return
	}
	if v.phase == ending {
		v.finish()
		return
	}
	v.startDue()
	v.reportRestarted()
}

// startDue starts the children that are due, or only the first of them if they have to start
// one after the other. The caller holds mu.
func (v *Supervisor) startDue() {
	together := v.spec.Strategy != OneForOne || v.onRestarted != nil
	for _, c := range v.children {
		switch {
		case together && c.stage == starting, together && c.due && c.pause != nil:
			return
		case !c.due || c.stage != down || c.pause != nil:
			continue
		}
		v.beginStart(v.grace, c)
		if together {
			return
		}
	}
}

// crash makes the supervisor lose all its children, as by a panic in it: they are killed, the
// newest first, and all but the temporary ones are started again. Earlier restarts no longer
// count. restarted is called when the children live again.
func (v *Supervisor) crash(restarted func(supervisorID string)) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.phase != running {
		return
	}
	v.restarts.times, v.onRestarted = nil, restarted
	for _, c := range v.children {
		c.mustStop, c.abrupt = true, true
		c.endPause()
		switch {
		case c.Restart == Temporary:
			c.dismiss()
		case !c.unwanted:
			c.due, c.why = true, "its supervisor crashed"
		}
	}
	v.advance()
}

// reportRestarted calls onRestarted after a crash, once the children live again. The caller
// holds mu.
func (v *Supervisor) reportRestarted() {
	if v.onRestarted == nil || lastIndex(v.children, func(c *child) bool { return c.due || c.stage == starting }) >= 0 {
		return
	}
	v.onRestarted(v.spec.ID)
	v.onRestarted = nil
}
