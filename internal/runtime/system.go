package mabeam

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"mabeam-top/internal/runtime/guard"
)

// A System is one running MABEAM. Any number of systems live side by side.
type System struct {
	options         Options
	mailboxCapacity int
	countEvery      int             // so many actions that nobody waits for are counted together
	ctx             context.Context // of the handlers; ends when the system is forced down
	cancel          context.CancelFunc

	registry  *Registry
	bus       *Bus
	scheduler scheduler
	startup   []ComponentStart
	parts     []component
	began     time.Time
	ready     time.Time
	calls     *sync.Pool
	signals   *signals

	limits *limits
	// abandoned are the callbacks that go on after their agents' ends.
	abandoned abandonedHandlers
	limiter   *guard.Limiter
	circuits  *guard.Breaker
	// startRate and actionRate are nil if there is none, and breaker is if it
	// does not guard the agents: what is not used costs a look.
	startRate, actionRate *guard.Bucket
	// tellsPlainly says that what is told has no rate, and takes no values along.
	tellsPlainly bool
	breaker      *guard.Breaker

	services   services
	failure    atomic.Pointer[error] // what RootFailed was told last
	running    context.Context       // ends when Stop begins, by endRunning
	endRunning context.CancelFunc

	deadLetters deadLetters
	namedGroups namedGroups

	// executed and failed are the topics of the actions' events, kept here so
	// that an action need not look them up.
	executed, failed *topic

	stopping atomic.Bool
	stopped  chan struct{}   // closed when Stop is done, and stopErr what it returned
	hurried  context.Context // ended by a second Stop that does not want to wait longer
	hurry    context.CancelFunc
	stopErr  error

	alive                        atomic.Int64
	ending                       atomic.Int64 // agents that are being taken down
	agentsStarted, agentsStopped counter
	agentsCrashed                counter
	agentsRestarted              counter
	componentsRestarted          counter
	actionsDone, actionsFailed   counter
	repliesLate                  counter
	queued                       counter
	depths                       *depthWatches
	coordinationRounds           counter

	// types are the figures of the agents by type. While there are any, each agent counts
	// its own actions too; nil while nobody looks into the system.
	types      atomic.Pointer[typeTable]
	inspectMu  sync.Mutex
	inspectors int // how many look, guarded by inspectMu
}

// Node is the system's name.
func (s *System) Node() string { return s.options.Node }

// Registry finds the system's agents.
func (s *System) Registry() *Registry { return s.registry }

// Bus carries the system's events.
func (s *System) Bus() *Bus { return s.bus }

// Context ends when the system has stopped, or is forced down because it did not stop in
// time.
func (s *System) Context() context.Context { return s.ctx }

// Limiter keeps the runtime's operations, and the users' own, to the rates of the
// options. When the system has stopped, all who wait in it get ErrSystemStopped.
func (s *System) Limiter() *guard.Limiter { return s.limiter }

// Breaker guards the calls of any targets, and publishes the changes of their
// circuits on the bus. With Options.Breaker it is the one that guards the agents,
// each under its id; without, it has the defaults of guard.BreakerOptions.
func (s *System) Breaker() *guard.Breaker { return s.circuits }

// stopAgents stops every agent gracefully, the services that work with them first, and kills
// those that have not stopped when ctx ends.
func (s *System) stopAgents(ctx context.Context) error {
	err := s.stopServices(ctx)
	agents := s.registry.agents()
	for _, a := range agents {
		a.Stop()
	}
	var left int
	for _, a := range agents {
		if a.stop(ctx, 0) != nil {
			a.kill()
			left++
		}
	}
	s.awaitEnds()
	if left > 0 {
		err = errors.Join(err, fmt.Errorf("%d agents did not stop in time and were killed: %w", left, CallError(ctx)))
	}
	return err
}

// awaitEnds returns when all that was begun to end an agent is done: somebody else may have
// killed one just now. That runs no code but the runtime's.
func (s *System) awaitEnds() {
	for s.ending.Load() > 0 {
		time.Sleep(10 * time.Microsecond)
	}
}

// StopAgent stops an agent after the work accepted so far; its Terminate has
// run, and its subscriptions and registration are gone when StopAgent returns.
// Stopping an agent that is not there is no error. If ctx ends before, or
// Options.WaitTimeout has passed if it has no deadline, the agent still stops; so it does
// where a callback stops an agent that waits for it, or the callback's own: the error is
// a *DeadlockError then, and Agent.Stop is what to use. With a context that cannot end, the
// Terminate of an idle agent runs on the caller's own goroutine, and then nothing but its
// return ends the call. A supervisor's child that is stopped so is not restarted, and its
// supervisor forgets it.
//
// With a context that cannot end, such as context.Background, an idle agent's Terminate
// runs on the caller's own goroutine, and then nothing but its return ends the call.
func (s *System) StopAgent(ctx context.Context, id string) error {
	a := s.registry.agent(id)
	if a == nil || a.place != nil {
		a = s.dismiss(id, a)
	}
	if a == nil {
		return nil
	}
	if err := a.stopFor(ctx); err != nil {
		return fmt.Errorf("stop agent %q: %w", id, err)
	}
	return nil
}

// KillAgent ends an agent at once, without its Terminate: its registration and
// subscriptions are gone when KillAgent returns, and everybody who waited for an answer
// has ErrKilled. The contexts of its callbacks end; one that does not heed that goes on
// unheeded, see AbandonedHandlers. For the supervisor of a child that is an abnormal end,
// like a crash.
func (s *System) KillAgent(id string) {
	if a := s.registry.agent(id); a != nil {
		a.kill()
	}
}

