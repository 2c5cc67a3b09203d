// Package registry finds agents by id, type, capability and node.
//
// Lookups use a hash table that is read without locks. Records with the same type, node and capabilities
// share the index lists that they are in, and know their positions there, so entering and leaving cost the
// same among ten records and among a million. The cost: changes take turns, and a listing takes time in
// proportion to its length, while changes wait.
package registry

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"mabeam-top/internal/runtime/internal/metric"
	"mabeam-top/internal/runtime/internal/table"
)

var (
	// ErrUnknownAgent means that no living agent has the id.
	ErrUnknownAgent = errors.New("unknown agent")
	// ErrAlreadyRegistered means that an id is taken.
	ErrAlreadyRegistered = errors.New("already registered")
)

// A Registry finds agents by id, type, capability and node. All four indices change together: no listing
// ever shows an agent in one index and not in another. Lookups take no lock; changes and listings take
// one.
type Registry struct {
	byID       *table.Table[Registration]
	count      atomic.Int64
	operations metric.Counter
	// shared is the list of capabilities that Share returned last.
	shared atomic.Pointer[[]string]

	mu           sync.Mutex
	reserved     map[string]any // the holders of reserved ids
	reservations atomic.Int64   // the number of reserved ids
	byType       index
	byCapability index
	byNode       index
}

// New returns an empty registry.
func New() *Registry {
	return &Registry{
		byID: table.New[Registration](), reserved: make(map[string]any),
		byType: index{}, byCapability: index{}, byNode: index{},
	}
}

// Register adds a copy of a record. ErrAlreadyRegistered means that its id is taken.
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
	e := &Registration{}
	e.record.Store(own)
	return r.enter(e, nil)
}

// share returns a copy of a list of capabilities. Consecutive calls with equal lists, as most agents are
// started with, return the same copy.
func (r *Registry) share(capabilities []string) []string {
	if last := r.shared.Load(); last != nil && slices.Equal(*last, capabilities) {
		return *last
	}
	own := distinct(capabilities)
	r.shared.Store(&own)
	return own
}

// distinct returns a copy of a list without duplicates.
func distinct(list []string) []string {
	var own []string
	for _, s := range list {
		if !slices.Contains(own, s) {
			own = append(own, s)
		}
	}
	return own
}

// enter adds a registration with its record to the table and all indices. A reserved id is free for its
// holder.
func (r *Registry) enter(e *Registration, holder any) error {
	r.operations.Add(1)
	id := e.record.Load().ID
	r.mu.Lock()
	defer r.mu.Unlock()
	if h, ok := r.reserved[id]; ok && h != holder || !r.byID.Add(id, e) {
		return fmt.Errorf("register %q: %w", id, ErrAlreadyRegistered)
	}
	r.index(e)
	r.count.Add(1)
	return nil
}

// Lookup returns the entry with an id; false if there is none.
func (r *Registry) Lookup(id string) (Entry, bool) {
	r.operations.Add(1)
	e := r.byID.Get(id)
	if e == nil {
		return Entry{}, false
	}
	return Entry{e.record.Load()}, true
}

// Update calls change with a copy of a record and replaces the record by the result, in all indices at
// once. The id cannot change. If change returns an error, nothing happens, and Update returns the error,
// wrapped. ErrUnknownAgent means that there is no such record. The result of change is copied. Change must
// not use the registry.
func (r *Registry) Update(id string, change func(*Record) error) error {
	r.operations.Add(1)
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
	next = next.clone() // change may have put in what others hold
	next.ID, next.Capabilities = id, distinct(next.Capabilities)
	next.UpdatedAt = time.Now()
	r.unindex(e)
	e.record.Store(next)
	r.index(e)
	return nil
}

// Unregister removes a record that was added by Register, and reports whether there was one. It does not
// remove a living agent: stop it instead.
func (r *Registry) Unregister(id string) bool {
	r.operations.Add(1)
	r.mu.Lock()
	defer r.mu.Unlock()
	e := r.byID.Get(id)
	if e == nil || e.agent != nil {
		return false
	}
	r.remove(e)
	return true
}

// leave removes a registration if its id still is registered with it.
func (r *Registry) leave(e *Registration) {
	r.operations.Add(1)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.remove(e)
}

// remove is leave for a caller that holds the lock.
func (r *Registry) remove(e *Registration) {
	if r.byID.Remove(e.record.Load().ID, e) {
		r.unindex(e)
		r.count.Add(-1)
	}
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
	r.operations.Add(1)
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
	r.operations.Add(1)
	r.mu.Lock()
	defer r.mu.Unlock()
	entries := make([]Entry, 0, r.count.Load())
	r.byID.Each(func(e *Registration) { entries = append(entries, Entry{e.record.Load()}) })
	return entries
}

// Count returns the number of registered agents.
func (r *Registry) Count() int { return int(r.count.Load()) }
