package runtime

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"time"
)

// A Behaviour is what an agent does. The runtime calls at most one of its
// methods at a time, so a behaviour needs no locks for what is its own. Embed
// Defaults for the methods that an agent has no use for.
//
// The context ends when whoever asked gives up, or when the system is forced
// down.
type Behaviour interface {
	// Init prepares the agent. An error, or a panic, means that it does not
	// start.
	Init(ctx context.Context, self *Agent) error
	// HandleAction carries out an action and returns its result. It returns
	// ErrUnknownAction for a name that it does not know. A panic costs the
	// agent its life.
	HandleAction(ctx context.Context, self *Agent, action string, params Params) (any, error)
	// HandleEvent gets the events that the agent subscribed to. A panic costs
	// the agent its life.
	HandleEvent(ctx context.Context, self *Agent, event Event)
	// Terminate runs when the agent stops gracefully, after its last work.
	Terminate(ctx context.Context, self *Agent)
}

// Defaults does nothing in every callback that a behaviour may leave out.
type Defaults struct{}

// Init does nothing.
func (Defaults) Init(context.Context, *Agent) error { return nil }

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
//	         whoever runs it, or by the killer if nobody does.
//	gone     is closed last, when registration and subscriptions are gone too.
type Agent struct {
	entry
	system    *System
	behaviour Behaviour
	mailbox   mailbox

	status  atomic.Uint32
	closing atomic.Bool // nothing new is accepted
	ended   atomic.Bool // it is gone; what still waits is refused

	// Guarded by mailbox.mu.
	state     any
	version   uint64
	updatedAt time.Time
	subs      []*Subscription
	gone      chan struct{} // closed when the agent has ended; nil while nobody waits
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

// SetState replaces the agent's state, and counts its version up. Others may
// read the state at any time, so it must not be changed afterwards.
func (a *Agent) SetState(state any) {
	now := time.Now()
	a.mailbox.mu.Lock()
	a.state = state
	a.version++
	a.updatedAt = now
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

// Publish sends an event with the agent as its source.
func (a *Agent) Publish(ctx context.Context, eventType string, data any) error {
	return a.system.bus.Publish(ctx, Event{Type: eventType, Source: a.ID(), Data: data})
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
	a.subs = slices.DeleteFunc(a.subs, func(x *Subscription) bool { return x == s })
	a.mailbox.mu.Unlock()
}

// execute carries out an action for a caller who waits.
func (a *Agent) execute(ctx context.Context, action string, params Params) (any, error) {
	if ctx.Done() == nil && a.status.CompareAndSwap(statusIdle, statusScheduled) {
		// Nobody else can touch the agent now, and the caller could not leave
		// before the answer anyway. But what already waits goes first: the
		// caller may have sent it.
		if !a.closing.Load() && a.mailbox.empty() {
			result, err := a.act(ctx, action, params)
			a.yield()
			return result, err
		}
		a.yield()
	}
	if err := ctx.Err(); err != nil {
		return nil, callError(ctx)
	}
	c := newCall(ctx, a.system.calls)
	if err := a.send(message{action: action, params: params, call: c}); err != nil {
		c.refused()
		return nil, err
	}
	return c.wait()
}

// tell leaves an action in the mailbox, waiting for room until ctx ends.
func (a *Agent) tell(ctx context.Context, action string, params Params) error {
	for {
		err := a.send(message{action: action, params: params})
		if !errors.Is(err, ErrMailboxFull) {
			return err
		}
		if err := a.mailbox.wait(ctx, a.system.mailboxCapacity); err != nil {
			return err
		}
	}
}

// send puts a message into the mailbox if there is room.
func (a *Agent) send(m message) error {
	depth, err := a.mailbox.offer(m, a.system.mailboxCapacity)
	if err != nil {
		return err
	}
	a.system.queued.add(1)
	for deepest := a.system.deepest.Load(); int64(depth) > deepest; deepest = a.system.deepest.Load() {
		if a.system.deepest.CompareAndSwap(deepest, int64(depth)) {
			break
		}
	}
	a.wake()
	return nil
}

// push puts a message of the runtime's own into the mailbox.
func (a *Agent) push(m message) {
	a.mailbox.mu.Lock()
	if a.ended.Load() {
		a.mailbox.mu.Unlock()
		return // nobody would take it
	}
	a.mailbox.append(m)
	a.mailbox.mu.Unlock()
	a.system.queued.add(1)
	a.wake()
}

// wake makes the agent run because there is work.
func (a *Agent) wake() {
	if a.status.CompareAndSwap(statusIdle, statusScheduled) {
		a.system.scheduler.schedule(a)
	}
}

// yield gives the agent back after running it, and has it run elsewhere if
// work has come meanwhile.
func (a *Agent) yield() {
	if a.ended.Load() {
		a.refuseWaiting()
		return
	}
	a.status.Store(statusIdle)
	if !a.mailbox.empty() {
		a.wake()
	}
}

// run handles what waits in the mailbox.
func (a *Agent) run() (more bool) {
	b := a.mailbox.take()
	if b != nil {
		for i := range b.messages {
			a.handle(&b.messages[i])
		}
		a.system.queued.add(-int64(len(b.messages)))
		a.mailbox.release(b)
	}
	if a.ended.Load() {
		a.refuseWaiting()
		return false
	}
	a.status.Store(statusIdle)
	return !a.mailbox.empty() && a.status.CompareAndSwap(statusIdle, statusScheduled)
}

// handle does one piece of work. It makes room for another one before it tells
// who waited for this one: the mailbox shall not be full of what is done.
func (a *Agent) handle(m *message) {
	if a.ended.Load() {
		a.mailbox.unhandled.Add(-1)
		a.refuse(m)
		return
	}
	switch m.kind {
	case doAction:
		ctx := a.system.ctx
		if m.call != nil {
			ctx = m.call.ctx
		}
		result, err := a.act(ctx, m.action, m.params)
		a.mailbox.unhandled.Add(-1)
		if m.call != nil {
			m.call.reply(result, err)
		}
		return
	case drainEvents:
		if m.events.drain(a.system.ctx) || !m.events.park() {
			a.push(message{kind: drainEvents, events: m.events})
		}
	case stopAgent:
		a.drainSubscriptions()
		a.terminate()
	}
	a.mailbox.unhandled.Add(-1)
}

// drainSubscriptions handles the events that were published before the agent
// was asked to stop: they are accepted work too.
func (a *Agent) drainSubscriptions() {
	a.mailbox.mu.Lock()
	subs := slices.Clone(a.subs)
	a.mailbox.mu.Unlock()
	for _, s := range subs {
		for left := s.Waiting(); left > 0 && s.drain(a.system.ctx); {
			left -= deliveryBatch
		}
	}
}

// refuse answers a message that will not be handled.
func (a *Agent) refuse(m *message) {
	switch {
	case m.call != nil:
		m.call.reply(nil, a.mailbox.reason())
	case m.kind == doAction:
		a.system.actionsFailed.add(1)
	}
}

// refuseWaiting empties the mailbox of an agent that has ended.
func (a *Agent) refuseWaiting() {
	b := a.mailbox.take()
	if b == nil {
		return
	}
	for i := range b.messages {
		a.refuse(&b.messages[i])
	}
	a.system.queued.add(-int64(len(b.messages)))
	a.mailbox.unhandled.Store(0)
	a.mailbox.release(b)
}

// act carries out one action. A panic in it ends the agent.
func (a *Agent) act(ctx context.Context, action string, params Params) (any, error) {
	result, crashed, err := a.callAction(ctx, action, params)
	t := a.system.executed
	if err == nil {
		a.system.actionsDone.add(1)
	} else {
		a.system.actionsFailed.add(1)
		t = a.system.failed
	}
	if t.wanted() {
		a.tellAction(ctx, t, action, err)
	}
	if crashed {
		a.crash(err)
	}
	return result, err
}

func (a *Agent) callAction(ctx context.Context, action string, params Params) (result any, crashed bool, err error) {
	defer func() {
		if v := recover(); v != nil {
			result, crashed, err = nil, true, newPanicError(v)
		}
	}()
	result, err = a.behaviour.HandleAction(ctx, a, action, params)
	return result, false, err
}

// tellAction publishes what became of an action.
func (a *Agent) tellAction(ctx context.Context, t *topic, action string, err error) {
	data := ActionData{AgentID: a.ID(), Action: action}
	if err != nil {
		data.Error = err.Error()
	}
	// That nobody has room for the news is counted by the bus and no failure
	// of the action.
	_ = a.system.bus.publish(ctx, t, &Event{Type: t.name, Source: data.AgentID, Data: data})
}

// handleEvent calls the behaviour for one event. A panic in it ends the agent.
func (a *Agent) handleEvent(ctx context.Context, e Event) {
	if a.ended.Load() {
		return
	}
	defer func() {
		if v := recover(); v != nil {
			a.crash(newPanicError(v))
		}
	}()
	a.behaviour.HandleEvent(ctx, a, e)
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

// terminate is the last work of an agent that was asked to stop.
func (a *Agent) terminate() {
	defer func() {
		if v := recover(); v != nil {
			a.crash(newPanicError(v))
			return
		}
		a.end(ErrStopping, EventAgentStopped, "")
	}()
	a.behaviour.Terminate(a.system.ctx, a)
}

// crash ends the agent because a callback panicked.
func (a *Agent) crash(reason error) {
	a.end(ErrCrashed, EventAgentCrashed, reason.Error())
}

// end takes the agent out of the system: no event, lookup or action finds it
// any more. It does so once; it says whether this was the time.
func (a *Agent) end(reason error, eventType, why string) bool {
	if !a.closeFor(reason) {
		return false
	}
	a.endSubscriptions()
	a.system.registry.leave(&a.entry)
	a.system.alive.Add(-1)
	if eventType == EventAgentCrashed {
		a.system.agentsCrashed.add(1)
	} else {
		a.system.agentsStopped.add(1)
	}
	a.system.tellLifecycle(a.system.ctx, eventType, a.Record(), why)
	a.tellGone()
	return true
}

// closeFor marks the agent as ended and closes its mailbox, at once: whoever
// sees the one must see the other, or a message could be accepted that nobody
// answers. It says false if the agent had ended before.
func (a *Agent) closeFor(reason error) bool {
	a.mailbox.mu.Lock()
	defer a.mailbox.mu.Unlock()
	if a.ended.Load() {
		return false
	}
	a.closing.Store(true)
	a.mailbox.closeLocked(reason)
	a.ended.Store(true)
	return true
}

// tellGone lets go of those who wait for the agent's end.
func (a *Agent) tellGone() {
	a.mailbox.mu.Lock()
	defer a.mailbox.mu.Unlock()
	if a.gone == nil {
		a.gone = closedChannel
	} else {
		close(a.gone)
	}
}

// endSubscriptions ends all that the agent subscribed to.
func (a *Agent) endSubscriptions() {
	a.mailbox.mu.Lock()
	subs := a.subs
	a.subs = nil
	a.mailbox.mu.Unlock()
	for _, s := range subs {
		s.end(nil)
	}
}

var closedChannel = func() chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}()

// Stop asks the agent to stop after the work accepted so far, and does not
// wait: an agent that stops itself must go on to do so.
func (a *Agent) Stop() {
	if a.beginStop() {
		a.system.scheduler.schedule(a)
	}
}

// stop asks the agent to stop after the work accepted so far, and waits until
// it has, or until ctx ends.
func (a *Agent) stop(ctx context.Context) error {
	if a.beginStop() {
		if ctx.Done() != nil {
			a.system.scheduler.schedule(a)
		} else {
			// The caller waits anyway, so it may as well do the rest.
			for more := true; more; {
				more = a.run()
			}
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

// beginStop closes the mailbox with the wish to stop as its last message. It
// says whether the agent was not running, and is now the caller's to run.
func (a *Agent) beginStop() (claimed bool) {
	if !a.closing.CompareAndSwap(false, true) {
		return false
	}
	a.mailbox.close(ErrStopping)
	a.system.tellLifecycle(a.system.ctx, EventAgentStopping, a.Record(), "")
	a.mailbox.mu.Lock()
	a.mailbox.append(message{kind: stopAgent})
	a.mailbox.mu.Unlock()
	a.system.queued.add(1)
	return a.status.CompareAndSwap(statusIdle, statusScheduled) ||
		a.status.CompareAndSwap(statusSuspended, statusScheduled)
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
// is just doing goes on unheeded.
func (a *Agent) kill() {
	if !a.end(ErrKilled, EventAgentStopped, "killed") {
		<-a.done() // somebody else is taking it down, and runs no code of its own
		return
	}
	if a.status.CompareAndSwap(statusIdle, statusScheduled) || a.status.CompareAndSwap(statusSuspended, statusScheduled) {
		a.refuseWaiting()
	}
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
