package measure

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"mabeam-top/internal/probes/probe"
	mabeam "mabeam-top/internal/runtime"
	"mabeam-top/internal/runtime/agents"
	"mabeam-top/internal/stress"
	"mabeam-top/internal/stress/conformance"
	"mabeam-top/internal/stress/load"
	"mabeam-top/internal/stress/quantity"
	"mabeam-top/internal/stress/report"
	"mabeam-top/internal/stress/resources"
	"mabeam-top/internal/stress/scenario"
)

const (
	// leakTolerance is the share of the agents' memory that may remain without counting as a
	// leak: tables and stacks may grow once more.
	leakTolerance = 0.05
	// settleCycles is how many agents live and end before memory is measured, to fill
	// histories and pools.
	settleCycles = 1000
)

func agentMemory() *stress.Measurement {
	return &stress.Measurement{Measurement: scenario.Measurement{
		Name:      "agent-memory",
		Summary:   "Measures how much memory agents of each type hold, whether it grows while they work, and whether all of it is released.",
		Component: "agent_memory",
		Alone:     true,
		Params: []scenario.Param{
			{
				Name: "configs", Kind: scenario.List, Doc: "Types of agents, and how many of each.",
				Default: []scenario.Params{{"agent_type": "demo", "count": 1000}, {"agent_type": "complex", "count": 100}},
				Fields: []scenario.Param{
					agentTypeParam(),
					{Name: "count", Kind: scenario.Int, Default: 1000, Min: 1, Max: 10_000_000, Doc: "Number of agents."},
				},
			},
			{Name: "monitor_duration", Kind: scenario.Duration, Default: 5 * time.Second, Min: 0.1, Max: 3600, Doc: "How long the agents work while their memory is read."},
			{Name: "measurement_interval", Kind: scenario.Duration, Default: 100 * time.Millisecond, Min: 0.01, Max: 600, Doc: "Time between two readings, each after two garbage collections."},
			{Name: "growth_actions", Kind: scenario.Int, Default: 120_000, Min: 0, Max: 1_000_000_000, Doc: "Actions of one agent at full speed, to detect memory that each of them leaves behind; fewer than 12,000 skip it."},
			{Name: "growth_calls", Kind: scenario.Int, Default: 24_000, Min: 0, Max: 1_000_000_000, Doc: "Calls of each kind of call_time_ms of agent-action at full speed, to detect memory that they leave behind; fewer than 12,000 skip it."},
			{Name: "actions_per_second", Kind: scenario.Int, Default: 1000, Min: 0, Max: 1_000_000, Doc: "Actions per second while memory is read, for the agents in turn: increment for a demo agent, work for a complex agent; 0 leaves them idle."},
		},
		Metrics: []scenario.Metric{
			{Name: "memory_per_agent", Unit: "bytes", Better: report.Lower, Keyed: true, Doc: "With .TYPE, growth of live heap and stacks by the idle agents of that type, after two garbage collections, per agent; without, that of all types together. If agents hold less than 128 KiB, which is the noise of live memory, the value is that of more agents on a separate system."},
			{Name: "average_memory", Unit: "bytes", Better: report.Lower, Doc: "Mean of all readings while the agents work − live heap and stacks without agents, per agent."},
			{Name: "memory_growth_rate", Unit: "ratio", Better: report.Lower, Unclipped: true, Doc: "Theil–Sen slope of the live memory while the agents work × run length / median; negative if it fell."},
			{Name: "memory_growth_per_action_bytes", Unit: "bytes", Better: report.Lower, Must: "< 16", Given: func(p scenario.Params) bool { return p.Int("growth_actions") >= minRoundsForMemory }, Doc: "Memory that each action leaves behind: the Theil–Sen slope of live memory, read 13 times during growth_actions / actions between two readings."},
			{
				Name: "memory_growth_per_call_bytes", Unit: "bytes", Better: report.Lower, Must: "< 16",
				Given: func(p scenario.Params) bool { return p.Int("growth_calls") >= minRoundsForMemory },
				Doc:   "Memory that one call of each kind, all together, leaves behind: the Theil–Sen slope of live memory, read 13 times during growth_calls / calls of each kind between two readings.",
			},
			mustBeZero("memory_leaks", "Kinds of resources of which more are in use than before, at most two seconds after all agents were stopped: goroutines, registrations, subscriptions, and heap (more than 5 % of what the agents held, and more than 128 KiB). The count before is taken after the same agents have lived once. The errors name each kind and its count, and where leaked heap was allocated if that is known."),
			mustBeZero("wrong_results", "Actions with an impossible result, actions that succeeded but are missing in the state of their agent, and actions and calls of growth_actions and growth_calls that failed or took far too long."),
			telemetryMismatches(),
			{Name: "gc_reclaimed_ratio", Unit: "ratio", Better: report.Higher, Doc: "Bytes freed / bytes allocated between the first and the last reading, at most 1. It depends on the Go runtime and is not judged."},
			{Name: "gc_pause_ms", Unit: "ms", Better: report.Lower, Distribution: true, Probe: probe.GCPauseP99MS, Doc: "Pauses of all garbage collections, including those of the readings; of more than 256 between two readings, the last 256. They depend on the Go runtime and are not judged."},
			{Name: "total_samples", Unit: "count", Better: report.Neither, Doc: "Readings of memory while the agents worked."},
		},
		Estimate: func(p scenario.Params) time.Duration {
			estimate := 200*time.Millisecond + p.Duration("monitor_duration") + growthTime(p)
			for _, c := range p.List("configs") {
				estimate += time.Duration(c.Int("count")) * 20 * time.Microsecond
			}
			return estimate
		},
		Check: func(p scenario.Params) error {
			if p.Duration("monitor_duration") < 3*p.Duration("measurement_interval") {
				return errors.New("monitor_duration must be at least three times measurement_interval: fewer readings show no growth")
			}
			return nil
		},
		Targets: []scenario.Target{scenario.TargetComponents},
	}, Run: func(ctx context.Context, env *stress.Env) error { return measureAgentMemory(ctx, env, specOf) }}
}

