package runtime

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Options say how a system is started. The zero value is usable.
type Options struct {
	// Node is the name of the system in the registry's index by node; empty
	// means "local".
	Node string
	// MaxAgents is the limit on live agents; 0 means none.
	MaxAgents int
	// Mailbox is the capacity of each agent's mailbox in messages; 0 means
	// 1,024.
	Mailbox int
	// BusPolicy is what the bus does for a subscriber whose queue is full.
	BusPolicy QueuePolicy
	// BusQueue is the length of a subscription's queue in events; 0 means
	// 1,024.
	BusQueue int
	// History is how many of the newest events are kept; 0 means 1,000, and a
	// negative number turns history off.
	History int
	// OnStart is called before each component starts, with its name; an error
	// makes the start of that component fail. It is how a fault is injected.
	OnStart func(component string) error
}

func (o Options) withDefaults() Options {
	if o.Node == "" {
		o.Node = "local"
	}
	if o.Mailbox <= 0 {
		o.Mailbox = 1024
	}
	if o.BusQueue <= 0 {
		o.BusQueue = 1024
	}
	if o.History == 0 {
		o.History = 1000
	}
	return o
}

// A System is one running MABEAM. Any number of systems live side by side.
type System struct {
	options         Options
	mailboxCapacity int
	ctx             context.Context // of the handlers; ends when the system is forced down
	cancel          context.CancelFunc

	registry  *Registry
	bus       *Bus
	scheduler *scheduler
	startup   []ComponentStart
	parts     []component
	calls     *sync.Pool

	// executed and failed are the topics of the actions' events, kept here so
	// that an action need not look them up.
	executed, failed *topic

	stopping atomic.Bool
	stopOnce sync.Once
	stopErr  error

	alive                        atomic.Int64
	agentsStarted, agentsStopped counter
	agentsCrashed                counter
	actionsDone, actionsFailed   counter
	queued                       counter
	deepest                      atomic.Int64
}

// A component is one part of a system. Its group tells what has to be ready
// before it.
type component struct {
	name, group string
	start       func()
	stop        func(context.Context) error // nil if there is nothing to stop
}

// A ComponentStart tells how long a component took to start.
type ComponentStart struct {
	Component, Group string
	Took             time.Duration
}

// Start brings a system up: core, communication, agents, resources and
// observability, each group when the one before is ready. If a component
// fails, those already started are stopped in reverse, and the error names it.
func Start(o Options) (*System, error) {
	o = o.withDefaults()
	ctx, cancel := context.WithCancel(context.Background())
	s := &System{options: o, mailboxCapacity: o.Mailbox, ctx: ctx, cancel: cancel, calls: newCallPool()}
	for _, c := range s.components() {
		began := time.Now()
		if o.OnStart != nil {
			if err := o.OnStart(c.name); err != nil {
				err = fmt.Errorf("start %s (%s): %w", c.name, c.group, err)
				err = errors.Join(err, s.stopParts(ctx))
				cancel()
				return nil, err
			}
		}
		c.start()
		s.parts = append(s.parts, c)
		s.startup = append(s.startup, ComponentStart{c.name, c.group, time.Since(began)})
	}
	return s, nil
}

// components lists the parts in the order in which they start.
func (s *System) components() []component {
	return []component{
		{name: "registry", group: "core", start: func() { s.registry = newRegistry() }},
		{
			name: "scheduler", group: "core",
			start: func() { s.scheduler = newScheduler() },
			stop:  func(ctx context.Context) error { return s.scheduler.stop(ctx) },
		},
		{
			name: "event_bus", group: "communication",
			start: func() { s.bus = newBus(s.ctx, s.scheduler, s.options) },
			stop:  func(ctx context.Context) error { return s.bus.stop(ctx) },
		},
		{
			name: "agents", group: "agents",
			start: func() {
				s.executed = s.bus.topic(EventActionExecuted)
				s.failed = s.bus.topic(EventActionFailed)
				s.executed.pinned, s.failed.pinned = true, true
			},
			stop: s.stopAgents,
		},
	}
}

// Startup tells how long each component took to start, in their order.
func (s *System) Startup() []ComponentStart { return slices.Clone(s.startup) }

// Node is the system's name.
func (s *System) Node() string { return s.options.Node }

// Registry finds the system's agents.
func (s *System) Registry() *Registry { return s.registry }

// Bus carries the system's events.
func (s *System) Bus() *Bus { return s.bus }

// Stop stops all agents after the work they have accepted, lets subscribers
// handle what was published, and waits until no goroutine of the system is
// left. If ctx ends before, handlers' contexts end, agents are killed, and the
// error tells what was still running. Stopping again waits for the first and
// returns the same.
func (s *System) Stop(ctx context.Context) error {
	s.stopOnce.Do(func() {
		s.stopping.Store(true)
		// Whatever still waits for something when ctx ends waits for it in vain.
		defer context.AfterFunc(ctx, s.cancel)()
		s.stopErr = s.stopParts(ctx)
		s.cancel()
	})
	return s.stopErr
}

