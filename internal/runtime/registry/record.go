package registry

import (
	"maps"
	"slices"
	"time"
)

// A Record describes an agent, for Registry.Register and Registry.Update. The registry keeps copies, so
// changing a Record has no effect on it. It returns what it keeps as an Entry.
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

// Entry returns an entry that shows a copy of the record, like a registry that has it.
func (r Record) Entry() Entry { return Entry{r.clone()} }

// clone returns a copy that shares nothing with the record.
func (r *Record) clone() *Record {
	c := r.Copy()
	return &c
}

// Copy returns a copy that shares nothing with the record but the values of the metadata.
func (r *Record) Copy() Record {
	c := *r
	c.Capabilities = slices.Clone(r.Capabilities)
	c.Metadata = maps.Clone(r.Metadata)
	return c
}

// An Entry is what the registry knows of an agent at one moment. It never changes:
// Registry.Update replaces it by another one. The lists and maps that its methods return
// are the caller's own; only what the values of the metadata refer to is shared.
//
// The zero value is the entry of no agent, and its methods return zero values. An entry that
// is kept may keep the memory of an agent that has ended; the Record that it returns does
// not.
type Entry struct{ record *Record }

// noRecord is what the zero Entry shows.
var noRecord Record

func (e Entry) get() *Record {
	if e.record == nil {
		return &noRecord
	}
	return e.record
}

// ID returns the agent's id.
func (e Entry) ID() string { return e.get().ID }

// Type returns the type that the agent is listed under.
func (e Entry) Type() string { return e.get().Type }

// Node returns the name of the system that the agent lives in.
func (e Entry) Node() string { return e.get().Node }

// ParentID returns the id of whoever started the agent; empty if it was not given.
func (e Entry) ParentID() string { return e.get().ParentID }

// CreatedAt returns when the agent was started, or its record registered.
func (e Entry) CreatedAt() time.Time { return e.get().CreatedAt }

// UpdatedAt returns when the record was last changed.
func (e Entry) UpdatedAt() time.Time { return e.get().UpdatedAt }

// Capabilities returns a copy of the agent's capabilities, without duplicates.
func (e Entry) Capabilities() []string { return slices.Clone(e.get().Capabilities) }

// HasCapability reports whether the agent has a capability. It copies nothing.
func (e Entry) HasCapability(capability string) bool {
	return slices.Contains(e.get().Capabilities, capability)
}

// Metadata returns a copy of the agent's metadata; nil if there is none.
func (e Entry) Metadata() map[string]any { return maps.Clone(e.get().Metadata) }

// Record returns a copy of the whole record.
func (e Entry) Record() Record { return e.get().Copy() }