// workAction is the action with which an agent of a type works.
var workAction = map[string]string{"demo": "increment", "complex": "work"}

// An agentGroup is the agents whose memory is measured.
type agentGroup struct {
	ids   []string
	types []string // of each agent
	// By type: growth of live memory by the agents, and how many they are.
	growth map[string]float64
	count  map[string]int64
}

func measureAgentMemory(ctx context.Context, env *stress.Env, spec func(agentType string) mabeam.Spec) error {
	system, p := env.System(), env.Params
	if err := warmUpMemory(ctx, system); err != nil {
		return err
	}
	wrong := conformance.NewChecker(env, "wrong_results")
	if err := measureActionGrowth(ctx, env, agents.Demo, wrong); err != nil {
		return err
	}
	if err := measureCallGrowth(ctx, env, wrong); err != nil {
		return err
	}
	// All agents live twice. The first time shows what they hold, with the tables that grow
	// for them. These stay grown, so only what is more after the second time than after the
	// first has leaked.
	start := resources.LiveBytes()
	agents, err := startAgentGroup(ctx, env, spec, start)
	if err != nil {
		return err
	}
	if err := agents.reportMemory(ctx, env, spec); err != nil {
		return err
	}
	if err := agents.runOnce(ctx, system); err != nil {
		return err
	}
	kept := resources.LiveBytes() - start // by the tables
	actions := env.Count(int(float64(p.Int("actions_per_second")) * p.Duration("monitor_duration").Seconds()))
	recorder := load.NewRecorder()
	work := env.PrepareLoad(load.Load{Workers: 1, Operations: actions, For: p.Duration("monitor_duration"), Recorder: recorder})
	shard := recorder.Shard()
	monitor := newMemoryMonitor(int(p.Duration("monitor_duration")/p.Duration("measurement_interval")) + 2)
	sites := heapBySite()
	leaks, telemetry, empty := newLeakCheck(env, system), newTelemetryCheck(env, system), resources.LiveBytes()
	emptyHeap := resources.MinLiveHeap() // the stack of a leaked goroutine does not count again as heap

	if agents, err = startAgentGroup(ctx, env, spec, empty); err != nil {
		return err
	}
	monitoring, stop := context.WithCancel(ctx)
	var wg sync.WaitGroup
	wg.Go(func() { monitor.run(monitoring, p.Duration("measurement_interval")) })
	defer wg.Wait()
	defer stop()
	done, err := agents.work(ctx, env, work, shard, actions, wrong)
	if err != nil {
		return err
	}
	stop()
	wg.Wait()
	held := monitor.readings[len(monitor.readings)-1] - empty
	monitor.report(env, empty-kept, len(agents.ids))

	if err := system.StopAgents(ctx, agents.ids, 0); err != nil {
		return fmt.Errorf("stop the agents: %w", err)
	}
	kinds := 0
	for _, n := range leaks.find(ctx) {
		kinds += int(min(n, 1))
	}
	left, allowed := 0.0, max(resources.MemoryNoise, leakTolerance*held)
	resources.WaitWhile(ctx, func() bool { // temporary memory of this program gets time to be released
		left = resources.MinLiveHeap() - emptyHeap
		return left > allowed
	})
	if left > allowed {
		kinds++
		env.Detail(fmt.Sprintf("leaked heap: %s more than before although all agents were stopped%s",
			quantity.Format(left, "bytes"), largestGrowth(sites)), 1)
	}
	env.Value("memory_leaks", float64(kinds))
	telemetry.expect(ctx, map[string]int64{
		"AgentsStarted": int64(len(agents.ids)), "AgentsStopped": int64(len(agents.ids)), "AgentsCrashed": 0, "AgentsRestarted": 0,
		"Agents": 0, "ActionsDone": done, "ActionsFailed": 0,
	})
	telemetry.report()
	wrong.Report()
	return nil
}

