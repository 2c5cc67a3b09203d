package measure

import (
	"context"
	"errors"
	"fmt"
	"math"
	"runtime"
	"time"

	mabeam "mabeam-top/internal/runtime"
	"mabeam-top/internal/stress"
	"mabeam-top/internal/stress/report"
)

func agentCreation() *stress.Measurement {
	return &stress.Measurement{
		Name:      "agent-creation",
		Summary:   "How fast are agents started and registered, and what does an idle one cost?",
		Component: "agent_creation",
		Alone:     true,
		Params: []stress.Param{
			{Name: "agents", Kind: stress.Int, Default: 1000, Min: 1, Max: 10_000_000, Doc: "Agents to start."},
			{Name: "concurrency", Kind: stress.Int, Default: 1, Min: 1, Max: 10_000, Doc: "Agents being started at once."},
			{Name: "agent_type", Kind: stress.Text, Default: "demo", Choices: agentTypes, Doc: "What the agents are."},
			{Name: "fail_every", Kind: stress.Int, Default: 0, Min: 0, Max: -1, Doc: "Makes the Init of every so-manieth agent fail; 0 for none."},
			{Name: "compare_parallel", Kind: stress.Bool, Default: true, Doc: "Whether to start as many again on a second system with one starter per processor, to see what that gains."},
		},
		Metrics: []stress.Metric{
			{Name: "total_count", Unit: "count", Better: report.Neither, Doc: "Agents that were to be started."},
			{Name: "success_count", Unit: "count", Better: report.Higher, Doc: "Agents that were started, as the registry counts them."},
			{Name: "success_rate", Unit: "ratio", Better: report.Higher, Doc: "success_count / total_count."},
			{Name: "duration_ms", Unit: "ms", Better: report.Lower, Doc: "Time from the first start to the last agent being ready."},
			{Name: "agents_per_second", Unit: "1/s", Better: report.Higher, Probe: "agents_started_per_second", Doc: "success_count / duration."},
			{Name: "creation_time_ms", Unit: "ms", Better: report.Lower, Distribution: true, Probe: "action_p50_ms", Doc: "Time of one start, until the agent is registered and ready."},
			{Name: "memory_per_agent", Unit: "bytes", Better: report.Lower, Doc: "Growth of live heap and stacks from before to after the starts, each after two collections, per agent; if all of them hold less than 128 KiB, as memory changes by that much by itself, that of more of them on a system of their own."},
			{Name: "parallel_speedup", Unit: "ratio", Better: report.Higher, Doc: "Rate with one starter per processor / rate measured; not reported if there is no such comparison to make."},
			{Name: "cleanup_time_ms", Unit: "ms", Better: report.Lower, Doc: "Time to stop all agents gracefully."},
			{Name: "stops_per_second", Unit: "1/s", Better: report.Higher, Probe: "agents_stopped_per_second", Doc: "Agents stopped per second meanwhile."},
		},
		Estimate: func(p stress.Params) time.Duration {
			return 100*time.Millisecond + time.Duration(p.Int("agents"))*5*time.Microsecond
		},
		Targets: []stress.Target{stress.Components},
		Run: func(ctx context.Context, env *stress.Env) error {
			p := env.Params
			return measureCreation(ctx, env, func(n int) mabeam.Spec {
				if every := p.Int("fail_every"); every > 0 && (n+1)%every == 0 {
					return mabeam.Spec{Type: "failing", Behaviour: failingInit{}}
				}
				return agentSpec(p.Text("agent_type"))
			})
		},
	}
}

// failingInit is an agent that does not start.
type failingInit struct{ mabeam.Defaults }

var errInit = errors.New("init fails on purpose")

func (failingInit) Init(context.Context, *mabeam.Agent) error { return errInit }

func (failingInit) HandleAction(context.Context, *mabeam.Agent, string, any) (any, error) {
	return nil, mabeam.ErrUnknownAction
}

