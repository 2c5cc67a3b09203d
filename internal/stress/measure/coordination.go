package measure

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"mabeam-top/internal/probes/probe"
	mabeam "mabeam-top/internal/runtime"
	"mabeam-top/internal/stress"
	"mabeam-top/internal/stress/conformance"
	"mabeam-top/internal/stress/load"
	"mabeam-top/internal/stress/quantity"
	"mabeam-top/internal/stress/report"
	"mabeam-top/internal/stress/scenario"
)

const (
	// scalingGroups is how many groups work in parallel to measure how coordination scales
	// with the number of agents.
	scalingGroups = 4
	// coordinationParts is the number of parts of the load. One group and several run in
	// turn, so that a busy machine slows both equally.
	coordinationParts = 8
)

// How the agents of fail_agents fail.
const (
	killedAgents = "killed"
	silentAgents = "silent"
)

func agentCoordination() *stress.Measurement {
	wellBegun := operationsNotBegun() // with failing agents, operations wait for their deadline
	wellBegun.Expected = func(p scenario.Params) bool { return p.Int("fail_agents") == 0 }
	return &stress.Measurement{Measurement: scenario.Measurement{
		Name:      "coordination",
		Summary:   "Measures how fast agents coordinate, how that scales with parallel groups, and what dead agents cost.",
		Component: "system_coordination",
		Params: []scenario.Param{
			{Name: "agents", Kind: scenario.Int, Default: 10, Min: 1, Max: 100_000, Doc: "Agents of the group that coordinates. Three more groups of as many agents measure how it scales."},
			{Name: "type", Kind: scenario.Text, Default: "simple", Choices: append(slices.Clone(coordinationTypes), "mixed"), Doc: "Type of the operations. simple: a request from one agent to the next, and its reply. " + "complex: a script in which all agents do two steps in parallel, the second with the result of the first; each result is checked. " + "fan-out: a request to all agents at once, and the answers of all. " + "pipeline: the agents one after the other, each with the answer of the previous one; the last answer is checked. " + "barrier: all agents arrive, then all are released. " + "vote: all agents vote, and there is a majority; a quarter votes against it unless agents fail. " + "election: all agents are candidates, and the one with the highest priority leads, a different one each time. " + "auction: all agents bid, and the highest bid wins, a different one each time. " + "mixed: these eight in turn."},
			{Name: "operations", Kind: scenario.Int, Default: 1000, Min: 1, Max: 100_000_000, Doc: "Operations of the group."},
			{Name: "concurrency", Kind: scenario.Int, Default: 1, Min: 1, Max: 10_000, Doc: "Concurrent operations of a group."},
			{Name: "fail_agents", Kind: scenario.Int, Default: 0, Min: 0, Max: 100_000, Doc: "Agents of the group that fail, spread evenly over it. The operations run once with all agents healthy, and again after the failure."},
			{Name: "failure", Kind: scenario.Text, Default: killedAgents, Choices: []string{killedAgents, silentAgents}, Doc: "How they fail. killed: they end, which is known at once. silent: they accept requests and never answer, so that callers wait for the timeout."},
			{Name: "timeout", Kind: scenario.Duration, Default: time.Second, Min: 0.001, Max: 60, Doc: "Deadline of one operation."},
		},
		Metrics: []scenario.Metric{
			{Name: "coordination_latency_ms", Unit: "ms", Better: report.Lower, Distribution: true, Probe: probe.ActionP50MS, Doc: "Time of one operation, including the check of its result. With fail_agents, while they have failed. Creating the context with the deadline is not included in most operations."},
			{Name: "throughput_operations_per_sec", Unit: "1/s", Better: report.Higher, Probe: probe.CompletedPerSecond, Doc: "Successful operations per second of one group. With fail_agents, while they have failed."},
			{Name: "success_rate", Unit: "ratio", Better: report.Higher, Must: "== 1", Timed: true, Aggregation: scenario.Worst, Expected: toleratesFailures, Doc: "Successful operations / operations of one group. With fail_agents, while they have failed. It must be 1 unless the type of operation needs the failed agents."},
			{Name: "scalability_factor", Unit: "ratio", Better: report.Higher, Doc: "Operations per second of four such groups in parallel / of one group, with all agents healthy."},
			{Name: "failure_impact", Unit: "ratio", Better: report.Lower, Must: "== 0", Timed: true, Aggregation: scenario.Worst, Expected: toleratesFailures, Given: func(p scenario.Params) bool { return p.Int("fail_agents") > 0 }, Doc: "1 − success rate with failed agents / without. Reported with fail_agents. It must be 0 if the type of operation does not need them."},
			mustBeZero("wrong_results", "Operations with a wrong result: a missing, repeated, swapped or wrong answer, an early release, a ballot, bid or priority of a dead agent, a wrong count, price or winner; and violations of the rules for ties, abstentions, dead agents and leader changes, which are checked once. The errors name each."),
			timeDependent(mustBeZero("answers_missing", "Answers of healthy agents that operations did not get.")),
			telemetryMismatches(),
			wellBegun,
		},
		Estimate: coordinationEstimate,
		Check: func(p scenario.Params) error {
			if p.Int("fail_agents") >= p.Int("agents") {
				return fmt.Errorf("%d of %d agents cannot fail: at least one must remain", p.Int("fail_agents"), p.Int("agents"))
			}
			return nil
		},
		Targets: []scenario.Target{scenario.TargetAgents, scenario.TargetComponents},
	}, Run: func(ctx context.Context, env *stress.Env) error {
		return measureCoordination(ctx, env, runtimeCoordinator{env.System()}, func(rank int) mabeam.Behaviour { return &member{rank: rank} })
	}}
}

