package measure

import (
	"context"
	"sync"
	"time"

	"mabeam-top/internal/probes/probe"
	mabeam "mabeam-top/internal/runtime"
	"mabeam-top/internal/runtime/agents"
	"mabeam-top/internal/stress"
	"mabeam-top/internal/stress/conformance"
	"mabeam-top/internal/stress/load"
	"mabeam-top/internal/stress/report"
	"mabeam-top/internal/stress/resources"
	"mabeam-top/internal/stress/scenario"
)

const (
	// sandboxParts is the maximum number of parts of the sandboxes. Memory is read between
	// them.
	sandboxParts = 12
	// minMemoryParts is how many parts show whether memory grows.
	minMemoryParts = 3
	// maxRestartTime limits the mean restart time, in milliseconds. It is a thousand times
	// the usual time, and several times that on a busy machine.
	maxRestartTime = "< 50"
)

func sandboxLifecycle() *stress.Measurement {
	return &stress.Measurement{Measurement: scenario.Measurement{
		Name:    "sandbox-lifecycle",
		Summary: "Measures how fast complete systems start and stop in parallel and what they cost, and checks their isolation and the rules of supervision.",
		Alone:   true,
		Params: []scenario.Param{
			{Name: "sandboxes", Kind: scenario.Int, Default: 50, Min: 1, Max: 1_000_000, Doc: "Complete systems to start, use and stop."},
			{Name: "agents", Kind: scenario.Int, Default: 10, Min: 1, Max: 100_000, Doc: "Supervised agents in each, with the same ids in all sandboxes."},
			{Name: "concurrency", Kind: scenario.Int, Default: 4, Min: 1, Max: 1000, Doc: "Concurrent sandboxes, besides one that exists all the time."},
		},
		Metrics: []scenario.Metric{
			{Name: "sandboxes_per_second", Unit: "1/s", Better: report.Higher, Probe: probe.CompletedPerSecond, Doc: "Sandboxes that were started, used and stopped / time spent on them."},
			{Name: "creation_time_ms", Unit: "ms", Better: report.Lower, Distribution: true, Doc: "Time to start a system, its supervisor and all its agents."},
			{Name: "destruction_time_ms", Unit: "ms", Better: report.Lower, Distribution: true, Doc: "Time to stop all of that."},
			{Name: "restart_time_ms", Unit: "ms", Better: report.Lower, Distribution: true, Must: maxRestartTime, Timed: true, Given: func(p scenario.Params) bool { return p.Int("agents") > 1 && p.Int("sandboxes") > 1 }, Doc: "Time from killing an agent, in every second sandbox, until its supervisor has restarted it."},
			{Name: "success_rate", Unit: "ratio", Better: report.Higher, Must: "== 1", Timed: true, Aggregation: scenario.Worst, Doc: "Sandboxes that were started, used and stopped without an error / sandboxes."},
			{Name: "memory_per_sandbox", Unit: "bytes", Better: report.Lower, Keyed: true, Doc: "Growth of live heap and stacks by a sandbox, after two garbage collections: the median of 5 rounds of 10 sandboxes each. With .services, the empty system; with .supervisor, what an empty supervisor adds; with .agents, what all agents add."},
			mustBeZero("isolation_violations", "Events, agents, state changes, ends and restarts of agents that a sandbox saw and that were not its own. In every second sandbox an agent is killed and restarted."),
			mustBeZero("supervision_rules_broken", "Violations of the documented rules of supervision, on a separate system: strategies, restart policies, restart intensity and its time window, restarts at the agent limit, registrations, and the order of stops. The errors name each."),
			mustBeZero("leaked_goroutines", "Increase in goroutines, at most one second after the last sandbox was stopped."),
			{Name: "memory_growth_rate", Unit: "ratio", Better: report.Lower, Unclipped: true, Given: readsMemory, Doc: "Theil–Sen slope of live memory × run length / median. Live memory is read up to 13 times between sandboxes, each after two garbage collections."},
			{Name: "memory_stable", Unit: "bool", Better: report.Higher, Must: "== true", Given: readsMemory, Bound: &scenario.Bound{Metric: "memory_growth_rate", Limit: stableGrowth}, Doc: "Whether memory_growth_rate is within ±10 %, and no goroutine leaked."},
			telemetryMismatches(),
		},
		Estimate: func(p scenario.Params) time.Duration {
			return 300*time.Millisecond + time.Duration(p.Int("sandboxes")+memoryRounds*memorySandboxes)*sandboxTime(p)
		},
	}, Run: func(ctx context.Context, env *stress.Env) error {
		return measureSandboxes(ctx, env, agents.Demo, nil)
	}}
}

// readsMemory reports whether the sandboxes are enough to read live memory three times.
func readsMemory(p scenario.Params) bool { return p.Int("sandboxes") > 1 }

// sandboxTime is roughly how long a sandbox takes.
func sandboxTime(p scenario.Params) time.Duration {
	return time.Millisecond + time.Duration(p.Int("agents"))*10*time.Microsecond
}

