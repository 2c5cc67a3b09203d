package mabeam

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"mabeam-top/internal/runtime/guard"
	"mabeam-top/internal/runtime/internal/crash"

	"mabeam-top/internal/runtime/internal/failure"

	"mabeam-top/internal/runtime/eventbus"

	"mabeam-top/internal/runtime/registry"
)

// A component is one part of a system.
type component struct {
	name  string
	start func()
	stop  func(context.Context) error // nil if there is nothing to stop
	// crash makes it lose what a crash loses, and restarts it; nil if a crash would lose
	// nothing.
	crash crash.Func
}

// A group of components depends on the groups before it. Its parts do not depend on each other.
type group struct {
	name  string
	parts []component
}

// A ComponentStart says how long a component took to start.
type ComponentStart struct {
	Component, Group string
	Took             time.Duration
}

// groups lists the groups in the order in which they start, with their parts.
func (s *System) groups() []group {
	return []group{
		{"core", []component{
			{
				name: "registry", start: func() { s.agents.Registry = registry.New() },
				crash: func(restarted func(string)) bool {
					s.agents.Crash()
					restarted("")
					return true
				},
			},
			{name: "scheduler", start: func() { s.scheduler = s.options.newScheduler() }, stop: s.stopScheduler},
		}},
		{"communication", []component{
			{
				name:  "event_bus",
				start: s.startBus,
				stop:  func(ctx context.Context) error { return s.bus.Stop(ctx) },
				crash: func(restarted func(string)) bool {
					s.bus.Crash()
					restarted("")
					return true
				},
			},
			{name: "signals", start: func() { s.signals = &signals{} }},
			// The calls whose callers wait for an answer.
			{name: "messages", start: func() { s.calls = newCallPool(s) }},
		}},
		{"agents", []component{
			{name: "agents", start: s.prepareAgents, stop: s.stopAgents, crash: s.crashServices},
		}},
		{"resources", []component{
			{name: "limits", start: func() { s.limits = newLimits(s.options) }},
			// Rates still apply to accepted work while the system stops; the end of
			// the system's context ends the waits for them.
			{name: "rate_limiter", start: s.startLimiter},
			{name: "circuit_breaker", start: s.startBreaker},
		}},
		{"observability", []component{
			{name: "telemetry", start: func() { s.ready = time.Now() }},
		}},
	}
}

// prepareAgents looks up the topics that every action needs.
func (s *System) prepareAgents() {
	s.executed = s.bus.Pin(EventActionExecuted)
	s.failed = s.bus.Pin(EventActionFailed)
	s.deadLetters.topic = s.bus.Pin(EventDeadLetter)
}

func (s *System) startBus() {
	o := &s.options
	s.propagate = o.Propagate
	s.bus = eventbus.New(eventbus.Config{
		Context: s.ctx, Scheduler: s.scheduler, Policy: o.BusPolicy, Queue: o.BusQueue, History: o.History,
		WaitTimeout: o.WaitTimeout, Propagate: o.Propagate, InCallback: InCallback, OnPanic: s.logSubscriberPanic,
	}).Control()
}

// startLimiter makes the limiter and hands its buckets to those who use them.
func (s *System) startLimiter() {
	s.limiter, _ = newLimiter(s.ctx, s.options.Rates) // the options have been checked
	s.startRate = s.limiter.Bucket(OperationStartAgent)
	s.actionRate = s.limiter.Bucket(OperationAction)
	s.plainTell = s.actionRate == nil && s.options.Propagate == nil
	s.signals.rate = s.limiter.Bucket(OperationSignal)
	s.bus.SetRate(s.limiter.Bucket(OperationPublish))
}

// startBreaker makes the breaker, which publishes its changes, and makes it guard the agents if
// the options say so.
func (s *System) startBreaker() {
	var o guard.BreakerOptions
	if s.options.Breaker != nil {
		o = *s.options.Breaker
	}
	hear := o.OnChange
	o.OnChange = func(ctx context.Context, c guard.StateChange) {
		s.announceCircuit(c)
		if hear != nil {
			hear(ctx, c)
		}
	}
	s.circuits, _ = guard.NewBreaker(o) // the options have been checked
	if s.options.Breaker != nil {
		s.breaker = s.circuits
	}
}

