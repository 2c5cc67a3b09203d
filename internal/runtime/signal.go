package mabeam

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"mabeam-top/internal/runtime/guard"

	"mabeam-top/internal/runtime/internal/metric"

	"mabeam-top/internal/runtime/internal/failure"

	"mabeam-top/internal/runtime/internal/propagate"
)

// A Priority orders the signals that wait for one agent.
type Priority int8

// The priorities. The zero value is that of most signals.
const (
	Low    Priority = -1
	Normal Priority = 0
	High   Priority = 1
)

// A Signal is sent to one agent, several or all; nobody answers it. It is handled before waiting
// signals of lower priority, and before waiting actions and events, one of which is handled after every
// 64 signals.
type Signal struct {
	// ID is set by the system; all receivers of the signal see the same.
	ID string
	// Type tells the agent what kind of signal it is.
	Type string
	// Source is the id of the sender.
	Source string
	// Target is the id of the agent that it was sent to; empty for all agents.
	Target string
	// Data and Metadata are shared by all receivers and must not be modified.
	Data     any
	Metadata map[string]any
	Priority Priority
	// Context has values for the context of HandleSignal, as far as Options.Propagate picks
	// them; it may be nil. Its end has no effect. A received signal has what was picked.
	Context context.Context
	// Timestamp is when it was sent; the system sets it if it is zero.
	Timestamp time.Time
}

// signals are the counters and the rate of a system's signals.
type signals struct {
	sent, handled, dropped metric.Counter
	rate                   *guard.Bucket // nil if there is none
}

// A signalQueue holds the signals that wait for one agent, by priority from
// Low to High.
type signalQueue struct {
	waiting [3][]queuedSignal
	n       int
}

// A queuedSignal is a waiting signal with its time of arrival.
type queuedSignal struct {
	Signal
	arrival time.Duration
}

// Signal sends a signal to the agents with the ids; to Target if there are no ids; and to all agents if
// that is empty too. SignalTo sends to the agents of a type or a group, or whose ids match a pattern.
//
// Signal never waits. The error names each agent that did not get the signal, with the reason:
// ErrMailboxFull if Options.Mailbox signals are waiting already, besides its messages, ErrStopping, or
// ErrUnknownAgent. All others get it. ErrRateLimited means that nobody does. An accepted signal is
// handled unless the agent crashes or is killed before.
func (s *System) Signal(signal Signal, ids ...string) error {
	if err := s.beginSignal(&signal); err != nil {
		return err
	}
	return s.signal(&signal, ids)
}

// beginSignal checks that a signal can be sent, and fills in the fields that the system sets.
func (s *System) beginSignal(signal *Signal) error {
	if s.stopping.Load() {
		return fmt.Errorf("signal %q: %w", signal.Type, ErrSystemStopped)
	}
	if signal.Priority < Low || signal.Priority > High {
		return fmt.Errorf("signal %q: there is no priority %d", signal.Type, signal.Priority)
	}
	if err := s.signals.rate.Allow(); err != nil {
		return fmt.Errorf("signal %q: %w", signal.Type, err)
	}
	signal.Context = s.propagate.Pick(signal.Context)
	signal.stamp()
	return nil
}

// stamp gives a signal its id, and its time if it has none.
func (signal *Signal) stamp() {
	signal.ID = signalIDs.Next()
	if signal.Timestamp.IsZero() {
		signal.Timestamp = time.Now()
	}
}

// signal sends a signal that is stamped, without a rate.
func (s *System) signal(signal *Signal, ids []string) error {
	if len(ids) == 0 && signal.Target != "" {
		ids = []string{signal.Target}
	}
	d := dispatch{signal: signal}
	if len(ids) == 0 {
		for _, a := range s.agents.Agents() {
			d.to(a.ID(), a)
		}
	}
	for _, id := range ids {
		d.to(id, s.agents.Get(id))
	}
	return errors.Join(d.refusals...)
}

// A dispatch sends one signal to agents, one after the other.
type dispatch struct {
	signal   *Signal
	refusals []error
}

