package runtime

import "time"

// An Event is told to all who subscribed to its type; nobody answers it.
type Event struct {
	// ID is given by the bus.
	ID EventID
	// Type is what subscribers ask for, such as "demo_ping".
	Type string
	// Source is the id of who published it.
	Source string
	// Data and Metadata are shared by all subscribers: nobody changes them.
	Data     any
	Metadata map[string]any
	// Timestamp is when it was published; the bus sets it if it is zero.
	Timestamp time.Time
}

// The types of the runtime's own events.
const (
	EventAgentStarted     = "agent_lifecycle.started"
	EventAgentStartFailed = "agent_lifecycle.start_failed"
	EventAgentStopping    = "agent_lifecycle.stopping"
	EventAgentStopped     = "agent_lifecycle.stopped"
	EventAgentCrashed     = "agent_lifecycle.crashed"
	// The two of actions are published only while somebody subscribes to
	// them.
	EventActionExecuted = "action_executed"
	EventActionFailed   = "action_failed"
)

// LifecycleData is the data of the agent_lifecycle events.
type LifecycleData struct {
	AgentID, AgentType string
	// Reason is why it failed to start, stopped or crashed; empty if it was
	// asked to.
	Reason string
}

// ActionData is the data of action_executed and action_failed.
type ActionData struct {
	AgentID, Action string
	// Error is empty for action_executed.
	Error string
}
