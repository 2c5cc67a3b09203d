package mabeam

import (
	"context"
	"slices"
	"sync/atomic"
	"time"

	"mabeam-top/internal/runtime/internal/enum"
)

// A Behaviour is what an agent does. The runtime calls at most one of its
// methods at a time, so a behaviour needs no locks for what is its own. Embed
// Defaults for the methods that an agent has no use for.
//
// The context of a callback is the agent's own, as Agent.Context is: it ends with
// this life of the agent. That of an action that somebody waits for has the caller's
// values, and ends too when the caller gives up, and at any time after the action's
// return; so does that of Init for who starts the agent. What is to go on takes
// Agent.Context. A call that is made with a callback's context is known to be the
// agent's: if it would close a ring of agents that wait for each other it fails with a
// *DeadlockError.
type Behaviour interface {
	// Init prepares the agent. An error, or a panic, means that it does not
	// start.
	Init(ctx context.Context, self *Agent) error
	// HandleAction carries out an action and returns its result. It returns
	// ErrUnknownAction for a name that it does not know. A panic costs the
	// agent its life.
	HandleAction(ctx context.Context, self *Agent, action string, params any) (any, error)
	// HandleSignal gets the signals that were sent to the agent, ahead of all
	// other work that waits. A panic costs the agent its life.
	HandleSignal(ctx context.Context, self *Agent, signal Signal)
	// HandleEvent gets the events that the agent subscribed to. A panic costs
	// the agent its life.
	HandleEvent(ctx context.Context, self *Agent, event Event)
	// Terminate runs after the agent's last work, unless the agent was killed, and
	// before the Init of RestartAgent. The reason is ErrStopping, ErrRestarting, or an
	// ErrCrashed that wraps the *PanicError of a callback. If the agent cannot start
	// although its Init has succeeded, the reason is why: it was killed meanwhile, say.
	//
	// After a panic the agent is no longer registered when Terminate runs, and ctx ends
	// after Options.WaitTimeout, as does its supervisor's wait. If Terminate panics, it
	// does not run again.
	Terminate(ctx context.Context, self *Agent, reason error)
}

// Defaults does nothing in every callback that a behaviour may leave out.
type Defaults struct{}

// Init does nothing.
func (Defaults) Init(context.Context, *Agent) error { return nil }

// HandleSignal does nothing.
func (Defaults) HandleSignal(context.Context, *Agent, Signal) {}

// HandleEvent does nothing.
func (Defaults) HandleEvent(context.Context, *Agent, Event) {}

// Terminate does nothing.
func (Defaults) Terminate(context.Context, *Agent, error) {}

// A Spec describes an agent to start.
type Spec struct {
	// ID is the agent's id; empty lets the runtime choose one.
	ID string
	// Type is what the registry lists the agent under.
	Type string
	// Behaviour is what the agent does; it must not be nil, and belongs to
	// this agent alone unless it has no state of its own.
	Behaviour Behaviour
	// State is what the agent's state is at first, unless there is a snapshot of an
	// earlier life: see Snapshotter.
	State any
	// Capabilities and Metadata are copied; what the values of the metadata refer to is
	// shared.
	Capabilities []string
	Metadata     map[string]any
	// ParentID is the id of whoever starts the agent; it may be empty.
	ParentID string
}

// A Lifecycle is where an agent is between its start and its end.
type Lifecycle int

// The stages: initializing → ready ⇄ busy, ready ⇄ suspended, any → terminating.
const (
	Initializing Lifecycle = iota
	Ready
	Busy
	Suspended
	Terminating
)

var lifecycleNames = []string{"initializing", "ready", "busy", "suspended", "terminating"}

func (l Lifecycle) String() string { return enum.Name(lifecycleNames, l) }