// SuspendAgent makes an agent leave its work waiting until ResumeAgent: at once if it is
// ready, and as soon as its present callback has returned if it is busy. The error is
// ErrUnknownAgent, or a *TransitionError if it is suspended already, or stops.
func (s *System) SuspendAgent(id string) error {
	a := s.registry.agent(id)
	if a == nil {
		return fmt.Errorf("suspend agent %q: %w", id, ErrUnknownAgent)
	}
	return a.suspend()
}

// ResumeAgent makes a suspended agent ready, or takes the wish back that it be
// suspended. The error is ErrUnknownAgent, or a *TransitionError if there is neither.
func (s *System) ResumeAgent(id string) error {
	a := s.registry.agent(id)
	if a == nil {
		return fmt.Errorf("resume agent %q: %w", id, ErrUnknownAgent)
	}
	return a.resume()
}

// Execute is Ref.Execute of the living agent of an id.
func (s *System) Execute(ctx context.Context, id, action string, params any) (any, error) {
	a := s.registry.agent(id)
	if a == nil {
		return s.executeGuarded(ctx, nil, id, nil, action, params)
	}
	return a.executeFor(ctx, nil, action, params)
}

// Tell is Ref.Tell of the living agent of an id.
func (s *System) Tell(ctx context.Context, id, action string, params any) error {
	a := s.registry.agent(id)
	if a == nil {
		return newActionError(id, action, notBegun{ErrUnknownAgent})
	}
	return Ref{a}.Tell(ctx, action, params)
}

// Info is an agent at one moment.
type Info struct {
	Record
	State     any
	Lifecycle Lifecycle
	// Version counts the changes of State.
	Version uint64
	// Mailbox is how many messages wait or are at work.
	Mailbox int
	// Subscriptions are the event types and patterns it subscribed to.
	Subscriptions []string
}

// Agent returns what there is to know of a living agent, or ErrUnknownAgent.
func (s *System) Agent(id string) (Info, error) {
	a := s.registry.agent(id)
	if a == nil {
		return Info{}, fmt.Errorf("agent %q: %w", id, ErrUnknownAgent)
	}
	info := Info{Record: *a.record.Load().clone(), Lifecycle: a.Lifecycle()}
	a.mailbox.mu.Lock()
	defer a.mailbox.mu.Unlock()
	info.State, info.Version, info.Mailbox = a.data, a.version, a.mailbox.depth()
	if changed := a.changedAt(); changed.After(info.UpdatedAt) {
		info.UpdatedAt = changed
	}
	for _, sub := range a.subs {
		info.Subscriptions = append(info.Subscriptions, sub.pattern)
	}
	return info, nil
}

// Announce publishes an event about the runtime itself, or about what is built on it:
// it keeps to no rate, is made only if somebody wants it, and waits for nobody. A
// subscriber that has no room loses what has waited longest, which is counted.
func (s *System) Announce(eventType, source string, data any) {
	if t := s.bus.topic(eventType); s.bus.wants(t) {
		s.publishOwn(t, source, data)
	}
}

func (s *System) publishOwn(t *topic, source string, data any) {
	_ = s.bus.publish(&publication{ctx: s.ctx, neverWaits: true}, t, &Event{Type: t.name, Source: source, Data: data})
}

// announceLifecycle publishes what became of an agent. If there is to be another
// event with the same data, that is kept in made.
func (s *System) announceLifecycle(eventType string, a *Agent, reason string, made *any) {
	t := s.bus.topic(eventType)
	if !s.bus.wants(t) {
		return
	}
	r := a.record.Load()
	var data any
	if made != nil {
		data = *made
	}
	if data == nil {
		data = LifecycleData{AgentID: r.ID, AgentType: r.Type, Reason: reason}
	}
	if made != nil {
		*made = data
	}
	s.publishOwn(t, r.ID, data)
}

// Goroutines is how many goroutines the system has: those that run agents and
// subscribers now, and a bounded number that rest until there is work again.
func (s *System) Goroutines() int { return s.scheduler.goroutines() }

// countQueued notes that messages were put into a mailbox, and how deep it is.
func (s *System) countQueued(messages, depth int) {
	s.queued.add(int64(messages))
	s.depths.see(depth)
}

// Telemetry reads the system's counters and gauges.
func (s *System) Telemetry() Telemetry {
	return Telemetry{
		Agents:              s.alive.Load(),
		HandlersAbandoned:   s.abandoned.count(),
		AgentsStarted:       s.agentsStarted.load(),
		AgentsStopped:       s.agentsStopped.load(),
		AgentsCrashed:       s.agentsCrashed.load(),
		AgentsRestarted:     s.agentsRestarted.load(),
		ComponentsRestarted: s.componentsRestarted.load(),
		ActionsDone:         s.actionsDone.load(),
		ActionsFailed:       s.actionsFailed.load(),
		RepliesLate:         s.repliesLate.load(),
		SignalsSent:         s.signals.sent.load(),
		SignalsHandled:      s.signals.handled.load(),
		SignalsDropped:      s.signals.dropped.load(),
		EventsPublished:     int64(s.bus.sequence.Load()),
		EventsDelivered:     s.bus.delivered.load(),
		EventsDropped:       s.bus.dropped.load(),
		Subscriptions:       s.bus.subscriptions.Load(),
		MailboxDepth:        max(s.queued.load(), 0), // its stripes are not read at one moment
		RegistryOperations:  s.registry.ops.load(),
		LimitReached:        s.limits.refused.Load(),
		RateLimited:         s.limiter.Refused(),
		CircuitRefused:      s.circuits.Refused(),
		Uptime:              time.Since(s.ready),
		CoordinationRounds:  s.coordinationRounds.load(),
	}
}
