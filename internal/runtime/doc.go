// Package mabeam is the kernel of MABEAM, a multi-agent runtime after Elixir's OTP:
// agents with bounded mailboxes, a registry with indices, an event bus, signals and
// messages, timers, monitors and links, named groups, limits and telemetry. All of it
// belongs to a System, and a process may have any number of them.
//
// Supervision, coordination and the distribution of work are packages beside it, which
// use what this one exports and nothing else. Package guard is below it, and mabeamtest
// helps to test agents.
//
// The sections below explain how the kernel works, why, and what each decision gives up.
//
// # Agents are not goroutines
//
// An agent is a record with a queue. It is put on a goroutine only while it
// has work, handles a bounded batch, and gives way to others; an idle agent
// costs its memory and no stack. Where an agent is in its life is one word: that
// one thing is handled at a time, that it is suspended or stops after its present
// callback, and that it has ended, are single moves of it which one goroutine can win, and
// no lock is held around the handler. What this gives up: a handler that blocks
// keeps a goroutine. While 1,024 of them run something, the rest waits in a queue; one
// that has not moved for a millisecond gets more goroutines.
//
// # Who runs an action
//
// An action that is called with a context that never ends, by who is no agent, on an idle
// agent, runs on the caller's own goroutine: nothing is handed over, nobody has to wake up.
// It cannot be abandoned that way, so every other call is handed to another goroutine, and
// the caller waits for the answer or the end of its context, whichever is first. What this
// gives up: an action that runs on its caller's goroutine has its caller's stack, and one
// that ends the goroutine ends the caller, who cannot leave before its return either.
//
// # An end answers everybody at once
//
// Whoever ends an agent answers everybody who waits for it, also for what it is just doing
// and for what it had taken out of its mailbox, and ends the context of its life, which
// all its callbacks have or one that ends with it. A handler that does not heed that goes
// on unheeded, and counts as abandoned until it returns. For this a runner shows those who
// might end its agent which messages it has, and takes each answer for its own before it
// gives it. What this gives up: two atomic steps for each call that somebody waits for.
//
// # Who waits for whom
//
// A call with the context of a callback, or one made of it, is known to be that agent's. It
// is noted with the call, and the note is taken back by whoever answers, before the asker
// can hear of it. A ring is found by who closes it. What this gives up: a goroutine that a
// callback has begun, and that calls with the callback's context, is taken for it;
// Agent.Context is what such a one should have.
//
// # A mailbox is swapped out whole
//
// Senders append to a queue under a lock that they hold for a few instructions;
// the agent takes the whole queue at once, so an idle one has none. A message
// is four words, an action's name and its parameters, because it travels from
// one processor's cache to another's. What need not be noted for each message is
// noted for several: how many wait, how many are done, that there is room again.
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
// queue of their own. A subscriber that is a whole queue behind while others wait is set
// apart: it gets a queue of its own until it has caught up, and the others read on. The
// history is one ring for all types. What this gives up: all blocking subscribers have
// queues of one length; an agent that waits with events from two types gets them in order
// within each type only; while a publisher waits for a subscriber to its type, subscribers
// to patterns and those with queues of their own wait for the event too; and the history
// costs each event a copy.
//
// # Its own events wait for nobody
//
// The runtime's events about itself are dropped, the oldest first, where a subscriber has no
// room, and counted: a start, a stop, a restart takes no longer because somebody watches
// and hangs.
//
// # Who restarts an agent
//
// The owner of its Place does, if it has one: a supervisor, mostly, which is not part of
// this package. A place keeps an agent's id and its room under the limits over all its
// lives, so that a restart is never refused. Its owner hears of each end last, when
// everybody else has heard, and is called by whoever ends the agent. Agents that were
// started plainly have no owner and are not restarted.
//
// # Coordinations are rounds of actions
//
// To gather answers, all agents get an action into their mailboxes first, and
// are waited for then, up to one deadline. No goroutine is needed for each, and
// an agent takes part by answering actions as it always does. Who did not answer
// is among the answers, with the reason. Votes, auctions and elections are
// made of such rounds; they are in the package coordination.
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
// readers never take. A topic that is published to often is found by the
// address of its name, without hashing it. Agents that are alike in type, node
// and capabilities share the lists of the indices, and know their places there,
// so that entering and leaving cost the same among ten and among a million.
// Counters are striped, so that counting on one core does not slow another.
// What this gives up: registering and unregistering take turns, and a listing
// costs what it lists, with the writers waiting.
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