func measureCreation(ctx context.Context, env *stress.Env, spec func(n int) mabeam.Spec) error {
	agents, workers := env.Count(env.Params.Int("agents")), env.Params.Int("concurrency")
	ids := make([]string, agents)
	load := env.Prepare(stress.Load{Workers: workers, Operations: agents, Metrics: []string{"agents_per_second", "creation_time_ms"}})

	before := liveBytes()
	created, err := load.Drive(ctx, func(ctx context.Context, op stress.Op) (err error) {
		ids[op.N], err = env.System().StartAgent(ctx, spec(op.N))
		return err
	})
	if err != nil {
		return err
	}
	grown := liveBytes() - before
	registered := int64(env.System().Registry().Count())
	if registered != created.Succeeded {
		return fmt.Errorf("%d agents were started, but %d are registered", created.Succeeded, registered)
	}

	stopped, err := env.Drive(ctx, stress.Load{Workers: workers, Operations: agents, Metrics: []string{"stops_per_second"}}, func(ctx context.Context, op stress.Op) error {
		if ids[op.N] == "" {
			return nil // it did not start
		}
		return env.System().StopAgent(ctx, ids[op.N])
	})
	if err != nil {
		return err
	}
	env.Value("total_count", float64(created.Attempted))
	env.Value("success_count", float64(registered))
	env.Value("success_rate", ratio(registered, created.Attempted))
	env.Value("duration_ms", stress.Milliseconds(created.Took))
	env.Value("agents_per_second", created.PerSecond())
	env.Latency("creation_time_ms", created.Latency)
	if err := tellMemoryPerAgent(ctx, env, "memory_per_agent", grown, registered, spec); err != nil {
		return err
	}
	if registered > 0 {
		env.Value("cleanup_time_ms", stress.Milliseconds(stopped.Took))
		env.Value("stops_per_second", stress.PerSecond(registered, stopped.Took))
	}
	if env.Params.Bool("compare_parallel") {
		return compareParallel(ctx, env, created.PerSecond(), spec)
	}
	return nil
}

// tellMemoryPerAgent reports by how much memory grew with each of n agents. If
// that is less than memory changes by itself, the figure is that of more agents
// that are like them.
func tellMemoryPerAgent(ctx context.Context, env *stress.Env, metric string, grown float64, n int64, spec func(n int) mabeam.Spec) error {
	if grown >= memoryNoise {
		env.Value(metric, grown/float64(n))
		return nil
	}
	each, err := memoryOfMany(ctx, env, spec)
	switch {
	case err != nil:
		return err
	case each > 0:
		env.Value(metric, each)
	case n > 0:
		env.Unmeasured(metric, fmt.Sprintf("even many more agents hold less than the %d KiB that this process's memory changes by itself", memoryNoise>>10))
	}
	return nil
}

// fewAgents is how many agents memoryOfMany starts first, and manyAgents how many
// at most.
const fewAgents, manyAgents = 500, 200_000

// memoryOfMany returns how much memory an idle agent takes, of so many on a
// system of their own that they hold several times what memory changes by
// itself; 0 if no number does.
func memoryOfMany(ctx context.Context, env *stress.Env, spec func(n int) mabeam.Spec) (each float64, err error) {
	options := env.Options()
	options.MaxAgents = 0
	system, err := mabeam.Start(options)
	if err != nil {
		return 0, fmt.Errorf("start a system for more agents: %w", err)
	}
	defer func() { err = errors.Join(err, stopSystem(ctx, system)) }()
	empty, tried := liveBytes(), 0
	for until := fewAgents; until <= manyAgents; until *= 2 {
		for ; tried < until; tried++ {
			if _, err := system.StartAgent(ctx, spec(tried)); err != nil && ctx.Err() != nil {
				return 0, ctx.Err()
			}
		}
		started := system.Registry().Count()
		if started == 0 {
			break // none of them does
		}
		if grown := liveBytes() - empty; grown >= 4*memoryNoise {
			return grown / float64(started), nil
		}
	}
	return 0, nil
}

