package supervision

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	mabeam "mabeam-top/internal/runtime"
)

var (
	// ErrStopped means that the supervisor is stopping or has ended.
	ErrStopped = errors.New("supervisor is stopped")
	// ErrGaveUp means that a supervisor would have had to restart too often.
	ErrGaveUp = errors.New("supervisor gave up")
)

// EventGaveUp is the type of the event that is published when a supervisor has given up: its
// children have ended, Err returns the reason, and its id is free.
const EventGaveUp = "supervisor.gave_up"

// GaveUpData is the data of EventGaveUp.
type GaveUpData struct {
	SupervisorID string
	// ChildID is the child that would have been restarted once more, and
	// Reason why.
	ChildID, Reason string
	// Restarts is how many there have been Within this time.
	Restarts int
	Within   time.Duration
}

// A Spec describes a supervisor to start. The zero value is one of no children.
type Spec struct {
	// ID is the supervisor's name, unique in its system; empty lets the runtime choose
	// one.
	ID string
	// Strategy says which children are restarted when one of them has to be.
	Strategy Strategy
	// Intensity is how often children are restarted before the supervisor gives up; nil
	// is DefaultIntensity. One of 0 restarts gives up when the first restart is due.
	Intensity *Intensity
	// Backoff is how long to wait before a restart.
	Backoff Backoff
	// Children are started with the supervisor, in their order. StartChild adds more.
	Children []Child
}

func (s Spec) check() error {
	if s.Strategy < OneForOne || s.Strategy > RestForOne {
		return fmt.Errorf("unknown strategy %d", int(s.Strategy))
	}
	if s.Intensity != nil {
		if err := s.Intensity.check(); err != nil {
			return err
		}
	}
	if err := s.Backoff.check(); err != nil {
		return err
	}
	for _, c := range s.Children {
		if err := c.check(); err != nil {
			return err
		}
	}
	return nil
}

// intensity is the one that holds.
func (s Spec) intensity() Intensity {
	if s.Intensity == nil {
		return DefaultIntensity
	}
	return Intensity{s.Intensity.Restarts, cmp.Or(s.Intensity.Within, DefaultIntensity.Within)}
}

// A phase is where a supervisor is between its start and its end.
type phase int

const (
	running phase = iota
	ending        // its children are being stopped, for good
	ended
)

// A Supervisor starts children, restarts those that end and should not have, and gives up
// when that happens too often, as in OTP. It needs a goroutine only while one of them is
// starting or stopping, and goes on to serve the others meanwhile.
type Supervisor struct {
	system    *mabeam.System
	directory *directory
	spec      Spec
	parent    *child        // what its own supervisor knows of it; nil at the root
	done      chan struct{} // closed when it is over
	// grace ends when children that are asked to stop are to be killed at once.
	grace    context.Context
	endGrace context.CancelFunc

	mu       sync.Mutex
	phase    phase
	children []*child // in the order of their start
	restarts window
	// stopping says that stopMarked runs.
	stopping bool
	// onRestarted is to be called when its children live again; nil unless it has crashed.
	onRestarted func(supervisorID string)
	gaveUp      *GaveUpData
	killed      int // how many children did not stop in time
	err         error
}

// Start starts a supervisor with its children, in their order, and returns it when all of
// them are ready. If one does not start, those that were started stop in reverse, and the
// error names it. mabeam.ErrAlreadyRegistered means that an id is taken. The
// supervisor lives until Stop, until the system stops, which stops it before all agents, or
// until it gives up: then see mabeam.Options.OnRootFailure. ctx is
// for the start only.
func Start(ctx context.Context, system *mabeam.System, spec Spec) (*Supervisor, error) {
	spec.ID = cmp.Or(spec.ID, mabeam.NewID("supervisor_"))
	err := spec.check()
	var d *directory
	if err == nil {
		d, err = directoryOf(system)
	}
	var v *Supervisor
	if err == nil {
		v, err = start(ctx, d, spec, nil)
	}
	if err != nil {
		return nil, fmt.Errorf("start supervisor %q: %w", spec.ID, err)
	}
	return v, nil
}

// start is Start for the child of another one too.
func start(ctx context.Context, d *directory, spec Spec, parent *child) (*Supervisor, error) {
	children := spec.Children
	spec.Children = nil
	v := &Supervisor{
		system: d.system, directory: d, spec: spec, parent: parent, done: make(chan struct{}),
		restarts: window{Intensity: spec.intensity()},
	}
	v.grace, v.endGrace = context.WithCancel(d.system.Context())
	if err := d.add(v); err != nil {
		return nil, err
	}
	for _, c := range children {
		if _, err := v.add(ctx, c); err != nil {
			v.end(nil)
			<-v.done
			return nil, err
		}
	}
	return v, nil
}

// ID is the supervisor's name.
func (v *Supervisor) ID() string { return v.spec.ID }

// Done is closed when the supervisor is over and its children have ended.
func (v *Supervisor) Done() <-chan struct{} { return v.done }

// Err is why the supervisor gave up, an ErrGaveUp; nil if it did not.
func (v *Supervisor) Err() error {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.err
}

// Children lists the children in the order in which they were added.
func (v *Supervisor) Children() []ChildInfo {
	v.mu.Lock()
	defer v.mu.Unlock()
	var infos []ChildInfo
	for _, c := range v.children {
		infos = append(infos, c.info())
	}
	return infos
}

