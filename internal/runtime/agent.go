package runtime

import (
	"context"
	"slices"
	"sync/atomic"
	"time"
)

// A Behaviour is what an agent does. The runtime calls at most one of its
// methods at a time, so a behaviour needs no locks for what is its own. Embed
// Defaults for the methods that an agent has no use for.
//
// The context ends when the system is forced down. That of an action that
// somebody waits for is the caller's, and that of Init StartAgent's: it ends
// when they give up.
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
	// Terminate runs when the agent stops gracefully, after its last work, before
	// RestartAgent's Init, and when the agent could not be registered after its
	// Init. It does not run when the agent was killed or has panicked.
	Terminate(ctx context.Context, self *Agent)
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
func (Defaults) Terminate(context.Context, *Agent) {}

// A Spec describes an agent to start.
type Spec struct {
	// ID is the agent's id; empty lets the runtime choose one.
	ID string
	// Type is what the registry lists the agent under.
	Type string
	// Behaviour is what the agent does; it must not be nil, and belongs to
	// this agent alone unless it has no state of its own.
	Behaviour Behaviour
	// State is what the agent's state is at first.
	State any
	// Capabilities and Metadata are copied.
	Capabilities []string
	Metadata     map[string]any
	ParentID     string
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

func (l Lifecycle) String() string { return lifecycleNames[l] }

// The status of an agent decides who may run it: whoever moves it from idle
// (or suspended) to scheduled.
const (
	statusInitializing uint32 = iota
	statusIdle
	statusScheduled // waits for a goroutine, or is running on one
	statusSuspended
)

// An Agent is a living agent, as its behaviour sees it.
//
// Who runs it is whoever has moved status to scheduled: the scheduler's worker,
// or a caller who carries out an action or a stop by itself. That one alone
// calls the behaviour, and gives the agent back with yield (or the end of run).
// How it ends:
//
//	closing  is set first, by who asks it to stop (beginStop), with the mailbox
//	         closed: nothing new is accepted, what waits is still handled.
//	ended    is set once, together with the mailbox's closing (closeFor), by
//	         end: after the last message of a stop, at a panic, or at a kill
//	         from outside while somebody runs it. What waits is refused by
//	         whoever runs it, and by the killer.
//	gone     is closed last, when registration and subscriptions are gone too.
type Agent struct {
	entry
	system    *System
	behaviour Behaviour
	child     *child // what its supervisor knows of it; nil if it has none
	// stopNews is the data of the two events of a graceful stop.
	stopNews any

	status  atomic.Uint32
	closing atomic.Bool // nothing new is accepted
	ended   atomic.Bool // it is gone; what still waits is refused

	slow     bool                  // its actions take long; of who runs it
	acted    atomic.Int64          // actions that succeeded while somebody looks into the system
	waitsFor atomic.Pointer[Agent] // whom it asked with Execute and has no answer from

	// Guarded by mailbox.mu.
	state   any
	version uint64
	changed time.Duration // when its state was set last, since the system began; 0 if never
	subs    []*Subscription
	gone    chan struct{} // closed when the agent has ended; nil while nobody waits

	mailbox mailbox
}

// ID is the agent's id.
func (a *Agent) ID() string { return a.record.Load().ID }

// Record is what the registry knows of the agent. It must not be changed.
func (a *Agent) Record() *Record { return a.record.Load() }

// System is where the agent lives.
func (a *Agent) System() *System { return a.system }

// State is the agent's state.
func (a *Agent) State() any {
	a.mailbox.mu.Lock()
	defer a.mailbox.mu.Unlock()
	return a.state
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
	a.state = state
	a.version++
	a.changed = now
	a.mailbox.mu.Unlock()
}

// Lifecycle is where the agent is in its life.
func (a *Agent) Lifecycle() Lifecycle {
	status := a.status.Load()
	switch {
	case a.closing.Load():
		return Terminating
	case status == statusInitializing:
		return Initializing
	case status == statusSuspended:
		return Suspended
	case status == statusScheduled:
		return Busy
	}
	return Ready
}

// Publish sends an event with the agent as its source, as Bus.Publish does. If
// ctx has no deadline it waits for Options.WaitTimeout at most: the subscriber
// that has no room may be waiting for this agent, or be the agent itself.
func (a *Agent) Publish(ctx context.Context, eventType string, data any) error {
	return a.system.bus.publishFor(ctx, a.system.options.WaitTimeout, &Event{Type: eventType, Source: a.ID(), Data: data})
}

// Subscribe has the events of a type handled by the agent's HandleEvent.
func (a *Agent) Subscribe(eventType string) (*Subscription, error) {
	return a.subscribe(&Subscription{pattern: eventType, exact: true, agent: a})
}

// SubscribePattern has the events that match a pattern handled by the agent's
// HandleEvent.
func (a *Agent) SubscribePattern(pattern string) (*Subscription, error) {
	return a.subscribe(&Subscription{pattern: pattern, agent: a})
}

func (a *Agent) subscribe(s *Subscription) (*Subscription, error) {
	if _, err := a.system.bus.subscribe(s, SubscribeOptions{}); err != nil {
		return nil, err
	}
	a.mailbox.mu.Lock()
	a.subs = append(a.subs, s)
	ended := a.ended.Load()
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

// callInit calls the behaviour's Init; a panic in it is an error.
func (a *Agent) callInit(ctx context.Context) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = newPanicError(v)
		}
	}()
	return a.behaviour.Init(ctx, a)
}

