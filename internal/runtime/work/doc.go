// Package work hands out work among the members of a group of agents.
//
// A Pool picks a member for each piece of work, an action and its parameters, by a Strategy:
// in turn, by load, at random, or by key. Agents are members because they have joined the
// group, with Agent.Join; they may come and go at any time.
//
// # What becomes of work whose member ends
//
// A piece of work is carried out at most once, and its giver learns if it was not. Do
// returns the member's *mabeam.ActionError: ErrKilled, or the *PanicError, for what the member
// was at; ErrKilled, ErrCrashed or ErrStopping for what waited. ActionError.NotBegun tells
// the two apart. Nobody waits for what Tell has handed out: what a member had accepted and
// not begun when it was killed or crashed is counted and published by the system as a dead
// letter, under mabeam.DeadKilled or mabeam.DeadCrashed. A member that is stopped carries out
// what it has accepted.
//
// With Options.HandOutAgain what was surely not begun is given to another member instead,
// which still carries it out at most once. What had been begun, or may have been, is not: to
// repeat that is for its giver to decide, who knows whether that does harm.
package work
