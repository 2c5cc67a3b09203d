package stream

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
	// Types is of how many types of agents, those most at work, is told how long
	// messages wait and are worked on.
	Types int `json:"types,omitempty"`
	// Waits is how many waits of agents for agents are told, the longest.
	Waits int `json:"waits,omitempty"`
	// Children is how many supervisors that have none above them are told, and how many
	// children of supervisors in all.
	Children int `json:"children,omitempty"`
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
	// Types are those that were most at work, the first of them first, of TypesTotal,
	// and OtherTypes is of all agents together whose type has no figures of its own; nil
	// if there is none.
	Types      []TypeState `json:"types,omitempty"`
	TypesTotal int         `json:"types_total,omitempty"`
	OtherTypes *TypeState  `json:"other_types,omitempty"`
	// Waits are those that were found first, of WaitsTotal.
	Waits      []WaitState `json:"waits,omitempty"`
	WaitsTotal int         `json:"waits_total,omitempty"`
	// Supervisors are those that have none above them, in the order of their start, of
	// SupervisorsTotal.
	Supervisors      []SupervisorState `json:"supervisors,omitempty"`
	SupervisorsTotal int               `json:"supervisors_total,omitempty"`
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
	// Waits are those of it for other agents.
	Waits []WaitState `json:"waits,omitempty"`
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

// TypeState is what the agents of one type have done, since somebody looks.
type TypeState struct {
	// Type is empty for all those together that have no figures of their own.
	Type string `json:"type"`
	// Handled counts actions, signals, events and answers, and Failed those of them that
	// failed or panicked.
	Handled int64 `json:"handled"`
	Failed  int64 `json:"failed"`
	// DeepestMailbox is the most messages that were in one mailbox at once.
	DeepestMailbox int `json:"deepest_mailbox"`
	// InMailbox is how long messages waited, and AtWork how long they were worked on.
	InMailbox Durations `json:"in_mailbox"`
	AtWork    Durations `json:"at_work"`
}

// Durations is a distribution of durations. All have the same limits of buckets: they are
// added up bucket by bucket.
type Durations struct {
	Count      int64   `json:"count"`
	SumSeconds float64 `json:"sum_seconds"`
	MinSeconds float64 `json:"min_seconds"`
	MaxSeconds float64 `json:"max_seconds"`
	// Buckets are those that have anything in them, in the order of their limits.
	Buckets []DurationBucket `json:"buckets,omitempty"`
}

// DurationBucket counts the durations up to a limit that are above that of the bucket
// before, which is less than 3.2 % below.
type DurationBucket struct {
	UpToSeconds float64 `json:"up_to_seconds"`
	Count       int64   `json:"count"`
}

// WaitState is one agent that waits for the answer of another one.
type WaitState struct {
	Waiter string `json:"waiter"`
	Target string `json:"target"`
	// Seconds is for how long the same wait was found at every look.
	Seconds float64 `json:"seconds"`
}

// SupervisorState is one supervisor, with what is below it.
type SupervisorState struct {
	ID       string `json:"id"`
	Strategy string `json:"strategy"`
	// Restarts is how many of the Allowed restarts there were in the last WithinSeconds:
	// with one more than allowed it gives up.
	Restarts      int     `json:"restarts"`
	Allowed       int     `json:"allowed"`
	WithinSeconds float64 `json:"within_seconds"`
	// Children are told in the order of their start; Unlisted counts those that are not.
	Children []ChildState `json:"children,omitempty"`
	Unlisted int          `json:"unlisted,omitempty"`
}

// ChildState is one child of a supervisor.
type ChildState struct {
	ID string `json:"id"`
	// Restart is permanent, transient or temporary.
	Restart string `json:"restart"`
	// Restarts counts the lives after the first.
	Restarts int  `json:"restarts"`
	Alive    bool `json:"alive"`
	// Why is why it was restarted last, or is about to be; empty if it never was.
	Why string `json:"why,omitempty"`
	// Below is the child if it is a supervisor that lives.
	Below *SupervisorState `json:"below,omitempty"`
}