// to sends the signal to the agent of an id, which is nil if there is none.
func (d *dispatch) to(id string, a *Agent) {
	err := ErrUnknownAgent
	if a != nil {
		err = a.signal(d.signal)
	}
	if err != nil {
		d.refusals = append(d.refusals, fmt.Errorf("signal %q to agent %q: %w", d.signal.Type, id, err))
	}
}

// Signal is System.Signal with the agent as its source.
func (a *Agent) Signal(signal Signal, ids ...string) error {
	signal.Source = a.ID()
	return a.system.Signal(signal, ids...)
}

// signal puts a signal into the agent's mailbox if there is room.
func (a *Agent) signal(signal *Signal) error {
	err := a.mailbox.offerSignal(a.system, signal, a.system.mailboxCapacity)
	if err != nil {
		return err
	}
	a.system.signals.sent.Add(1)
	a.wake()
	return nil
}

// signalAnyway puts a signal of the runtime's own into the mailbox, unless the agent has
// ended or stops.
func (a *Agent) signalAnyway(signal *Signal) {
	signal.stamp()
	if a.mailbox.offerSignal(a.system, signal, math.MaxInt) == nil {
		a.system.signals.sent.Add(1)
		a.wake()
	}
}

func (m *mailbox) offerSignal(s *System, signal *Signal, capacity int) error {
	arrival := unknownArrival
	if s.types.Load() != nil {
		arrival = s.arrival()
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed != nil {
		return m.closed
	}
	if m.signals == nil {
		m.signals = &signalQueue{}
	}
	q := m.signals
	if q.n >= capacity {
		return ErrMailboxFull
	}
	of := &q.waiting[signal.Priority-Low]
	*of = append(*of, queuedSignal{*signal, arrival})
	q.n++
	m.signalled.Store(true)
	m.waiting.Store(true)
	return nil
}

// nextSignal takes the first of the signals with the highest priority.
func (m *mailbox) nextSignal() (queuedSignal, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	q := m.signals
	if q == nil {
		return queuedSignal{}, false
	}
	var signal queuedSignal
	for i := len(q.waiting) - 1; i >= 0; i-- {
		if of := &q.waiting[i]; len(*of) > 0 {
			signal = (*of)[0]
			(*of)[0] = queuedSignal{} // what it holds may be freed
			*of = (*of)[1:]
			break
		}
	}
	if q.n--; q.n == 0 {
		m.signals = nil
		m.signalled.Store(false)
		m.waiting.Store(m.queue != nil)
	}
	return signal, true
}

// signalsAtOnce is how many signals are handled before the next message, so that many signals cannot
// delay it for ever.
const signalsAtOnce = 64

// handleSignals handles the signals that wait, up to signalsAtOnce of them.
func (a *Agent) handleSignals() {
	for n := 0; n < signalsAtOnce && a.mayGoOn(); n++ {
		signal, ok := a.mailbox.nextSignal()
		if !ok {
			return
		}
		a.handleSignal(signal)
	}
}

// handleSignal calls the behaviour for one signal. A panic in it ends the agent.
func (a *Agent) handleSignal(signal queuedSignal) {
	finished := false
	defer func() {
		a.system.signals.handled.Add(1)
		if finished {
			return
		}
		panicked := recover()
		a.crash(failure.NewPanicError(panicked))
		if panicked == nil { // nobody goes on after this
			a.clearAbandoned()
		}
	}()
	if signal.arrival == unknownArrival {
		a.behaviour.HandleSignal(propagate.WithValues(a.callback(), signal.Context), a, signal.Signal)
	} else {
		a.handleTimedSignal(signal)
	}
	finished = true
}

// handleTimedSignal handles a signal that came while somebody looked.
func (a *Agent) handleTimedSignal(signal queuedSignal) {
	f := a.figures()
	f.noteArrived(a.system, signal.arrival)
	_ = f.work(func() error {
		a.behaviour.HandleSignal(propagate.WithValues(a.callback(), signal.Context), a, signal.Signal)
		return nil
	})
}
