package mabeam

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"

	"mabeam-top/internal/runtime/internal/failure"
)

// An Owner has places and decides what becomes of them; a supervisor is one. Its methods are called
// on the goroutine that ends an agent, and must not block.
type Owner interface {
	// Ended reports that the present life in a place has ended. Everybody else has been
	// notified before. After a crash, Terminate has returned, or Options.WaitTimeout has
	// passed.
	Ended(p *Place, life Ref)
	// Dismissed reports that StopAgent was called for the place, whether there is a life in
	// it or not: the owner must not start another one.
	Dismissed(p *Place)
}

// A Place reserves an agent's id, and its room under the limits, for several lives. While it is held,
// nobody else can use the id, and further lives need no room and have no rate. Only Kill may be called
// concurrently with other methods; but after Kill of a life whose Start has a ctx that has ended, the
// caller need not wait until that Start returns.
type Place struct {
	system    *System
	owner     Owner
	id        string
	dismissed atomic.Bool
	// life is the present or the last one.
	life      atomic.Pointer[Agent]
	snapshots *snapshots // nil before the first life that gives any

	mu      sync.Mutex
	hasRoom bool
	begun   bool // there was a life that became ready
}

// Hold reserves a place for an agent, until Leave. An empty id lets the runtime choose one. The error
// is ErrAlreadyRegistered, ErrLimitReached, ErrRateLimited or ErrSystemStopped.
func (s *System) Hold(id string, owner Owner) (*Place, error) {
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
	p := &Place{system: s, owner: owner, id: id, hasRoom: true}
	if err := s.registry.hold(p); err != nil {
		s.limits.leave()
		return nil, err
	}
	return p, nil
}

// ID is the id of the place.
func (p *Place) ID() string { return p.id }

// Dismissed reports whether StopAgent was called for the place.
func (p *Place) Dismissed() bool { return p.dismissed.Load() }

// Start starts an agent in the place, as StartAgent does, and returns its life when it is ready. The
// spec's id is ignored. Each life after the first also has an agent_lifecycle.restarted event, with why
// as its reason.
func (p *Place) Start(ctx context.Context, spec Spec, why string) (Ref, error) {
	if err := p.takeRoom(ctx); err != nil {
		return Ref{}, err
	}
	spec.ID = p.id
	a, err := p.system.startAgent(ctx, spec, p)
	if err != nil {
		return Ref{}, err
	}
	if p.hasBegun() {
		p.system.agentsRestarted.Add(1)
		p.system.announceLifecycle(EventAgentRestarted, a, why, nil)
	}
	return Ref{a}, nil
}

// takeRoom takes room for a life, if there is none for it, unless ctx has ended: then the
// place may have been given up.
func (p *Place) takeRoom(ctx context.Context) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if ctx.Err() != nil {
		return fmt.Errorf("start agent %q: %w", p.id, failure.ContextError(ctx))
	}
	if !p.hasRoom {
		p.hasRoom = true
		p.system.limits.enterAnyway()
	}
	return nil
}

// hasBegun notes a life that became ready, and reports whether there was one before.
func (p *Place) hasBegun() (before bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	before, p.begun = p.begun, true
	return before
}

// beginsWith notes the life that is about to begin, and what its behaviour is; nil is no
// place.
func (p *Place) beginsWith(a *Agent, b Behaviour) {
	if p == nil {
		return
	}
	p.life.Store(a)
	if s, ok := b.(Snapshotter); ok {
		p.useSnapshots(a, s)
	}
}

// Kill ends the present life at once, even if its Start has not returned. That Start fails with
// ErrKilled when Init returns; another Start may be called before.
func (p *Place) Kill() {
	if a := p.life.Load(); a != nil {
		a.kill()
	}
}

// Vacate releases the room until the next Start. The owner calls it when no restart is due.
func (p *Place) Vacate() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.hasRoom {
		p.hasRoom = false
		p.system.limits.leave()
	}
}

// Leave gives the place up. Its last life must have ended.
func (p *Place) Leave() {
	p.Vacate()
	p.system.registry.letGo(p)
}

// dismiss tells the owner of the place with an id, if there is one, not to start another life in it.
// a is the agent with that id, or nil; dismiss returns the one that there is afterwards.
func (s *System) dismiss(id string, a *Agent) *Agent {
	var p *Place
	if a != nil {
		p = a.place
	} else {
		p = s.registry.placeOf(id)
	}
	if p != nil && !p.dismissed.Swap(true) {
		p.owner.Dismissed(p)
	}
	return s.registry.agent(id)
}
