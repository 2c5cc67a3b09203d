package mabeam

import (
	"fmt"
	"slices"
	"time"
)

// A notice tells a supervisor that a child's life has ended, or, without a life,
// that a child without one has to be seen to; or that the supervisor itself has
// crashed.
type notice struct {
	child    *child
	life     *Agent
	abnormal bool
	why      string
	crashed  bool
}

func (v *Supervisor) notifyLocked(n notice) {
	v.notices = append(v.notices, n) // at most one for each life, and for each child without
	v.wakeLocked()
}

func (v *Supervisor) wakeLocked() {
	if !v.scheduled {
		v.scheduled = true
		v.system.scheduler.schedule(v)
	}
}

// run sees to one child, or stops them all.
func (v *Supervisor) run() (more bool) {
	v.turn <- struct{}{}
	defer v.giveTurn()
	v.mu.Lock()
	if v.stopping {
		v.mu.Unlock()
		v.finish(nil)
		return false
	}
	if len(v.notices) == 0 {
		v.scheduled = false
		v.mu.Unlock()
		return false
	}
	n := v.notices[0]
	v.notices[0] = notice{}
	v.notices = v.notices[1:]
	v.mu.Unlock()

	finished := false
	defer func() {
		if !finished { // a callback has ended the goroutine: that is a start that failed
			v.mu.Lock()
			for _, c := range v.waiting(n) {
				v.notices = append(v.notices, notice{child: c})
			}
			v.mu.Unlock()
			v.system.scheduler.schedule(v)
		}
	}()
	v.attend(n)
	finished = true
	return true // others get their turn before the next notice
}

// waiting are the children to start after a notice could not be attended to to
// its end. The caller holds mu.
func (v *Supervisor) waiting(n notice) []*child {
	if !n.crashed || v.spec.Strategy != OneForOne {
		return []*child{v.firstDue(n.child)}
	}
	return slices.DeleteFunc(v.inOrder(), func(c *child) bool { return !c.due })
}

// attend does what a notice asks for.
func (v *Supervisor) attend(n notice) {
	if n.crashed {
		v.beginAnew()
		return
	}
	c := n.child
	if n.life != c.agent {
		return // of a life that the supervisor has ended, or followed up already
	}
	if n.life != nil {
		v.mu.Lock()
		c.agent, c.why = nil, n.why
		c.due = c.Restart == Permanent || c.Restart == Transient && n.abnormal
		v.mu.Unlock()
		if !c.due {
			c.leavePlace()
		}
	}
	switch {
	case c.unwanted.Load() || c.Restart == Temporary:
		v.forget(c)
	case c.due:
		v.restart(c)
	}
}

// restart starts a child again, with those that the strategy ties to it.
func (v *Supervisor) restart(c *child) {
	s := v.system
	if s.stopping.Load() {
		return
	}
	if !v.restarts.allows(time.Now()) {
		v.finish(&SupervisorGaveUpData{
			SupervisorID: v.spec.ID, ChildID: c.ID, Reason: c.why,
			Restarts: v.spec.MaxRestarts, Within: v.spec.Within,
		})
		return
	}
	tied := v.tied(c)
	for _, x := range slices.Backward(tied) {
		v.halt(s.ctx, x)
		switch {
		case x.Restart == Temporary:
			v.forget(x)
		case !x.due:
			v.mu.Lock()
			x.due, x.why = true, fmt.Sprintf("together with %q: %s", c.ID, c.why)
			v.mu.Unlock()
		}
	}
	v.startDue(tied)
}

// startDue begins the next life of each of some children that is due.
func (v *Supervisor) startDue(children []*child) {
	for _, x := range children {
		switch {
		case !x.due:
		case v.isStopping() || v.system.stopping.Load():
			return
		case x.unwanted.Load():
			v.forget(x)
		case !v.again(x) && v.spec.Strategy != OneForOne:
			return // those after it are started after it
		}
	}
}

// beginAnew is the next life of a supervisor that has crashed: its children are
// killed, the newest first, and begin new lives too.
func (v *Supervisor) beginAnew() {
	if v.system.stopping.Load() {
		return
	}
	v.restarts.times = nil
	all := v.inOrder()
	for _, c := range slices.Backward(all) {
		a := c.agent
		v.mu.Lock()
		c.agent, c.due, c.why = nil, c.Restart != Temporary, "its supervisor crashed" // so its end is no news
		v.mu.Unlock()
		if a != nil {
			a.kill()
		}
		if !c.due {
			v.forget(c)
		}
	}
	v.startDue(all)
	v.system.restarted(ComponentData{Component: "agents", SupervisorID: v.spec.ID})
}

// again begins the next life of a child. If it does not start, that is tried
// once more when others had their turn.
func (v *Supervisor) again(c *child) (started bool) {
	s, why := v.system, c.why
	err := v.begin(s.ctx, c)
	v.mu.Lock()
	if err != nil {
		c.why = err.Error()
		v.notifyLocked(notice{child: c})
		v.mu.Unlock()
		return false
	}
	c.restarts++
	a := c.agent
	v.mu.Unlock()
	s.agentsRestarted.add(1)
	s.announceLifecycle(EventAgentRestarted, a, why, nil)
	if c.unwanted.Load() { // StopAgent did not find it while it was not there
		v.halt(s.ctx, c)
		v.forget(c)
	}
	return true
}
