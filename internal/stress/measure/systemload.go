package measure

import (
	"context"
	"fmt"
	"time"

	"mabeam-top/internal/probes/probe"
	mabeam "mabeam-top/internal/runtime"
	"mabeam-top/internal/runtime/agents"
	"mabeam-top/internal/stress"
	"mabeam-top/internal/stress/load"
	"mabeam-top/internal/stress/report"
	"mabeam-top/internal/stress/scenario"
)

// loadWorkers is the maximum of concurrent operations of system-load.
const loadWorkers = 64

func systemLoad() *stress.Measurement {
	return &stress.Measurement{Measurement: scenario.Measurement{
		Name:      "system-load",
		Summary:   "Measures whether a system of many agents sustains a rate of mixed operations, evenly and without degradation.",
		Component: "system_load",
		Params: []scenario.Param{
			{Name: "agents", Kind: scenario.Int, Default: 1000, Min: 1, Max: 10_000_000, Doc: "Agents that get the operations in turn."},
			{Name: "rate", Kind: scenario.Rate, Default: 5000.0, Min: 1, Max: 1e7, Doc: "Operations that are due per second, independent of the answers."},
			{Name: "duration", Kind: scenario.Duration, Default: 5 * time.Second, Min: 0.1, Max: 3600, Doc: "Length of the load."},
			mixParam(),
			{Name: "subscribers", Kind: scenario.Int, Default: 10, Min: 1, Max: 100_000, Doc: "Subscribers, each of which receives every published event."},
		},
		Metrics: append([]scenario.Metric{
			{Name: "offered_rate", Unit: "1/s", Better: report.Neither, Probe: probe.OfferedPerSecond, Doc: "Operations due / length of the load."},
			{Name: "load_capacity_operations_per_sec", Unit: "1/s", Better: report.Higher, Probe: probe.CompletedPerSecond, CappedBy: "rate", Doc: "Successful operations / time until the last operation has ended. If the system keeps up, it is the offered_rate; the measurement capacity measures the maximum."},
			{Name: "performance_degradation", Unit: "ratio", Better: report.Lower, Doc: "1 − successful share of the operations due in the last quarter of the load / in the first quarter. It is 0 if the system keeps up, even if it gets slower: see latency_ms."},
			{Name: "stability_score", Unit: "ratio", Better: report.Higher, Doc: "Share of the 100 ms windows in which at least 90 % of the due operations succeeded and less than 1 % failed. Windows are longer if fewer than 10 operations are due in 100 ms. An operation counts in the window in which it ended."},
			{Name: "success_rate", Unit: "ratio", Better: report.Higher, Must: "== 1", Timed: true, Aggregation: scenario.Worst, Doc: "Successful operations / operations due."},
			{Name: "max_concurrent_agents", Unit: "count", Better: report.Higher, Aggregation: scenario.Worst, Probe: probe.Agents, CappedBy: "agents", Doc: "Agents of the load that the registry lists in the middle of the load, and that answer an action."},
			{Name: "all_agents_alive", Unit: "bool", Better: report.Higher, Must: "== true", Doc: "Whether max_concurrent_agents is the number of agents."},
			{Name: "load_balance", Unit: "ratio", Better: report.Higher, Must: ">= 0.99", Timed: true, Aggregation: scenario.Worst, Doc: "Jain's fairness index of the successful share of each agent's operations: 1 if it is equal, 1 / agents if one agent does everything."},
			mustBeZero("wrong_results", "Wrong answers: a ping without pong, or an agent whose counter or answers to increment do not match the increments that it acknowledged."),
			{Name: "latency_ms", Unit: "ms", Better: report.Lower, Distribution: true, Probe: probe.ActionP50MS, Doc: "Time from when an operation was due until its answer; of an event, until the bus has accepted it."},
		}, deliveryMetrics()...),
		Estimate: func(p scenario.Params) time.Duration {
			return 100*time.Millisecond + p.Duration("duration") + time.Duration(p.Int("agents"))*5*time.Microsecond
		},
		Check: func(p scenario.Params) error {
			if err := checkMix(p); err != nil {
				return err
			}
			if wanted := 4 * loadWindow(p.Float("rate")); p.Duration("duration") < wanted {
				return fmt.Errorf("duration must be at least %v at this rate: the first quarter is compared with the last in windows of at least %d operations", wanted, minOperationsPerWindow)
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
	windows := newLoadWindows(stage, 1)
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
	go func() { listed <- mixed.listAgents(looking, length/2) }()
	windows.start()
	result, err := ready.Run(ctx, func(ctx context.Context, op load.Op) error {
		err := mixed.operate(ctx, op)
		done, failed := int64(1), int64(0)
		if err != nil {
			done, failed = 0, 1
		}
		windows.count(op.Worker, time.Now(), done, failed)
		return err
	})
	stop() // if the agents were not listed yet, they are listed now
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
	w.before = mixed.system.Telemetry() // later requests are not part of the load
	if _, err := all.unsubscribeAll(ctx, env, w, mixed.from, loadEvent); err != nil {
		return err
	}
	w.report()
	offeredFor := length
	if env.Aborted() {
		offeredFor = min(result.Took, length)
	}
	reportWindows(env, windows, offeredFor)
	env.Value("offered_rate", load.PerSecond(result.Attempted, offeredFor))
	env.Value("load_capacity_operations_per_sec", load.PerSecond(result.Succeeded, max(result.Took, offeredFor)))
	env.Value("success_rate", ratio(result.Succeeded, result.Attempted))
	env.Value("load_balance", mixed.balance(result.Attempted))
	env.Latency("latency_ms", result.Latency)
	return nil
}

// reportWindows reports the metrics of the windows.
func reportWindows(env *stress.Env, w *loadWindows, length time.Duration) {
	var s stability
	s.add(w, length)
	why := fmt.Sprintf("the load lasted less than four windows of %v", w.window)
	if s.report(env, 4, why, "performance_degradation") {
		first, last := w.quarters(length)
		env.Decline("performance_degradation", first, last)
	}
}

// listAgents returns the ids that the registry lists after a part of the load, or at its
// end.
func (w *mixedLoad) listAgents(ctx context.Context, after time.Duration) map[string]bool {
	_ = sleepUntil(ctx, time.Now().Add(after))
	entries := w.system.Registry().All()
	ids := make(map[string]bool, len(entries))
	for _, e := range entries {
		ids[e.ID()] = true
	}
	return ids
}

// reportAlive reports how many agents were listed and answer. An agent without an
// operation gets one now.
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

// reportResults reports wrong answers. Agents that a fault ended are skipped.
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
			continue // its end is reported elsewhere
		}
		state, _ := answer.(agents.DemoState)
		if counter := int64(state.Counter); counter < n || counter > n+failed {
			env.Detail("agents whose counter does not match the acknowledged increments", 1)
			wrong++
		}
	}
	env.Value("wrong_results", float64(wrong))
}

// reportEnded reports how many agents have ended. An end by a fault is not a finding.
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
		env.Note(fmt.Sprintf("of %d agents, those that faults ended", len(w.agents)), byFault)
	}
	if ended > 0 {
		env.Finding(fmt.Sprintf("of %d agents, those that had ended by the end of the load", len(w.agents)), ended)
	}
}

// balance is the fairness of the share of its operations that each agent completed. If the
// agents get few operations, some get one more than others.
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

// fairness is Jain's fairness index, or 0 without values.
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
