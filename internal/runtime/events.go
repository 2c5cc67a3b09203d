package mabeam

// The types of the runtime's own events.
const (
	EventAgentStarted     = "agent_lifecycle.started"
	EventAgentStartFailed = "agent_lifecycle.start_failed"
	EventAgentStopping    = "agent_lifecycle.stopping"
	EventAgentStopped     = "agent_lifecycle.stopped"
	EventAgentCrashed     = "agent_lifecycle.crashed"
	// Each life of an agent has a started event, and a stopped or crashed one. A
	// life that a supervisor begins after another one has a restarted event too,
	// after its started event. RestartAgent, which ends no life, publishes only
	// the restarted event.
	EventAgentRestarted = "agent_lifecycle.restarted"
	// The two events of actions, whose data is an ActionData, are published only
	// while somebody subscribes to them.
	EventActionExecuted = "action_executed"
	EventActionFailed   = "action_failed"
	// Those of the system's circuit breaker have a guard.StateChange as their
	// data.
	EventCircuitOpened   = "circuit_breaker.opened"
	EventCircuitHalfOpen = "circuit_breaker.half_open"
	EventCircuitClosed   = "circuit_breaker.closed"
)

// LifecycleData is the data of the agent_lifecycle events.
type LifecycleData struct {
	AgentID, AgentType string
	// Reason is why it failed to start, stopped or crashed, or why it was
	// restarted; empty if it was asked to.
	Reason string
}

// ActionData is the data of action_executed and action_failed.
type ActionData struct {
	AgentID, Action string
	// Error is empty for action_executed.
	Error string
}
