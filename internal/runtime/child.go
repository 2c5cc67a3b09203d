package mabeam

import (
	"errors"
	"fmt"
	"sync/atomic"
	"time"
)

// A RestartPolicy says after which ends a child is restarted. A panic in any of its
// callbacks and a KillAgent from outside are abnormal ends; an agent that stops
// itself ends normally. One that StopAgent or StopChild has ended is never
// restarted.
type RestartPolicy int

// The policies.
const (
	// Permanent restarts the child after every end.
	Permanent RestartPolicy = iota
	// Transient restarts the child after an abnormal end.
	Transient
	// Temporary never restarts the child; its supervisor forgets it when it
	// has ended.
	Temporary
)

var restartNames = []string{"permanent", "transient", "temporary"}

func (r RestartPolicy) String() string { return nameOf(restartNames, int(r)) }

// A Child describes an agent that a supervisor starts, and starts again.
type Child struct {
	// ID is the agent's id in all its lives, whatever New says; empty lets the
	// runtime choose one.
	ID string
	// New makes the spec of each life, with a behaviour and a state of its own:
	// a life that was killed may still be at work while the next one begins. A
	// spec without a ParentID gets the supervisor's id. A panic in it is a start
	// that failed.
	New func() Spec
	// Restart says after which ends the child is restarted.
	Restart RestartPolicy
	// StopWithin is how long its supervisor lets it finish the work it has
	// accepted before it is killed; 0 means 5 s.
	StopWithin time.Duration
}

func (c Child) check() error {
	switch {
	case c.New == nil:
		return fmt.Errorf("child %q: no New", c.ID)
	case c.Restart < Permanent || c.Restart > Temporary:
		return fmt.Errorf("child %q: unknown restart %d", c.ID, int(c.Restart))
	case c.StopWithin < 0:
		return fmt.Errorf("child %q: stop within %v", c.ID, c.StopWithin)
	}
	return nil
}

// newSpec calls New; a panic in it is an error.
func (c Child) newSpec() (spec Spec, err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("new: %w", newPanicError(v))
		}
	}()
	return c.New(), nil
}

// ChildInfo is a supervisor's child at one moment.
type ChildInfo struct {
	ID string
	// Restarts is how many lives were begun after the first one.
	Restarts int
	// Alive is false between two lives, and for a transient child that has
	// ended normally.
	Alive bool
}

// A child is what a supervisor knows of one of its children.
type child struct {
	Child
	supervisor *Supervisor
	position   int         // in the order of start
	unwanted   atomic.Bool // StopAgent was called: it must not live again

	agent    *Agent // its present life; nil if there is none
	due      bool   // it is to be started again
	why      string // it is due
	restarts int
	hasPlace bool // under the limit on agents; of who has the turn
}

// takePlace takes a place under the limit on agents for what was there before, if the
// child has given up its own.
func (c *child) takePlace() {
	if !c.hasPlace {
		c.hasPlace = true
		c.supervisor.system.limits.enterAnyway()
	}
}

// leavePlace gives the child's place back: it has ended, and is not to live again by
// itself.
func (c *child) leavePlace() {
	if c.hasPlace {
		c.hasPlace = false
		c.supervisor.system.limits.leave()
	}
}

// ended tells the supervisor that a life of its child has ended. It is called
// by whoever ended it, so it must not wait for anything.
func (c *child) ended(life *Agent) {
	err := life.err()
	abnormal, why := isAbnormal(err), "it stopped itself"
	var ended *endError
	switch {
	case errors.As(err, &ended):
		why = ended.failure.Error()
	case abnormal:
		why = "killed"
	}
	v := c.supervisor
	v.mu.Lock()
	v.notifyLocked(notice{child: c, life: life, abnormal: abnormal, why: why})
	v.mu.Unlock()
}

// dismiss has the child's supervisor forget it when it has ended.
func (c *child) dismiss() {
	if c.unwanted.Swap(true) {
		return
	}
	v := c.supervisor
	v.mu.Lock()
	v.notifyLocked(notice{child: c}) // of no concern to it while the child lives
	v.mu.Unlock()
}
