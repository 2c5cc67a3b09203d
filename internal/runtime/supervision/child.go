package supervision

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"time"

	mabeam "mabeam-top/internal/runtime"
	"mabeam-top/internal/runtime/internal/enum"
)

// A RestartPolicy says after which ends a child is restarted. A panic in any of its
// callbacks, a KillAgent from outside, and the giving up of a supervisor are abnormal ends;
// an agent that stops itself ends normally. One that StopAgent or StopChild has ended is
// never restarted.
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

func (r RestartPolicy) String() string { return enum.Name(restartNames, r) }

// A Child describes what a supervisor starts, and starts again: an agent, or another
// supervisor.
type Child struct {
	// ID is the agent's id in all its lives, whatever New says; empty lets the
	// runtime choose one. That of a supervisor is the Spec's.
	ID string
	// New makes the spec of each life, with a behaviour and a state of its own:
	// a life that was killed may still be at work while the next one begins. A
	// spec without a ParentID gets the supervisor's id. A panic in it is a start
	// that failed.
	New func() mabeam.Spec
	// Supervisor describes a supervisor, in place of New.
	Supervisor *Spec
	// Restart says after which ends the child is restarted.
	Restart RestartPolicy
	// StartWithin is how long its start may take, Init above all, before it is given
	// up as failed; 0 means as long as it takes.
	StartWithin time.Duration
	// StopWithin is how long its supervisor lets it finish the work it has
	// accepted before it is killed; 0 means 5 s, and for a supervisor as long as its
	// own children may take.
	StopWithin time.Duration
}

func (c Child) check() error {
	switch {
	case c.New == nil && c.Supervisor == nil:
		return fmt.Errorf("child %q: neither New nor Supervisor", c.ID)
	case c.New != nil && c.Supervisor != nil:
		return fmt.Errorf("child %q: both New and Supervisor", c.ID)
	case c.Restart < Permanent || c.Restart > Temporary:
		return fmt.Errorf("child %q: unknown restart %d", c.ID, int(c.Restart))
	case c.StopWithin < 0:
		return fmt.Errorf("child %q: stop within %v", c.ID, c.StopWithin)
	case c.StartWithin < 0:
		return fmt.Errorf("child %q: start within %v", c.ID, c.StartWithin)
	}
	if c.Supervisor != nil {
		if err := c.Supervisor.check(); err != nil {
			return fmt.Errorf("child %q: %w", c.Supervisor.ID, err)
		}
	}
	return nil
}

// newSpec calls New; a panic in it is an error.
func (c Child) newSpec() (spec mabeam.Spec, err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("new: %w", &mabeam.PanicError{Value: v, Stack: debug.Stack()})
		}
	}()
	return c.New(), nil
}

// ChildInfo is a supervisor's child at one moment.
type ChildInfo struct {
	ID string
	// Supervisor is the child if it is one; nil for an agent, and between two lives.
	Supervisor *Supervisor
	// Restarts is how many lives were begun after the first one.
	Restarts int
	// Alive is false between two lives, and for a transient child that has
	// ended normally.
	Alive bool
}

// A life is what a child is from a start to an end.
type life interface {
	// stop ends it in good order, and says so if ctx ends before.
	stop(ctx context.Context) error
	// kill ends it at once. It says false if it had ended in good order before.
	kill() bool
	isAlive() bool
}

// An agentLife is the life of an agent.
type agentLife struct{ mabeam.Ref }

func (l agentLife) stop(ctx context.Context) error { return l.Stop(ctx) }

func (l agentLife) kill() bool {
	l.Kill()
	return errors.Is(l.Err(), mabeam.ErrKilled)
}

func (l agentLife) isAlive() bool { return l.Err() == nil }

// A stage is where a child is.
type stage int

const (
	down     stage = iota // it does not live
	starting              // a life begins
	up                    // it lives
	stopping              // somebody waits for its end
)

// A child is what a supervisor knows of one of its children.
type child struct {
	Child
	supervisor *Supervisor
	place      *mabeam.Place // nil if it is a supervisor

	// Guarded by supervisor.mu.
	stage stage
	life  life // its present one, if it is up or stopping
	// attempt counts its starts, and giveUp gives the present one up. What came of
	// the first is failed, if it did.
	attempt int
	giveUp  context.CancelCauseFunc
	failed  error
	// early are the lives of whose end is told while one begins, and why: that one,
	// before its start is known to have succeeded, and those before, whose Terminate took
	// long.
	early map[life]error
	// settled is closed when it is no longer starting, or stopping.
	settled chan struct{}
	// due says that it is to be started again, for the reason why; pause is what it
	// waits for before that, if that is not nil.
	due   bool
	why   string
	pause *time.Timer
	// mustStop says that it is to be stopped in its turn, and abrupt that it is to be
	// killed then.
	mustStop, abrupt bool
	// unwanted says that it is to be forgotten as soon as it is down.
	unwanted bool
	began    time.Time // of its last life
	inARow   int       // restarts
	restarts int
}

// info tells of the child. The caller holds mu.
func (c *child) info() ChildInfo {
	info := ChildInfo{ID: c.name(), Restarts: c.restarts, Alive: c.life != nil && c.life.isAlive()}
	info.Supervisor, _ = c.life.(*Supervisor)
	return info
}

// name is the child's id.
func (c *child) name() string {
	if c.Supervisor != nil {
		return c.Supervisor.ID
	}
	return c.ID
}

// stopWithin is how long it may take to stop; 0 is as long as it takes.
func (c *child) stopWithin() time.Duration {
	if c.Supervisor != nil {
		return c.StopWithin
	}
	return cmp.Or(c.StopWithin, 5*time.Second)
}

// begin carries out a start, for a reason if it is not the first.
func (c *child) begin(ctx context.Context, why string) (life, error) {
	if c.Supervisor != nil {
		v, err := start(ctx, c.supervisor.directory, *c.Supervisor, c)
		if err != nil {
			return nil, err
		}
		return v, nil
	}
	spec, err := c.newSpec()
	if err != nil {
		c.logNewPanicked(err)
		return nil, err
	}
	spec.ParentID = cmp.Or(spec.ParentID, c.supervisor.spec.ID)
	ref, err := c.place.Start(ctx, spec, why)
	if err != nil {
		return nil, err
	}
	return agentLife{ref}, nil
}

// logNewPanicked tells that New panicked, with the stack: of this the system does not know.
func (c *child) logNewPanicked(err error) {
	stack := slog.Attr{}
	var panicked *mabeam.PanicError
	if errors.As(err, &panicked) {
		stack = slog.String("stack", string(panicked.Stack))
	}
	c.supervisor.system.Logger().LogAttrs(context.Background(), slog.LevelError, "child's spec could not be made",
		slog.String("supervisor", c.supervisor.spec.ID), slog.String("agent", c.ID), slog.Any("error", err), stack)
}

// leave gives its place up.
func (c *child) leave() {
	if c.place != nil {
		c.place.Leave()
	}
}

// dismiss has the child be forgotten when it is down, and begin no further life. The caller
// holds mu.
func (c *child) dismiss() {
	c.unwanted, c.due = true, false
	c.endPause()
}

// endPause has it wait no longer for its restart.
func (c *child) endPause() {
	if c.pause != nil {
		c.pause.Stop()
		c.pause = nil
	}
}