func coordinationEstimate(p scenario.Params) time.Duration {
	operations := time.Duration(p.Int("operations"))
	estimate := 100*time.Millisecond + operations*scalingGroups*time.Duration(2+p.Int("agents"))*time.Microsecond
	if p.Int("fail_agents") > 0 && p.Text("failure") == silentAgents {
		estimate += operations * p.Duration("timeout") / time.Duration(p.Int("concurrency"))
	}
	return estimate
}

// toleratesFailures reports whether operations succeed in spite of the failed agents:
// because there are none, or the others suffice.
func toleratesFailures(p scenario.Params) bool {
	switch failing := p.Int("fail_agents"); p.Text("type") {
	case "election", "auction":
		return true
	case "vote":
		return 2*failing < p.Int("agents")
	default:
		return failing == 0
	}
}

// coordinationTypes are the types of operations, in the order of mixed.
var coordinationTypes = []string{"simple", "complex", "fan-out", "pipeline", "barrier", "vote", "election", "auction"}

func measureCoordination(ctx context.Context, env *stress.Env, system coordinator, behaviour func(rank int) mabeam.Behaviour) error {
	p, loads := env.Params, newBudget(env, coordinationEstimate(env.Params))
	defer loads.report()
	wrong, w := conformance.NewChecker(env, "wrong_results"), newTelemetryCheck(env, env.System())
	groups := make([]*coordinationGroup, scalingGroups)
	for i := range groups {
		var err error
		if groups[i], err = newCoordinationGroup(ctx, env, system, wrong, behaviour); err != nil {
			return err
		}
	}
	first, operations := groups[0], env.Count(p.Int("operations"))
	runLoad := func(ctx context.Context, of []*coordinationGroup, operations int, metrics []string) (load.Result, error) {
		workers := min(p.Int("concurrency")*len(of), operations)
		deadlines := make([]sharedDeadline, workers)
		defer func() {
			for i := range deadlines {
				deadlines[i].cancelContext()
			}
		}()
		return loads.run(ctx, load.Load{Workers: workers, Operations: operations, Metrics: metrics},
			func(ctx context.Context, op load.Op) error {
				limited := deadlines[op.Worker].context(ctx, op.Due, p.Duration("timeout"))
				return of[op.Worker%len(of)].coordinate(ctx, limited, p.Text("type"))
			})
	}
	metricsOfResult := []string{"coordination_latency_ms", "throughput_operations_per_sec", "success_rate"}
	metricsOfOne := metricsOfResult
	if p.Int("fail_agents") > 0 {
		metricsOfOne = []string{"failure_impact"} // the results are those of the group with failed agents
	}

	var one, several load.Result
	parts := min(coordinationParts, operations)
	for part := range parts {
		n := load.PartSize(operations, part, parts)
		loadResult, err := runLoad(ctx, groups[:1], n, metricsOfOne)
		if err != nil {
			return err
		}
		one.Add(loadResult)
		if loadResult, err = runLoad(ctx, groups, n*scalingGroups, []string{"scalability_factor"}); err != nil {
			return err
		}
		several.Add(loadResult)
	}
	result := one
	if p.Int("fail_agents") > 0 {
		failed, err := first.fail(ctx, env)
		if err != nil {
			return err
		}
		if result, err = runLoad(ctx, groups[:1], operations, metricsOfResult); err != nil {
			return err
		}
		reportFailureImpact(env, failed, one, result)
	}
	var missing, rounds int64
	for _, t := range groups {
		missing += t.reportMissedAnswers(env)
		rounds += t.rounds.Load()
	}
	env.Value("answers_missing", float64(missing))
	w.expect(ctx, map[string]int64{"CoordinationRounds": rounds, "AgentsStarted": int64(scalingGroups * p.Int("agents"))})
	w.report()
	if err := conformance.CheckCoordination(ctx, env.System(), system, wrong); err != nil {
		return err
	}
	wrong.Report()
	env.Latency("coordination_latency_ms", result.Latency)
	env.Value("throughput_operations_per_sec", result.PerSecond())
	env.Value("success_rate", ratio(result.Succeeded, result.Attempted))
	if one.PerSecond() > 0 {
		env.Value("scalability_factor", several.PerSecond()/one.PerSecond())
	} else {
		env.Unmeasured("scalability_factor", "no operation of a single group succeeded")
	}
	return nil
}

// reportFailureImpact reports what the failed agents cost.
func reportFailureImpact(env *stress.Env, failed []string, well, failing load.Result) {
	before, after := ratio(well.Succeeded, well.Attempted), ratio(failing.Succeeded, failing.Attempted)
	if before == 0 {
		env.Unmeasured("failure_impact", "no operation succeeded even before agents failed")
		return
	}
	env.Value("failure_impact", 1-after/before)
	const was = "%s (before: %s)"
	env.Note(fmt.Sprintf("agents %s on purpose by fail_agents: %s. Effect: success rate "+was+", throughput "+was+", median latency "+was,
		env.Params.Text("failure"), strings.Join(failed, ", "),
		quantity.Format(after, "ratio"), quantity.Format(before, "ratio"),
		quantity.Format(failing.PerSecond(), "1/s"), quantity.Format(well.PerSecond(), "1/s"),
		quantity.Format(load.Milliseconds(failing.Latency.Quantile(0.5)), "ms"), quantity.Format(load.Milliseconds(well.Latency.Quantile(0.5)), "ms")), 1)
}