// StartChild starts one more child, and returns its id when it is ready. If it
// does not start, the supervisor does not have it. mabeam.ErrAlreadyRegistered means
// that its id is taken, ErrStopped that the supervisor is over. When ctx ends the start
// is given up.
func (v *Supervisor) StartChild(ctx context.Context, spec Child) (id string, err error) {
	if err = spec.check(); err == nil {
		id, err = v.add(ctx, spec)
	}
	if err != nil {
		return "", fmt.Errorf("supervisor %q: %w", v.spec.ID, err)
	}
	return id, nil
}

// StopChild ends a child for good, alive or not: it gets its StopWithin, or less
// if ctx ends before, and is then killed, and the error is a mabeam.ErrKilled.
// The supervisor forgets it, so its id can be used again. Stopping a child that
// is not there is no error. In a callback of the child itself, or of one that it waits
// for, the error is a *mabeam.DeadlockError, and the child stops afterwards.
func (v *Supervisor) StopChild(ctx context.Context, id string) error {
	v.mu.Lock()
	i := slices.IndexFunc(v.children, func(c *child) bool { return c.name() == id })
	if i < 0 {
		v.mu.Unlock()
		return nil
	}
	c := v.children[i]
	c.dismiss()
	v.mu.Unlock()
	killed, err := v.halt(ctx, c)
	if killed {
		err = mabeam.ErrKilled
	}
	if err != nil {
		return fmt.Errorf("supervisor %q: stop child %q: %w", v.spec.ID, id, err)
	}
	return nil
}

// Stop stops the children in reverse order of their start, each within its
// StopWithin, and returns when the supervisor is over. A mabeam.ErrKilled says how
// many children did not stop in time. If ctx ends before, the supervisor still
// stops, and the error is that of ctx; so it does in a callback of a child, where the error
// is a *mabeam.DeadlockError. Stopping again waits for the first. One below another
// supervisor ends normally so, and is started again if it is permanent: StopChild of the
// other one ends it for good.
func (v *Supervisor) Stop(ctx context.Context) error {
	v.end(nil)
	endWait, err := v.waitFor(ctx)
	if err != nil {
		return fmt.Errorf("stop supervisor %q: %w", v.spec.ID, err)
	}
	defer endWait()
	select {
	case <-v.done:
	default:
		select {
		case <-v.done:
		case <-ctx.Done():
			return fmt.Errorf("stop supervisor %q: %w", v.spec.ID, mabeam.ContextError(ctx))
		}
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.killed > 0 {
		return fmt.Errorf("stop supervisor %q: %d children did not stop in time: %w", v.spec.ID, v.killed, mabeam.ErrKilled)
	}
	return nil
}

// waitFor notes that the agent whose callback ctx belongs to waits for all agents below
// the supervisor.
func (v *Supervisor) waitFor(ctx context.Context) (end func(), err error) {
	var ends []func()
	end = func() {
		for _, f := range ends {
			f()
		}
	}
	if !mabeam.InCallback(ctx) {
		return end, nil
	}
	for _, a := range v.agents() {
		f, err := mabeam.WaitFor(ctx, a)
		if err != nil {
			end()
			return nil, err
		}
		ends = append(ends, f)
	}
	return end, nil
}

// agents lists the agents that live below the supervisor.
func (v *Supervisor) agents() (all []mabeam.Ref) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, c := range v.children {
		switch l := c.life.(type) {
		case agentLife:
			all = append(all, l.Ref)
		case *Supervisor:
			all = append(all, l.agents()...)
		}
	}
	return all
}

// stop, kill and isAlive make a supervisor the life of a child.
func (v *Supervisor) stop(ctx context.Context) error { return v.Stop(ctx) }

func (v *Supervisor) kill() bool {
	v.endGrace()
	v.end(nil)
	<-v.done
	return true
}

func (v *Supervisor) isAlive() bool {
	select {
	case <-v.done:
		return false
	default:
		return true
	}
}

// end begins to end the supervisor: because it gave up, or, with nil, because it was asked
// to.
func (v *Supervisor) end(gaveUp *GaveUpData) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.endLocked(gaveUp)
}

func (v *Supervisor) endLocked(gaveUp *GaveUpData) {
	if v.phase != running {
		return
	}
	v.phase, v.gaveUp = ending, gaveUp
	for _, c := range v.children {
		c.dismiss()
		c.mustStop, c.abrupt = true, false
	}
	v.advance()
}

// finish is the end of a supervisor whose children have ended. It is called, and returns,
// with mu held.
func (v *Supervisor) finish() {
	v.phase = ended
	if g := v.gaveUp; g != nil {
		v.err = fmt.Errorf("supervisor %q: %w after %d restarts within %v, now of %q: %s",
			v.spec.ID, ErrGaveUp, g.Restarts, g.Within, g.ChildID, g.Reason)
	}
	err := v.err
	v.mu.Unlock()
	v.directory.remove(v)
	if err != nil {
		v.system.Logger().LogAttrs(context.Background(), slog.LevelError, "supervisor gave up", slog.String("supervisor", v.spec.ID), slog.Any("error", err))
		v.system.Announce(EventGaveUp, v.spec.ID, *v.gaveUp)
	}
	v.endGrace()
	close(v.done)
	switch {
	case v.parent != nil:
		v.parent.supervisor.lifeEnded(v.parent, v, cmp.Or(err, mabeam.ErrStopping))
	case err != nil:
		v.system.RootFailed(v.spec.ID, err)
	}
	v.mu.Lock()
}
