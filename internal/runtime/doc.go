// Package mabeam is the kernel of MABEAM, a multi-agent runtime modelled on Elixir's OTP. It has
// agents with bounded mailboxes, a registry with indices, an event bus, signals and messages,
// timers, monitors and links, named groups, limits and telemetry. All of them belong to a
// System; a process may have any number of systems.
//
// Supervision, coordination and the distribution of work are packages of their own, which use
// only what this package exports. The kernel itself uses package guard. Package mabeamtest helps
// to test agents.
//
// The following sections explain how the kernel works, and the reasons and the cost of each
// decision.
//
// # Agents are not goroutines
//
// An agent is a record with a queue. It runs on a goroutine only while it has work, handles a
// bounded batch, and then lets others run; an idle agent costs its memory but no stack. The state
// of an agent is a single word. Every change of it, such as to handle one thing at a time, to be
// suspended, to stop after the present callback or to end, is one atomic step that only one
// goroutine can win, so no lock is held while a handler runs.
//
// The cost: a handler that blocks keeps a goroutine. While 1,024 goroutines run agents, further
// agents wait in a queue; if that does not move for a millisecond, goroutines are added.
//
// # Where an action runs
//
// An action runs on its caller's goroutine if the agent is idle, the caller is not an agent, and
// the caller's context cannot end: nothing has to be handed over and nobody has to wake up. Such
// a call cannot be abandoned. Every other call is handed to another goroutine, and the caller
// waits for the answer or the end of its context, whichever comes first.
//
// The cost: an inline action uses its caller's stack, and if it calls runtime.Goexit, it ends the
// caller's goroutine.
//
// # An end answers everybody at once
//
// Whoever ends an agent answers everybody who waits for it, including the caller of the action
// that is running and those of actions that were already taken out of the mailbox. It also ends
// the context of the agent's life, from which the contexts of all callbacks derive. A callback
// that ignores its context continues without effect, and counts as abandoned until it returns.
// To make this possible, a runner publishes the batch that it handles, and claims each answer
// before it gives it.
//
// The cost: two atomic operations for each call that somebody waits for.
//
// # Who waits for whom
//
// A call with the context of a callback, or one derived from it, belongs to the callback's agent.
// The wait is recorded with the call, and whoever answers removes the record before the caller
// can see the answer. The call that would close a ring of waiting agents finds it and fails.
//
// The cost: if a callback starts a goroutine that calls with the callback's context, that call is
// taken for the agent's own. Such a goroutine should use Agent.Context.
//
// # A mailbox is swapped out whole
//
// Senders append to a queue under a lock that they hold for a few instructions. The agent takes
// the whole queue at once, so an idle agent has none. A message is four words, the name of an
// action and its parameters, because it travels from one processor's cache to another's. The
// number of waiting messages, the number of finished ones, and that there is room again are
// updated for several messages at once where that is enough. Signals have a queue of their own,
// which is checked before each message.
//
// The cost: gauges and counters of actions lag a little, as Telemetry says.
//
// # Publishing is one lookup
//
// An event is stored once, in the log that all subscribers to its type share, and each subscriber reads
// at its own position. See package eventbus.
//
// # The runtime's own events never wait
//
// If a subscriber has no room for an event that the runtime publishes about itself, it loses its
// oldest event, which is counted. A start, a stop or a restart takes no longer because a
// subscriber is stuck.
//
// # Who restarts an agent
//
// The holder of the agent's Reservation does, if there is one: usually a supervisor, which is not part
// of this package. A reservation keeps an agent's id and its room under the limits over all its lives,
// so that a restart is never refused. The holder is the last to be notified of an end, by whoever
// ends the agent. Agents started with StartAgent have no reservation, and are not restarted.
//
// # Coordinations are rounds of actions
//
// To gather answers, an action is put into the mailboxes of all agents first. Then the caller
// waits for all of them, up to one deadline. This needs no goroutines, and an agent takes part
// simply by handling the action. The result also lists those that did not answer, with the
// reason. Votes, auctions and elections consist of such rounds; they are in package coordination.
//
// # A member of a group accepts work
//
// An agent leaves its groups in the same step that closes its mailbox, when it is asked to stop
// or ends. So whoever is refused by a member that ends, or hears of the end, finds it gone from
// the group. The list of members is built when somebody asks for it after a change, and is shared
// until the next change.
//
// The cost: a large group that changes between any two uses is listed again for each.
//
// # Reading without locks
//
// Registry lookups and the lookup from event type to subscribers use hash tables that are read
// without locks; writers take a lock that readers never take. A topic that is published to often
// is found by the address of its name, without hashing. Agents with the same type, node and
// capabilities share the index lists they are in and know their positions there, so that entering
// and leaving cost the same among ten agents and among a million. Counters are striped, so that
// counting on one core does not slow down another.
//
// The cost: registrations take turns, and a listing takes time in proportion to its length, while
// writers wait.
//
// # Overload is refused at the door
//
// Limits, rates and circuits are checked where work comes in: a new agent, an action, an event.
// They never cut short what has been let in. One rule says who waits and who is refused: Tell and
// Publish, which wait for room in a queue, wait for their turn too; StartAgent and Execute, which
// do not, are refused. What is not configured costs a nil check. Package guard implements the
// rates, the circuits and the limit on memory; the runtime itself counts the agents, because only
// it knows their lives.
package mabeam