// compareParallel starts as many agents again on a fresh system, with one
// starter per processor.
func compareParallel(ctx context.Context, env *stress.Env, rate float64, spec func(n int) mabeam.Spec) error {
	workers := runtime.GOMAXPROCS(0)
	if workers == env.Params.Int("concurrency") || rate == 0 {
		return nil // it would be compared with itself, or with nothing
	}
	second, err := mabeam.Start(env.Options())
	if err != nil {
		return fmt.Errorf("start the second system: %w", err)
	}
	env.Watch(second)
	created, driveErr := env.Drive(ctx, stress.Load{Workers: workers, Operations: env.Count(env.Params.Int("agents")), Metrics: []string{"parallel_speedup"}},
		func(ctx context.Context, op stress.Op) error {
			_, err := second.StartAgent(ctx, spec(op.N))
			return err
		})
	env.Watch(env.System())
	if err := errors.Join(driveErr, stopSystem(ctx, second)); err != nil {
		return err
	}
	env.Value("parallel_speedup", created.PerSecond()/rate)
	return nil
}

// stopSystemWithin is how long a measurement's own system may take to stop.
const stopSystemWithin = 10 * time.Second

// stopSystem stops a system that a measurement has started, soon if ctx has
// ended.
func stopSystem(ctx context.Context, s *mabeam.System) error {
	within := stopSystemWithin
	if ctx.Err() != nil {
		within = 300 * time.Millisecond
	}
	stopping, cancel := context.WithTimeout(context.WithoutCancel(ctx), within)
	defer cancel()
	if err := s.Stop(stopping); err != nil {
		return fmt.Errorf("stop the system: %w", err)
	}
	return nil
}

// stopWatched ends a system of a measurement's own that the probes were reading:
// they read that of the repetition again. What stays is added to err.
func stopWatched(ctx context.Context, env *stress.Env, s *mabeam.System, err *error) {
	env.Watch(env.System())
	*err = errors.Join(*err, stopSystem(ctx, s))
}

func agentAction() *stress.Measurement {
	return &stress.Measurement{
		Name:      "agent-action",
		Summary:   "How fast do agents carry out actions, and how do errors and timeouts behave?",
		Component: "agent_action",
		Params: append(stress.LoadParams(),
			stress.Param{
				Name: "scenarios", Kind: stress.List, Doc: "What is asked of which agents, one after the other.",
				Default: []stress.Params{{"agent_type": "demo", "action": "ping", "agents": 1, "action_count": 10000}},
				Fields: []stress.Param{
					{Name: "agent_type", Kind: stress.Text, Default: "demo", Choices: agentTypes, Doc: "What the agents are."},
					{Name: "action", Kind: stress.Text, Default: "ping", Doc: "The action to ask for."},
					{Name: "params", Kind: stress.Map, Doc: "The action's parameters."},
					{Name: "agents", Kind: stress.Int, Default: 1, Min: 1, Max: 1_000_000, Doc: "Agents that are asked in turn."},
					{Name: "action_count", Kind: stress.Int, Default: 10000, Min: 1, Max: 1_000_000_000, Doc: "Actions to ask for, if the load has no duration."},
				},
			},
			stress.Param{Name: "timeout", Kind: stress.Duration, Min: 1e-6, Max: -1, Doc: "Gives each action of the load this deadline."},
			stress.Param{Name: "error_probes", Kind: stress.Int, Default: 1000, Min: 0, Max: 1_000_000, Doc: "Failing actions asked for after the load, to see what an error costs."},
			stress.Param{Name: "timeout_probes", Kind: stress.Int, Default: 20, Min: 0, Max: 1000, Doc: "Hanging actions asked for after the load, to see how exactly a deadline is kept."},
			stress.Param{Name: "probe_timeout", Kind: stress.Duration, Default: 10 * time.Millisecond, Min: 1e-6, Max: 60, Doc: "The deadline of a hanging action."},
		),
		Metrics: []stress.Metric{
			{Name: "total_actions", Unit: "count", Better: report.Neither, Doc: "Actions asked for."},
			{Name: "successful_actions", Unit: "count", Better: report.Higher, Doc: "Actions that gave a result."},
			{Name: "actions_per_second", Unit: "1/s", Better: report.Higher, Probe: "completed_per_second", Doc: "successful_actions / duration of the load."},
			{Name: "execution_time_ms", Unit: "ms", Better: report.Lower, Distribution: true, Probe: "action_p50_ms", Doc: "Time from asking (in an open load: from when it was due) to the answer, with that of recording it."},
			{Name: "success_rate", Unit: "ratio", Better: report.Higher, Doc: "successful_actions / total_actions."},
			{Name: "timeouts", Unit: "count", Better: report.Lower, Doc: "Actions of the load whose deadline passed: that of the parameter timeout, or, without one, that for which an agent may leave a caller waiting."},
			{Name: "timeout_accuracy_ms", Unit: "ms", Better: report.Lower, Distribution: true, Doc: "How much later than its deadline the caller of a hanging action was told."},
			{Name: "error_handling_time_ms", Unit: "ms", Better: report.Lower, Distribution: true, Doc: "Time from asking for an action that fails to its error."},
		},
		Estimate: func(p stress.Params) time.Duration {
			total := 100*time.Millisecond + time.Duration(p.Int("timeout_probes"))*p.Duration("probe_timeout")
			for _, s := range p.List("scenarios") {
				total += loadTime(p, time.Duration(s.Int("action_count"))*2*time.Microsecond)
			}
			return total
		},
		LoadLength: func(p stress.Params) time.Duration {
			return loadTime(p, 0) * time.Duration(len(p.List("scenarios")))
		},
		Targets: []stress.Target{stress.Agents, stress.Components},
		Check:   stress.CheckLoad,
		Run:     measureActions,
	}
}

