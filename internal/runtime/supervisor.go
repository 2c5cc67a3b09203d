package mabeam

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"
)

// A SupervisorSpec describes a supervisor to start. The zero value is one of no
// children.
type SupervisorSpec struct {
	// ID is the supervisor's name; empty lets the runtime choose one.
	ID string
	// Strategy says which children are restarted when one of them has to be.
	Strategy Strategy
	// MaxRestarts is how many times the supervisor restarts within Within: when
	// one more would be due it gives up. 0 means 10. An attempt whose Init
	// fails counts, and children that are restarted together count as one.
	MaxRestarts int
	// Within is the time over which restarts are counted; 0 means 60 s.
	Within time.Duration
	// Children are started with the supervisor, in their order.
	Children []Child
}

func (o SupervisorSpec) check() error {
	switch {
	case o.Strategy < OneForOne || o.Strategy > RestForOne:
		return fmt.Errorf("unknown strategy %d", int(o.Strategy))
	case o.MaxRestarts < 0:
		return fmt.Errorf("at most %d restarts", o.MaxRestarts)
	case o.Within < 0:
		return fmt.Errorf("restarts within %v", o.Within)
	}
	for _, c := range o.Children {
		if err := c.check(); err != nil {
			return err
		}
	}
	return nil
}

// A Supervisor starts agents, restarts those that end and should not have, at
// once, and gives up when that happens too often, as in OTP. Its children are
// agents: there are no trees of supervisors. It needs a goroutine only while
// there is something to restart or to stop.
//
// It does one thing at a time: while a child's Init or Terminate runs, whoever
// calls StartChild or StopChild waits for it, so those two must not be called
// from there. An end that the supervisor hears of meanwhile is dealt with
// afterwards.
type Supervisor struct {
	system *System
	spec   SupervisorSpec
	done   chan struct{} // closed when it is over

	// turn is held, by having put a value into it, by who starts and ends
	// children. It is no mutex because waiting for it can be given up.
	turn chan struct{}
	// What follows is touched by who has the turn only.
	restarts intensity
	last     int // the position of the child that was added last

	mu sync.Mutex
	// children is changed by who has the turn with mu held, and so are the
	// children's own fields: who has either may read them.
	children  map[string]*child
	notices   []notice
	scheduled bool // it runs, or is about to, or has run for the last time
	stopping  bool // it is to restart nothing more
	killed    int  // how many children did not stop in time at the end
	err       error
}

// SupervisorGaveUpData is the data of supervisor.gave_up.
type SupervisorGaveUpData struct {
	SupervisorID string
	// ChildID is the child that would have been restarted once more, and
	// Reason why.
	ChildID, Reason string
	// Restarts is how many there have been Within this time.
	Restarts int
	Within   time.Duration
}

// StartSupervisor starts a supervisor with its children, in their order, and
// returns it when all of them are ready. If one does not start, those that were
// started stop in reverse, and the error names it. ErrAlreadyRegistered tells
// that the supervisor's id is taken. The supervisor lives until Stop, until the
// system stops, or until it gives up. ctx is for the start only.
func (s *System) StartSupervisor(ctx context.Context, spec SupervisorSpec) (*Supervisor, error) {
	spec.ID = cmp.Or(spec.ID, newID("supervisor_", &lastSupervisor))
	spec.MaxRestarts = cmp.Or(spec.MaxRestarts, 10)
	spec.Within = cmp.Or(spec.Within, 60*time.Second)
	if err := spec.check(); err != nil {
		return nil, fmt.Errorf("start supervisor %q: %w", spec.ID, err)
	}
	children := spec.Children
	spec.Children = nil
	v := &Supervisor{
		system: s, spec: spec, done: make(chan struct{}), turn: make(chan struct{}, 1),
		restarts: intensity{limit: spec.MaxRestarts, within: spec.Within},
		children: make(map[string]*child),
	}
	v.turn <- struct{}{}
	defer v.giveTurn()
	if err := s.supervisors.add(v); err != nil {
		return nil, fmt.Errorf("start supervisor %q: %w", spec.ID, err)
	}
	started := false
	defer func() {
		if !started { // also if a callback has ended the goroutine
			v.finish(nil)
		}
	}()
	for _, c := range children {
		if _, err := v.add(ctx, c); err != nil {
			return nil, fmt.Errorf("start supervisor %q: %w", spec.ID, err)
		}
	}
	started = true
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
	for _, c := range v.inOrder() {
		alive := c.agent != nil && !c.agent.isOver()
		infos = append(infos, ChildInfo{ID: c.ID, Restarts: c.restarts, Alive: alive})
	}
	return infos
}

