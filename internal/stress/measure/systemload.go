package measure

import (
	"context"
	"fmt"
	"time"

	mabeam "mabeam-top/internal/runtime"
	"mabeam-top/internal/runtime/agents"
	"mabeam-top/internal/stress"
	"mabeam-top/internal/stress/load"
	"mabeam-top/internal/stress/report"
	"mabeam-top/internal/stress/scenario"
)

// loadWorkers is how many operations of system-load may be under way at once.
const loadWorkers = 64

func systemLoad() *stress.Measurement {
	return &stress.Measurement{Measurement: scenario.Measurement{
		Name:      "system-load",
		Summary:   "Does a whole system of agents hold a given rate of mixed work, evenly, and as well at the end as at first?",
		Component: "system_load",
		Params: []scenario.Param{
			{Name: "agents", Kind: scenario.Int, Default: 1000, Min: 1, Max: 10_000_000, Doc: "Agents that the work is for, in turn, so that the same is due to each."},
			{Name: "rate", Kind: scenario.Rate, Default: 5000.0, Min: 1, Max: 1e7, Doc: "Operations that are due per second, whatever the answers."},
			{Name: "duration", Kind: scenario.Duration, Default: 5 * time.Second, Min: 0.1, Max: 3600, Doc: "How long that rate lasts."},
			mixParam(),
			{Name: "subscribers", Kind: scenario.Int, Default: 10, Min: 1, Max: 100_000, Doc: "Subscribers, each of which gets every event that is published."},
		},
		Metrics: append([]scenario.Metric{
			{Name: "offered_rate", Unit: "1/s", Better: report.Neither, Probe: "offered_per_second", Doc: "Operations that were due / length of the load."},
			{Name: "load_capacity_operations_per_sec", Unit: "1/s", Better: report.Higher, Probe: "completed_per_second", CappedBy: "rate", Doc: "Operations that succeeded / time until the last of them had ended; of a system that keeps up it is offered_rate, and what it could do beyond that is what the measurement capacity asks."},
			{Name: "performance_degradation", Unit: "ratio", Better: report.Lower, Doc: "1 − operations that succeeded in the last quarter of the load / in the first, each as a share of what was due. A system that keeps up has none, even if it gets slower: see latency_ms."},
			{Name: "stability_score", Unit: "ratio", Better: report.Higher, Doc: "Share of the windows of 100 ms (longer if fewer than 10 operations are due in that) in which at least 90 % of the operations due succeeded and errors were under 1 %. Each operation counts in the window in which it ended."},
			{Name: "success_rate", Unit: "ratio", Better: report.Higher, Must: "== 1", Timed: true, Aggregation: scenario.Worst, Doc: "Operations that succeeded / operations due."},
			{Name: "max_concurrent_agents", Unit: "count", Better: report.Higher, Aggregation: scenario.Worst, Probe: "agents", CappedBy: "agents", Doc: "Agents of the load that the registry listed in the middle of it, and that answered an action."},
			{Name: "all_agents_alive", Unit: "bool", Better: report.Higher, Must: "== true", Doc: "Whether max_concurrent_agents is the number of agents asked for."},
			{Name: "load_balance", Unit: "ratio", Better: report.Higher, Must: ">= 0.99", Timed: true, Aggregation: scenario.Worst, Doc: "Jain's fairness index of the share of its operations that succeeded with each agent: 1 is the same for each, 1 / agents all for one."},
			{Name: "wrong_results", Unit: "count", Better: report.Lower, Must: "== 0", Aggregation: scenario.Sum, Doc: "Answers that are not what the agent has to answer: a ping with something else than pong, or an agent whose counter, or whose answers to increment, do not match the increments that it acknowledged."},
			{Name: "latency_ms", Unit: "ms", Better: report.Lower, Distribution: true, Probe: "action_p50_ms", Doc: "Time from when an operation was due to its answer; of an event, to when the bus had taken it."},
		}, deliveryMetrics()...),
		Estimate: func(p scenario.Params) time.Duration {
			return 100*time.Millisecond + p.Duration("duration") + time.Duration(p.Int("agents"))*5*time.Microsecond
		},
		Check: func(p scenario.Params) error {
			if err := checkMix(p); err != nil {
				return err
			}
			if wanted := 4 * loadWindow(p.Float("rate")); p.Duration("duration") < wanted {
				return fmt.Errorf("at this rate the load has to last %v: its first quarter is compared with its last, in windows of at least %d operations", wanted, minOperationsPerWindow)
			}
			return nil
		},
		LoadLength: func(p scenario.Params) time.Duration { return p.Duration("duration") },
		Targets:    []scenario.Target{scenario.TargetAgents, scenario.TargetSubscribers, scenario.TargetComponents},
	}, Run: func(ctx context.Context, env *stress.Env) error { return measureLoad(ctx, env, agents.Demo) }}
}

