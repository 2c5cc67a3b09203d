package measure

import (
	"context"
	"sync"
	"time"

	mabeam "mabeam-top/internal/runtime"
	"mabeam-top/internal/runtime/agents"
	"mabeam-top/internal/stress"
	"mabeam-top/internal/stress/load"
	"mabeam-top/internal/stress/report"
	"mabeam-top/internal/stress/scenario"
)

const (
	// sandboxParts is into how many parts the sandboxes are divided, at most:
	// memory is read between them.
	sandboxParts = 12
	// minMemoryParts is how many of them show whether memory grows.
	minMemoryParts = 3
	// maxRestartTime is how long a restart may take in the mean, in milliseconds: a
	// thousand times as long as it does, and several times as long as a busy machine
	// makes it.
	maxRestartTime = "< 50"
)

func sandboxLifecycle() *stress.Measurement {
	return &stress.Measurement{Measurement: scenario.Measurement{
		Name:    "sandbox-lifecycle",
		Summary: "How fast are whole systems started and stopped side by side, what does each take, and does any notice another?",
		Alone:   true,
		Params: []scenario.Param{
			{Name: "sandboxes", Kind: scenario.Int, Default: 50, Min: 1, Max: 1_000_000, Doc: "Whole systems to start, try and stop."},
			{Name: "agents", Kind: scenario.Int, Default: 10, Min: 1, Max: 100_000, Doc: "Agents in each, under a supervisor, with the same ids in all sandboxes."},
			{Name: "concurrency", Kind: scenario.Int, Default: 4, Min: 1, Max: 1000, Doc: "Sandboxes that are there at once, besides one that is there all the time."},
		},
		Metrics: []scenario.Metric{
			{Name: "sandboxes_per_second", Unit: "1/s", Better: report.Higher, Probe: "completed_per_second", Doc: "Sandboxes that were started, tried and stopped / time spent on them."},
			{Name: "creation_time_ms", Unit: "ms", Better: report.Lower, Distribution: true, Doc: "Time to start a system, its supervisor and all its agents."},
			{Name: "destruction_time_ms", Unit: "ms", Better: report.Lower, Distribution: true, Doc: "Time to stop all that again."},
			{Name: "restart_time_ms", Unit: "ms", Better: report.Lower, Distribution: true, Must: maxRestartTime, Timed: true, Given: func(p scenario.Params) bool { return p.Int("agents") > 1 && p.Int("sandboxes") > 1 }, Doc: "Time from killing an agent, in every second sandbox, until its supervisor has it live again."},
			{Name: "success_rate", Unit: "ratio", Better: report.Higher, Must: "== 1", Timed: true, Aggregation: scenario.Worst, Doc: "Sandboxes that were started, tried and stopped without an error / sandboxes."},
			{Name: "memory_per_sandbox", Unit: "bytes", Better: report.Lower, Keyed: true, Doc: "Growth of live heap and stacks by a sandbox, after two collections: the median of 5 rounds of 10 sandboxes each. With .services what the system takes without anything in it, with .supervisor what an empty supervisor adds, with .agents what all its agents add."},
			mustBeZero("isolation_violations", "Events, agents, changes of state, ends and restarts of agents that a sandbox saw and that were not its own; every second sandbox has an agent killed and restarted for that."),
			mustBeZero("supervision_rules_broken", "Documented rules of supervision that did not hold on a system of their own: who is restarted with whom, after which ends, how often and within what time until the supervisor gives up, at the limit on agents too, what stays registered, and in which order children stop. The errors name each."),
			mustBeZero("leaked_goroutines", "Goroutines more than before, at most a second after the last sandbox was stopped."),
			{Name: "memory_growth_rate", Unit: "ratio", Better: report.Lower, Unclipped: true, Given: readsMemory, Doc: "Theil–Sen slope of live memory, read up to 13 times between sandboxes after two collections, × run length / median."},
			{
				Name: "memory_stable", Unit: "bool", Better: report.Higher, Must: "== true", Given: readsMemory,
				Bound: &scenario.Bound{Metric: "memory_growth_rate", Limit: stableGrowth},
				Doc:   "Whether memory_growth_rate is below 10 % either way, and no goroutine leaked.",
			},
			telemetryMismatches(),
		},
		Estimate: func(p scenario.Params) time.Duration {
			return 300*time.Millisecond + time.Duration(p.Int("sandboxes")+memoryRounds*memorySandboxes)*sandboxTime(p)
		},
	}, Run: func(ctx context.Context, env *stress.Env) error {
		return measureSandboxes(ctx, env, agents.Demo, nil)
	}}
}

