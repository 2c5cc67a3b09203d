package measure

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	mabeam "mabeam-top/internal/runtime"
	"mabeam-top/internal/runtime/agents"
	"mabeam-top/internal/stress"
	"mabeam-top/internal/stress/resources"
)

// checkComponents uses each component of a new system once. It returns false, after the
// registry only, if the limits leave no room for an agent.
func checkComponents(ctx context.Context, system *mabeam.System, broken *checker) (room bool) {
	f := &fixture{checker: broken, system: system}
	registry, bus := system.Registry(), system.Bus()
	err := registry.Register(mabeam.Record{ID: "probe", Type: "probe"})
	_, found := registry.Lookup("probe")
	f.expect(err == nil && found && len(registry.ByType("probe")) == 1 && registry.Unregister("probe") && len(registry.ByType("probe")) == 0,
		"registry: a record could not be registered, found, listed and unregistered")

	id, s, err := f.addSpy(ctx)
	if errors.Is(err, mabeam.ErrLimitReached) {
		return false
	}
	if !f.expect(err == nil, "agents: an agent did not start") {
		return true
	}
	limited, cancel := context.WithTimeout(ctx, resources.SettleTimeout)
	defer cancel()
	err = system.Tell(limited, id, "note", 1)
	f.expect(err == nil && f.awaitIdle(ctx, id) && len(s.takeNotes()) == 1, "scheduler: an agent did not handle an action once")
	err = system.Signal(mabeam.Signal{Type: "probe"}, id)
	f.expect(err == nil && f.awaitIdle(ctx, id) && len(s.takeSignals()) == 1, "signals: an agent did not handle a signal once")
	reply, err := system.Request(limited, mabeam.Message{Type: "note", Target: id, Data: "probe"})
	f.expect(err == nil && reply.Data == "probe", "messages: a request did not get its reply")

	var received atomic.Int64
	subscription, err := bus.Subscribe("startup.probe", func(context.Context, mabeam.Event) { received.Add(1) }, mabeam.SubscribeOptions{})
	if f.expect(err == nil, "event_bus: subscribing failed") {
		err = bus.Publish(limited, mabeam.Event{Type: "startup.probe"})
		resources.WaitWhile(ctx, func() bool { return received.Load() == 0 })
		f.expect(err == nil && received.Load() == 1, "event_bus: a subscriber did not receive an event once")
		subscription.Unsubscribe()
	}
	f.expect(f.stop(ctx, id) == nil && s.terminates.Load() == 1, "agents: an agent did not stop")
	return true
}

// checkRefusals uses the components that enforce limits, on systems with such limits.
func checkRefusals(ctx context.Context, env *stress.Env, broken *checker) error {
	guards := &guardChecks{env: env, checks: broken}
	oneAgent := func(o *mabeam.Options) { o.MaxAgents = 1 }
	err := guards.withSystem(ctx, oneAgent, func(s *mabeam.System, g systemCalls) error {
		_, first := g.start(ctx, agents.Demo())
		_, second := g.start(ctx, agents.Demo())
		broken.expect(first == nil && errors.Is(second, mabeam.ErrLimitReached), "limits: with a limit of one agent, not exactly the second agent was refused")
		t := s.Telemetry()
		broken.expect(t.Agents == 1 && t.AgentsStarted == 1 && t.LimitReached == 1, "telemetry: started and refused agents are not counted")
		return nil
	})
	return errors.Join(err, guards.checkRefusals(ctx), guards.checkCircuit(ctx))
}

// startDelay is by how much checkStartTimes delays the start of each component.
const startDelay = 2 * time.Millisecond

// checkStartTimes starts a system whose components all take at least startDelay, and
// compares the times that it reports with the clock.
func checkStartTimes(ctx context.Context, env *stress.Env, wrong *checker) error {
	var mu sync.Mutex
	delayed := map[string]bool{}
	options := env.Options()
	options.OnStart = func(component string) error {
		mu.Lock()
		delayed[component] = true
		mu.Unlock()
		time.Sleep(startDelay)
		return nil
	}
	began := time.Now()
	system, err := mabeam.Start(ctx, options)
	whole := time.Since(began)
	if err != nil {
		return err
	}
	parts := system.Startup()
	for _, c := range parts {
		wrong.expect(delayed[c.Component] && c.Took >= startDelay, "the start of a component took longer than the system reports")
	}
	for _, name := range missingComponents(parts) {
		wrong.add(1, "the system does not report the start time of this component exactly once: "+name)
	}
	wrong.expect(fitsInto(parts, whole), groupsTooSlow)
	stopSystem(ctx, env, system)
	return nil
}

// groupsTooSlow is the violation of start times that contradict the clock.
const groupsTooSlow = "the reported times of the component groups, which start one after the other, exceed the time of the whole start"

// components are the parts of a system in the order in which they start.
var components = []string{
	"registry", "scheduler", "event_bus", "signals", "messages", "agents",
	"limits", "rate_limiter", "circuit_breaker", "telemetry",
}

// missingComponents returns the components that are not in the list exactly once.
func missingComponents(parts []mabeam.ComponentStart) []string {
	times := map[string]int{}
	for _, c := range parts {
		times[c.Component]++
	}
	return slices.DeleteFunc(slices.Clone(components), func(name string) bool { return times[name] == 1 })
}

// fitsInto reports whether the slowest components of the groups, which start one after
// the other, fit into the time that the whole start took.
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
