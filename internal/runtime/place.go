package mabeam

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
)

// An Owner has places, and decides what becomes of them: a supervisor, say. Its methods are
// called by whoever ends an agent, and must not wait for anything.
type Owner interface {
	// Ended reports that the present life in a place has ended: after everybody else has
	// heard of it, and after the Terminate of one that crashed, for which it waits no longer than
	// Options.WaitTimeout.
	Ended(p *Place, life Ref)
	// Dismissed reports that StopAgent was called for the place, whether there is a life in
	// it or not: there is to be no further one.
	Dismissed(p *Place)
}

// A Place is an agent's id, and its room under the limits, over several lives. While it is
// held nobody else can use the id, and a further life needs no room and keeps to no rate.
// All but Kill is for one goroutine at a time; but who has killed the life of a Start whose
// ctx has ended need not wait until that returns.
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

// Hold takes a place for an agent, which Leave gives back, or says why there is none:
// ErrAlreadyRegistered, ErrLimitReached, ErrRateLimited or ErrSystemStopped. An empty id
// lets the runtime choose one.
func (s *System) Hold(id string, owner Owner) (*Place, error) {
	if id == "" {
		id = newID("agent_", &lastAgent)
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

// Dismissed says whether StopAgent was called for the place.
func (p *Place) Dismissed() bool { return p.dismissed.Load() }

// Start begins a life in the place, and returns it when it is ready, as StartAgent does.
// The spec's id does not matter. For a life after the first there is an
// agent_lifecycle.restarted event, with the reason that is given.
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
		p.system.agentsRestarted.add(1)
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
		return fmt.Errorf("start agent %q: %w", p.id, CallError(ctx))
	}
	if !p.hasRoom {
		p.hasRoom = true
		p.system.limits.enterAnyway()
	}
	return nil
}

// hasBegun notes a life that became ready, and says whether there was one before.
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

// Kill ends the present life at once, also one whose Start has not returned: that fails
// with ErrKilled when its Init returns, and another may be called before.
func (p *Place) Kill() {
	if a := p.life.Load(); a != nil {
		a.kill()
	}
}

// Vacate gives the room back until the next Start: no life is to come by itself.
func (p *Place) Vacate() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.hasRoom {
		p.hasRoom = false
		p.system.limits.leave()
	}
}

// Leave gives the place up, when its last life has ended.
func (p *Place) Leave() {
	p.Vacate()
	p.system.registry.letGo(p)
}

// dismiss tells the owner of an agent's place, if it has one, that there is to be no
// further life in it. It is given the agent of that id if there is one, and returns the one
// there is afterwards.
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
