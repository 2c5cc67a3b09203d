package mabeam

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"

	"mabeam-top/internal/runtime/internal/failure"
)

// A Holder has reservations and decides whether to start further lives in them; a supervisor is one. Its
// methods are called on the goroutine that ends an agent, and must not block.
type Holder interface {
	// Ended reports that the present life of a reservation has ended. Everybody else has been
	// notified before. After a crash, Terminate has returned, or Options.WaitTimeout has
	// passed.
	Ended(r *Reservation, life Ref)
	// Dismissed reports that StopAgent was called for the id of a reservation, whether an agent
	// lives under it or not: the holder must not start another life.
	Dismissed(r *Reservation)
}

// A Reservation keeps an agent's id, and its room under the limits, over several lives. Until it is
// released, nobody else can use the id, and further lives need no room and have no rate. Only Kill may be
// called concurrently with other methods; but after Kill of a life whose Start has a ctx that has ended,
// the caller need not wait until that Start returns.
type Reservation struct {
	system    *System
	holder    Holder
	id        string
	dismissed atomic.Bool
	// life is the present or the last one.
	life      atomic.Pointer[Agent]
	snapshots *snapshots // nil before the first life that gives any

	mu      sync.Mutex
	hasRoom bool
	begun   bool // there was a life that became ready
}

// Reserve reserves an id, and room for an agent, until Release. An empty id lets the runtime choose one.
// The error is ErrAlreadyRegistered, ErrLimitReached, ErrRateLimited or ErrSystemStopped.
func (s *System) Reserve(id string, holder Holder) (*Reservation, error) {
	if id == "" {
		id = agentIDs.Next()
	}
	if s.stopping.Load() {
		return nil, ErrSystemStopped
	}
	if err := s.startRate.Allow(); err != nil {
		s.logRefusal(id, err)
		return nil, err
	}
	if err := s.admit(id); err != nil {
		return nil, err
	}
	r := &Reservation{system: s, holder: holder, id: id, hasRoom: true}
	if err := s.agents.Reserve(r.id, r); err != nil {
		s.limits.release()
		return nil, err
	}
	return r, nil
}

// ID returns the reserved id.
func (r *Reservation) ID() string { return r.id }

// Dismissed reports whether StopAgent was called for the id.
func (r *Reservation) Dismissed() bool { return r.dismissed.Load() }

// Start starts an agent with the reserved id, like StartAgent, and returns its life when it is ready. The
// spec's id is ignored. Each life after the first also has an agent_lifecycle.restarted event, with why as
// its reason.
func (r *Reservation) Start(ctx context.Context, spec Spec, why string) (Ref, error) {
	if err := r.acquireRoom(ctx); err != nil {
		return Ref{}, err
	}
	spec.ID = r.id
	a, err := r.system.startAgent(ctx, spec, r)
	if err != nil {
		return Ref{}, err
	}
	if r.hasBegun() {
		r.system.agentsRestarted.Add(1)
		r.system.announceLifecycle(EventAgentRestarted, a, why, nil)
	}
	return Ref{a}, nil
}

// acquireRoom takes room for a life if the reservation has none, unless ctx has ended: then the
// reservation may have been released.
func (r *Reservation) acquireRoom(ctx context.Context) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if ctx.Err() != nil {
		return fmt.Errorf("start agent %q: %w", r.id, failure.ContextError(ctx))
	}
	if !r.hasRoom {
		r.hasRoom = true
		r.system.limits.acquireAnyway()
	}
	return nil
}

// hasBegun records that a life has become ready, and reports whether there was one before.
func (r *Reservation) hasBegun() (before bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	before, r.begun = r.begun, true
	return before
}

// beginLife records the life that is about to begin, with its behaviour. The reservation may be nil.
func (r *Reservation) beginLife(a *Agent, b Behaviour) {
	if r == nil {
		return
	}
	r.life.Store(a)
	if s, ok := b.(Snapshotter); ok {
		r.useSnapshots(a, s)
	}
}

// Kill ends the present life at once, even if its Start has not returned. That Start fails with
// ErrKilled when Init returns; another Start may be called before.
func (r *Reservation) Kill() {
	if a := r.life.Load(); a != nil {
		a.kill()
	}
}

// ReleaseRoom releases the room until the next Start. The holder calls it when no restart is due.
func (r *Reservation) ReleaseRoom() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.hasRoom {
		r.hasRoom = false
		r.system.limits.release()
	}
}

// Release ends the reservation. Its last life must have ended.
func (r *Reservation) Release() {
	r.ReleaseRoom()
	r.system.agents.Release(r.id, r)
}

// dismiss informs the holder of the reservation of an id, if there is one, that it must not start another
// life. a is the agent with the id, or nil; dismiss returns the agent with the id afterwards.
func (s *System) dismiss(id string, a *Agent) *Agent {
	var r *Reservation
	if a != nil {
		r = a.reservation
	} else {
		r, _ = s.agents.Holder(id).(*Reservation)
	}
	if r != nil && !r.dismissed.Swap(true) {
		r.holder.Dismissed(r)
	}
	return s.agents.Get(id)
}

// holder returns the reservation of an agent as the holder of its id in the registry; nil if it has none.
func (a *Agent) holder() any {
	if a.reservation == nil {
		return nil
	}
	return a.reservation
}