// stopParts stops what was started, in reverse.
func (s *System) stopParts(ctx context.Context) error {
	var errs []error
	for _, c := range slices.Backward(s.parts) {
		if c.stop == nil {
			continue
		}
		if err := c.stop(ctx); err != nil {
			errs = append(errs, fmt.Errorf("stop %s: %w", c.name, err))
			s.cancel() // those that heed their context leave sooner
		}
	}
	s.parts = nil
	return errors.Join(errs...)
}

// stopAgents stops every agent gracefully, and kills those that have not
// stopped when ctx ends.
func (s *System) stopAgents(ctx context.Context) error {
	agents := s.registry.agents()
	for _, a := range agents {
		a.Stop()
	}
	var left int
	for _, a := range agents {
		if a.stop(ctx) != nil {
			a.kill()
			left++
		}
	}
	if left > 0 {
		return fmt.Errorf("%d agents did not stop in time and were killed: %w", left, callError(ctx))
	}
	return nil
}

// StartAgent starts an agent and returns its id once Init is done and the
// agent is registered and ready. ErrAlreadyRegistered tells that its id is
// taken, ErrLimitReached that there is no room.
func (s *System) StartAgent(ctx context.Context, spec Spec) (string, error) {
	if s.stopping.Load() {
		return "", fmt.Errorf("start agent: %w", ErrSystemStopped)
	}
	if n := s.alive.Add(1); s.options.MaxAgents > 0 && n > int64(s.options.MaxAgents) {
		s.alive.Add(-1)
		return "", fmt.Errorf("start agent: %w: %d agents", ErrLimitReached, s.options.MaxAgents)
	}
	a := s.newAgent(spec)
	record := a.Record()
	if err := a.start(ctx); err != nil {
		a.abandon()
		s.tellLifecycle(ctx, EventAgentStartFailed, record, err.Error())
		return "", fmt.Errorf("start agent %q: %w", record.ID, err)
	}
	s.agentsStarted.add(1)
	a.status.CompareAndSwap(statusInitializing, statusIdle)
	if a.ended.Load() { // killed before it was ready
		a.refuseWaiting()
	} else if !a.mailbox.empty() {
		a.wake()
	}
	s.tellLifecycle(ctx, EventAgentStarted, record, "")
	return record.ID, nil
}

func (s *System) newAgent(spec Spec) *Agent {
	a := &Agent{system: s, behaviour: spec.Behaviour, state: spec.State}
	record := &Record{
		ID: spec.ID, Type: spec.Type, Capabilities: slices.Clone(spec.Capabilities), Node: s.options.Node,
		ParentID: spec.ParentID, Metadata: maps.Clone(spec.Metadata), CreatedAt: time.Now(),
	}
	record.UpdatedAt = record.CreatedAt
	if record.ID == "" {
		record.ID = newAgentID()
	}
	a.agent = a
	a.record.Store(record)
	return a
}

// start runs Init and registers the agent.
func (a *Agent) start(ctx context.Context) error {
	if a.system.registry.entries.get(a.ID()) != nil {
		return ErrAlreadyRegistered // before Init does anything that would have to be undone
	}
	if err := a.callInit(ctx); err != nil {
		return fmt.Errorf("init: %w", err)
	}
	if err := a.system.registry.enter(&a.entry); err != nil {
		a.callTerminate()
		return err
	}
	if a.system.stopping.Load() {
		// The system may have listed its agents before this one was among them.
		a.system.registry.leave(&a.entry)
		a.callTerminate()
		return ErrSystemStopped
	}
	return nil
}

// abandon undoes what an agent that did not start has left behind.
func (a *Agent) abandon() {
	if !a.closeFor(ErrStopping) {
		return // it was killed as soon as it was registered
	}
	a.endSubscriptions()
	a.refuseWaiting()
	a.system.alive.Add(-1)
	a.tellGone()
}

// StopAgent stops an agent after the work accepted so far; its Terminate has
// run, and its subscriptions and registration are gone when StopAgent returns.
// Stopping an agent that is not there is no error. If ctx ends before, the
// agent still stops, and the error is that of ctx.
func (s *System) StopAgent(ctx context.Context, id string) error {
	a := s.registry.agent(id)
	if a == nil {
		return nil
	}
	if err := a.stop(ctx); err != nil {
		return fmt.Errorf("stop agent %q: %w", id, err)
	}
	return nil
}

// KillAgent ends an agent at once, without its Terminate: its registration and
// subscriptions are gone when KillAgent returns, what waited in its mailbox is
// refused with ErrKilled, and what it is just doing goes on unheeded.
func (s *System) KillAgent(id string) {
	if a := s.registry.agent(id); a != nil {
		a.kill()
	}
}

