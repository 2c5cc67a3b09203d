package measure

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"time"

	"mabeam-top/internal/probes/probe"
	mabeam "mabeam-top/internal/runtime"
	"mabeam-top/internal/stress"
	"mabeam-top/internal/stress/conformance"
	"mabeam-top/internal/stress/load"
	"mabeam-top/internal/stress/report"
	"mabeam-top/internal/stress/resources"
	"mabeam-top/internal/stress/scenario"
)

func agentCreation() *stress.Measurement {
	return &stress.Measurement{Measurement: scenario.Measurement{
		Name:      "agent-creation",
		Summary:   "Measures how fast agents start and register, and how much memory an idle agent takes.",
		Component: "agent_creation",
		Alone:     true,
		Params: []scenario.Param{
			{Name: "agents", Kind: scenario.Int, Default: 1000, Min: 1, Max: 10_000_000, Doc: "Agents to start."},
			{Name: "concurrency", Kind: scenario.Int, Default: 1, Min: 1, Max: 10_000, Doc: "Concurrent starts."},
			agentTypeParam(),
			{Name: "fail_every", Kind: scenario.Int, Default: 0, Min: 0, Max: -1, Doc: "Makes Init fail for every n-th agent; 0 for none."},
			{Name: "compare_parallel", Kind: scenario.Bool, Default: true, Doc: "Whether to repeat the starts on a second system with one starter per processor, to measure the speedup."},
		},
		Metrics: append([]scenario.Metric{
			{Name: "total_count", Unit: "count", Better: report.Neither, Doc: "Attempted starts."},
			{Name: "success_count", Unit: "count", Better: report.Higher, Doc: "Agents that started, by the count of the registry."},
			{Name: "success_rate", Unit: "ratio", Better: report.Higher, Must: "== 1", Aggregation: scenario.Worst, Expected: func(p scenario.Params) bool { return p.Int("fail_every") == 0 }, Doc: "success_count / total_count."},
			mustBeZero("wrong_results", "Starts and stops with an unexpected result: an agent whose Init fails starts, another agent does not start, or an agent does not stop."),
			mustBeZero("registration_errors", "Differences between the registry and the live agents in lookups and in the lists by type, capability and node, after the starts and after the stops."),
			{Name: "duration_ms", Unit: "ms", Better: report.Lower, Doc: "Time from the first start until the last agent is ready."},
			{Name: "agents_per_second", Unit: "1/s", Better: report.Higher, Probe: probe.AgentsStartedPerSecond, Doc: "success_count / duration."},
			{Name: "creation_time_ms", Unit: "ms", Better: report.Lower, Distribution: true, Probe: probe.ActionP50MS, Doc: "Time of one start, until the agent is registered and ready."},
			{Name: "memory_per_agent", Unit: "bytes", Better: report.Lower, Doc: "Growth of live heap and stacks by the starts, after two garbage collections, per agent. If all agents together hold less than 128 KiB, which is the noise of live memory, the value is that of more agents on a separate system."},
			{Name: "parallel_speedup", Unit: "ratio", Better: report.Higher, Given: comparesParallel, Doc: "Start rate with one starter per processor / start rate measured. Not reported if concurrency is already one per processor."},
			{Name: "cleanup_time_ms", Unit: "ms", Better: report.Lower, Doc: "Time to stop all agents gracefully."},
			{Name: "stops_per_second", Unit: "1/s", Better: report.Higher, Probe: probe.AgentsStoppedPerSecond, Doc: "Agents stopped per second."},
			telemetryMismatches(),
		}, leakMetrics()...),
		Estimate: func(p scenario.Params) time.Duration {
			return 100*time.Millisecond + time.Duration(p.Int("agents"))*5*time.Microsecond
		},
		Targets: []scenario.Target{scenario.TargetComponents},
	}, Run: func(ctx context.Context, env *stress.Env) error {
		p := env.Params
		return measureCreation(ctx, env, func(n int) mabeam.Spec {
			if every := p.Int("fail_every"); every > 0 && (n+1)%every == 0 {
				return mabeam.Spec{Type: "failing", Behaviour: failingInit{}}
			}
			return specOf(p.Text("agent_type"))
		})
	}}
}

// comparesParallel reports whether there is another concurrency to compare with.
func comparesParallel(p scenario.Params) bool {
	return p.Bool("compare_parallel") && p.Int("concurrency") != runtime.GOMAXPROCS(0)
}

// failingInit is an agent whose Init fails.
type failingInit struct{ mabeam.Defaults }

var errInit = errors.New("init fails on purpose")

func (failingInit) Init(context.Context, *mabeam.Agent) error { return errInit }

func (failingInit) HandleAction(context.Context, *mabeam.Agent, string, any) (any, error) {
	return nil, mabeam.ErrUnknownAction
}

// A startResult is the result of starting one agent.
type startResult struct {
	id    string
	wrong bool // the result does not match the agent's Init
}