// warmUpMemory starts agents of all types, lets them work and stops them.
func warmUpMemory(ctx context.Context, system *mabeam.System) error {
	for i := range settleCycles {
		agentType := agentTypes[i%len(agentTypes)]
		id, err := system.StartAgent(ctx, specOf(agentType))
		if err == nil {
			_, err = system.Execute(ctx, id, workAction[agentType], nil)
		}
		if err == nil {
			err = system.StopAgent(ctx, id)
		}
		if err != nil {
			return fmt.Errorf("warm up: %w", err)
		}
	}
	return nil
}

// startAgentGroup starts the agents type by type; at is the live memory before.
func startAgentGroup(ctx context.Context, env *stress.Env, spec func(string) mabeam.Spec, at float64) (*agentGroup, error) {
	w := &agentGroup{growth: map[string]float64{}, count: map[string]int64{}}
	for _, c := range env.Params.List("configs") { // a type may occur twice
		agentType, n := c.Text("agent_type"), c.Int("count")
		for i := range n {
			id, err := env.System().StartAgent(ctx, spec(agentType))
			if err != nil {
				env.Operations(int64(len(w.ids)), 1, 0)
				return nil, fmt.Errorf("start agent %d of %d of type %s: %w", i+1, n, agentType, err)
			}
			w.ids, w.types = append(w.ids, id), append(w.types, agentType)
		}
		now := resources.LiveBytes()
		w.growth[agentType] += now - at
		w.count[agentType] += int64(n)
		at = now
	}
	env.Operations(int64(len(w.ids)), 0, 0)
	return w, nil
}

// reportMemory reports what the agents hold.
func (w *agentGroup) reportMemory(ctx context.Context, env *stress.Env, spec func(agentType string) mabeam.Spec) error {
	var grown float64
	for agentType, n := range w.count {
		alike := func(int) mabeam.Spec { return spec(agentType) }
		if err := reportMemoryPerAgent(ctx, env, "memory_per_agent."+agentType, w.growth[agentType], n, alike); err != nil {
			return err
		}
		grown += w.growth[agentType]
	}
	inTurn := func(n int) mabeam.Spec { return spec(w.types[n%len(w.types)]) }
	return reportMemoryPerAgent(ctx, env, "memory_per_agent", grown, int64(len(w.ids)), inTurn)
}

// runOnce lets each agent work once, and stops them.
func (w *agentGroup) runOnce(ctx context.Context, system *mabeam.System) error {
	for i, id := range w.ids {
		if _, err := system.Execute(ctx, id, workAction[w.types[i]], nil); err != nil {
			return fmt.Errorf("run the first action of each agent: %w", err)
		}
	}
	if err := system.StopAgents(ctx, w.ids, 0); err != nil {
		return fmt.Errorf("stop the agents: %w", err)
	}
	return nil
}

// work runs the actions of the agents in turn, evenly over the time of the load, and
// checks the results. It returns how many actions succeeded. The load is closed because it
// catches up: the garbage collections of the readings delay some actions.
func (w *agentGroup) work(ctx context.Context, env *stress.Env, work *stress.PreparedLoad, shard *load.Shard, actions int, wrong *conformance.Checker) (done int64, err error) {
	length := env.Params.Duration("monitor_duration")
	if actions == 0 {
		if !load.Sleep(ctx, length) {
			return 0, ctx.Err()
		}
		return 0, nil
	}
	interval := float64(time.Second) / float64(env.Params.Int("actions_per_second"))
	expected := map[string]resultCheck{}
	for i, id := range w.ids { // known for demo and complex agents only
		if e, ok := env.System().Registry().Lookup(id); ok && e.Type() == w.types[i] {
			expected[e.Type()] = resultCheckOf(e.Type(), workAction[e.Type()], nil)
		}
	}
	ended := make(map[string]*actionCounts, len(workAction))
	for agentType := range workAction {
		ended[agentType] = &actionCounts{}
	}
	start := time.Now()
	loadResult, err := work.Run(ctx, func(ctx context.Context, op load.Op) error {
		due := start.Add(time.Duration(float64(op.N) * interval))
		if wait := time.Until(due); wait > 0 && !load.Sleep(ctx, wait) {
			return ctx.Err()
		}
		i := op.N % len(w.ids)
		agentType, began := w.types[i], time.Now()
		result, err := env.System().Execute(ctx, w.ids[i], workAction[agentType], nil)
		shard.Record(time.Since(began))
		return ended[agentType].record(expected[agentType], result, err)
	})
	if err == nil && !env.Aborted() && float64(loadResult.Attempted) < 0.9*float64(actions) {
		env.Note("actions of actions_per_second that were due but not requested: the machine or the agents are too slow", int64(actions)-loadResult.Attempted)
	}
	for agentType, total := range ended {
		wrong.Add(total.wrong, errWrongResult.Error())
		checkStates(ctx, env, wrong, expected[agentType], w.idsOf(agentType), *total, loadResult.Failed)
		done += total.done + total.wrong
	}
	return done, err
}

// idsOf returns the ids of the agents of a type.
func (w *agentGroup) idsOf(agentType string) (ids []string) {
	for i, id := range w.ids {
		if w.types[i] == agentType {
			ids = append(ids, id)
		}
	}
	return ids
}