func measureLoad(ctx context.Context, env *stress.Env, spec func() mabeam.Spec) error {
	p := env.Params
	rate, length := p.Float("rate"), p.Duration("duration")
	mixed := &mixedLoad{system: env.System(), seed: env.Rand.Uint64(), from: make(publishers, loadWorkers)}
	mixed.weights, mixed.total = mixWeights(p)
	stage := load.Stage{Rate: rate, For: length}
	windows := newLoadWindows(env, stage)
	w := newTelemetryCheck(env, mixed.system)
	if err := mixed.populate(ctx, env, spec); err != nil {
		return err
	}
	w.expect(ctx, map[string]int64{"AgentsStarted": int64(len(mixed.agents)), "Agents": int64(len(mixed.agents))})
	all, err := subscriberGroup{
		subscribers: p.Int("subscribers"), publishers: loadWorkers, topic: loadEvent, recorder: load.NewRecorder(), wrap: env.Subscriber,
	}.subscribe(mixed.system)
	if err != nil {
		return err
	}
	w.expect(ctx, map[string]int64{"Subscriptions": int64(len(all))})
	ready := env.PrepareLoad(load.Load{Workers: loadWorkers, Stages: []load.Stage{stage}})
	looking, stop := context.WithCancel(ctx)
	defer stop()
	listed := make(chan map[string]bool, 1)
	go func() { listed <- mixed.listAgents(looking, env, length/2) }()
	windows.start()
	driven, err := ready.Run(ctx, func(ctx context.Context, op load.Op) error {
		err := mixed.operate(ctx, op)
		done, failed := int64(1), int64(0)
		if err != nil {
			done, failed = 0, 1
		}
		windows.count(op.Worker, time.Now(), done, failed)
		return err
	})
	stop() // who has not looked by now looks at the load's end
	alive := <-listed
	if err != nil {
		return err
	}
	sent := publishCounts{mixed.sent.Load(), mixed.unsent.Load()}
	if _, _, err := all.awaitDeliveries(ctx, sent.accepted); err != nil {
		return err
	}
	if !env.Aborted() { // each action of a demo agent publishes an event
		all.checkTelemetry(ctx, w, sent, mixed.actions.Load())
	}
	all.reportEnded(env)
	all.reportDeliveries(env, sent)
	mixed.reportEnded(env)
	mixed.reportResults(ctx, env)
	mixed.reportAlive(ctx, env, alive)
	w.before = mixed.system.Telemetry() // what was asked since is not the load's
	if _, err := all.unsubscribeAll(ctx, env, w, mixed.from, loadEvent); err != nil {
		return err
	}
	w.report()
	offeredFor := length
	if env.Aborted() {
		offeredFor = min(driven.Took, length)
	}
	reportWindows(env, windows, driven, offeredFor)
	env.Value("offered_rate", load.PerSecond(driven.Attempted, offeredFor))
	env.Value("load_capacity_operations_per_sec", load.PerSecond(driven.Succeeded, max(driven.Took, offeredFor)))
	env.Value("success_rate", ratio(driven.Succeeded, driven.Attempted))
	env.Value("load_balance", mixed.balance(driven.Attempted))
	env.Latency("latency_ms", driven.Latency)
	return nil
}