func measureCreation(ctx context.Context, env *stress.Env, spec func(n int) mabeam.Spec) error {
	system := env.System()
	agents, workers := env.Count(env.Params.Int("agents")), env.Params.Int("concurrency")
	outcomes := make([]startResult, agents)
	expected := time.Duration(agents) * 5 * time.Microsecond
	starts := env.PrepareLoad(load.Load{Workers: workers, Operations: agents, For: loadTimeout(expected), Metrics: []string{"agents_per_second", "creation_time_ms"}})
	leaks, telemetry := newLeakCheck(env, system), newTelemetryCheck(env, system)

	before := resources.LiveBytes()
	created, err := starts.Run(ctx, func(ctx context.Context, op load.Op) (err error) {
		s, o := spec(op.N), &outcomes[op.N]
		o.id, err = system.StartAgent(ctx, s)
		_, fails := s.Behaviour.(failingInit)
		o.wrong = fails != errors.Is(err, errInit) || !fails && err != nil
		return err
	})
	if err != nil {
		return err
	}
	grown := resources.LiveBytes() - before
	registered := int64(system.Registry().Count())
	wrong, listings := conformance.NewChecker(env, "wrong_results"), conformance.NewChecker(env, "registration_errors")
	living := conformance.LiveAgents{}
	for n, o := range outcomes {
		if o.id != "" {
			living[o.id] = spec(n)
		}
		wrong.Expect(!o.wrong, "an agent whose Init fails started, or another agent did not start")
	}
	living.Check(listings, system)

	failedStops := make([]int64, workers)
	stopped, err := env.RunLoad(ctx, load.Load{Workers: workers, Operations: agents, For: loadTimeout(expected), Metrics: []string{"stops_per_second"}}, func(ctx context.Context, op load.Op) error {
		id := outcomes[op.N].id
		if id == "" {
			return nil // it did not start
		}
		outcomes[op.N].id = ""
		err := system.StopAgent(ctx, id)
		if err != nil {
			failedStops[op.Worker]++
		}
		return err
	})
	if err != nil {
		return err
	}
	for _, n := range failedStops {
		wrong.Add(n, "an agent did not stop")
	}
	env.Value("total_count", float64(created.Attempted))
	env.Value("success_count", float64(registered))
	env.Value("success_rate", ratio(registered, created.Attempted))
	env.Value("duration_ms", load.Milliseconds(created.Took))
	env.Value("agents_per_second", created.PerSecond())
	env.Latency("creation_time_ms", created.Latency)
	if registered > 0 {
		env.Value("cleanup_time_ms", load.Milliseconds(stopped.Took))
		env.Value("stops_per_second", load.PerSecond(min(registered, stopped.Succeeded), stopped.Took))
	}
	for _, o := range outcomes { // stop the agents for which the load had no time
		if o.id == "" {
			continue
		}
		if err := system.StopAgent(ctx, o.id); err != nil {
			return err
		}
	}
	living.CheckGone(listings, system)
	leaks.report(ctx)
	telemetry.expect(ctx, map[string]int64{
		"AgentsStarted": created.Succeeded, "AgentsStopped": created.Succeeded, "AgentsCrashed": 0, "AgentsRestarted": 0, "Agents": 0,
	})
	telemetry.report()
	wrong.Report()
	listings.Report()
	if err := reportMemoryPerAgent(ctx, env, "memory_per_agent", grown, registered, spec); err != nil {
		return err
	}
	if comparesParallel(env.Params) {
		return measureParallelSpeedup(ctx, env, created.PerSecond(), spec)
	}
	return nil
}

// reportMemoryPerAgent reports by how much memory grew with each of n agents. If that is
// within the noise, it measures more of the same agents.
func reportMemoryPerAgent(ctx context.Context, env *stress.Env, metric string, grown float64, n int64, spec func(n int) mabeam.Spec) error {
	if grown >= resources.MemoryNoise {
		env.Value(metric, grown/float64(n))
		return nil
	}
	each, err := measureMemoryPerAgent(ctx, env, spec)
	switch {
	case err != nil:
		return err
	case each > 0:
		env.Value(metric, each)
	case n > 0:
		env.Unmeasured(metric, belowNoise(fmt.Sprintf("even %d agents", maxMemoryAgents)))
	}
	return nil
}

// minMemoryAgents is how many agents measureMemoryPerAgent starts first, and
// maxMemoryAgents how many at most.
const minMemoryAgents, maxMemoryAgents = 500, 200_000

// measureMemoryPerAgent starts agents on a separate system until they hold several times
// the noise of live memory. It returns the memory of one, or 0 if no number of agents is
// enough.
func measureMemoryPerAgent(ctx context.Context, env *stress.Env, spec func(n int) mabeam.Spec) (each float64, _ error) {
	options := env.Options()
	options.MaxAgents = 0
	system, err := mabeam.Start(ctx, options)
	if err != nil {
		return 0, fmt.Errorf("start a system for more agents: %w", err)
	}
	defer conformance.StopSystem(ctx, env, system)
	empty, tried := resources.LiveBytes(), 0
	for until := minMemoryAgents; until <= maxMemoryAgents; until *= 2 {
		for ; tried < until; tried++ {
			if _, err := system.StartAgent(ctx, spec(tried)); err != nil && ctx.Err() != nil {
				return 0, ctx.Err()
			}
		}
		started := system.Registry().Count()
		if started == 0 {
			break // no agent starts
		}
		if grown := resources.LiveBytes() - empty; grown >= 4*resources.MemoryNoise {
			return grown / float64(started), nil
		}
	}
	return 0, nil
}

// measureParallelSpeedup repeats the starts on a new system with one starter per
// processor.
func measureParallelSpeedup(ctx context.Context, env *stress.Env, rate float64, spec func(n int) mabeam.Spec) error {
	if rate == 0 {
		env.Unmeasured("parallel_speedup", "no agent was started, so there is no rate to compare with")
		return nil
	}
	second, stop, err := startWatched(ctx, env, env.Options())
	if err != nil {
		return err
	}
	defer stop()
	agents := env.Count(env.Params.Int("agents"))
	created, err := env.RunLoad(ctx, load.Load{
		Workers: runtime.GOMAXPROCS(0), Operations: agents, For: loadTimeout(time.Duration(agents) * 5 * time.Microsecond),
		Metrics: []string{"parallel_speedup"},
	}, func(ctx context.Context, op load.Op) error {
		_, err := second.StartAgent(ctx, spec(op.N))
		return err
	})
	if err != nil {
		return err
	}
	env.Value("parallel_speedup", created.PerSecond()/rate)
	return nil
}