// loadTime is how long the load of LoadParams lasts; a closed one without a
// duration as long as its operations take.
func loadTime(p stress.Params, operations time.Duration) time.Duration {
	if p.Has("duration") {
		return p.Duration("duration")
	}
	if stages := p.Stages("stages"); len(stages) > 0 {
		var total time.Duration
		for _, s := range stages {
			total += s.For
		}
		return total
	}
	return operations
}

func measureActions(ctx context.Context, env *stress.Env) error {
	var total stress.Driven
	var timeouts int64
	for _, s := range env.Params.List("scenarios") {
		ids, err := startTargets(ctx, env, s.Text("agent_type"), s.Int("agents"))
		if err != nil {
			return err
		}
		driven, missed, err := askAgents(ctx, env, ids, s)
		if err != nil {
			return err
		}
		total.Add(driven)
		timeouts += missed
	}
	env.Value("total_actions", float64(total.Attempted))
	env.Value("successful_actions", float64(total.Succeeded))
	env.Value("actions_per_second", total.PerSecond())
	env.Latency("execution_time_ms", total.Latency)
	env.Value("success_rate", ratio(total.Succeeded, total.Attempted))
	env.Value("timeouts", float64(timeouts))
	if err := probeErrors(ctx, env); err != nil {
		return err
	}
	return probeTimeouts(ctx, env)
}

// askAgents drives the load of one scenario. It also returns how many actions
// missed their deadline.
func askAgents(ctx context.Context, env *stress.Env, ids []string, s stress.Params) (stress.Driven, int64, error) {
	system, action, params := env.System(), s.Text("action"), mabeam.Params(s.Map("params"))
	load := stress.LoadOf(env.Params, s.Int("action_count"))
	missed := make([]int64, load.Workers) // each touched by its worker only
	ask := func(ctx context.Context, op stress.Op) error {
		_, err := system.Execute(ctx, ids[op.N%len(ids)], action, params)
		if err != nil && errors.Is(err, mabeam.ErrTimeout) {
			missed[op.Worker]++
		}
		return err
	}
	carryOut := ask
	if env.Params.Has("timeout") {
		timeout := env.Params.Duration("timeout")
		carryOut = func(ctx context.Context, op stress.Op) error {
			limited, cancel := context.WithTimeout(ctx, timeout)
			defer cancel()
			return ask(limited, op)
		}
	}
	driven, err := env.Drive(ctx, load, carryOut)
	var all int64
	for _, n := range missed {
		all += n
	}
	return driven, all, err
}

// probeErrors measures what an action costs that fails.
func probeErrors(ctx context.Context, env *stress.Env) error {
	n := env.Params.Int("error_probes")
	if n == 0 {
		return nil
	}
	ids, err := startAgents(ctx, env.System(), "demo", 1)
	if err != nil {
		return err
	}
	took := stress.NewHistogram()
	for range n {
		asked := time.Now()
		_, err := env.System().Execute(ctx, ids[0], "simulate_error", nil)
		took.Record(time.Since(asked))
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if !errors.Is(err, mabeam.ErrSimulated) {
			return errors.Join(errors.New("simulate_error did not fail with its error"), err)
		}
	}
	env.Latency("error_handling_time_ms", took)
	return nil
}