// StartChild starts one more child, and returns its id when it is ready. If it
// does not start, the supervisor does not have it. ErrAlreadyRegistered tells
// that its id is taken, ErrSupervisorStopped that the supervisor is over.
func (v *Supervisor) StartChild(ctx context.Context, spec Child) (string, error) {
	err := spec.check()
	if err == nil {
		err = v.takeTurn(ctx)
	}
	if err == nil {
		defer v.giveTurn()
		spec.ID, err = v.add(ctx, spec)
	}
	if err != nil {
		return "", fmt.Errorf("supervisor %q: %w", v.spec.ID, err)
	}
	return spec.ID, nil
}

// StopChild ends a child for good, alive or not: it gets its StopWithin, or less
// if ctx ends before, and is then killed, which the error, an ErrKilled, tells.
// The supervisor forgets it, so its id can be used again. Stopping a child that
// is not there is no error.
func (v *Supervisor) StopChild(ctx context.Context, id string) error {
	err := v.takeTurn(ctx)
	if errors.Is(err, ErrSupervisorStopped) {
		return nil
	}
	if err == nil {
		defer v.giveTurn()
		if c := v.children[id]; c != nil {
			if v.halt(ctx, c) {
				err = ErrKilled
			}
			v.forget(c)
		}
	}
	if err != nil {
		return fmt.Errorf("supervisor %q: stop child %q: %w", v.spec.ID, id, err)
	}
	return nil
}

// Stop stops the children in reverse order of their start, each within its
// StopWithin, and returns when the supervisor is over. An ErrKilled tells how
// many children did not stop in time. If ctx ends before, the supervisor still
// stops, and the error is that of ctx. Stopping again waits for the first.
func (v *Supervisor) Stop(ctx context.Context) error {
	v.mu.Lock()
	v.stopping = true
	v.wakeLocked()
	v.mu.Unlock()
	select {
	case <-v.done:
	default:
		select {
		case <-v.done:
		case <-ctx.Done():
			return fmt.Errorf("stop supervisor %q: %w", v.spec.ID, callError(ctx))
		}
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.killed > 0 {
		return fmt.Errorf("stop supervisor %q: %d children did not stop in time: %w", v.spec.ID, v.killed, ErrKilled)
	}
	return nil
}

// takeTurn waits for the turn of one who starts or ends children.
func (v *Supervisor) takeTurn(ctx context.Context) error {
	select {
	case v.turn <- struct{}{}:
	case <-ctx.Done():
		return callError(ctx)
	}
	if v.isStopping() {
		v.giveTurn()
		return ErrSupervisorStopped
	}
	return nil
}

func (v *Supervisor) giveTurn() { <-v.turn }

func (v *Supervisor) isStopping() bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.stopping
}

// inOrder lists the children in the order in which they were added.
func (v *Supervisor) inOrder() []*child {
	all := make([]*child, 0, len(v.children))
	for _, c := range v.children {
		all = append(all, c)
	}
	slices.SortFunc(all, func(a, b *child) int { return cmp.Compare(a.position, b.position) })
	return all
}

// add starts a new child.
func (v *Supervisor) add(ctx context.Context, spec Child) (id string, err error) {
	spec.ID = cmp.Or(spec.ID, newID("agent_", &lastAgent))
	spec.StopWithin = cmp.Or(spec.StopWithin, 5*time.Second)
	if v.children[spec.ID] != nil {
		return "", fmt.Errorf("child %q: %w", spec.ID, ErrAlreadyRegistered)
	}
	v.last++
	c := &child{Child: spec, supervisor: v, position: v.last}
	// A restart has no rate to keep, too many are the intensity's concern, and no
	// limit: it has the place of the life before.
	if err = v.system.startRate.take(); err == nil {
		err = v.system.limits.enter()
	}
	if err != nil {
		return "", fmt.Errorf("child %q: %w", spec.ID, err)
	}
	c.hasPlace = true
	if err = v.begin(ctx, c); err != nil {
		c.leavePlace()
		return "", fmt.Errorf("child %q: %w", spec.ID, err)
	}
	v.mu.Lock()
	v.children[c.ID] = c
	v.mu.Unlock()
	return c.ID, nil
}