// callTerminate undoes an Init whose agent did not start after all. A panic in
// it changes nothing about that.
func (a *Agent) callTerminate() {
	defer func() { _ = recover() }()
	a.behaviour.Terminate(a.system.ctx, a)
}

// terminate is the last work of an agent that was asked to stop. It says whether
// that was its end.
func (a *Agent) terminate() (ended bool) {
	if a.ended.Load() {
		return false // its last events cost it its life
	}
	finished := false
	defer func() {
		if !finished {
			a.crash(newPanicError(recover()))
		}
	}()
	a.behaviour.Terminate(a.system.ctx, a)
	finished = true
	return a.end(ErrStopping, EventAgentStopped, "")
}

// crash ends the agent because a callback panicked.
func (a *Agent) crash(reason error) {
	a.end(ErrCrashed, EventAgentCrashed, reason.Error())
}

// end takes the agent out of the system: no event, lookup or action finds it
// any more. It does so once; it says whether this was the time.
func (a *Agent) end(reason error, eventType, why string) bool {
	subs, first := a.closeFor(reason)
	if !first {
		return false
	}
	for _, s := range subs {
		s.end(nil)
	}
	a.system.registry.leave(&a.entry)
	a.system.alive.Add(-1)
	if eventType == EventAgentCrashed {
		a.system.agentsCrashed.add(1)
	} else {
		a.system.agentsStopped.add(1)
	}
	var made *any
	if why == "" { // it was asked to stop, and told so
		made = &a.stopNews
	}
	a.system.announceLifecycle(a.system.ctx, eventType, a, why, made)
	if a.child != nil {
		a.child.ended(a, reason, why)
	}
	a.closeGone()
	return true
}

// closeFor marks the agent as ended and closes its mailbox, at once: whoever
// sees the one must see the other, or a message could be accepted that nobody
// answers. It returns the subscriptions that are to be ended, and false if the
// agent had ended before.
func (a *Agent) closeFor(reason error) (subs []*Subscription, first bool) {
	a.mailbox.mu.Lock()
	defer a.mailbox.mu.Unlock()
	if a.ended.Load() {
		return nil, false
	}
	a.closing.Store(true)
	a.mailbox.closeLocked(reason)
	a.ended.Store(true)
	subs, a.subs = a.subs, nil
	return subs, true
}

// closeGone lets go of those who wait for the agent's end.
func (a *Agent) closeGone() {
	a.mailbox.mu.Lock()
	defer a.mailbox.mu.Unlock()
	if a.gone == nil {
		a.gone = closedChannel
	} else {
		close(a.gone)
	}
}

var closedChannel = func() chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}()

// Stop asks the agent to stop after the work accepted so far, and does not
// wait: an agent that stops itself must go on to do so. Its supervisor, if it
// has one, takes that for a normal end.
func (a *Agent) Stop() {
	if claimed, idle := a.beginStop(a.system.ctx); claimed {
		a.scheduleStop(idle)
	}
}

