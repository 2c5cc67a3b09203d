// Package mabeam is MABEAM, a multi-agent runtime after Elixir's OTP: agents
// with bounded mailboxes, a registry with indices, an event bus, signals and
// messages, supervision, coordination, limits and telemetry. A System has it
// all; any number of them live side by side.
//
// What follows says how it is made, why so, and what that gives up.
//
// # Agents are not goroutines
//
// An agent is a record with a queue. It is put on a goroutine only while it
// has work, handles a bounded batch, and gives way to others; an idle agent
// costs its memory and no stack. That one thing is handled at a time is kept
// by an atomic status (idle or scheduled) which exactly one goroutine can win,
// not by a lock around the handler. What this gives up: a handler that blocks
// keeps a goroutine, and from the 1,025th on others wait up to a millisecond
// until more are added.
//
// # Who runs an action
//
// An action that is called with a context that never ends, on an idle agent,
// runs on the caller's own goroutine: nothing is handed over, nobody has to
// wake up. It cannot be abandoned that way, so a call whose context can end is
// handed to another goroutine, and the caller waits for the answer or the end
// of its context, whichever is first. Callers without a deadline who find the
// agent busy wait for their turn for a bounded time only, and agents that ask
// with Agent.Execute are told when they wait for each other in a ring: no agent
// waits for ever. What this gives up: an action that runs on its caller's
// goroutine has its caller's stack, and one that ends the goroutine ends the
// caller.
//
// # A mailbox is swapped out whole
//
// Senders append to a queue under a lock that they hold for a few instructions;
// the agent takes the whole queue at once, so an idle one has none. A message
// is four words, an action's name and its parameters, because it travels from
// one processor's cache to another's. What need not be told for each message is
// told for several: how many wait, how many are done, that there is room again.
// Signals have a queue of their own, which is looked at before each message.
// What this gives up: gauges and counters of actions lag a little, as Telemetry
// says.
//
// # Publishing is one lookup
//
// Subscribers to the same event type, or to the same pattern, share one
// bounded log. Publishing appends the event to the log of its type and to the
// log of each pattern that matches the type, which is known beforehand; each
// subscriber reads on from its own position. An event is stored once however
// many subscribe, and a publisher waits (policy Block) while the slowest
// subscriber is a whole queue behind. Subscribers with another policy have a
// queue of their own. What this gives up: all blocking subscribers have queues
// of one length; a publisher whose patience with one of them ends costs all of
// that log the event; an agent that waits with events from two types gets them
// in order within each type only; and a log never shrinks, so that history
// takes memory for each type of event that is published. A subscriber of the
// runtime's own events that blocks and hangs holds the runtime up, at each
// event for Options.WaitTimeout: one that only watches should have another
// policy.
//
// # Who restarts an agent
//
// Supervisors do, as in OTP, for the agents that they started as their
// children. The end of a child only leaves a notice: its supervisor, which is
// something to run like an agent, does the stopping and starting on a goroutine
// of its own, and needs none while nothing happens. Agents that were started
// plainly have no supervisor and are not restarted.
//
// # Coordinations are rounds of actions
//
// To gather, vote, bid, meet at a barrier or elect, all agents get an action
// into their mailboxes first, and are waited for then, up to one deadline. No
// goroutine is needed for each, and an agent takes part by answering actions as
// it always does. Who did not answer is told with the reason, never left out.
//
// # A member of a group accepts work
//
// An agent leaves its groups in the same step in which its mailbox closes, when
// it is asked to stop or ends. So who was refused by a member that ends finds it
// gone from the group, and whoever hears of the end does too. A list of members
// is made when it is asked for after a change, and shared until the next one.
// What this gives up: a large group that changes between any two looks is
// listed anew for each.
//
// # Reading without locks
//
// Registry lookups and the publisher's way from event type to subscribers go
// through hash tables that are read without locks and changed under one that
// readers never take. A topic that is published to often is found by the address
// of its name, without hashing it. Entries of the registry that are alike in
// type, node and capabilities share the lists of the indices, and know their
// places there, so that entering and leaving cost the same among ten and among
// a million. Counters are striped, so that counting on one core does not slow
// another. What this gives up: registering and unregistering take turns, and a
// listing costs what it lists, with the writers waiting.
//
// # What is refused is refused at the door
//
// Limits, rates and circuits are looked at where work comes in: a new agent, an
// action, an event. What has been let in is never cut short by them. Who may
// wait and who is refused is the same for all: Tell and Publish, which wait for
// room in a queue, wait for their turn too; StartAgent and Execute, which do
// not, are refused. What is not configured costs a look at a nil pointer. Package
// guard has the rates, the circuits and the limit on memory; the runtime counts
// the agents, for only it knows their lives.
package mabeam
