package mabeam

import "sync/atomic"

// A state is where an agent is in its life: a phase, and what is wanted of the
// agent while it cannot be done yet. It is one word, so that each move is one atomic
// step and nobody ever sees half of one.
//
//	initializing  its Init has not returned, and nobody finds it
//	idle          it has nothing to do
//	scheduled     it waits for a goroutine
//	running       a goroutine, its runner, calls its behaviour
//	suspended     it leaves its work waiting
//	over          it has ended: what waits, and whatever comes, is refused
//
// These are the moves, and who makes them:
//
//	initializing → idle       who starts it, at the end
//	idle         → scheduled  who has put something into its mailbox
//	idle         → running    a caller who carries out an action, or a stop, by himself
//	scheduled    → running    a worker
//	running      → idle       its runner, when nothing is left to do
//	running      → suspended  its runner, if that is wanted
//	idle         → suspended  SuspendAgent
//	suspended    → idle       ResumeAgent
//	suspended    → running    who stops it
//	any other    → over       its runner after a stop or a panic, or who kills it
type state uint32

const (
	initializing state = iota
	idle
	scheduled
	running
	suspended
	over

	phases state = 1<<3 - 1 // the part of a state that is its phase
)

// What may be wanted of an agent.
const (
	// stopWanted is set once, by who asks the agent to stop: nothing new is
	// accepted, and what waits is still handled.
	stopWanted state = 1 << (iota + 3)
	// suspendWanted is set while the agent runs, and makes its runner suspend it.
	suspendWanted
	// abandoned is set by who ends an agent while its runner is in a callback. The
	// runner takes note when it comes back.
	abandoned
)

func (s state) phase() state { return s & phases }

// wants reports whether something is wanted.
func (s state) wants(what state) bool { return s&what != 0 }

// lifecycle is how a state is told.
func (s state) lifecycle() Lifecycle {
	switch phase := s.phase(); {
	case s.wants(stopWanted) || phase == over:
		return Terminating
	case phase == initializing:
		return Initializing
	case phase == suspended:
		return Suspended
	case phase == idle:
		return Ready
	}
	return Busy
}

// An atomicState is a state that is moved from one to the next.
type atomicState struct{ word atomic.Uint32 }

func (a *atomicState) load() state { return state(a.word.Load()) }

// move makes one state the next, if it still is that.
func (a *atomicState) move(from, to state) bool {
	return a.word.CompareAndSwap(uint32(from), uint32(to))
}

// enter moves to a phase if may allows that of the state there is, and keeps what is
// wanted. It returns the state before.
func (a *atomicState) enter(phase state, may func(state) bool) (before state, moved bool) {
	for {
		before = a.load()
		if !may(before) {
			return before, false
		}
		if a.move(before, before&^phases|phase) {
			return before, true
		}
	}
}

// want notes that something is wanted. It returns the state before.
func (a *atomicState) want(what state) (before state) {
	return state(a.word.Or(uint32(what)))
}