// Start starts a system, one group of components after the other: core (registry, scheduler),
// communication (event bus, signals, messages), agents, resources (limits, rate limiter, circuit
// breaker), and observability (telemetry). The components of one group start concurrently.
//
// If a component fails or panics, Start waits for the others of its group, stops all that were
// started, the last group first, and returns an error that names each failed component with its
// group and the reason. It does the same if ctx ends before the system is ready; a later end of
// ctx has no effect. Invalid options are an error before anything starts.
func Start(ctx context.Context, o Options) (*System, error) {
	if err := o.check(); err != nil {
		return nil, fmt.Errorf("start: %w", err)
	}
	o = o.withDefaults()
	lives, end := context.WithCancelCause(context.Background())
	cancel := func() { end(ErrSystemStopped) }
	s := &System{options: o, depths: &depthWatches{}, began: time.Now(), mailboxCapacity: o.Mailbox, countEvery: min(maxUncounted, 1+o.Mailbox/64), ctx: lives, cancel: cancel, stopped: make(chan struct{})}
	s.running, s.endRunning = context.WithCancel(lives)
	s.hurried, s.hurry = context.WithCancel(context.Background())
	if err := s.bringUp(ctx, s.groups()); err != nil {
		cancel()
		return nil, err
	}
	return s, nil
}

// bringUp starts groups one after the other. If one fails, or ctx ends, it stops those before.
func (s *System) bringUp(ctx context.Context, groups []group) error {
	for _, g := range groups {
		err := s.startGroup(g)
		if err == nil && ctx.Err() != nil {
			err = fmt.Errorf("start %s: %w", g.name, failure.ContextError(ctx))
		}
		if err != nil {
			return errors.Join(err, s.stopParts(s.ctx))
		}
	}
	return nil
}

// startGroup starts the parts of a group concurrently and waits for all of them.
func (s *System) startGroup(g group) error {
	errs := make([]error, len(g.parts))
	took := make([]time.Duration, len(g.parts))
	var starting sync.WaitGroup
	for i, c := range g.parts {
		starting.Go(func() {
			began, finished := time.Now(), false
			defer func() {
				if !finished {
					errs[i] = failure.NewPanicError(recover())
				}
			}()
			errs[i] = s.startPart(c)
			took[i] = time.Since(began)
			finished = true
		})
	}
	starting.Wait()
	for i, c := range g.parts {
		if errs[i] != nil {
			errs[i] = fmt.Errorf("start %s (%s): %w", c.name, g.name, errs[i])
			continue
		}
		s.parts = append(s.parts, c)
		s.startup = append(s.startup, ComponentStart{c.name, g.name, took[i]})
	}
	return errors.Join(errs...)
}

func (s *System) startPart(c component) error {
	if s.options.OnStart != nil {
		if err := s.options.OnStart(c.name); err != nil {
			return err
		}
	}
	c.start()
	return nil
}

// Startup returns how long each component took to start, group by group. The times of one group
// overlap.
func (s *System) Startup() []ComponentStart { return slices.Clone(s.startup) }

// Stop stops the components of the system, the last group first. Services such as supervisors
// stop first, the newest of them first; then all other agents stop, each after the work it has
// accepted; then subscribers handle the events that were published. An agent whose Init has not
// returned does not start any more: Stop waits for that too. When Stop returns nil, no goroutine
// of the system is left.
//
// If ctx ends before that, the contexts of handlers end, agents are killed, and the error says
// what was still running. A second Stop waits for the first and returns the same error; if its
// ctx ends, the first one proceeds as if its own ctx had ended. In a callback, which Stop would
// wait for, it returns a *DeadlockError at once, and the system stops in the background within
// the deadline of ctx.
func (s *System) Stop(ctx context.Context) error {
	if a := callbackOf(ctx); a != nil && a.system == s {
		go s.stopFor(ctx) // over when Done is closed
		return fmt.Errorf("stop: %w", &DeadlockError{Ring: []string{a.ID()}})
	}
	if !s.stopping.CompareAndSwap(false, true) {
		select {
		case <-s.stopped:
			return s.stopErr
		case <-ctx.Done():
			s.hurry()
			return fmt.Errorf("stop: %w", failure.ContextError(ctx))
		}
	}
	defer close(s.stopped)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(s.hurried, cancel)()
	// The end of ctx ends all waits.
	defer context.AfterFunc(ctx, s.cancel)()
	s.endRunning()
	s.stopErr = s.stopParts(ctx)
	s.cancel()
	return s.stopErr
}

// stopFor is Stop on behalf of a callback, which does not wait for it.
func (s *System) stopFor(callback context.Context) {
	ctx, cancel := context.Background(), context.CancelFunc(func() {})
	if deadline, has := callback.Deadline(); has {
		ctx, cancel = context.WithDeadline(ctx, deadline)
	}
	defer cancel()
	_ = s.Stop(ctx) // a further Stop returns the error
}

// stopParts stops the components that were started, in reverse order.
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

// stopScheduler waits until no goroutine is left. If ctx ends before, the error says how many
// are.
func (s *System) stopScheduler(ctx context.Context) error {
	if err := s.scheduler.Stop(ctx); err != nil {
		return fmt.Errorf("%d goroutines still run: %w", s.scheduler.Goroutines(), err)
	}
	return nil
}
