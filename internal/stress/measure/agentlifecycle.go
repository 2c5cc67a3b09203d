package measure

import (
	"context"
	"fmt"
	"slices"
	"sync"
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

const (
	// lifecycleParts is the number of equal parts of the cycles. Memory is read between
	// them, and the rates of the first and the last quarter are compared.
	lifecycleParts = 12
	// rateSamplesPerPart is how many rates each part has.
	rateSamplesPerPart = 32
	// minCyclesForMemory is how many cycles it takes to detect a leak of 64 bytes per cycle
	// in spite of the noise of live memory.
	minCyclesForMemory = 10_000
	// cycleTime is roughly how long a cycle takes.
	cycleTime = 8 * time.Microsecond
)

func agentLifecycle() *stress.Measurement {
	return &stress.Measurement{Measurement: scenario.Measurement{
		Name:      "agent-lifecycle",
		Summary:   "Measures how fast agents start and stop, and detects leaks and aging.",
		Component: "agent_lifecycle",
		Alone:     true,
		Params: []scenario.Param{
			{Name: "cycles", Kind: scenario.Int, Default: 1000, Min: lifecycleParts, Max: 1_000_000_000, Doc: "Agents to start and stop."},
			{Name: "concurrency", Kind: scenario.Int, Default: 1, Min: 1, Max: 10_000, Doc: "Concurrent cycles."},
			agentTypeParam(),
			{Name: "settle_cycles", Kind: scenario.Int, Default: 2000, Min: 0, Max: 1_000_000_000, Doc: "Cycles before the measured ones, to fill histories and pools."},
		},
		Metrics: append([]scenario.Metric{
			{Name: "cycles_per_second", Unit: "1/s", Better: report.Higher, Probe: probe.CompletedPerSecond, Doc: "Successful cycles / time spent on cycles."},
			{Name: "cycle_time_ms", Unit: "ms", Better: report.Lower, Distribution: true, Probe: probe.ActionP50MS, Doc: "Time to start an agent and stop it gracefully."},
			{Name: "start_time_ms", Unit: "ms", Better: report.Lower, Distribution: true, Doc: "Time to start an agent."},
			{Name: "stop_time_ms", Unit: "ms", Better: report.Lower, Distribution: true, Doc: "Time to stop an idle agent gracefully."},
			{Name: "success_rate", Unit: "ratio", Better: report.Higher, Must: "== 1", Aggregation: scenario.Worst, Doc: "Successful cycles / cycles."},
			{Name: "memory_stable", Unit: "bool", Better: report.Higher, Must: "== true", Bound: &scenario.Bound{Metric: "memory_growth_rate", Limit: stableGrowth}, Doc: "Whether memory_growth_rate is within ±10 % and nothing leaked."},
			{Name: "memory_growth_rate", Unit: "ratio", Better: report.Lower, Unclipped: true, Doc: "Theil–Sen slope of live memory × run length / median. Live memory is read 13 times, each after two garbage collections."},
			{Name: "memory_growth_per_cycle_bytes", Unit: "bytes", Better: report.Lower, Must: "< 16", Given: manyCycles, Doc: "Theil–Sen slope of the same readings / cycles between two of them: the memory that each agent leaves behind. Reported from 10,000 cycles on."},
			{Name: "performance_degradation", Unit: "ratio", Better: report.Lower, Given: manyCycles, Doc: "1 − rate of the last quarter / rate of the first quarter, at least 0. A quarter is three parts; the rate of a part is the median of 32. It includes changes of the machine's speed, so aging_slowdown is judged instead. Reported from 10,000 cycles on."},
			agingSlowdown(manyCycles),
			mustBeZero("registration_errors", "Differences between the registry and the live agents in lookups and lists, while 150 agents of several types and capabilities are started, stopped and killed after the cycles."),
			telemetryMismatches(),
		}, leakMetrics()...),
		Estimate: func(p scenario.Params) time.Duration {
			return 200*time.Millisecond + time.Duration(p.Int("cycles"))*cycleTime
		},
		Targets: []scenario.Target{scenario.TargetComponents},
	}, Run: func(ctx context.Context, env *stress.Env) error {
		return measureLifecycle(ctx, env, func() mabeam.Spec { return specOf(env.Params.Text("agent_type")) })
	}}
}

// manyCycles reports whether the cycles are enough to detect what each leaves behind.
func manyCycles(p scenario.Params) bool { return p.Int("cycles") >= minCyclesForMemory }

// A lifecycleLoad starts and stops agents, and records both times.
type lifecycleLoad struct {
	env           *stress.Env
	spec          func() mabeam.Spec
	starts, stops []*load.Shard // by worker
	rates         rateSampler
}

func (l *lifecycleLoad) cycle(ctx context.Context, op load.Op) error {
	system, began := l.env.System(), time.Now()
	l.rates.mark(op.N)
	id, err := system.StartAgent(ctx, l.spec())
	if err != nil {
		return err
	}
	started := time.Now()
	l.starts[op.Worker].Record(started.Sub(began))
	err = system.StopAgent(ctx, id)
	l.stops[op.Worker].Record(time.Since(started))
	return err
}

// A rateSampler notes when each stride-th operation of a load began.
type rateSampler struct {
	mu     sync.Mutex
	stride int
	marks  []time.Time
}

func (s *rateSampler) mark(n int) {
	if n%s.stride != 0 {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.marks = append(s.marks, time.Now())
}

// begin prepares for a load of n operations.
func (s *rateSampler) begin(n int) { s.stride, s.marks = max(n/rateSamplesPerPart, 1), s.marks[:0] }

// rate is the median of the rates between the marks; 0 if there are none.
func (s *rateSampler) rate() float64 {
	var rates []float64
	for i := range len(s.marks) - 1 {
		rates = append(rates, load.PerSecond(int64(s.stride), s.marks[i+1].Sub(s.marks[i])))
	}
	if len(rates) == 0 {
		return 0
	}
	return report.Median(rates)
}

// shards returns n shards of a recorder.
func shards(r *load.Recorder, n int) []*load.Shard {
	all := make([]*load.Shard, n)
	for i := range all {
		all[i] = r.Shard()
	}
	return all
}

func measureLifecycle(ctx context.Context, env *stress.Env, spec func() mabeam.Spec) error {
	workers := env.Params.Int("concurrency")
	starts, stops, settling := load.NewRecorder(), load.NewRecorder(), load.NewRecorder()
	runner := &lifecycleLoad{env: env, spec: spec, starts: shards(settling, workers), stops: shards(settling, workers)}
	if err := runner.warmUp(ctx); err != nil {
		return err
	}
	runner.starts, runner.stops = shards(starts, workers), shards(stops, workers)
	leaks, telemetry := newLeakCheck(env, env.System()), newTelemetryCheck(env, env.System())
	total, rates, memory, err := runner.run(ctx)
	if err != nil {
		return err
	}
	leaked := leaks.report(ctx)
	telemetry.expect(ctx, map[string]int64{
		"AgentsStarted": total.Succeeded, "AgentsStopped": total.Succeeded, "AgentsCrashed": 0, "AgentsRestarted": 0, "Agents": 0,
	})
	telemetry.report()
	env.Value("cycles_per_second", total.PerSecond())
	env.Latency("cycle_time_ms", total.Latency)
	env.Latency("start_time_ms", starts.Total())
	env.Latency("stop_time_ms", stops.Total())
	env.Value("success_rate", ratio(total.Succeeded, total.Attempted))
	env.Growth("memory_growth_rate", memory)
	env.Bool("memory_stable", !leaked)
	if manyCycles(env.Params) {
		env.GrowthPerOperation("memory_growth_per_cycle_bytes", memory, float64(total.Attempted)/lifecycleParts)
		const quarter = lifecycleParts / 4
		env.Decline("performance_degradation", rates[:quarter], rates[lifecycleParts-quarter:])
		if err := measureSlowdown(ctx, env, spec); err != nil {
			return err
		}
	}
	listings := conformance.NewChecker(env, "registration_errors")
	if err := conformance.CheckRegistrations(ctx, listings, env.System(), env.Options().MaxAgents, env.Rand, spec); err != nil {
		return err
	}
	listings.Report()
	return nil
}

// warmUp runs unmeasured cycles in the same way as the measured ones.
func (l *lifecycleLoad) warmUp(ctx context.Context) error {
	cycles, workers := l.env.Params.Int("settle_cycles"), l.env.Params.Int("concurrency")
	for part := range lifecycleParts {
		if n := load.PartSize(cycles, part, lifecycleParts); n > 0 {
			l.rates.begin(n)
			settling := load.Load{Workers: min(workers, n), Operations: n, For: partTimeout(n)}
			if err := load.Rehearse(ctx, settling, l.cycle); err != nil {
				return fmt.Errorf("warm up: %w", err)
			}
			resources.LiveBytes()
		}
	}
	return nil
}

// partTimeout is how long a part of n cycles may take. The extra time covers a machine
// that pauses for a while: the rates of parts that it cuts short are noise.
func partTimeout(n int) time.Duration {
	return 4*time.Duration(n)*cycleTime + 250*time.Millisecond
}

// run runs the cycles part by part. It returns the rate of each part, and the live memory
// before the first part and after each.
func (l *lifecycleLoad) run(ctx context.Context) (total load.Result, rates, memory []float64, err error) {
	env, workers := l.env, l.env.Params.Int("concurrency")
	cycles := max(env.Count(env.Params.Int("cycles")), lifecycleParts)
	total.Latency = load.NewHistogram() // allocate it before memory is read
	var wholes []float64
	memory = append(make([]float64, 0, lifecycleParts+1), resources.LiveBytes())
	for part := range lifecycleParts {
		n := load.PartSize(cycles, part, lifecycleParts)
		l.rates.begin(n)
		result, err := env.RunLoad(ctx, load.Load{Workers: min(workers, n), Operations: n, For: partTimeout(n)}, l.cycle)
		if err != nil {
			return total, rates, memory, err
		}
		total.Add(result)
		rates, wholes = append(rates, l.rates.rate()), append(wholes, result.PerSecond())
		memory = append(memory, resources.LiveBytes())
	}
	if slices.Contains(rates, 0) { // too slow for samples
		rates = wholes
	}
	return total, rates, memory, nil
}
