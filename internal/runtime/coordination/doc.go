// Package coordination lets the agents of a system decide and act together: vote, hold an
// auction, elect a leader, meet at a barrier, hand work from one to the next, or run a script
// of steps.
//
// # Taking part
//
// A coordination asks agents to carry out an action, such as ActionVote, and uses what they
// return. An agent takes part by handling that action like any other one; one that does not
// know the action, or returns an error, does not take part. All agents are asked at once,
// except by Pipeline and by scripts in sequence, which ask one after the other. No id may be
// named twice.
//
// # Deadlines
//
// The deadline of a coordination is that of its context, or mabeam.CoordinationTimeout from
// now if that has none. When it passes, the coordination goes by the answers that are there,
// and whatever an agent answers later is dropped. With the context of an agent's callback the
// coordination is that agent's: where one of the others waits for it already, directly or by
// way of more, that one has a *mabeam.DeadlockError instead of an answer.
//
// # Deaths
//
// A result has one answer for each agent, in the order of the ids: its value, or the reason
// why there is none. An agent that is not there has mabeam.ErrUnknownAgent, and one that ends
// before it has answered has what it ended of: a *mabeam.PanicError, mabeam.ErrCrashed,
// mabeam.ErrKilled or mabeam.ErrStopping. Nobody waits for it any longer. What an answer is
// worth whose agent ends afterwards is said at Vote, Auction, Barrier and Election.
//
// # Errors
//
// An error of the call itself mostly says that nobody was asked: mabeam.ErrBadCoordination,
// mabeam.ErrSystemStopped, mabeam.ErrTimeout or context.Canceled, as for
// mabeam.System.BeginRound. Those of Pipeline and Barrier may also say how far it came.
package coordination
