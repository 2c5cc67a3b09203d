package stream

// Inspect selects what samples report about the internals of the system. The zero
// value selects nothing and costs nothing.
type Inspect struct {
	// Agents is the number of busiest agents to report.
	Agents int `json:"agents,omitempty"`
	// By is their order; empty means ByMailbox.
	By AgentOrder `json:"by,omitempty"`
	// Agent is the id of an agent to report in detail; empty for none.
	Agent string `json:"agent,omitempty"`
	// Subscriptions is the number of fullest subscriptions to report.
	Subscriptions int `json:"subscriptions,omitempty"`
	// Types is the number of busiest agent types whose queueing and processing times
	// are reported.
	Types int `json:"types,omitempty"`
	// Waits is the number of longest waits between agents to report.
	Waits int `json:"waits,omitempty"`
	// Children limits the number of root supervisors to report, and the total number of
	// children.
	Children int `json:"children,omitempty"`
}

// An AgentOrder defines which agents are the busiest.
type AgentOrder string

// The orders.
const (
	ByMailbox AgentOrder = "mailbox"
	ByRate    AgentOrder = "rate"
	ByMemory  AgentOrder = "memory"
)

// An Inspection reports the internals of the system at one moment. It accompanies
// samples a few times per second while a viewer requests it.
type Inspection struct {
	// Agents are the busiest of AgentsTotal agents, busiest first.
	Agents      []AgentState `json:"agents,omitempty"`
	AgentsTotal int          `json:"agents_total,omitempty"`
	// By is their order.
	By AgentOrder `json:"by,omitempty"`
	// Agent is the requested agent; nil if there is no such agent.
	Agent *AgentDetail `json:"agent,omitempty"`
	// Subscriptions are the fullest of SubscriptionsTotal subscriptions, fullest
	// first.
	Subscriptions      []SubscriptionState `json:"subscriptions,omitempty"`
	SubscriptionsTotal int                 `json:"subscriptions_total,omitempty"`
	// Types are the busiest of TypesTotal agent types, busiest first. OtherTypes sums up
	// the agents whose type has no statistics of its own; nil if there are none.
	Types      []TypeState `json:"types,omitempty"`
	TypesTotal int         `json:"types_total,omitempty"`
	OtherTypes *TypeState  `json:"other_types,omitempty"`
	// Waits are the longest of WaitsTotal waits, longest first.
	Waits      []WaitState `json:"waits,omitempty"`
	WaitsTotal int         `json:"waits_total,omitempty"`
	// Supervisors are root supervisors in start order, of SupervisorsTotal.
	Supervisors      []SupervisorState `json:"supervisors,omitempty"`
	SupervisorsTotal int               `json:"supervisors_total,omitempty"`
}

// AgentState is one agent at one moment.
type AgentState struct {
	ID   string `json:"id"`
	Type string `json:"type"`
	// Lifecycle is initializing, ready, busy, suspended or terminating.
	Lifecycle string `json:"lifecycle"`
	// Mailbox is the number of queued messages.
	Mailbox         int `json:"mailbox"`
	MailboxCapacity int `json:"mailbox_capacity"`
	// ActionsPerSecond is the rate since the previous inspection of the agent.
	ActionsPerSecond float64 `json:"actions_per_second"`
	// MemoryBytes is the size of its record, mailbox and state, as far as it can be
	// determined without stopping the agent; 0 if unknown.
	MemoryBytes int64 `json:"memory_bytes,omitempty"`
	// BusySeconds is how long every inspection has found it busy; 0 if it was idle at
	// the latest.
	BusySeconds float64 `json:"busy_seconds,omitempty"`
}

// AgentDetail is one agent in detail.
type AgentDetail struct {
	Summary      AgentState `json:"summary"`
	Parent       string     `json:"parent,omitempty"`
	Capabilities []string   `json:"capabilities,omitempty"`
	Version      uint64     `json:"version"`
	// AgeSeconds is the time since its start, and ChangedSeconds the time since its
	// state last changed.
	AgeSeconds     float64 `json:"age_seconds"`
	ChangedSeconds float64 `json:"changed_seconds"`
	// ActionsDone counts successful actions since inspections began.
	ActionsDone int64 `json:"actions_done"`
	// State is its state as text, truncated if long.
	State string `json:"state"`
	// Subscriptions are the event types and patterns that it subscribes to.
	Subscriptions []string `json:"subscriptions,omitempty"`
	// Waits are its waits for other agents.
	Waits []WaitState `json:"waits,omitempty"`
	// Events are the latest bus events from or about the agent, oldest first.
	Events []BusEvent `json:"events,omitempty"`
}

