package mabeam

import (
	"errors"
	"sync/atomic"

	"mabeam-top/internal/runtime/internal/enum"
)

// EventDeadLetter is the type of the event about something that was accepted and could then
// not be delivered. It is published only while somebody subscribes to it.
const EventDeadLetter = "dead_letter"

// A DeadLetterReason says why something could not be delivered.
type DeadLetterReason int

// The reasons.
const (
	// DeadStopped, DeadKilled and DeadCrashed: its agent ended before its turn came.
	DeadStopped DeadLetterReason = iota
	DeadKilled
	DeadCrashed
	// DeadUnknown: there is no agent of the id.
	DeadUnknown
	// DeadNoRoom: the agent had as much waiting as it takes.
	DeadNoRoom
	// DeadUnwanted: its agent has no handler for it.
	DeadUnwanted
	// DeadLate: who has asked had given up.
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
	// From is the id of the agent that it was from, and To of that it was for; empty if
	// that is not known, or was no agent.
	From, To string
	Reason   DeadLetterReason
}

// deadLetters are those of a system.
type deadLetters struct {
	counts [deadLetterReasons]atomic.Int64
	topic  *topic
}

// DeadLetters is how much was accepted and could then not be delivered, for a reason.
func (s *System) DeadLetters(reason DeadLetterReason) int64 {
	return s.deadLetters.counts[reason].Load()
}

// deadLetter counts and tells one.
func (s *System) deadLetter(d DeadLetter) {
	s.deadLetters.counts[d.Reason].Add(1)
	if t := s.deadLetters.topic; t.wanted() {
		s.publishOwn(t, d.To, d)
	}
}

// lateAnswer counts the answer of an agent to who had given up.
func (s *System) lateAnswer(action, from string) {
	s.repliesLate.add(1)
	s.deadLetter(DeadLetter{Kind: "answer", Name: action, From: from, Reason: DeadLate})
}

// deadReason is the reason for what is refused because of an error.
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