// An Agent is a living agent, as its behaviour sees it.
type Agent struct {
	// The runner of an agent is whoever has moved its state to running: the scheduler's
	// worker, or a caller who carries out an action or a stop by himself. It alone calls
	// the behaviour, and gives the agent back with yield, or at the end of run. The
	// comment at end says how an agent ends.

	registration
	system    *System
	behaviour Behaviour
	place     *Place // what its owner has; nil if it has none
	// stopNews is the data of the two events of a graceful stop.
	stopNews any

	state atomicState

	// Of its runner: whether its actions take long, whether Terminate was called
	// after its last Init, and whether the mailbox may have a batch that was taken.
	slow, terminated, hasTaken bool
	acted                      atomic.Int64 // actions that succeeded while somebody looks into the system

	// waits is what its callbacks wait for; nil while they wait for nothing.
	waits atomic.Pointer[wait]
	// life is its context; nil while nobody has asked when it ends.
	life atomic.Pointer[lifeCancel]

	// Guarded by mailbox.mu.
	data    any // its state, as its behaviour knows it
	version uint64
	changed time.Duration // when its state was set last, since the system began; 0 if never
	subs    []*Subscription
	gone    chan struct{} // closed when the agent has ended; nil while nobody waits
	failed  *endError     // that it crashed, or was killed for something; nil if not
	bonds   *bonds        // nil if it has none

	mailbox mailbox
}

// ID is the agent's id.
func (a *Agent) ID() string { return a.record.Load().ID }

// Entry is what the registry knows of the agent, or is about to know while Init runs.
func (a *Agent) Entry() Entry { return Entry{a.record.Load()} }

// System is where the agent lives.
func (a *Agent) System() *System { return a.system }

// State is the agent's state.
func (a *Agent) State() any {
	a.mailbox.mu.Lock()
	defer a.mailbox.mu.Unlock()
	return a.data
}

// changedAt is when the agent's state was set last; the zero time if never. It is
// called with mailbox.mu held.
func (a *Agent) changedAt() time.Time {
	if a.changed == 0 {
		return time.Time{}
	}
	return a.system.began.Add(a.changed)
}

// SetState replaces the agent's state, and counts its version up. Others may
// read the state at any time, so it must not be changed afterwards.
func (a *Agent) SetState(state any) {
	now := time.Since(a.system.began)
	a.mailbox.mu.Lock()
	a.data = state
	a.version++
	a.changed = now
	a.mailbox.mu.Unlock()
}

// Lifecycle is where the agent is in its life.
func (a *Agent) Lifecycle() Lifecycle { return a.state.load().lifecycle() }

// isOver says whether this life has ended.
func (a *Agent) isOver() bool { return a.state.load().phase() == over }

// Publish sends an event with the agent as its source, as Bus.Publish does from one of
// its callbacks.
func (a *Agent) Publish(ctx context.Context, eventType string, data any) error {
	b := a.system.bus
	return b.publishFor(b.ofAgent(ctx), &Event{Type: eventType, Source: a.ID(), Data: data})
}

// Subscribe has the events of a type handled by the agent's HandleEvent. The errors are
// those of Bus.Subscribe.
func (a *Agent) Subscribe(eventType string) (*Subscription, error) {
	return a.subscribe(&Subscription{pattern: eventType, exact: true, agent: a})
}

// SubscribePattern has the events that match a pattern handled by the agent's
// HandleEvent. The errors are those of Bus.SubscribePattern.
func (a *Agent) SubscribePattern(pattern string) (*Subscription, error) {
	return a.subscribe(&Subscription{pattern: pattern, agent: a})
}

func (a *Agent) subscribe(s *Subscription) (*Subscription, error) {
	if _, err := a.system.bus.subscribe(s, SubscribeOptions{}); err != nil {
		return nil, err
	}
	a.mailbox.mu.Lock()
	a.subs = append(a.subs, s)
	ended := a.isOver()
	a.mailbox.mu.Unlock()
	if ended { // killed meanwhile: nobody else would end it
		s.end(nil)
	}
	return s, nil
}

// forget drops a subscription that has ended from the agent's list.
func (a *Agent) forget(s *Subscription) {
	a.mailbox.mu.Lock()
	defer a.mailbox.mu.Unlock()
	if i := slices.Index(a.subs, s); i >= 0 {
		// A copy, because those who drain or end them all hold the old list.
		a.subs = slices.Concat(a.subs[:i], a.subs[i+1:])
	}
}
