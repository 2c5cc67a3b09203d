package runtime

// Telemetry is a reading of a system's counters and gauges. Counters never
// fall while the system lives. Reading them takes no lock that the runtime
// waits for.
type Telemetry struct {
	// Agents is how many agents are alive now.
	Agents int64
	// Counters of agents since the start. Started counts only those whose
	// Init succeeded.
	AgentsStarted, AgentsStopped, AgentsCrashed int64
	// Counters of actions since the start. Failed ones are not among the
	// done.
	ActionsDone, ActionsFailed int64
	// Counters of events since the start: one published event is delivered or
	// dropped once per matching subscription.
	EventsPublished, EventsDelivered, EventsDropped int64
	Subscriptions                                   int64
	// MailboxDepth is how many messages wait in all mailboxes.
	MailboxDepth int64
	// RegistryOperations counts registrations, lookups, updates and
	// unregistrations since the start.
	RegistryOperations int64
}
