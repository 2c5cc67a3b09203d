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

// A RestartPolicy says after which ends a child is restarted. An end is abnormal if a callback
// panicked, if somebody else killed the agent, or if the child is a supervisor that gave up. An
// agent that stops itself ends normally. A child that was ended by StopAgent or StopChild is
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

// A Child describes what a supervisor starts and restarts: an agent or another supervisor.
type Child struct {
	// ID is the agent's id in all its lives, whatever New returns; empty lets the runtime
	// choose one. A supervisor has the ID of its Spec instead.
	ID string
	// New returns the spec of the next life. Each life needs a behaviour and a state of its
	// own: a callback of one that was killed may still run when the next one begins. A spec
	// without a ParentID gets the supervisor's id. If New panics, the start has failed.
	New func() mabeam.Spec
	// Supervisor describes a supervisor, in place of New.
	Supervisor *Spec
	// Restart says after which ends the child is restarted.
	Restart RestartPolicy
	// StartWithin is how long its start, which includes Init, may take before it counts as
	// failed; 0 means that there is no limit.
	StartWithin time.Duration
	// StopWithin is how long it may take to finish the work it has accepted before it is
	// killed; 0 means 5 s, or for a supervisor as long as its own children may take.
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
	// Supervisor is the child if it is a supervisor; nil for an agent, and between two
	// lives.
	Supervisor *Supervisor
	// Restarts is how many lives were begun after the first one.
	Restarts int
	// Alive is false between two lives, and for a transient child that has
	// ended normally.
	Alive bool
}

// A life is a child from one start to the next end.
type life interface {
	// stop stops it gracefully, and returns an error if ctx ends before.
	stop(ctx context.Context) error
	// kill ends it at once. It returns false if it had stopped gracefully before.
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
	supervisor  *Supervisor
	reservation *mabeam.Reservation // nil if it is a supervisor

	// Guarded by supervisor.mu.
	stage stage
	life  life // its present one, if it is up or stopping
	// attempt counts its starts, and cancelStart cancels the present one. failed is the
	// error of the first one.
	attempt     int
	cancelStart context.CancelCauseFunc
	failed      error
	// earlyEnds are the ends, with their reasons, that were reported while a life was
	// starting: of that life itself, before its start was known to have succeeded, and of
	// former ones, whose Terminate took long.
	earlyEnds map[life]error
	// settled is closed when it is no longer starting, or stopping.
	settled chan struct{}
	// due says that it is to be started again, and why is the reason. While pause is not nil
	// it waits for that before.
	due   bool
	why   string
	pause *time.Timer
	// mustStop marks it for stopMarked, and abrupt says that it is to be killed.
	mustStop, abrupt bool
	// unwanted says that it was dismissed, and is to be forgotten as soon as it is down.
	unwanted bool
	began    time.Time // of its last life
	inARow   int       // consecutive restarts
	restarts int
}

// info describes the child. The caller holds mu.
func (c *child) info() ChildInfo {
	info := ChildInfo{ID: c.name(), Restarts: c.restarts, Alive: c.life != nil && c.life.isAlive()}
	info.Supervisor, _ = c.life.(*Supervisor)
	return info
}

// name returns the child's id.
func (c *child) name() string {
	if c.Supervisor != nil {
		return c.Supervisor.ID
	}
	return c.ID
}

// stopWithin returns how long it may take to stop; 0 means that there is no limit.
func (c *child) stopWithin() time.Duration {
	if c.Supervisor != nil {
		return c.StopWithin
	}
	return cmp.Or(c.StopWithin, 5*time.Second)
}

// begin starts a life; why is the reason if it is not the first.
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
	ref, err := c.reservation.Start(ctx, spec, why)
	if err != nil {
		return nil, err
	}
	return agentLife{ref}, nil
}

// logNewPanicked logs that New panicked, with the stack. The system does not know of it.
func (c *child) logNewPanicked(err error) {
	stack := slog.Attr{}
	var panicked *mabeam.PanicError
	if errors.As(err, &panicked) {
		stack = slog.String("stack", string(panicked.Stack))
	}
	c.supervisor.system.Logger().LogAttrs(context.Background(), slog.LevelError, "child's spec could not be made",
		slog.String("supervisor", c.supervisor.spec.ID), slog.String("agent", c.ID), slog.Any("error", err), stack)
}

// leave releases its reservation.
func (c *child) leave() {
	if c.reservation != nil {
		c.reservation.Release()
	}
}

// dismiss makes sure that the child gets no further life, and is forgotten when it is down. The
// caller holds mu.
func (c *child) dismiss() {
	c.unwanted, c.due = true, false
	c.endPause()
}

// endPause ends the wait before its restart.
func (c *child) endPause() {
	if c.pause != nil {
		c.pause.Stop()
		c.pause = nil
	}
}
