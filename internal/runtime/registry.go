package runtime

import (
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// A Record is what the registry knows of an agent. Records are immutable:
// Registry.Update replaces one as a whole.
type Record struct {
	ID           string
	Type         string
	Capabilities []string
	// Node is the name of the system that the agent lives in.
	Node      string
	ParentID  string
	Metadata  map[string]any
	CreatedAt time.Time
	UpdatedAt time.Time
}

// clone copies the record so that changing the copy leaves the original alone.
func (r *Record) clone() *Record {
	c := *r
	c.Capabilities = slices.Clone(r.Capabilities)
	c.Metadata = maps.Clone(r.Metadata)
	return &c
}

// An entry is the place of one id in the registry: its present record, and
// where it stands in the indices.
type entry struct {
	record atomic.Pointer[Record]
	agent  *Agent // nil if a record was registered without a living agent

	// Positions in the members of each index, guarded by Registry.mu.
	typePos, nodePos int32
	capabilityPos    []int32
}

// A Registry finds agents by id, type, capability and node. All four change
// together: no listing ever shows an agent in one index and not in another.
// Lookups take no lock; changes and listings take one.
type Registry struct {
	entries *table[entry]
	count   atomic.Int64
	ops     counter

	mu           sync.Mutex
	byType       index
	byCapability index
	byNode       index
}

func newRegistry() *Registry {
	return &Registry{
		entries: newTable[entry](),
		byType:  index{}, byCapability: index{}, byNode: index{},
	}
}

// An index lists the entries that share a key. An entry keeps its position, so
// that taking it out costs the same however many there are.
type index map[string][]*entry

// add appends the entry and returns its position.
func (x index) add(key string, e *entry) int32 {
	x[key] = append(x[key], e)
	return int32(len(x[key]) - 1)
}

// remove takes out what is at pos, moves the last entry there, and tells the
// new position with moved.
func (x index) remove(key string, pos int32, moved func(*entry)) {
	members := x[key]
	last := len(members) - 1
	if int(pos) != last {
		members[pos] = members[last]
		moved(members[pos])
	}
	members[last] = nil
	switch {
	case last == 0:
		delete(x, key)
	case cap(members) > 64 && last < cap(members)/4:
		x[key] = slices.Clone(members[:last]) // give the memory back
	default:
		x[key] = members[:last]
	}
}

// Register enters a record. ErrAlreadyRegistered tells that its id is taken.
// The registry keeps a copy.
func (r *Registry) Register(record Record) error {
	if record.CreatedAt.IsZero() {
		record.CreatedAt = time.Now()
	}
	if record.UpdatedAt.IsZero() {
		record.UpdatedAt = record.CreatedAt
	}
	e := &entry{}
	e.record.Store(record.clone())
	return r.enter(e)
}

// enter puts an entry with its record into the table and all indices.
func (r *Registry) enter(e *entry) error {
	r.ops.add(1)
	id := e.record.Load().ID
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.entries.get(id) != nil {
		return fmt.Errorf("register %q: %w", id, ErrAlreadyRegistered)
	}
	r.index(e)
	r.entries.put(id, e)
	r.count.Add(1)
	return nil
}

// Lookup returns the record of an id. It must not be changed.
func (r *Registry) Lookup(id string) (*Record, bool) {
	r.ops.add(1)
	e := r.entries.get(id)
	if e == nil {
		return nil, false
	}
	return e.record.Load(), true
}

// agent returns the living agent of an id, or nil.
func (r *Registry) agent(id string) *Agent {
	e := r.entries.get(id)
	if e == nil {
		return nil
	}
	return e.agent
}

// Update applies change to a copy of the record and puts it in place of the
// old one, in all indices at once. The id cannot change. If change returns an
// error, nothing happens and the error is returned. Change must not use the
// registry.
func (r *Registry) Update(id string, change func(*Record) error) error {
	r.ops.add(1)
	r.mu.Lock()
	defer r.mu.Unlock()
	e := r.entries.get(id)
	if e == nil {
		return fmt.Errorf("update %q: %w", id, ErrUnknownAgent)
	}
	next := e.record.Load().clone()
	if err := change(next); err != nil {
		return fmt.Errorf("update %q: %w", id, err)
	}
	next.ID = id
	next.UpdatedAt = time.Now()
	r.unindex(e)
	e.record.Store(next)
	r.index(e)
	return nil
}

// Unregister takes a record out that was registered. It says whether it was
// there. An agent that lives is not taken out: stop it.
func (r *Registry) Unregister(id string) bool {
	r.ops.add(1)
	r.mu.Lock()
	defer r.mu.Unlock()
	e := r.entries.get(id)
	if e == nil || e.agent != nil {
		return false
	}
	r.take(e)
	return true
}

// leave takes an entry out if it still is the one of its id.
func (r *Registry) leave(e *entry) {
	r.ops.add(1)
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.entries.get(e.record.Load().ID) == e {
		r.take(e)
	}
}

func (r *Registry) take(e *entry) {
	r.entries.remove(e.record.Load().ID)
	r.unindex(e)
	r.count.Add(-1)
}

func (r *Registry) index(e *entry) {
	record := e.record.Load()
	e.typePos = r.byType.add(record.Type, e)
	e.nodePos = r.byNode.add(record.Node, e)
	if n := len(record.Capabilities); n > 0 {
		e.capabilityPos = make([]int32, n)
		for i, c := range record.Capabilities {
			e.capabilityPos[i] = r.byCapability.add(c, e)
		}
	}
}

func (r *Registry) unindex(e *entry) {
	record := e.record.Load()
	r.byType.remove(record.Type, e.typePos, func(m *entry) { m.typePos = e.typePos })
	r.byNode.remove(record.Node, e.nodePos, func(m *entry) { m.nodePos = e.nodePos })
	// From the last to the first, so that a capability named twice is taken
	// out in the order that its positions were given in.
	for i := len(record.Capabilities) - 1; i >= 0; i-- {
		c, pos := record.Capabilities[i], e.capabilityPos[i]
		last := int32(len(r.byCapability[c]) - 1)
		r.byCapability.remove(c, pos, func(m *entry) { m.moveCapability(c, last, pos) })
	}
	e.capabilityPos = nil
}

// moveCapability notes that the entry moved within a capability's members.
func (e *entry) moveCapability(capability string, from, to int32) {
	for i, c := range e.record.Load().Capabilities {
		if c == capability && e.capabilityPos[i] == from {
			e.capabilityPos[i] = to
			return
		}
	}
}

// ByType lists the agents of a type, in no particular order.
func (r *Registry) ByType(agentType string) []*Record { return r.list(r.byType, agentType) }

// ByCapability lists the agents that have a capability, in no particular order.
func (r *Registry) ByCapability(capability string) []*Record {
	return r.list(r.byCapability, capability)
}

// ByNode lists the agents of a node, in no particular order.
func (r *Registry) ByNode(node string) []*Record { return r.list(r.byNode, node) }

func (r *Registry) list(x index, key string) []*Record {
	r.ops.add(1)
	r.mu.Lock()
	defer r.mu.Unlock()
	members := x[key]
	records := make([]*Record, len(members))
	for i, e := range members {
		records[i] = e.record.Load()
	}
	return records
}

// All lists every agent, in no particular order.
func (r *Registry) All() []*Record {
	r.ops.add(1)
	r.mu.Lock()
	defer r.mu.Unlock()
	records := make([]*Record, 0, r.count.Load())
	r.entries.each(func(e *entry) { records = append(records, e.record.Load()) })
	return records
}

// Count is the number of registered agents.
func (r *Registry) Count() int { return int(r.count.Load()) }

// agents lists the living agents.
func (r *Registry) agents() []*Agent {
	r.mu.Lock()
	defer r.mu.Unlock()
	var agents []*Agent
	r.entries.each(func(e *entry) {
		if e.agent != nil {
			agents = append(agents, e.agent)
		}
	})
	return agents
}
