package mabeam

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"

	"mabeam-top/internal/runtime/internal/table"

	"mabeam-top/internal/runtime/internal/metric"
)

// A Record describes an agent, for Registry.Register and Registry.Update. The registry keeps copies, so
// that changing a Record has no effect on it. It returns what it keeps as an Entry.
type Record struct {
	ID           string
	Type         string
	Capabilities []string
	// Node is the name of the system that the agent lives in.
	Node     string
	ParentID string
	// Metadata is copied, but its values only shallowly: what they refer to must not be modified.
	Metadata  map[string]any
	CreatedAt time.Time
	UpdatedAt time.Time
}

// Entry returns an entry that shows a copy of the record, as a registry that has it would.
func (r Record) Entry() Entry { return Entry{r.clone()} }

// clone copies the record so that changing the copy leaves the original alone.
func (r *Record) clone() *Record {
	c := r.copied()
	return &c
}

// copied is clone for who needs no pointer, which would cost an allocation.
func (r *Record) copied() Record {
	c := *r
	c.Capabilities = slices.Clone(r.Capabilities)
	c.Metadata = maps.Clone(r.Metadata)
	return c
}

// A registration is the place of one id in the registry: its present record, and
// where it stands in the indices.
type registration struct {
	record atomic.Pointer[Record]
	agent  *Agent // nil if a record was registered without a living agent

	// Guarded by Registry.mu: which lists it is in, and where in each.
	shape *shape
	first *int32 // of the positions, as many as the shape has lists; nil before it has one
}

// A Registry finds agents by id, type, capability and node. All four change
// together: no listing ever shows an agent in one index and not in another.
// Lookups take no lock; changes and listings take one.
type Registry struct {
	byID  *table.Table[registration]
	count atomic.Int64
	ops   metric.Counter
	// shared is the list of capabilities that share returned last.
	shared atomic.Pointer[[]string]

	mu           sync.Mutex
	held         map[string]*Place // the ids that only the agents of a place may have
	holds        atomic.Int64      // how many these are
	byType       index
	byCapability index
	byNode       index
}

func newRegistry() *Registry {
	return &Registry{
		byID: table.New[registration](), held: make(map[string]*Place),
		byType: index{}, byCapability: index{}, byNode: index{},
	}
}

// Register enters a record. ErrAlreadyRegistered means that its id is taken.
// The registry keeps a copy.
func (r *Registry) Register(record Record) error {
	if record.ID == "" {
		return errors.New("register: no id")
	}
	if record.CreatedAt.IsZero() {
		record.CreatedAt = time.Now()
	}
	if record.UpdatedAt.IsZero() {
		record.UpdatedAt = record.CreatedAt
	}
	own := record.clone()
	own.Capabilities = distinct(own.Capabilities)
	e := &registration{}
	e.record.Store(own)
	return r.enter(e)
}

// share returns a copy of a list of capabilities. It is the same for many
// records in a row with equal lists, which is how most agents are started.
func (r *Registry) share(capabilities []string) []string {
	if last := r.shared.Load(); last != nil && slices.Equal(*last, capabilities) {
		return *last
	}
	own := distinct(capabilities)
	r.shared.Store(&own)
	return own
}

// distinct copies a list without what is in it once more.
func distinct(list []string) []string {
	var own []string
	for _, s := range list {
		if !slices.Contains(own, s) {
			own = append(own, s)
		}
	}
	return own
}

// enter puts a registration with its record into the table and all indices.
func (r *Registry) enter(e *registration) error {
	r.ops.Add(1)
	id := e.record.Load().ID
	r.mu.Lock()
	defer r.mu.Unlock()
	if p := r.held[id]; p != nil && p != e.place() || !r.byID.Add(id, e) {
		return fmt.Errorf("register %q: %w", id, ErrAlreadyRegistered)
	}
	r.index(e)
	r.count.Add(1)
	return nil
}

// place is that of the registration's agent; nil if it has none.
func (e *registration) place() *Place {
	if e.agent == nil {
		return nil
	}
	return e.agent.place
}

// hold keeps an id for the agents of a place, or says that it is taken.
func (r *Registry) hold(p *Place) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.held[p.id] != nil || r.byID.Get(p.id) != nil {
		return ErrAlreadyRegistered
	}
	r.held[p.id] = p
	r.holds.Add(1)
	return nil
}

// letGo lets others have the id of a place.
func (r *Registry) letGo(p *Place) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.held[p.id] == p {
		delete(r.held, p.id)
		r.holds.Add(-1)
	}
}