// evaluate reports what the windows say of the load's length.
func reportWindows(env *stress.Env, w *loadWindows, driven load.Result, length time.Duration) {
	var s stability
	s.add(w, length, driven.DueBy)
	why := fmt.Sprintf("the load lasted less than four windows of %v", w.window)
	if s.report(env, 4, why, "performance_degradation") {
		first, last := w.quarters(length, driven.DueBy)
		env.Decline("performance_degradation", first, last)
	}
}

// lookAt returns the ids that the registry lists after that much of the load, or at
// its end if that comes before.
func (w *mixedLoad) listAgents(ctx context.Context, env *stress.Env, after time.Duration) map[string]bool {
	_ = sleepUntil(ctx, env, env.Now().Add(after))
	entries := w.system.Registry().All()
	ids := make(map[string]bool, len(entries))
	for _, e := range entries {
		ids[e.ID()] = true
	}
	return ids
}

// reportAlive reports how many agents were listed and answer. One that no action was
// for is asked now.
func (w *mixedLoad) reportAlive(ctx context.Context, env *stress.Env, listed map[string]bool) {
	alive := 0
	for i := range w.agents {
		a := &w.agents[i]
		if !listed[a.id] {
			continue
		}
		if a.done.Load() == 0 {
			if _, err := w.system.Execute(ctx, a.id, "ping", nil); err != nil {
				continue
			}
		}
		alive++
	}
	env.Value("max_concurrent_agents", float64(alive))
	env.Bool("all_agents_alive", alive == env.Params.Int("agents"))
}

// reportResults reports how many answers were wrong. What a fault ended is not asked
// for its counter.
func (w *mixedLoad) reportResults(ctx context.Context, env *stress.Env) {
	wrong := w.wrongPings.Load()
	if wrong > 0 {
		env.Detail("pings that were not answered with pong", wrong)
	}
	for i := range w.agents {
		a := &w.agents[i]
		n, failed := a.acknowledged.Load(), a.failed.Load()
		if n == 0 || env.EndedByFault(a.id) {
			continue
		}
		if failed == 0 && a.sum.Load() != n*(n+1)/2 {
			env.Detail("agents whose answers to increment are not 1, 2, 3 and so on", 1)
			wrong++
		}
		answer, err := w.system.Execute(ctx, a.id, "get_state", nil)
		if err != nil {
			continue // that it has ended is told by itself
		}
		state, _ := answer.(agents.DemoState)
		if counter := int64(state.Counter); counter < n || counter > n+failed {
			env.Detail("agents whose counter is not the number of increments acknowledged", 1)
			wrong++
		}
	}
	env.Value("wrong_results", float64(wrong))
}

// reportEnded reports how many of the agents have ended. Those that a fault has ended
// are not the system's failure.
func (w *mixedLoad) reportEnded(env *stress.Env) {
	ended, byFault := int64(0), int64(0)
	for i := range w.agents {
		if _, ok := w.system.Registry().Lookup(w.agents[i].id); ok {
			continue
		}
		if env.EndedByFault(w.agents[i].id) {
			byFault++
		} else {
			ended++
		}
	}
	if byFault > 0 {
		env.Note(fmt.Sprintf("agents, of %d, that faults ended", len(w.agents)), byFault)
	}
	if ended > 0 {
		env.Finding(fmt.Sprintf("agents, of %d, that were gone at the load's end", len(w.agents)), ended)
	}
}

// balance is the fairness of the share of its operations that each agent carried out,
// of so many in turn: of few, some agents have one more than others.
func (w *mixedLoad) balance(attempted int64) float64 {
	n := int64(len(w.agents))
	var shares []float64
	for i := range w.agents {
		due := attempted / n
		if int64(i) < attempted%n {
			due++
		}
		if due > 0 {
			shares = append(shares, float64(w.agents[i].done.Load())/float64(due))
		}
	}
	return fairness(shares)
}

// fairness is Jain's index of how evenly something is spread; 0 of nothing.
func fairness(shares []float64) float64 {
	var total, squares float64
	for _, x := range shares {
		total += x
		squares += x * x
	}
	if squares == 0 {
		return 0
	}
	return total * total / (float64(len(shares)) * squares)
}