// begin starts a life of a child.
func (v *Supervisor) begin(ctx context.Context, c *child) error {
	spec, err := c.newSpec()
	if err != nil {
		return err
	}
	spec.ID = c.ID
	spec.ParentID = cmp.Or(spec.ParentID, v.spec.ID)
	c.takePlace()
	a, err := v.system.startAgent(ctx, spec, c)
	if err != nil {
		return err
	}
	v.mu.Lock()
	c.agent, c.due = a, false
	v.mu.Unlock()
	return nil
}

// halt ends a child's life, if it has one. It says whether the child had to be
// killed.
func (v *Supervisor) halt(ctx context.Context, c *child) (killed bool) {
	a := c.agent
	if a == nil {
		return false
	}
	v.mu.Lock()
	c.agent = nil // nothing is to be done about this end
	v.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, c.StopWithin)
	defer cancel()
	if a.stop(ctx, 0) == nil {
		return false
	}
	a.kill()
	return errors.Is(a.mailbox.reason(), ErrKilled) // not if it stopped just then
}

// forget drops a child that has ended. If those that are to be started together
// wait for it, they wait no longer.
func (v *Supervisor) forget(c *child) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.children[c.ID] == c {
		delete(v.children, c.ID)
	}
	c.leavePlace()
	if !c.due {
		return
	}
	c.due = false
	if next := v.firstDue(nil); next != nil {
		v.notifyLocked(notice{child: next})
	}
}

// firstDue is the first of those that are to be started together and have not
// been yet. Where children are started alone, it is c. The caller holds mu.
func (v *Supervisor) firstDue(c *child) *child {
	if v.spec.Strategy == OneForOne {
		return c
	}
	for _, next := range v.inOrder() {
		if next.due {
			return next
		}
	}
	return c
}

// finish stops the children, and ends the supervisor: because it gave up, or,
// with nil, because it was asked to.
func (v *Supervisor) finish(gaveUp *SupervisorGaveUpData) {
	select {
	case <-v.done:
		return
	default:
	}
	v.mu.Lock()
	v.stopping = true
	v.mu.Unlock()
	killed := 0
	for _, c := range slices.Backward(v.inOrder()) {
		if v.halt(v.system.ctx, c) {
			killed++
		}
	}
	var err error
	if gaveUp != nil {
		err = fmt.Errorf("supervisor %q: %w after %d restarts within %v, now of %q: %s",
			v.spec.ID, ErrGaveUp, gaveUp.Restarts, gaveUp.Within, gaveUp.ChildID, gaveUp.Reason)
	}
	v.system.supervisors.remove(v)
	v.mu.Lock()
	for _, c := range v.children {
		c.leavePlace()
	}
	clear(v.children)
	v.notices, v.scheduled, v.killed, v.err = nil, true, killed, err
	v.mu.Unlock()
	if err != nil {
		v.system.log(slog.LevelError, "supervisor gave up", "supervisor", v.spec.ID, "error", err)
	}
	if gaveUp != nil { // once it is over, but before those who wait for that go on
		v.system.announce(EventSupervisorGaveUp, v.spec.ID, *gaveUp)
	}
	close(v.done)
}

// supervisors are those of a system, in the order of their start.
type supervisors struct {
	mu   sync.Mutex
	list []*Supervisor
}

func (l *supervisors) add(v *Supervisor) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if v.system.stopping.Load() {
		return ErrSystemStopped
	}
	if slices.ContainsFunc(l.list, func(x *Supervisor) bool { return x.spec.ID == v.spec.ID }) {
		return ErrAlreadyRegistered
	}
	l.list = append(l.list, v)
	return nil
}

func (l *supervisors) remove(v *Supervisor) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.list = slices.DeleteFunc(l.list, func(x *Supervisor) bool { return x == v })
}

func (l *supervisors) all() []*Supervisor {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.list)
}

// stop stops all supervisors, the newest first.
func (l *supervisors) stop(ctx context.Context) error {
	var errs []error
	for _, v := range slices.Backward(l.all()) {
		errs = append(errs, v.Stop(ctx))
	}
	return errors.Join(errs...)
}

// dismiss sees to it that an id does not come to life again by a supervisor. It
// is given the agent of that id if there is one, and returns the one there is
// afterwards.
func (s *System) dismiss(id string, a *Agent) *Agent {
	if a != nil {
		a.child.dismiss()
	} else {
		for _, v := range s.supervisors.all() {
			v.mu.Lock()
			c := v.children[id]
			v.mu.Unlock()
			if c != nil {
				c.dismiss()
			}
		}
	}
	return s.registry.agent(id)
}
