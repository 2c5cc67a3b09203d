package mabeam

import (
	"maps"
	"slices"
	"time"
)

// An Entry is what the registry knows of an agent at one moment. It never changes:
// Registry.Update puts another one in its place. The lists and maps that its methods return
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

// ID is the agent's id.
func (e Entry) ID() string { return e.get().ID }

// Type is what the agent is listed under.
func (e Entry) Type() string { return e.get().Type }

// Node is the name of the system that the agent lives in.
func (e Entry) Node() string { return e.get().Node }

// ParentID is the id of whoever started the agent; empty if that was not given.
func (e Entry) ParentID() string { return e.get().ParentID }

// CreatedAt is when the agent was started, or its record registered.
func (e Entry) CreatedAt() time.Time { return e.get().CreatedAt }

// UpdatedAt is when the registry last changed what it knows of the agent.
func (e Entry) UpdatedAt() time.Time { return e.get().UpdatedAt }

// Capabilities returns a copy of the agent's capabilities, each of them once.
func (e Entry) Capabilities() []string { return slices.Clone(e.get().Capabilities) }

// HasCapability reports whether the agent has a capability. It copies nothing.
func (e Entry) HasCapability(capability string) bool {
	return slices.Contains(e.get().Capabilities, capability)
}

// Metadata returns a copy of the agent's metadata; nil if there is none.
func (e Entry) Metadata() map[string]any { return maps.Clone(e.get().Metadata) }

// Record returns a copy of all that the entry knows.
func (e Entry) Record() Record { return e.get().copied() }
