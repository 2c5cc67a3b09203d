package measure

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	mabeam "mabeam-top/internal/runtime"
	"mabeam-top/internal/runtime/agents"
	"mabeam-top/internal/stress"
	"mabeam-top/internal/stress/conformance"
	"mabeam-top/internal/stress/load"
	"mabeam-top/internal/stress/reference"
	"mabeam-top/internal/stress/report"
	"mabeam-top/internal/stress/resources"
	"mabeam-top/internal/stress/scenario"
)

// noComponent is the fail_component of a system that starts.
const noComponent = "none"

func systemStartup() *stress.Measurement {
	return &stress.Measurement{Measurement: scenario.Measurement{
		Name:      "system-startup",
		Summary:   "Measures how long a system takes to start and do its first work, and whether it recovers from a failed start.",
		Component: "system_startup",
		Alone:     true,
		Params: []scenario.Param{
			{Name: "agents", Kind: scenario.Int, Default: 5, Min: 1, Max: 1_000_000, Doc: "Agents of a ready system."},
			{Name: "event_subscribers", Kind: scenario.Int, Default: 10, Min: 1, Max: 1_000_000, Doc: "Event subscribers of a ready system."},
			{Name: "fail_component", Kind: scenario.Text, Default: noComponent, Choices: append([]string{noComponent}, conformance.Components...), Doc: "Component whose first start fails, to measure the recovery."},
		},
		Metrics: []scenario.Metric{
			{Name: "startup_time_ms", Unit: "ms", Better: report.Lower, Distribution: true, Doc: "Time to start all components of an empty system, for up to 21 systems in turn: as many as are ready within 200 ms, and one more."},
			{Name: "component_initialization_ms", Unit: "ms", Better: report.Lower, Keyed: true, Doc: "Sum of the start times of all components; with .PART, that of one."},
			{Name: "ready_time_ms", Unit: "ms", Better: report.Lower, Distribution: true, Doc: "Time from the start of the same systems until all agents and subscribers exist, the last agent has answered, and every subscriber has received an event."},
			{Name: "memory_overhead_mb", Unit: "MB", Better: report.Lower, Doc: "Growth of live heap and stacks from before the start until the system is ready, after two garbage collections each, in 1e6 bytes."},
			mustBeZero("components_not_working", "Components that do not work once the system is ready. Each is used once. Limits, rates, circuits, a crashed registry and a stopped system are checked on separate systems. The errors name each."),
			mustBeZero("component_times_wrong", "Start times of components that are missing, exceed the time of the whole start, or do not include an artificial delay of 2 ms, on a separate system."),
			telemetryMismatches(),
			{Name: "startup_failure_recovered", Unit: "bool", Better: report.Higher, Must: "== true", Given: failsComponent, Doc: "Whether a failed start named its component, left no goroutine behind, and could be repeated. Reported with fail_component."},
			{Name: "startup_failure_recovery_ms", Unit: "ms", Better: report.Lower, Given: failsComponent, Doc: "Time from the failure to the end of the repeated start."},
		},
		Estimate: func(p scenario.Params) time.Duration {
			return 200*time.Millisecond + time.Duration(p.Int("agents")+p.Int("event_subscribers"))*5*time.Microsecond
		},
	}, Run: func(ctx context.Context, env *stress.Env) error { return measureStartup(ctx, env, nil) }}
}

// failsComponent reports whether a start must fail.
func failsComponent(p scenario.Params) bool { return p.Text("fail_component") != noComponent }

const (
	// warmUpStarts is how many systems start before the one that is used. A single start
	// depends on how soon the machine wakes its other processors.
	warmUpStarts = 20
	// warmUpTimeout limits the time for these systems, which may have many agents.
	warmUpTimeout = 200 * time.Millisecond
)

// measureStartup runs one repetition; onStart, if given, is called before each component
// starts, concurrently for those of one group.
func measureStartup(ctx context.Context, env *stress.Env, onStart func(component string) error) (err error) {
	if failsComponent(env.Params) {
		if err := measureStartupRecovery(ctx, env, env.Params.Text("fail_component")); err != nil {
			return err
		}
	}
	options := env.Options()
	options.OnStart = onStart
	times, groups := &startTimes{load.NewHistogram(), load.NewHistogram()}, []float64{}
	for began := time.Now(); len(groups) < warmUpStarts && time.Since(began) < warmUpTimeout; {
		groups = append(groups, reference.StartGroups())
		system, _, err := times.bringUp(ctx, env, options)
		if err != nil {
			return err
		}
		conformance.StopSystem(ctx, env, system)
	}
	env.Reference(reference.GroupStart, report.Median(groups))
	before := resources.LiveBytes()
	system, whole, err := times.bringUp(ctx, env, options)
	if err != nil {
		return err
	}
	env.Watch(system)
	defer stopWatched(ctx, env, system)

	env.Latency("startup_time_ms", times.startup)
	env.Latency("ready_time_ms", times.ready)
	env.Value("memory_overhead_mb", (resources.LiveBytes()-before)/1e6)
	reportComponentTimes(env, system.Startup())
	agents, telemetry := int64(env.Params.Int("agents")), &telemetryCheck{env: env, system: system} // from the start
	telemetry.expect(ctx, map[string]int64{
		"AgentsStarted": agents, "Agents": agents, "AgentsStopped": 0, "AgentsCrashed": 0, "AgentsRestarted": 0, "ActionsDone": 1, "ActionsFailed": 0,
	})
	telemetry.report()
	if err := conformance.CheckComponents(ctx, env, system, env.Options()); err != nil {
		return err
	}
	return conformance.CheckStartTimes(ctx, env, system.Startup(), whole, env.Options())
}

