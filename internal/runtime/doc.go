// Package runtime is MABEAM, a multi-agent runtime: agents with bounded
// mailboxes, a registry with indices, an event bus and telemetry.
//
// # Agents are not goroutines
//
// An agent is a record with a queue. It is put on a goroutine only while it
// has work, handles a bounded batch, and gives way to others; an idle agent
// costs its memory and no stack. That one thing is handled at a time is kept
// by an atomic status (idle or scheduled) which exactly one goroutine can win,
// not by a lock around the handler.
//
// An action that is called with a context that never ends, on an idle agent, runs on the
// caller's own goroutine: nothing is handed over, nobody has to wake up. It
// cannot be abandoned that way, so a call whose context can end is handed to
// another goroutine, and the caller waits for the answer or the end of its
// context, whichever is first.
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
// of one length, and an agent that waits with events from two types gets them
// in order within each type only.
//
// # Reading without locks
//
// Registry lookups and the publisher's way from event type to subscribers go
// through hash tables that are read without locks and changed under one that
// readers never take. Counters are striped, so that counting on one core does
// not slow another.
package runtime