// stop asks the agent to stop after the work accepted so far, and waits until
// it has, or until ctx ends.
func (a *Agent) stop(ctx context.Context) error {
	switch claimed, idle := a.beginStop(ctx); {
	case !claimed:
	case ctx.Done() != nil:
		a.scheduleStop(idle)
	case idle:
		// The caller waits anyway, so it may as well do the rest.
		ended := a.finish()
		if !a.mailbox.empty() {
			a.refuseWaiting()
		}
		if ended {
			return nil
		}
	default:
		for more := true; more; {
			more = a.run()
		}
	}
	gone := a.done()
	select {
	case <-gone: // it matters more than a ctx that has ended too
		return nil
	default:
	}
	select {
	case <-gone:
		return nil
	case <-ctx.Done():
		return callError(ctx)
	}
}

// beginStop closes the mailbox. It says whether the agent was not running, and
// is now the caller's to run, and whether it was idle: then the caller has to
// see to its end. Otherwise the wish to stop is the mailbox's last message.
func (a *Agent) beginStop(ctx context.Context) (claimed, idle bool) {
	if !a.closing.CompareAndSwap(false, true) {
		return false, false
	}
	a.system.announceLifecycle(ctx, EventAgentStopping, a, "", &a.stopNews)
	a.mailbox.mu.Lock()
	if a.ended.Load() { // killed or crashed meanwhile: nobody would take it
		a.mailbox.mu.Unlock()
		return false, false
	}
	a.mailbox.closeLocked(ErrStopping)
	claimed = a.claim()
	if claimed && a.mailbox.empty() {
		a.mailbox.mu.Unlock()
		return true, true
	}
	uncounted := a.mailbox.append(stopRequest{})
	a.mailbox.mu.Unlock()
	a.system.queued.add(int64(uncounted))
	return claimed || a.claim(), false
}

// claim makes an agent that nobody runs, suspended ones too, the caller's to
// run.
func (a *Agent) claim() bool {
	return a.status.CompareAndSwap(statusIdle, statusScheduled) ||
		a.status.CompareAndSwap(statusSuspended, statusScheduled)
}

// scheduleStop has an agent that is the caller's to run stop on a worker.
func (a *Agent) scheduleStop(idle bool) {
	if idle {
		a.push(stopRequest{})
	}
	a.system.scheduler.schedule(a)
}

// finish is the end of a graceful stop, unless the agent has come to another one
// meanwhile, which it says.
func (a *Agent) finish() (ended bool) {
	a.drainSubscriptions()
	return a.terminate()
}

// done is closed when the agent has ended.
func (a *Agent) done() <-chan struct{} {
	a.mailbox.mu.Lock()
	defer a.mailbox.mu.Unlock()
	if a.gone == nil {
		a.gone = make(chan struct{})
	}
	return a.gone
}

// kill ends the agent at once. What waits in its mailbox is refused; what it
// is just doing goes on unheeded, and what it has taken out of its mailbox with
// that is refused when it comes back.
func (a *Agent) kill() {
	if !a.end(ErrKilled, EventAgentStopped, "killed") {
		<-a.done() // somebody else is taking it down, and runs no code of its own
		return
	}
	a.refuseWaiting()
}

// suspend makes a ready agent wait with its work until it is resumed.
func (a *Agent) suspend() error {
	if a.closing.Load() || !a.status.CompareAndSwap(statusIdle, statusSuspended) {
		return &TransitionError{Agent: a.ID(), From: a.Lifecycle(), To: Suspended}
	}
	if a.closing.Load() {
		// It was asked to stop just now, and found the agent neither idle nor
		// suspended: its wish waits in the mailbox.
		_ = a.resume() // if it fails, the stop has taken the agent after all
		return &TransitionError{Agent: a.ID(), From: Terminating, To: Suspended}
	}
	return nil
}

// resume makes a suspended agent ready.
func (a *Agent) resume() error {
	if !a.status.CompareAndSwap(statusSuspended, statusIdle) {
		return &TransitionError{Agent: a.ID(), From: a.Lifecycle(), To: Ready}
	}
	if !a.mailbox.empty() {
		a.wake()
	}
	return nil
}
