package registry

import (
	"sync/atomic"
	"unsafe"

	"mabeam-top/internal/runtime/internal/table"
)

// A Registration is the registration of one id: its present record, and its positions in the indices. An
// agent has it as a field, so that both are one allocation.
type Registration struct {
	record atomic.Pointer[Record]
	agent  unsafe.Pointer // a living agent of the type of Agents; nil for a mere record

	// Guarded by Registry.mu: the lists that it is in, and its position in each.
	shape *shape
	first *int32 // of the positions, as many as the shape has lists; nil before it has one
}

// Positions is memory for the positions of a Registration in the lists that it is in. A registration in
// more lists allocates its own.
type Positions [fewLists]int32

// Init sets the record before the registration is used, and the memory for its positions.
func (e *Registration) Init(record *Record, positions *Positions) {
	e.record.Store(record)
	e.first = &positions[0]
}

// Record returns the present record, which must not be modified.
func (e *Registration) Record() *Record { return e.record.Load() }

// Entry returns the present entry.
func (e *Registration) Entry() Entry { return Entry{e.record.Load()} }

// Agents is a registry as its system uses it, with living agents of type A.
type Agents[A any] struct{ *Registry }

// Get returns the living agent with an id, or nil.
func (r Agents[A]) Get(id string) *A {
	e := r.byID.Get(id)
	if e == nil {
		return nil
	}
	return (*A)(e.agent)
}

// Share returns a copy of a list of capabilities for a record. Agents that are started one after the other
// with equal lists share the copy.
func (r Agents[A]) Share(capabilities []string) []string { return r.share(capabilities) }

// Enter registers a living agent. The holder is that of the reservation of its id; nil if there is none.
// ErrAlreadyRegistered means that the id is taken.
func (r Agents[A]) Enter(e *Registration, agent *A, holder any) error {
	e.agent = unsafe.Pointer(agent)
	return r.enter(e, holder)
}

// Leave removes the registration of an agent, if it is registered.
func (r Agents[A]) Leave(e *Registration) { r.leave(e) }

// Agents lists the living agents.
func (r Agents[A]) Agents() []*A {
	r.mu.Lock()
	defer r.mu.Unlock()
	var agents []*A
	r.byID.Each(func(e *Registration) {
		if e.agent != nil {
			agents = append(agents, (*A)(e.agent))
		}
	})
	return agents
}

// OfType lists the living agents of a type.
func (r Agents[A]) OfType(agentType string) []*A {
	r.mu.Lock()
	defer r.mu.Unlock()
	list := r.byType[agentType]
	if list == nil {
		return nil
	}
	agents := make([]*A, 0, list.registered.len())
	for e := range list.registered.all() {
		if e.agent != nil {
			agents = append(agents, (*A)(e.agent))
		}
	}
	return agents
}

// Reserve reserves an id for a holder, or returns ErrAlreadyRegistered if it is taken.
func (r Agents[A]) Reserve(id string, holder any) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.reserved[id] != nil || r.byID.Get(id) != nil {
		return ErrAlreadyRegistered
	}
	r.reserved[id] = holder
	r.reservations.Add(1)
	return nil
}

// Release ends a reservation.
func (r Agents[A]) Release(id string, holder any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.reserved[id] == holder {
		delete(r.reserved, id)
		r.reservations.Add(-1)
	}
}

// Holder returns the holder of the reservation of an id; nil if it is not reserved.
func (r Agents[A]) Holder(id string) any {
	if r.reservations.Load() == 0 {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.reserved[id]
}

// IsFree reports whether a holder, or anybody for nil, can register an id.
func (r Agents[A]) IsFree(id string, holder any) bool {
	return r.byID.Get(id) == nil && (holder != nil || r.Holder(id) == nil)
}

// Operations returns the number of operations so far; see mabeam.Telemetry.
func (r Agents[A]) Operations() int64 { return r.operations.Load() }

// Crash builds the indices again, which a crash of the registry loses, from the table of records. Lookups
// continue meanwhile; changes and listings wait.
func (r Agents[A]) Crash() {
	r.mu.Lock()
	defer r.mu.Unlock()
	clear(r.byType)
	clear(r.byCapability)
	clear(r.byNode)
	r.byID.Each(r.index)
}

// SlotsPerStep is how many slots of the table one step of a Walk visits, whatever the number of agents. A
// step takes about two milliseconds. The table is between a quarter and three quarters full, so a walk
// through 100,000 agents takes about sixteen steps.
const SlotsPerStep = 16 << 10

// A Walk goes through all living agents again and again, a part of them at a time. The zero value begins
// with the first.
type Walk[A any] struct{ walk table.Walk[Registration] }

// Step visits the next agents.
func (w *Walk[A]) Step(r Agents[A], visit func(*A)) {
	w.walk.Next(r.byID, SlotsPerStep, func(e *Registration) {
		if e.agent != nil {
			visit((*A)(e.agent))
		}
	})
}
