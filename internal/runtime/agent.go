package mabeam

import (
	"context"
	"sync/atomic"
	"time"

	"mabeam-top/internal/runtime/internal/enum"

	"mabeam-top/internal/runtime/registry"
)

// A Behaviour defines what an agent does. The runtime calls at most one of its methods at a
// time, so a behaviour needs no locks for its own data. Embed Defaults to leave out methods.
//
// The context of a callback ends with this life of the agent, as Agent.Context does. For an
// action that somebody waits for, it also has the values of the caller's context, and ends when
// the caller gives up, and any time after the action has returned; Init has such a context of
// whoever starts the agent. Work that continues after the callback must use Agent.Context. A
// call with the context of a callback belongs to the agent: if it would close a ring of agents
// that wait for each other, it fails with a *DeadlockError.
type Behaviour interface {
	// Init prepares the agent. If it returns an error or panics, the agent does not start.
	Init(ctx context.Context, self *Agent) error
	// HandleAction carries out an action and returns its result. It returns
	// ErrUnknownAction for a name that it does not know. A panic crashes the agent.
	HandleAction(ctx context.Context, self *Agent, action string, params any) (any, error)
	// HandleSignal gets the signals that were sent to the agent, ahead of all
	// other work that waits. A panic crashes the agent.
	HandleSignal(ctx context.Context, self *Agent, signal Signal)
	// HandleEvent gets the events that the agent subscribed to. A panic crashes the agent.
	HandleEvent(ctx context.Context, self *Agent, event Event)
	// Terminate runs after the agent's last work, unless the agent was killed, and
	// before RestartAgent calls Init again. The reason is ErrStopping, ErrRestarting, or
	// ErrCrashed with the *PanicError of a callback. If Init has succeeded and the agent
	// cannot start nevertheless, the reason says why: it was killed meanwhile, for example.
	//
	// After a crash the agent is no longer registered when Terminate runs, and a supervisor
	// waits for it no longer than Options.WaitTimeout, when ctx ends too. If Terminate
	// panics, it does not run again.
	Terminate(ctx context.Context, self *Agent, reason error)
}

// Defaults implements all methods of Behaviour except HandleAction by doing nothing.
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
	// Behaviour defines what the agent does; it must not be nil. Agents must not share one
	// that has data of its own.
	Behaviour Behaviour
	// State is the agent's initial state, unless there is a snapshot of an earlier life:
	// see Snapshotter.
	State any
	// Capabilities and Metadata are copied, the values in Metadata only shallowly.
	Capabilities []string
	Metadata     map[string]any
	// ParentID is the id of whoever starts the agent; it may be empty.
	ParentID string
}

// A Lifecycle is where an agent is between its start and its end.
type Lifecycle int

// The lifecycle: Initializing → Ready ⇄ Busy, Ready ⇄ Suspended, any → Terminating.
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

	entry       registry.Registration
	system      *System
	behaviour   Behaviour
	reservation *Reservation // nil if it has none
	// stopNews is the data of the two events of a graceful stop.
	stopNews any

	state atomicState

	// Used by its runner alone: whether its actions take long, whether Terminate was called
	// after its last Init, and whether mailbox.taken may be set.
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
	failed  *endError     // the end and its cause, if that is known
	bonds   *bonds        // nil if it has none

	mailbox mailbox
}

// ID returns the agent's id.
func (a *Agent) ID() string { return a.entry.Record().ID }

// Entry returns the agent's registry entry; while Init runs, the one that it is about to get.
func (a *Agent) Entry() Entry { return a.entry.Entry() }

// System returns the system that the agent lives in.
func (a *Agent) System() *System { return a.system }

// State returns the agent's state.
func (a *Agent) State() any {
	a.mailbox.mu.Lock()
	defer a.mailbox.mu.Unlock()
	return a.data
}

// changedAt returns when the agent's state was last set; the zero time if never. The caller
// holds mailbox.mu.
func (a *Agent) changedAt() time.Time {
	if a.changed == 0 {
		return time.Time{}
	}
	return a.system.began.Add(a.changed)
}

// SetState replaces the agent's state and increments its version. Others may read the state at
// any time, so it must not be modified afterwards.
func (a *Agent) SetState(state any) {
	now := time.Since(a.system.began)
	a.mailbox.mu.Lock()
	a.data = state
	a.version++
	a.changed = now
	a.mailbox.mu.Unlock()
}

// Lifecycle returns where the agent is in its life.
func (a *Agent) Lifecycle() Lifecycle { return a.state.load().lifecycle() }

// isOver reports whether this life has ended.
func (a *Agent) isOver() bool { return a.state.load().phase() == over }
