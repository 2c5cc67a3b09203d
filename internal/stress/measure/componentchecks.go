package measure

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	mabeam "mabeam-top/internal/runtime"
	"mabeam-top/internal/runtime/agents"
	"mabeam-top/internal/stress"
)

// checkComponents uses each component of a system that has just started once, and
// counts those that do not do their work. It returns false, after the registry only, if
// the limits leave no room for an agent.
func checkComponents(ctx context.Context, system *mabeam.System, broken *checker) (room bool) {
	o := &fixture{system: system}
	registry, bus := system.Registry(), system.Bus()
	err := registry.Register(mabeam.Record{ID: "probe", Type: "probe"})
	_, found := registry.Lookup("probe")
	broken.expect(err == nil && found && len(registry.ByType("probe")) == 1 && registry.Unregister("probe") && len(registry.ByType("probe")) == 0,
		"registry: a record could not be registered, found, listed and taken out again")

	id, b, err := o.add(ctx)
	if errors.Is(err, mabeam.ErrLimitReached) {
		return false
	}
	if !broken.expect(err == nil, "agents: an agent did not start") {
		return true
	}
	limited, cancel := context.WithTimeout(ctx, settleTimeout)
	defer cancel()
	err = system.Tell(limited, id, "note", 1)
	broken.expect(err == nil && o.awaitIdle(ctx, id) && len(b.takeNotes()) == 1, "scheduler: an agent did not carry out what it was told")
	err = system.Signal(mabeam.Signal{Type: "probe"}, id)
	broken.expect(err == nil && o.awaitIdle(ctx, id) && len(b.takeSignals()) == 1, "signals: an agent did not get a signal once")
	reply, err := system.Request(limited, mabeam.Message{Type: "note", Target: id, Data: "probe"})
	broken.expect(err == nil && reply.Data == "probe", "messages: a request did not get its reply")

	var heard atomic.Int64
	s, err := bus.Subscribe("startup.probe", func(context.Context, mabeam.Event) { heard.Add(1) }, mabeam.SubscribeOptions{})
	if broken.expect(err == nil, "event_bus: nobody can subscribe") {
		err = bus.Publish(limited, mabeam.Event{Type: "startup.probe"})
		waitWhile(ctx, func() bool { return heard.Load() == 0 })
		broken.expect(err == nil && heard.Load() == 1, "event_bus: a subscriber did not get an event once")
		s.Unsubscribe()
	}
	broken.expect(o.stop(ctx, id) == nil && b.terminates.Load() == 1, "agents: an agent did not stop")
	return true
}

// checkRefusals uses the components that refuse, on systems of their own which have
// limits to keep.
func checkRefusals(ctx context.Context, env *stress.Env, broken *checker) error {
	guards := &guardChecks{env: env, checks: broken}
	oneAgent := func(o *mabeam.Options) { o.MaxAgents = 1 }
	err := guards.withSystem(ctx, oneAgent, func(s *mabeam.System, g guardedCalls) error {
		_, first := g.start(ctx, agents.Demo())
		_, second := g.start(ctx, agents.Demo())
		broken.expect(first == nil && errors.Is(second, mabeam.ErrLimitReached), "limits: the second agent, where one is allowed, was not the one that was refused")
		t := s.Telemetry()
		broken.expect(t.Agents == 1 && t.AgentsStarted == 1 && t.LimitReached == 1, "telemetry: what was started and refused is not counted")
		return nil
	})
	return errors.Join(err, guards.checkRefusals(ctx), guards.checkCircuit(ctx))
}

// A startDelayer delays the start of each component.
type startDelayer struct {
	mu      sync.Mutex
	delayed map[string]bool
}

// onStart is called before each component starts.
func (c *startDelayer) onStart(component string) error {
	c.mu.Lock()
	c.delayed[component] = true
	c.mu.Unlock()
	time.Sleep(startDelay)
	return nil
}

// startDelay is by how much checkStartTimes makes each component slower.
const startDelay = 2 * time.Millisecond

// checkStartTimes starts a system whose components all take at least startDelay, and
// compares the times that it reports with the clock.
func checkStartTimes(ctx context.Context, env *stress.Env, wrong *checker) error {
	clock := &startDelayer{delayed: map[string]bool{}}
	options := env.Options()
	options.OnStart = clock.onStart
	began := time.Now()
	system, err := mabeam.Start(ctx, options)
	whole := time.Since(began)
	if err != nil {
		return err
	}
	parts := system.Startup()
	for _, c := range parts {
		wrong.expect(clock.delayed[c.Component] && c.Took >= startDelay, "a component's start took longer than the system reports")
	}
	for _, name := range missingComponents(parts) {
		wrong.add(1, "the system does not report once how long this component took to start: "+name)
	}
	wrong.expect(fitsInto(parts, whole), "the groups of components, which start one after the other, took longer than the whole start by what the system reports")
	stopSystem(ctx, env, system)
	return nil
}

// components are the parts of a system, in the order in which they start.
var components = []string{
	"registry", "scheduler", "event_bus", "signals", "messages", "agents",
	"limits", "rate_limiter", "circuit_breaker", "telemetry",
}

// unreported returns the components that are not in the list exactly once.
func missingComponents(parts []mabeam.ComponentStart) (missing []string) {
	times := map[string]int{}
	for _, c := range parts {
		times[c.Component]++
	}
	for _, name := range components {
		if times[name] != 1 {
			missing = append(missing, name)
		}
	}
	return missing
}

// fitsInto says whether the slowest components of the groups, which start one after the
// other, fit into the time that the whole start took.
func fitsInto(parts []mabeam.ComponentStart, whole time.Duration) bool {
	slowest := map[string]time.Duration{}
	for _, c := range parts {
		slowest[c.Group] = max(slowest[c.Group], c.Took)
	}
	for _, took := range slowest {
		whole -= took
	}
	return whole >= 0
}