// BusEvent is one event of the system's event bus.
type BusEvent struct {
	// AgoSeconds is the time since it was published.
	AgoSeconds float64 `json:"ago_seconds"`
	Type       string  `json:"type"`
	Source     string  `json:"source"`
}

// SubscriptionState is one subscription at one moment.
type SubscriptionState struct {
	// Subscriber is an agent's id, or the subscription's own.
	Subscriber string `json:"subscriber"`
	// Pattern is the event type or pattern.
	Pattern string `json:"pattern"`
	// Policy is what happens when its queue is full.
	Policy string `json:"policy"`
	// Queued is the number of queued events.
	Queued   int `json:"queued"`
	Capacity int `json:"capacity"`
	// Delivered and Dropped count events since the subscription began.
	Delivered int64 `json:"delivered"`
	Dropped   int64 `json:"dropped"`
	// FullSeconds is how long every inspection has found its queue at least 90 % full;
	// 0 if it was not at the latest.
	FullSeconds float64 `json:"full_seconds,omitempty"`
	// Blocks reports whether publishers wait while its queue is full.
	Blocks bool `json:"blocks,omitempty"`
}

// TypeState sums up the agents of one type since inspections began.
type TypeState struct {
	// Type is empty for the sum of all types without statistics of their own.
	Type string `json:"type"`
	// Handled counts actions, signals, events and replies, and Failed those of them that
	// failed or panicked.
	Handled int64 `json:"handled"`
	Failed  int64 `json:"failed"`
	// DeepestMailbox is the maximum number of messages in one mailbox.
	DeepestMailbox int `json:"deepest_mailbox"`
	// InMailbox is the queueing time of messages, and AtWork their processing time.
	InMailbox Durations `json:"in_mailbox"`
	AtWork    Durations `json:"at_work"`
}

// Durations is a distribution of durations. All distributions share the same bucket
// limits, so that they add up bucket by bucket.
type Durations struct {
	Count      int64   `json:"count"`
	SumSeconds float64 `json:"sum_seconds"`
	MinSeconds float64 `json:"min_seconds"`
	MaxSeconds float64 `json:"max_seconds"`
	// Buckets are the non-empty buckets in ascending order.
	Buckets []DurationBucket `json:"buckets,omitempty"`
}

// DurationBucket counts the durations up to its limit and above the limit of the previous
// bucket, which is less than 3.2 % lower.
type DurationBucket struct {
	UpToSeconds float64 `json:"up_to_seconds"`
	Count       int64   `json:"count"`
}

// WaitState is an agent that waits for a reply of another agent.
type WaitState struct {
	Waiter string `json:"waiter"`
	Target string `json:"target"`
	// Seconds is how long every inspection has found the same wait.
	Seconds float64 `json:"seconds"`
}

// SupervisorState is one supervisor with its children.
type SupervisorState struct {
	ID       string `json:"id"`
	Strategy string `json:"strategy"`
	// Restarts is the number of restarts within the last WithinSeconds. The supervisor
	// gives up when it exceeds Allowed.
	Restarts      int     `json:"restarts"`
	Allowed       int     `json:"allowed"`
	WithinSeconds float64 `json:"within_seconds"`
	// Children are in start order. Unlisted counts those that are left out.
	Children []ChildState `json:"children,omitempty"`
	Unlisted int          `json:"unlisted,omitempty"`
}

// ChildState is one child of a supervisor.
type ChildState struct {
	ID string `json:"id"`
	// Restart is permanent, transient or temporary.
	Restart string `json:"restart"`
	// Restarts counts how often it was restarted.
	Restarts int  `json:"restarts"`
	Alive    bool `json:"alive"`
	// Why is the reason of the latest or pending restart; empty if there was none.
	Why string `json:"why,omitempty"`
	// Below is the child itself if it is a running supervisor.
	Below *SupervisorState `json:"below,omitempty"`
}