// probeTimeouts measures how exactly deadlines are kept, with actions that
// would take a hundred times as long.
func probeTimeouts(ctx context.Context, env *stress.Env) error {
	n, timeout := env.Params.Int("timeout_probes"), env.Params.Duration("probe_timeout")
	if n == 0 {
		return nil
	}
	ids, err := startAgents(ctx, env.System(), "complex", 1)
	if err != nil {
		return err
	}
	params := mabeam.Params{"for": (100 * timeout).String()}
	late := stress.NewHistogram()
	for range n {
		limited, cancel := context.WithTimeout(ctx, timeout)
		asked := time.Now()
		_, err := env.System().Execute(limited, ids[0], "sleep", params)
		took := time.Since(asked)
		cancel()
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if !errors.Is(err, mabeam.ErrTimeout) {
			return errors.Join(fmt.Errorf("an action that takes %v did not miss its deadline of %v", 100*timeout, timeout), err)
		}
		late.Record(time.Duration(math.Abs(float64(took - timeout))))
	}
	env.Latency("timeout_accuracy_ms", late)
	return nil
}

// lifecycleParts is into how many equal parts the cycles are divided: memory
// is read between them, and the first and last quarters are compared.
const lifecycleParts = 12

func agentLifecycle() *stress.Measurement {
	return &stress.Measurement{
		Name:      "agent-lifecycle",
		Summary:   "How fast are agents started and stopped again, and does anything stay behind?",
		Component: "agent_lifecycle",
		Alone:     true,
		Params: []stress.Param{
			{Name: "cycles", Kind: stress.Int, Default: 1000, Min: lifecycleParts, Max: 1_000_000_000, Doc: "Agents to start and stop."},
			{Name: "concurrency", Kind: stress.Int, Default: 1, Min: 1, Max: 10_000, Doc: "Cycles under way at once."},
			{Name: "agent_type", Kind: stress.Text, Default: "demo", Choices: agentTypes, Doc: "What the agents are."},
			{Name: "settle_cycles", Kind: stress.Int, Default: 2000, Min: 0, Max: 1_000_000_000, Doc: "Cycles before the measured ones, until histories and pools are as full as they stay."},
		},
		Metrics: []stress.Metric{
			{Name: "cycles_per_second", Unit: "1/s", Better: report.Higher, Probe: "completed_per_second", Doc: "Cycles that succeeded / time spent on cycles."},
			{Name: "cycle_time_ms", Unit: "ms", Better: report.Lower, Distribution: true, Probe: "action_p50_ms", Doc: "Time to start an agent and stop it gracefully."},
			{Name: "success_rate", Unit: "ratio", Better: report.Higher, Doc: "Cycles that succeeded / cycles."},
			{Name: "memory_stable", Unit: "bool", Better: report.Higher, Doc: "Whether memory_growth_rate is below 10 % either way and nothing leaked."},
			{Name: "memory_growth_rate", Unit: "ratio", Better: report.Lower, Doc: "Theil–Sen slope of live memory, read 13 times after two collections, × run length / median."},
			{Name: "performance_degradation", Unit: "ratio", Better: report.Lower, Doc: "1 − rate of the last quarter / of the first; not below 0."},
			{Name: "leaked_goroutines", Unit: "count", Better: report.Lower, Doc: "Goroutines more than before, but for those that the system keeps to run agents, at most a second after the last cycle."},
			{Name: "leaked_registrations", Unit: "count", Better: report.Lower, Doc: "Registrations more than before, after the last cycle."},
			{Name: "leaked_subscriptions", Unit: "count", Better: report.Lower, Doc: "Subscriptions more than before, after the last cycle."},
		},
		Estimate: func(p stress.Params) time.Duration {
			return 200*time.Millisecond + time.Duration(p.Int("cycles"))*8*time.Microsecond
		},
		Targets: []stress.Target{stress.Components},
		Run: func(ctx context.Context, env *stress.Env) error {
			return measureLifecycle(ctx, env, func() mabeam.Spec { return agentSpec(env.Params.Text("agent_type")) })
		},
	}
}