// placeOf returns the place that has an id; nil if there is none.
func (r *Registry) placeOf(id string) *Place {
	if r.holds.Load() == 0 {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.held[id]
}

// isFree reports whether an agent could have an id, of a place if that is not nil.
func (r *Registry) isFree(id string, p *Place) bool {
	return r.byID.Get(id) == nil && (p != nil || r.placeOf(id) == nil)
}

// Lookup returns the entry with an id; false if there is none.
func (r *Registry) Lookup(id string) (Entry, bool) {
	r.ops.Add(1)
	e := r.byID.Get(id)
	if e == nil {
		return Entry{}, false
	}
	return Entry{e.record.Load()}, true
}

// agent returns the living agent with an id, or nil.
func (r *Registry) agent(id string) *Agent {
	e := r.byID.Get(id)
	if e == nil {
		return nil
	}
	return e.agent
}

// Update applies change to a copy of the record and puts it in place of the
// old one, in all indices at once. The id cannot change. If change returns an
// error, nothing happens and the error is returned, wrapped. ErrUnknownAgent means
// that there is no such record. What change puts into the record is copied once it
// returns. Change must not use the registry.
func (r *Registry) Update(id string, change func(*Record) error) error {
	r.ops.Add(1)
	r.mu.Lock()
	defer r.mu.Unlock()
	e := r.byID.Get(id)
	if e == nil {
		return fmt.Errorf("update %q: %w", id, ErrUnknownAgent)
	}
	next := e.record.Load().clone()
	if err := change(next); err != nil {
		return fmt.Errorf("update %q: %w", id, err)
	}
	next = next.clone() // change may have put in what others hold on to
	next.ID, next.Capabilities = id, distinct(next.Capabilities)
	next.UpdatedAt = time.Now()
	r.unindex(e)
	e.record.Store(next)
	r.index(e)
	return nil
}

// Unregister takes a record out that was registered. It reports whether it was
// there. An agent that lives is not taken out: stop it.
func (r *Registry) Unregister(id string) bool {
	r.ops.Add(1)
	r.mu.Lock()
	defer r.mu.Unlock()
	e := r.byID.Get(id)
	if e == nil || e.agent != nil {
		return false
	}
	r.take(e)
	return true
}

// leave takes a registration out if it still is the one of its id.
func (r *Registry) leave(e *registration) {
	r.ops.Add(1)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.take(e)
}

func (r *Registry) take(e *registration) {
	if r.byID.Remove(e.record.Load().ID, e) {
		r.unindex(e)
		r.count.Add(-1)
	}
}

// index enters e into the lists of its record.
func (r *Registry) index(e *registration) {
	e.shape = r.shapeOf(e.record.Load())
	lists := e.shape.lists
	if e.first == nil || len(lists) > fewLists {
		e.first = unsafe.SliceData(make([]int32, max(len(lists), fewLists)))
	}
	for i, list := range lists {
		e.positions()[i] = list.add(e)
	}
}

// unindex takes e out of all lists.
func (r *Registry) unindex(e *registration) {
	for i, list := range e.shape.lists {
		list.remove(e.positions()[i])
	}
	e.shape = nil
}

// rebuildIndices builds the indices again from the table of records, as after a crash of the
// registry, which loses only the indices. Lookups continue meanwhile; changes and listings
// wait.
func (r *Registry) rebuildIndices() {
	r.mu.Lock()
	defer r.mu.Unlock()
	clear(r.byType)
	clear(r.byCapability)
	clear(r.byNode)
	r.byID.Each(r.index)
}

// ByType lists the agents of a type, in no particular order.
func (r *Registry) ByType(agentType string) []Entry { return r.list(r.byType, agentType) }

// ByCapability lists the agents that have a capability, in no particular order.
func (r *Registry) ByCapability(capability string) []Entry {
	return r.list(r.byCapability, capability)
}

// ByNode lists the agents of a node, in no particular order.
func (r *Registry) ByNode(node string) []Entry { return r.list(r.byNode, node) }

func (r *Registry) list(x index, key string) []Entry {
	r.ops.Add(1)
	r.mu.Lock()
	defer r.mu.Unlock()
	list := x[key]
	if list == nil {
		return []Entry{}
	}
	entries := make([]Entry, 0, list.registered.len())
	for e := range list.registered.all() {
		entries = append(entries, Entry{e.record.Load()})
	}
	return entries
}

// All lists every agent, in no particular order.
func (r *Registry) All() []Entry {
	r.ops.Add(1)
	r.mu.Lock()
	defer r.mu.Unlock()
	entries := make([]Entry, 0, r.count.Load())
	r.byID.Each(func(e *registration) { entries = append(entries, Entry{e.record.Load()}) })
	return entries
}

// Count is the number of registered agents.
func (r *Registry) Count() int { return int(r.count.Load()) }

// agents lists the living agents.
func (r *Registry) agents() []*Agent {
	r.mu.Lock()
	defer r.mu.Unlock()
	var agents []*Agent
	r.byID.Each(func(e *registration) {
		if e.agent != nil {
			agents = append(agents, e.agent)
		}
	})
	return agents
}
