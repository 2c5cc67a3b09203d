package stream

import "slices"

// Inspect says what a viewer wants to see of the system's inside. The zero value
// is nothing, which costs nothing.
type Inspect struct {
	// Agents is how many of the busiest agents are told; 0 means none.
	Agents int `json:"agents,omitempty"`
	// By is what they are sorted by; empty means ByMailbox.
	By AgentOrder `json:"by,omitempty"`
	// Agent is the id of one that is told in detail; empty means none.
	Agent string `json:"agent,omitempty"`
	// Subscriptions is how many of the fullest subscriptions are told.
	Subscriptions int `json:"subscriptions,omitempty"`
}

// An AgentOrder says which agents count as the busiest.
type AgentOrder string

// The orders.
const (
	ByMailbox AgentOrder = "mailbox"
	ByRate    AgentOrder = "rate"
	ByMemory  AgentOrder = "memory"
)

// An Inspection is what of the system's inside was asked for, at one moment. It
// comes with samples, a few times a second, while somebody asked for it.
type Inspection struct {
	// Agents are the busiest, the busiest first, of AgentsTotal.
	Agents      []AgentState `json:"agents,omitempty"`
	AgentsTotal int          `json:"agents_total,omitempty"`
	// By is what they are sorted by.
	By AgentOrder `json:"by,omitempty"`
	// Agent is the one asked for; nil if it is not there.
	Agent *AgentDetail `json:"agent,omitempty"`
	// Subscriptions are the fullest, the fullest first, of SubscriptionsTotal.
	Subscriptions      []SubscriptionState `json:"subscriptions,omitempty"`
	SubscriptionsTotal int                 `json:"subscriptions_total,omitempty"`
}

// cut returns it with at most n agents and subscriptions, of which the busiest and
// fullest come first. It is itself if it has no more.
func (in *Inspection) cut(n int) *Inspection {
	if len(in.Agents) <= n && len(in.Subscriptions) <= n {
		return in
	}
	kept := *in
	// Clones, because the rest would stay in memory with the array.
	kept.Agents = slices.Clone(in.Agents[:min(len(in.Agents), n)])
	kept.Subscriptions = slices.Clone(in.Subscriptions[:min(len(in.Subscriptions), n)])
	return &kept
}

// fullest is which share of the fullest mailbox or queue is taken.
func (in *Inspection) fullest() float64 {
	most := 0.0
	for _, a := range in.Agents {
		most = max(most, float64(a.Mailbox)/float64(max(a.MailboxCapacity, 1)))
	}
	for _, s := range in.Subscriptions {
		most = max(most, float64(s.Queued)/float64(max(s.Capacity, 1)))
	}
	return most
}

// AgentState is one agent at one moment.
type AgentState struct {
	ID   string `json:"id"`
	Type string `json:"type"`
	// Lifecycle is initializing, ready, busy, suspended or terminating.
	Lifecycle string `json:"lifecycle"`
	// Mailbox is how many messages wait, and MailboxCapacity for how many
	// there is room.
	Mailbox         int `json:"mailbox"`
	MailboxCapacity int `json:"mailbox_capacity"`
	// ActionsPerSecond is the rate since it was last looked at.
	ActionsPerSecond float64 `json:"actions_per_second"`
	// MemoryBytes is what its record, its mailbox and its state take, as far
	// as that can be told without stopping it; absent if not.
	MemoryBytes int64 `json:"memory_bytes,omitempty"`
	// BusySeconds is for how long it was found at work at every look; 0 if it
	// was idle at the last.
	BusySeconds float64 `json:"busy_seconds,omitempty"`
}

// AgentDetail is one agent, more closely.
type AgentDetail struct {
	Summary      AgentState `json:"summary"`
	Parent       string     `json:"parent,omitempty"`
	Capabilities []string   `json:"capabilities,omitempty"`
	Version      uint64     `json:"version"`
	// AgeSeconds is since it was started, and ChangedSeconds since its state
	// changed last.
	AgeSeconds     float64 `json:"age_seconds"`
	ChangedSeconds float64 `json:"changed_seconds"`
	// ActionsDone counts the actions that succeeded since somebody looks into the
	// system.
	ActionsDone int64 `json:"actions_done"`
	// State is its state as a text, cut off where it is long.
	State string `json:"state"`
	// Subscriptions are the event types and patterns that it listens to.
	Subscriptions []string `json:"subscriptions,omitempty"`
	// Events are the latest of the bus that came from it or were about it,
	// oldest first.
	Events []BusEvent `json:"events,omitempty"`
}

// BusEvent is one event of the system's bus.
type BusEvent struct {
	// AgoSeconds is how long ago it was published.
	AgoSeconds float64 `json:"ago_seconds"`
	Type       string  `json:"type"`
	Source     string  `json:"source"`
}

// SubscriptionState is one subscription at one moment.
type SubscriptionState struct {
	// Subscriber is who listens: an agent's id, or the subscription's own.
	Subscriber string `json:"subscriber"`
	// Pattern is the event type or the pattern that it listens to.
	Pattern string `json:"pattern"`
	// Policy is what happens when its queue is full.
	Policy string `json:"policy"`
	// Queued is how many events wait for it, and Capacity for how many there
	// is room.
	Queued   int `json:"queued"`
	Capacity int `json:"capacity"`
	// Delivered and Dropped count since it began.
	Delivered int64 `json:"delivered"`
	Dropped   int64 `json:"dropped"`
	// FullSeconds is for how long it was found at least nine tenths full at
	// every look; 0 if it was not at the last.
	FullSeconds float64 `json:"full_seconds,omitempty"`
	// Blocks says that publishers wait for it when its queue is full.
	Blocks bool `json:"blocks,omitempty"`
}
