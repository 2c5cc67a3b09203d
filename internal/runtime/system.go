package mabeam

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"mabeam-top/internal/runtime/guard"

	"mabeam-top/internal/runtime/internal/metric"

	"mabeam-top/internal/runtime/internal/scheduler"

	"mabeam-top/internal/runtime/internal/failure"

	"mabeam-top/internal/runtime/internal/propagate"

	"mabeam-top/internal/runtime/eventbus"

	"mabeam-top/internal/runtime/registry"
)

// A System is one running MABEAM. Any number of systems live side by side.
type System struct {
	options         Options
	mailboxCapacity int
	countEvery      int             // how many actions that nobody waits for are counted together
	ctx             context.Context // of the handlers; ends when the system is forced down
	cancel          context.CancelFunc

	agents    registry.Agents[Agent]
	bus       *eventbus.Control
	scheduler scheduler.Scheduler
	propagate propagate.Picker // of Options
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
	// startRate and actionRate are nil if there is no such rate, and breaker is nil if it
	// does not guard the agents: what is not configured costs a comparison.
	startRate, actionRate *guard.Bucket
	// tellsPlainly says that Tell has no rate, and propagates no context values.
	plainTell bool
	breaker   *guard.Breaker

	services   services
	failure    atomic.Pointer[error] // the reason of the last RootFailed
	running    context.Context       // ends when Stop begins, by endRunning
	endRunning context.CancelFunc

	deadLetters deadLetters
	namedGroups namedGroups

	// executed and failed are the topics of the actions' events, kept here so
	// that an action need not look them up.
	executed, failed *eventbus.Topic

	stopping atomic.Bool
	stopped  chan struct{}   // closed when Stop is done, and stopErr what it returned
	hurried  context.Context // ended by a second Stop whose context ends before the first is done
	hurry    context.CancelFunc
	stopErr  error

	alive                        atomic.Int64
	ending                       atomic.Int64 // agents that are being taken down
	agentsStarted, agentsStopped metric.Counter
	agentsCrashed                metric.Counter
	agentsRestarted              metric.Counter
	componentsRestarted          metric.Counter
	actionsDone, actionsFailed   metric.Counter
	repliesLate                  metric.Counter
	queued                       metric.Counter
	depths                       *depthWatches
	coordinationRounds           metric.Counter

	// types are the figures of the agents by type; nil while there is no Inspector. While
	// there is one, each agent counts its own actions too.
	types      atomic.Pointer[typeTable]
	inspectMu  sync.Mutex
	inspectors int // how many are open, guarded by inspectMu
}

// Node returns the system's name.
func (s *System) Node() string { return s.options.Node }

// Registry returns the registry of the system's agents.
func (s *System) Registry() *Registry { return s.agents.Registry }

// Bus returns the system's event bus.
func (s *System) Bus() *Bus { return (*Bus)(s.bus) }

// Context returns a context that ends when the system has stopped, or is forced down because
// it did not stop in time. See also Running.
func (s *System) Context() context.Context { return s.ctx }

// Limiter returns the rate limiter of Options.Rates, for the runtime's operations and for
// those of the program. When the system has stopped, everybody who waits in it gets
// ErrSystemStopped.
func (s *System) Limiter() *guard.Limiter { return s.limiter }

// Breaker returns a circuit breaker for targets of any kind, which publishes the changes of
// their circuits on the bus. With Options.Breaker it also guards the agents, each as a target
// with its id; without, it has the defaults of guard.BreakerOptions.
func (s *System) Breaker() *guard.Breaker { return s.circuits }

// stopAgents stops every agent gracefully, the services that work with them first, and kills
// those that have not stopped when ctx ends.
func (s *System) stopAgents(ctx context.Context) error {
	err := s.stopServices(ctx)
	agents := s.agents.Agents()
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
		err = errors.Join(err, fmt.Errorf("%d agents did not stop in time and were killed: %w", left, failure.ContextError(ctx)))
	}
	if starting := s.awaitStarts(ctx); starting > 0 {
		err = errors.Join(err, fmt.Errorf("%d agents were still starting: %w", starting, failure.ContextError(ctx)))
	}
	return err
}

// awaitEnds returns when no agent is being ended: somebody else may have killed one just now.
// It may poll, because only the runtime's own code runs meanwhile.
func (s *System) awaitEnds() {
	for s.ending.Load() > 0 {
		time.Sleep(10 * time.Microsecond)
	}
}

// awaitStarts returns when the agents whose start was under way have started in vain, or ctx
// ends. It returns how many have not.
func (s *System) awaitStarts(ctx context.Context) (starting int64) {
	for pause := 10 * time.Microsecond; s.alive.Load() > 0; pause = min(2*pause, time.Millisecond) {
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return s.alive.Load()
		}
	}
	return 0
}

