package mabeam

import "time"

// Telemetry is a reading of a system's counters and gauges. Counters never
// fall while the system lives. Reading them takes no lock that the runtime
// waits for.
type Telemetry struct {
	// Agents is how many agents are alive now.
	Agents int64
	// HandlersAbandoned is how many callbacks go on now although their agents have
	// ended.
	HandlersAbandoned int64
	// Counters of lives of agents since the start. Started ones are those whose Init
	// succeeded, and stopped ones include those that were killed. Restarted ones are the
	// lives that supervisors began after another one, which are among the started too,
	// and what RestartAgent did.
	AgentsStarted, AgentsStopped, AgentsCrashed, AgentsRestarted int64
	// ComponentsRestarted counts the components that have crashed and begun
	// anew since the start; each supervisor that has none above it is one.
	ComponentsRestarted int64
	// Counters of actions since the start. Failed ones are not among the
	// done; they include those that were accepted and refused later. Actions
	// that nobody waits for are counted eight at a time unless they are slow,
	// so up to seven of each agent that is at work may be missing for the
	// moment.
	ActionsDone, ActionsFailed int64
	// RepliesLate counts answers that nobody got: to callers who had given up
	// before, and replies of Send to agents that were not there or had no room.
	RepliesLate int64
	// Counters of signals since the start: one that was accepted is handled, or
	// dropped because its agent crashed or was killed before.
	SignalsSent, SignalsHandled, SignalsDropped int64
	// Counters of events since the start: one published event is delivered or
	// dropped once per matching subscription.
	EventsPublished, EventsDelivered, EventsDropped int64
	// Subscriptions is how many there are now.
	Subscriptions int64
	// MailboxDepth is how many messages are in all mailboxes and not yet
	// handled, signals apart. Of a mailbox with more than sixteen, up to a
	// sixteenth may be missing.
	MailboxDepth int64
	// RegistryOperations counts registrations, lookups, listings, updates and
	// unregistrations since the start; finding the agent of an action is none.
	RegistryOperations int64
	// What was refused since the start: agents at a limit, operations over
	// their rate, and calls that met an open circuit.
	LimitReached, RateLimited, CircuitRefused int64
	// Uptime is how long ago all components were ready.
	Uptime time.Duration
	// CoordinationRounds counts the coordinations that have ended since the
	// start, well or not: one for each call that was not refused as a whole,
	// and one for each election that an Election holds.
	CoordinationRounds int64
}