func measureLifecycle(ctx context.Context, env *stress.Env, spec func() mabeam.Spec) error {
	system, workers := env.System(), env.Params.Int("concurrency")
	cycle := func(ctx context.Context, _ stress.Op) error {
		id, err := system.StartAgent(ctx, spec())
		if err != nil {
			return err
		}
		return system.StopAgent(ctx, id)
	}
	for part := range lifecycleParts { // as the measured ones follow
		if n := partOf(env.Params.Int("settle_cycles"), part, lifecycleParts); n > 0 {
			if err := env.Rehearse(ctx, stress.Load{Workers: min(workers, n), Operations: n}, cycle); err != nil {
				return fmt.Errorf("settle: %w", err)
			}
			liveBytes()
		}
	}
	before := countHeld(system)
	cycles := max(env.Count(env.Params.Int("cycles")), lifecycleParts)

	total := stress.Driven{Latency: stress.NewHistogram()}
	var quarters [4]stress.Driven
	for i := range quarters {
		quarters[i].Latency = stress.NewHistogram() // before memory is read
	}
	memory := make([]float64, 0, lifecycleParts+1)
	memory = append(memory, liveBytes())
	for part := range lifecycleParts {
		n := partOf(cycles, part, lifecycleParts)
		driven, err := env.Drive(ctx, stress.Load{Workers: min(workers, n), Operations: n}, cycle)
		if err != nil {
			return err
		}
		total.Add(driven)
		quarters[4*part/lifecycleParts].Add(driven)
		memory = append(memory, liveBytes())
	}
	leaked := false
	for _, l := range tellLeaks(ctx, env, before) {
		env.Value("leaked_"+l.kind, float64(l.n))
		leaked = leaked || l.n > 0
	}
	growth := growthRate(memory)
	env.Value("cycles_per_second", total.PerSecond())
	env.Latency("cycle_time_ms", total.Latency)
	env.Value("success_rate", ratio(total.Succeeded, total.Attempted))
	env.Value("memory_growth_rate", growth)
	env.Bool("memory_stable", math.Abs(growth) < stableGrowth && !leaked)
	env.Value("performance_degradation", degradation(quarters[0].PerSecond(), quarters[3].PerSecond()))
	return nil
}

// held is what agents hold of a system and of the process.
type held struct{ goroutines, registrations, subscriptions int64 }

func countHeld(system *mabeam.System) held {
	return held{
		// What the system keeps to run agents ends with the system.
		goroutines:    int64(runtime.NumGoroutine() - system.Goroutines()),
		registrations: int64(system.Registry().Count()),
		subscriptions: system.Telemetry().Subscriptions,
	}
}

// A leak is a kind of things of which there are more than before; n is 0 if
// there are not.
type leak struct {
	kind string
	n    int64
}

// tellLeaks tells by kind what is held now and was not before, at most
// settleWithin after it should be gone.
func tellLeaks(ctx context.Context, env *stress.Env, before held) []leak {
	var now held
	settle(ctx, func() bool {
		now = countHeld(env.System())
		return now.goroutines > before.goroutines
	})
	leaks := []leak{
		{"goroutines", max(now.goroutines-before.goroutines, 0)},
		{"registrations", max(now.registrations-before.registrations, 0)},
		{"subscriptions", max(now.subscriptions-before.subscriptions, 0)},
	}
	for _, l := range leaks {
		if l.n > 0 {
			env.Detail("leaked "+l.kind+": what agents held is still there after they were stopped", l.n)
		}
	}
	return leaks
}

// degradation is by what share the throughput of the last quarter is below that
// of the first; 0 if it is not.
func degradation(first, last float64) float64 {
	if first == 0 {
		return 0
	}
	return max(1-last/first, 0)
}

// partOf is the size of a part of n things that are divided into parts that
// differ by at most one.
func partOf(n, part, parts int) int { return n*(part+1)/parts - n*part/parts }