// StopAgent stops an agent after the work accepted so far. When it returns, Terminate has run,
// and the agent's subscriptions and registration are gone. Stopping an agent that does not
// exist is not an error. A supervisor does not restart a child that was stopped this way, and
// forgets it.
//
// If ctx ends, or has no deadline and Options.WaitTimeout passes, StopAgent returns an error
// and the agent still stops. It also does after a *DeadlockError, which means that a callback
// stopped its own agent or one that waits for it; use Agent.Stop there.
//
// With a context that cannot end, such as context.Background, Terminate of an idle agent runs
// on the caller's goroutine, and StopAgent returns when Terminate does, however long it takes.
func (s *System) StopAgent(ctx context.Context, id string) error {
	a := s.agents.Get(id)
	if a == nil || a.reservation != nil {
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

// KillAgent ends an agent at once, without calling Terminate. When it returns, the agent's
// registration and subscriptions are gone, and everybody who waited for an answer has
// ErrKilled. The contexts of its callbacks end; a callback that ignores this is abandoned, see
// AbandonedHandlers. To the supervisor of a child this is an abnormal end, like a crash.
//
// An agent whose Init has not returned has no id yet, so it is not found: StartWithin of package
// supervision bounds an Init that may hang.
func (s *System) KillAgent(id string) {
	if a := s.agents.Get(id); a != nil {
		a.kill()
	}
}

// SuspendAgent makes an agent handle no further messages until ResumeAgent. A busy agent is
// suspended when its present callback has returned. The error is ErrUnknownAgent, or a
// *TransitionError if the agent is already suspended, or is stopping.
func (s *System) SuspendAgent(id string) error {
	a := s.agents.Get(id)
	if a == nil {
		return fmt.Errorf("suspend agent %q: %w", id, ErrUnknownAgent)
	}
	return a.suspend()
}

// ResumeAgent makes a suspended agent ready again, or cancels a suspension that has not taken
// effect yet. The error is ErrUnknownAgent, or a *TransitionError if the agent is not suspended.
func (s *System) ResumeAgent(id string) error {
	a := s.agents.Get(id)
	if a == nil {
		return fmt.Errorf("resume agent %q: %w", id, ErrUnknownAgent)
	}
	return a.resume()
}

// Execute is Ref.Execute for the living agent with an id.
func (s *System) Execute(ctx context.Context, id, action string, params any) (any, error) {
	a := s.agents.Get(id)
	if a == nil {
		return s.executeGuarded(ctx, nil, id, nil, action, params)
	}
	return a.executeFor(ctx, nil, action, params)
}

// Tell is Ref.Tell for the living agent with an id.
func (s *System) Tell(ctx context.Context, id, action string, params any) error {
	a := s.agents.Get(id)
	if a == nil {
		return newActionError(id, action, notBegun{ErrUnknownAgent})
	}
	return Ref{a}.Tell(ctx, action, params)
}

// Info describes an agent at one moment.
type Info struct {
	Record
	State     any
	Lifecycle Lifecycle
	// Version counts the changes of State.
	Version uint64
	// Mailbox is how many messages wait or are being handled.
	Mailbox int
	// Subscriptions are the event types and patterns that the agent subscribed to.
	Subscriptions []string
}

// Agent describes a living agent; the error is ErrUnknownAgent.
func (s *System) Agent(id string) (Info, error) {
	a := s.agents.Get(id)
	if a == nil {
		return Info{}, fmt.Errorf("agent %q: %w", id, ErrUnknownAgent)
	}
	info := Info{Record: a.entry.Record().Copy(), Lifecycle: a.Lifecycle()}
	a.mailbox.mu.Lock()
	defer a.mailbox.mu.Unlock()
	info.State, info.Version, info.Mailbox = a.data, a.version, a.mailbox.depth()
	if changed := a.changedAt(); changed.After(info.UpdatedAt) {
		info.UpdatedAt = changed
	}
	for _, sub := range a.subs {
		info.Subscriptions = append(info.Subscriptions, sub.Pattern())
	}
	return info, nil
}

// Announce publishes an event about the runtime itself or about what is built on it. Unlike
// Bus.Publish it has no rate, publishes nothing if nobody would get the event, and never waits:
// a subscriber without room loses its oldest event instead, which counts as dropped.
func (s *System) Announce(eventType, source string, data any) {
	if t := s.bus.Wanted(eventType); t != nil {
		s.bus.Announce(t, source, data)
	}
}

// announceLifecycle publishes what became of an agent. If made is not nil, the data is kept
// there for another event with the same data.
func (s *System) announceLifecycle(eventType string, a *Agent, reason string, made *any) {
	t := s.bus.Wanted(eventType)
	if t == nil {
		return
	}
	r := a.entry.Record()
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
	s.bus.Announce(t, r.ID, data)
}

// Goroutines returns how many goroutines the system has: those that run agents and subscribers
// now, and a bounded number that are idle until there is work again.
func (s *System) Goroutines() int { return s.scheduler.Goroutines() }

// countQueued counts messages that were put into a mailbox, whose depth is now depth.
func (s *System) countQueued(messages, depth int) {
	s.queued.Add(int64(messages))
	s.depths.see(depth)
}

// Telemetry reads the system's counters and gauges.
func (s *System) Telemetry() Telemetry {
	events := s.bus.Stats()
	return Telemetry{
		Agents:              s.alive.Load(),
		HandlersAbandoned:   s.abandoned.count(),
		AgentsStarted:       s.agentsStarted.Load(),
		AgentsStopped:       s.agentsStopped.Load(),
		AgentsCrashed:       s.agentsCrashed.Load(),
		AgentsRestarted:     s.agentsRestarted.Load(),
		ComponentsRestarted: s.componentsRestarted.Load(),
		ActionsDone:         s.actionsDone.Load(),
		ActionsFailed:       s.actionsFailed.Load(),
		RepliesLate:         s.repliesLate.Load(),
		SignalsSent:         s.signals.sent.Load(),
		SignalsHandled:      s.signals.handled.Load(),
		SignalsDropped:      s.signals.dropped.Load(),
		EventsPublished:     events.Published,
		EventsDelivered:     events.Delivered,
		EventsDropped:       events.Dropped,
		Subscriptions:       events.Subscriptions,
		MailboxDepth:        max(s.queued.Load(), 0), // its stripes are not read at one moment
		RegistryOperations:  s.agents.Operations(),
		LimitReached:        s.limits.refused.Load(),
		RateLimited:         s.limiter.Refused(),
		CircuitRefused:      s.circuits.Refused(),
		Uptime:              time.Since(s.ready),
		CoordinationRounds:  s.coordinationRounds.Load(),
	}
}
