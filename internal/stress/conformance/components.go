package conformance

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	mabeam "mabeam-top/internal/runtime"
	"mabeam-top/internal/runtime/agents"
	"mabeam-top/internal/stress/resources"
)

// CheckComponents uses each component of a new system once, and reports
// components_not_working. It checks limits, rates, circuits, a crashed registry and a
// stopped system on separate systems with the same options.
func CheckComponents(ctx context.Context, r Recorder, system *mabeam.System, options mabeam.Options) error {
	broken := NewChecker(r, "components_not_working")
	if !useComponents(ctx, system, broken) { // the limit leaves no room
		err := WithSystem(ctx, r, options, nil, func(s *mabeam.System) error {
			broken.Expect(useComponents(ctx, s, broken), "limits: an agent was refused although there is no limit")
			return nil
		})
		if err != nil {
			return err
		}
	}
	for _, check := range []func(context.Context, mabeam.Options, *Checker) error{checkRefusals, checkRegistryCrash, checkSystemEnd} {
		if err := check(ctx, options, broken); err != nil {
			return err
		}
	}
	broken.Report()
	return nil
}

// useComponents uses each component of a new system once. It returns false, after the
// registry only, if the limits leave no room for an agent.
func useComponents(ctx context.Context, system *mabeam.System, broken *Checker) (room bool) {
	f := &fixture{Checker: broken, system: system}
	registry, bus := system.Registry(), system.Bus()
	err := registry.Register(mabeam.Record{ID: "probe", Type: "probe"})
	_, found := registry.Lookup("probe")
	f.Expect(err == nil && found && len(registry.ByType("probe")) == 1 && registry.Unregister("probe") && len(registry.ByType("probe")) == 0,
		"registry: a record could not be registered, found, listed and unregistered")

	id, s, err := f.addSpy(ctx)
	if errors.Is(err, mabeam.ErrLimitReached) {
		return false
	}
	if !f.Expect(err == nil, "agents: an agent did not start") {
		return true
	}
	limited, cancel := context.WithTimeout(ctx, resources.SettleTimeout)
	defer cancel()
	err = system.Tell(limited, id, "note", 1)
	f.Expect(err == nil && f.awaitIdle(ctx, id) && len(s.takeNotes()) == 1, "scheduler: an agent did not handle an action once")
	err = system.Signal(mabeam.Signal{Type: "probe"}, id)
	f.Expect(err == nil && f.awaitIdle(ctx, id) && len(s.takeSignals()) == 1, "signals: an agent did not handle a signal once")
	reply, err := system.Request(limited, mabeam.Message{Type: "note", Target: id, Data: "probe"})
	f.Expect(err == nil && reply.Data == "probe", "messages: a request did not get its reply")

	var received atomic.Int64
	subscription, err := bus.Subscribe("startup.probe", func(context.Context, mabeam.Event) { received.Add(1) }, mabeam.SubscribeOptions{})
	if f.Expect(err == nil, "event_bus: subscribing failed") {
		err = bus.Publish(limited, mabeam.Event{Type: "startup.probe"})
		resources.WaitWhile(ctx, func() bool { return received.Load() == 0 })
		f.Expect(err == nil && received.Load() == 1, "event_bus: a subscriber did not receive an event once")
		subscription.Unsubscribe()
	}
	f.Expect(f.stop(ctx, id) == nil && s.terminates.Load() == 1, "agents: an agent did not stop")
	return true
}

// checkRefusals uses the components that enforce limits, on systems with such limits.
func checkRefusals(ctx context.Context, options mabeam.Options, broken *Checker) error {
	guards := &guardChecks{options: options, checks: broken}
	oneAgent := func(o *mabeam.Options) { o.MaxAgents = 1 }
	err := guards.withSystem(ctx, oneAgent, func(s *mabeam.System, g Calls) error {
		_, first := g.Start(ctx, agents.Demo())
		_, second := g.Start(ctx, agents.Demo())
		broken.Expect(first == nil && errors.Is(second, mabeam.ErrLimitReached), "limits: with a limit of one agent, not exactly the second agent was refused")
		t := s.Telemetry()
		broken.Expect(t.Agents == 1 && t.AgentsStarted == 1 && t.LimitReached == 1, "telemetry: started and refused agents are not counted")
		return nil
	})
	return errors.Join(err, guards.checkRefusals(ctx), guards.checkCircuit(ctx))
}

// CheckStartTimes compares the times of components, which a system with these options has
// reported, with the time of the whole start, and reports component_times_wrong. It does
// the same for another system, whose components start slowly.
func CheckStartTimes(ctx context.Context, r Recorder, parts []mabeam.ComponentStart, whole time.Duration, options mabeam.Options) error {
	wrong := NewChecker(r, "component_times_wrong")
	wrong.Expect(fitsInto(parts, whole), groupsTooSlow)
	if err := checkSlowStart(ctx, options, wrong); err != nil {
		return err
	}
	wrong.Report()
	return nil
}

// startDelay is by how much checkSlowStart delays the start of each component.
const startDelay = 2 * time.Millisecond

// checkSlowStart starts a system whose components all take at least startDelay, and
// compares the times that it reports with the clock.
func checkSlowStart(ctx context.Context, options mabeam.Options, wrong *Checker) error {
	var mu sync.Mutex
	delayed := map[string]bool{}
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
		wrong.Expect(delayed[c.Component] && c.Took >= startDelay, "the start of a component took longer than the system reports")
	}
	for _, name := range MissingComponents(parts) {
		wrong.Add(1, "the system does not report the start time of this component exactly once: "+name)
	}
	wrong.Expect(fitsInto(parts, whole), groupsTooSlow)
	StopSystem(ctx, wrong.recorder, system)
	return nil
}

// groupsTooSlow is the violation of start times that contradict the clock.
const groupsTooSlow = "the reported times of the component groups, which start one after the other, exceed the time of the whole start"

// Components are the parts of a system in the order in which they start.
var Components = []string{
	"registry", "scheduler", "event_bus", "signals", "messages", "agents",
	"limits", "rate_limiter", "circuit_breaker", "telemetry",
}

// MissingComponents returns the components that are not in the list exactly once.
func MissingComponents(parts []mabeam.ComponentStart) []string {
	times := map[string]int{}
	for _, c := range parts {
		times[c.Component]++
	}
	return slices.DeleteFunc(slices.Clone(Components), func(name string) bool { return times[name] == 1 })
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
