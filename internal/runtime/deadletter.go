package mabeam

import (
	"errors"
	"sync/atomic"

	"mabeam-top/internal/runtime/internal/enum"

	"mabeam-top/internal/runtime/eventbus"
)

// EventDeadLetter is the type of the event that is published when something was accepted and then
// could not be delivered. It is published only while somebody subscribes to it.
const EventDeadLetter = "dead_letter"

// A DeadLetterReason says why something could not be delivered.
type DeadLetterReason int

// The reasons.
const (
	// DeadStopped, DeadKilled and DeadCrashed: the agent ended before it handled it.
	DeadStopped DeadLetterReason = iota
	DeadKilled
	DeadCrashed
	// DeadUnknown: there is no agent with the id.
	DeadUnknown
	// DeadNoRoom: the agent's mailbox was full.
	DeadNoRoom
	// DeadUnwanted: the agent has no handler for it.
	DeadUnwanted
	// DeadLate: the caller had given up.
	DeadLate

	deadLetterReasons = iota
)

var deadLetterReasonNames = []string{"stopped", "killed", "crashed", "unknown agent", "no room", "unwanted", "late"}

func (r DeadLetterReason) String() string { return enum.Name(deadLetterReasonNames, r) }

// A DeadLetter is the data of EventDeadLetter.
type DeadLetter struct {
	// Kind is what it was: "action", "signal", "answer", "reply" or "timer".
	Kind string
	// Name is the action, or the type of the signal or message.
	Name string
	// From and To are the ids of the sender and the receiver; empty if not known, or not an
	// agent.
	From, To string
	Reason   DeadLetterReason
}

// deadLetters are the dead letters of a system.
type deadLetters struct {
	counts [deadLetterReasons]atomic.Int64
	topic  *eventbus.Topic
}

// DeadLetters returns how many things were accepted and then could not be delivered for a reason.
func (s *System) DeadLetters(reason DeadLetterReason) int64 {
	return s.deadLetters.counts[reason].Load()
}

// deadLetter counts and publishes a dead letter.
func (s *System) deadLetter(d DeadLetter) {
	s.deadLetters.counts[d.Reason].Add(1)
	if t := s.deadLetters.topic; t.Wanted() {
		s.bus.Announce(t, d.To, d)
	}
}

// lateAnswer counts an answer whose caller had given up.
func (s *System) lateAnswer(action, from string) {
	s.repliesLate.Add(1)
	s.deadLetter(DeadLetter{Kind: "answer", Name: action, From: from, Reason: DeadLate})
}

// deadReason returns the reason for something that was refused with an error.
func deadReason(err error) DeadLetterReason {
	switch {
	case errors.Is(err, ErrKilled):
		return DeadKilled
	case errors.Is(err, ErrCrashed):
		return DeadCrashed
	case errors.Is(err, ErrUnknownAgent):
		return DeadUnknown
	case errors.Is(err, ErrMailboxFull):
		return DeadNoRoom
	}
	return DeadStopped
}