// readsMemory says whether there are sandboxes enough to read live memory three times.
func readsMemory(p scenario.Params) bool { return p.Int("sandboxes") > 1 }

// sandboxTime is about how long a sandbox takes.
func sandboxTime(p scenario.Params) time.Duration {
	return time.Millisecond + time.Duration(p.Int("agents"))*10*time.Microsecond
}

func measureSandboxes(ctx context.Context, env *stress.Env, spec func() mabeam.Spec, meddle func(s *sandbox)) error {
	sandboxes := env.Count(env.Params.Int("sandboxes"))
	before := countResources(env.System())
	if err := measureSandboxMemory(ctx, env, spec); err != nil {
		return err
	}
	lives := &sandboxRun{env: env, spec: spec, meddle: meddle, creation: load.NewRecorder(), destruction: load.NewRecorder(), restarts: load.NewRecorder()}
	lives.restart = lives.restarts.Shard()
	// It is there all the time, and has to hear of none of the others.
	resident, err := lives.start(ctx, sandboxes, lives.creation.Shard())
	if err != nil {
		return err
	}
	total, memory, err := lives.run(ctx, sandboxes)
	if err == nil {
		lives.check(resident)
	}
	stopSystem(ctx, env, resident.system)
	if err != nil {
		return err
	}
	leaked := findLeaks(ctx, env, env.System(), before)[0]
	env.Value("sandboxes_per_second", total.PerSecond())
	env.Latency("creation_time_ms", lives.creation.Total())
	env.Latency("destruction_time_ms", lives.destruction.Total())
	env.Value("success_rate", ratio(total.Succeeded, total.Attempted))
	env.Latency("restart_time_ms", lives.restarts.Total())
	env.Value("isolation_violations", float64(lives.violations))
	env.Value("leaked_goroutines", float64(leaked))
	env.Value("telemetry_mismatches", float64(lives.mismatches))
	if readsMemory(env.Params) {
		env.Growth("memory_growth_rate", memory)
		env.Bool("memory_stable", leaked == 0)
	}
	return checkSupervision(ctx, env)
}

// sandboxRun starts, tries and stops sandboxes.
type sandboxRun struct {
	env                   *stress.Env
	spec                  func() mabeam.Spec
	meddle                func(*sandbox) // disturbs a sandbox that is ready; may be nil
	creation, destruction *load.Recorder
	restarts              *load.Recorder

	mu         sync.Mutex // guards what follows
	restart    *load.Shard
	violations int64
	mismatches int // of telemetry
}

// drive carries out the life of each sandbox, and reads live memory in
// between.
func (l *sandboxRun) run(ctx context.Context, sandboxes int) (total load.Result, memory []float64, err error) {
	workers := l.env.Params.Int("concurrency")
	created, destroyed := make([]*load.Shard, workers), make([]*load.Shard, workers)
	for i := range workers {
		created[i], destroyed[i] = l.creation.Shard(), l.destruction.Shard()
	}
	memory = append(memory, liveBytes())
	parts := min(sandboxParts, sandboxes)
	within := loadTimeout(time.Duration(sandboxes) * sandboxTime(l.env.Params))
	for part := range parts {
		if part >= minMemoryParts && total.Took > within {
			break // so slow that all of them would take longer than the scenario has time for
		}
		from := sandboxes * part / parts
		n := sandboxes*(part+1)/parts - from
		driven, err := l.env.RunLoad(ctx, load.Load{Workers: min(workers, n), Operations: n, For: within / time.Duration(parts)}, func(ctx context.Context, op load.Op) error {
			s, err := l.start(ctx, from+op.N, created[op.Worker])
			if err != nil {
				return err
			}
			l.check(s)
			began := time.Now()
			stopSystem(ctx, l.env, s.system)
			destroyed[op.Worker].Record(time.Since(began))
			return err
		})
		if err != nil {
			return total, memory, err
		}
		total.Add(driven)
		memory = append(memory, liveBytes())
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
		stopSystem(ctx, l.env, s.system)
		return nil, err
	}
	l.count(ctx, s, telemetry)
	if l.meddle != nil {
		l.meddle(s)
	}
	return s, nil
}

// count compares the telemetry of a sandbox with what was done in it, and notes how long
// a restart took.
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
			l.env.Detail("isolation violated: a sandbox saw "+v.what+" that were not its own", v.count)
			l.mu.Lock()
			l.violations += v.count
			l.mu.Unlock()
		}
	}
}