func measureSandboxes(ctx context.Context, env *stress.Env, spec func() mabeam.Spec, disturb func(s *sandbox)) error {
	sandboxes := env.Count(env.Params.Int("sandboxes"))
	leaks := newLeakCheck(env, env.System())
	if err := measureSandboxMemory(ctx, env, spec); err != nil {
		return err
	}
	run := &sandboxRun{env: env, spec: spec, disturb: disturb, creation: load.NewRecorder(), destruction: load.NewRecorder(), restarts: load.NewRecorder()}
	run.restart = run.restarts.Shard()
	// The resident exists all the time, and must not notice the others.
	resident, err := run.start(ctx, sandboxes, run.creation.Shard())
	if err != nil {
		return err
	}
	total, memory, err := run.run(ctx, sandboxes)
	if err == nil {
		run.check(resident)
	}
	conformance.StopSystem(ctx, env, resident.system)
	if err != nil {
		return err
	}
	leaked := leaks.find(ctx)[0]
	env.Value("sandboxes_per_second", total.PerSecond())
	env.Latency("creation_time_ms", run.creation.Total())
	env.Latency("destruction_time_ms", run.destruction.Total())
	env.Value("success_rate", ratio(total.Succeeded, total.Attempted))
	env.Latency("restart_time_ms", run.restarts.Total())
	env.Value("isolation_violations", float64(run.violations))
	env.Value("leaked_goroutines", float64(leaked))
	env.Value("telemetry_mismatches", float64(run.mismatches))
	if readsMemory(env.Params) {
		env.Growth("memory_growth_rate", memory)
		env.Bool("memory_stable", leaked == 0)
	}
	return conformance.CheckSupervision(ctx, env, env.Options())
}

// A sandboxRun starts, uses and stops sandboxes.
type sandboxRun struct {
	env                   *stress.Env
	spec                  func() mabeam.Spec
	disturb               func(*sandbox) // disturbs a ready sandbox; may be nil
	creation, destruction *load.Recorder
	restarts              *load.Recorder

	mu         sync.Mutex // guards the fields below
	restart    *load.Shard
	violations int64
	mismatches int // of telemetry
}

// run runs each sandbox, and reads live memory in between.
func (l *sandboxRun) run(ctx context.Context, sandboxes int) (total load.Result, memory []float64, err error) {
	workers := l.env.Params.Int("concurrency")
	created, destroyed := make([]*load.Shard, workers), make([]*load.Shard, workers)
	for i := range workers {
		created[i], destroyed[i] = l.creation.Shard(), l.destruction.Shard()
	}
	memory = append(memory, resources.LiveBytes())
	parts := min(sandboxParts, sandboxes)
	within := loadTimeout(time.Duration(sandboxes) * sandboxTime(l.env.Params))
	for part := range parts {
		if part >= minMemoryParts && total.Took > within {
			break // all sandboxes would exceed the timeout of the scenario
		}
		from := sandboxes * part / parts
		n := sandboxes*(part+1)/parts - from
		result, err := l.env.RunLoad(ctx, load.Load{Workers: min(workers, n), Operations: n, For: within / time.Duration(parts)}, func(ctx context.Context, op load.Op) error {
			s, err := l.start(ctx, from+op.N, created[op.Worker])
			if err != nil {
				return err
			}
			l.check(s)
			began := time.Now()
			conformance.StopSystem(ctx, l.env, s.system)
			destroyed[op.Worker].Record(time.Since(began))
			return err
		})
		if err != nil {
			return total, memory, err
		}
		total.Add(result)
		memory = append(memory, resources.LiveBytes())
	}
	return total, memory, nil
}

// start starts a sandbox and uses it.
func (l *sandboxRun) start(ctx context.Context, number int, created *load.Shard) (*sandbox, error) {
	began := time.Now()
	s, err := startSandbox(ctx, l.env, number, l.spec)
	if err != nil {
		return nil, err
	}
	created.Record(time.Since(began))
	telemetry := newTelemetryCheck(l.env, s.system)
	err = s.listen()
	if err == nil {
		err = s.exercise(ctx)
	}
	if err != nil {
		conformance.StopSystem(ctx, l.env, s.system)
		return nil, err
	}
	l.count(ctx, s, telemetry)
	if l.disturb != nil {
		l.disturb(s)
	}
	return s, nil
}

// count compares the telemetry of a sandbox with what was done in it, and records the
// restart time.
func (l *sandboxRun) count(ctx context.Context, s *sandbox, telemetry *telemetryCheck) {
	telemetry.expect(ctx, map[string]int64{
		"AgentsStarted": s.kills(), "AgentsStopped": s.kills(), "AgentsRestarted": s.kills(), "AgentsCrashed": 0, "Agents": 0,
		"ActionsDone": 1, "ActionsFailed": 0,
	})
	l.mu.Lock()
	defer l.mu.Unlock()
	l.mismatches += telemetry.mismatches
	if s.restarted > 0 {
		l.restart.Record(s.restarted)
	}
}

// check counts what a sandbox saw of others.
func (l *sandboxRun) check(s *sandbox) {
	for _, v := range s.violations() {
		if v.count > 0 {
			l.env.Detail("isolation violated: a sandbox saw "+v.what+" of another sandbox", v.count)
			l.mu.Lock()
			l.violations += v.count
			l.mu.Unlock()
		}
	}
}