// startTimes are the start times of systems and their times to readiness.
type startTimes struct{ startup, ready *load.Histogram }

// bringUp starts a system, and returns it when it is ready, with its start time.
func (t *startTimes) bringUp(ctx context.Context, env *stress.Env, options mabeam.Options) (*mabeam.System, time.Duration, error) {
	began := time.Now()
	system, err := mabeam.Start(ctx, options)
	if err != nil {
		env.Operations(0, 1, 0)
		return nil, 0, fmt.Errorf("start the system: %w", err)
	}
	whole := time.Since(began)
	if err := awaitReady(ctx, env, system); err != nil {
		env.Operations(0, 1, 0)
		conformance.StopSystem(ctx, env, system)
		return nil, 0, err
	}
	t.startup.Record(whole)
	t.ready.Record(time.Since(began))
	env.Operations(1, 0, 0)
	return system, whole, nil
}

// reportComponentTimes reports the times of the components, and their sum if each is
// reported once.
func reportComponentTimes(env *stress.Env, parts []mabeam.ComponentStart) {
	var inside time.Duration
	for _, c := range parts {
		inside += c.Took
		env.Value("component_initialization_ms."+c.Component, load.Milliseconds(c.Took))
	}
	if missing := conformance.MissingComponents(parts); len(missing) > 0 {
		env.Unmeasured("component_initialization_ms", "the system does not report the start time of these components exactly once: "+strings.Join(missing, ", "))
		return
	}
	env.Value("component_initialization_ms", load.Milliseconds(inside))
}

// awaitReady starts the agents and subscribers, and returns when they work.
func awaitReady(ctx context.Context, env *stress.Env, system *mabeam.System) error {
	var left atomic.Int64
	left.Store(int64(env.Params.Int("event_subscribers")))
	received := make(chan struct{})
	for range env.Params.Int("event_subscribers") {
		_, err := system.Bus().Subscribe("startup.ready", func(context.Context, mabeam.Event) {
			if left.Add(-1) == 0 {
				close(received)
			}
		}, mabeam.SubscribeOptions{})
		if err != nil {
			return fmt.Errorf("subscribe: %w", err)
		}
	}
	ids, err := startAgents(ctx, system, env.Params.Int("agents"), agents.Demo)
	if err != nil {
		return err
	}
	if _, err := system.Execute(ctx, ids[len(ids)-1], "ping", nil); err != nil {
		return fmt.Errorf("call the last agent: %w", err)
	}
	if err := system.Bus().Publish(ctx, mabeam.Event{Type: "startup.ready"}); err != nil {
		return err
	}
	select {
	case <-received:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

var errComponent = errors.New("component fails on purpose")

// measureStartupRecovery lets the start of a component fail and starts the system again.
func measureStartupRecovery(ctx context.Context, env *stress.Env, component string) error {
	goroutines := resources.Goroutines()
	options := env.Options()
	options.OnStart = func(c string) error {
		if c == component {
			return errComponent
		}
		return nil
	}
	unexpected, failure := mabeam.Start(ctx, options)
	failed := time.Now()
	if failure == nil {
		conformance.StopSystem(ctx, env, unexpected)
	}
	again, err := mabeam.Start(ctx, env.Options())
	took := time.Since(failed)
	if err == nil {
		conformance.StopSystem(ctx, env, again)
	}
	var left int
	resources.WaitWhile(ctx, func() bool {
		left = resources.Goroutines() - goroutines
		return left > 0
	})
	switch {
	case !errors.Is(failure, errComponent):
		env.Detail(fmt.Sprintf("the start did not fail with %s: %v", component, failure), 1)
	case err != nil:
		env.Detail(fmt.Sprintf("the system could not be started again: %v", err), 1)
	case left > 0:
		env.Detail("goroutines were left behind by a start that failed", int64(left))
	}
	env.Bool("startup_failure_recovered", errors.Is(failure, errComponent) && err == nil && left <= 0)
	env.Value("startup_failure_recovery_ms", load.Milliseconds(took))
	return nil
}