// SuspendAgent makes a ready agent leave its work waiting until ResumeAgent. A
// *TransitionError tells that the agent is not ready.
func (s *System) SuspendAgent(id string) error {
	a := s.registry.agent(id)
	if a == nil {
		return fmt.Errorf("suspend agent %q: %w", id, ErrUnknownAgent)
	}
	return a.suspend()
}

// ResumeAgent makes a suspended agent ready. A *TransitionError tells that the
// agent is not suspended.
func (s *System) ResumeAgent(id string) error {
	a := s.registry.agent(id)
	if a == nil {
		return fmt.Errorf("resume agent %q: %w", id, ErrUnknownAgent)
	}
	return a.resume()
}

// Execute has an agent carry out an action and returns its result, or an
// *ActionError that says why there is none. An agent that asks itself waits for
// itself, until ctx ends. It waits for the result until ctx
// ends; the action then goes on, with that ended context, and its result is
// thrown away.
func (s *System) Execute(ctx context.Context, id, action string, params Params) (any, error) {
	a := s.registry.agent(id)
	if a == nil {
		return nil, &ActionError{Agent: id, Action: action, Err: ErrUnknownAgent}
	}
	result, err := a.execute(ctx, action, params)
	if err != nil {
		return nil, &ActionError{Agent: id, Action: action, Err: err}
	}
	return result, nil
}

// Tell leaves an action in an agent's mailbox and does not wait for its
// result. It waits for room in the mailbox until ctx ends.
func (s *System) Tell(ctx context.Context, id, action string, params Params) error {
	a := s.registry.agent(id)
	if a == nil {
		return &ActionError{Agent: id, Action: action, Err: ErrUnknownAgent}
	}
	if err := a.tell(ctx, action, params); err != nil {
		return &ActionError{Agent: id, Action: action, Err: err}
	}
	return nil
}

// Info is an agent at one moment.
type Info struct {
	Record
	State     any
	Lifecycle Lifecycle
	// Version counts the changes of State.
	Version uint64
	// Mailbox is how many messages wait.
	Mailbox int
	// Subscriptions are the event types and patterns it subscribed to.
	Subscriptions []string
}

// Agent tells about a living agent.
func (s *System) Agent(id string) (Info, error) {
	a := s.registry.agent(id)
	if a == nil {
		return Info{}, fmt.Errorf("agent %q: %w", id, ErrUnknownAgent)
	}
	info := Info{Record: *a.Record(), Lifecycle: a.Lifecycle()}
	a.mailbox.mu.Lock()
	defer a.mailbox.mu.Unlock()
	info.State, info.Version, info.Mailbox = a.state, a.version, a.mailbox.depth()
	if a.updatedAt.After(info.UpdatedAt) {
		info.UpdatedAt = a.updatedAt
	}
	for _, sub := range a.subs {
		info.Subscriptions = append(info.Subscriptions, sub.pattern)
	}
	return info, nil
}

// tellLifecycle publishes what became of an agent.
func (s *System) tellLifecycle(ctx context.Context, eventType string, r *Record, reason string) {
	t := s.bus.topic(eventType)
	if s.bus.history == 0 && !t.wanted() {
		return
	}
	// That nobody has room for the news is counted by the bus.
	_ = s.bus.publish(ctx, t, &Event{
		Type: eventType, Source: r.ID,
		Data: LifecycleData{AgentID: r.ID, AgentType: r.Type, Reason: reason},
	})
}

// Goroutines is how many goroutines the system has: those that run agents and
// subscribers now, and a bounded number that rest until there is work again.
func (s *System) Goroutines() int { return s.scheduler.goroutines() }

// TakeMailboxDepthMax returns the depth of the deepest mailbox that got a
// message since it was called last. It is for one reader only.
func (s *System) TakeMailboxDepthMax() int64 { return s.deepest.Swap(0) }

// Telemetry reads the system's counters and gauges.
func (s *System) Telemetry() Telemetry {
	return Telemetry{
		Agents:             s.alive.Load(),
		AgentsStarted:      s.agentsStarted.load(),
		AgentsStopped:      s.agentsStopped.load(),
		AgentsCrashed:      s.agentsCrashed.load(),
		ActionsDone:        s.actionsDone.load(),
		ActionsFailed:      s.actionsFailed.load(),
		EventsPublished:    s.bus.published.load(),
		EventsDelivered:    s.bus.delivered.load(),
		EventsDropped:      s.bus.dropped.load(),
		Subscriptions:      s.bus.subscriptions.Load(),
		MailboxDepth:       max(s.queued.load(), 0), // its stripes are not read at one moment
		RegistryOperations: s.registry.ops.load(),
	}
}
