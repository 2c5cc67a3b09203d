package supervision

import (
	"errors"
	"fmt"
	"time"

	mabeam "mabeam-top/internal/runtime"
)

// endedLocked decides what becomes of a child whose life has ended although nobody here has
// asked for that. The caller holds mu.
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
	case c.Restart == Permanent || isAbnormal(err):
		v.restart(c)
	default:
		if c.place != nil {
			c.place.Vacate()
		}
		v.advance()
	}
}

// isAbnormal says whether an end is one that was not asked for.
func isAbnormal(err error) bool { return !errors.Is(err, mabeam.ErrStopping) }

// reasonOf tells why a life has ended.
func reasonOf(err error) string {
	var failure interface{ Failure() error }
	switch {
	case errors.As(err, &failure) && failure.Failure() != nil:
		return failure.Failure().Error()
	case !isAbnormal(err):
		return "it stopped itself"
	case errors.Is(err, mabeam.ErrKilled):
		return "killed"
	}
	return err.Error()
}

// restart has a child that is down started again, with those that the strategy ties to it,
// unless that has become too often. The caller holds mu.
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

// endPause goes on with a restart that was to wait.
func (v *Supervisor) endPause(c *child) {
	v.mu.Lock()
	defer v.mu.Unlock()
	c.endPause()
	v.advance()
}

// advance begins what is to be done next, if it can be. Children that are restarted
// together are stopped one after the other before the first of them is started again, and
// are started one after the other. The caller holds mu.
func (v *Supervisor) advance() {
	if v.stops || v.phase == ended {
		return
	}
	if lastIndex(v.children, func(c *child) bool { return c.mustStop }) >= 0 {
		v.stops = true
		v.system.Go(v.stopThose)
		return
	}
	if v.phase == ending {
		v.finish()
		return
	}
	v.startDue()
	v.tellReborn()
}

// startDue begins the next life of those that are due, or of the first of them if they begin
// one after the other. The caller holds mu, as that of tellReborn does.
func (v *Supervisor) startDue() {
	together := v.spec.Strategy != OneForOne || v.reborn != nil
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

// crash is the end of all that a supervisor knows of its children, as by a panic in it: they
// are killed, the newest first, and all but the temporary ones begin new lives. Earlier
// restarts count no longer. restarted is called when the children live again.
func (v *Supervisor) crash(restarted func(supervisorID string)) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.phase != running {
		return
	}
	v.restarts.times, v.reborn = nil, restarted
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

// tellReborn tells that a supervisor has begun anew, when its children live.
func (v *Supervisor) tellReborn() {
	if v.reborn == nil || lastIndex(v.children, func(c *child) bool { return c.due || c.stage == starting }) >= 0 {
		return
	}
	v.reborn(v.spec.ID)
	v.reborn = nil
}
