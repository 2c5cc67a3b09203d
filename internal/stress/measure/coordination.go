package measure

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	mabeam "mabeam-top/internal/runtime"
	"mabeam-top/internal/stress"
	"mabeam-top/internal/stress/load"
	"mabeam-top/internal/stress/report"
	"mabeam-top/internal/stress/scenario"
)

const (
	// scalingGroups is how many teams work side by side to see how coordination
	// scales: that many times the agents.
	scalingGroups = 4
	// coordinationParts is into how many parts the load is divided, one team
	// and several by turns, so that a busy machine slows both alike.
	coordinationParts = 8
)

// How the agents of fail_agents fail.
const (
	killedAgents = "killed"
	silentAgents = "silent"
)

func agentCoordination() *stress.Measurement {
	wellBegun := operationsNotBegun() // with agents that fail, operations wait for their deadline
	wellBegun.Expected = func(p scenario.Params) bool { return p.Int("fail_agents") == 0 }
	return &stress.Measurement{Measurement: scenario.Measurement{
		Name:      "coordination",
		Summary:   "How fast do agents agree with each other, does more of that fit side by side, and what does a dead agent cost?",
		Component: "system_coordination",
		Params: []scenario.Param{
			{Name: "agents", Kind: scenario.Int, Default: 10, Min: 1, Max: 100_000, Doc: "Agents of the team that works together; to see how it scales, three more teams of as many are started."},
			{
				Name: "type", Kind: scenario.Text, Default: "simple", Choices: append(slices.Clone(coordinationTypes), "mixed"),
				Doc: "What one operation is. simple: a request from one agent to the next, and its reply. " +
					"complex: a script in which all agents side by side do two steps each, the second with the result of the first, and each result is checked. " +
					"fan-out: all agents are asked at once, and the answers of all gathered. " +
					"pipeline: the agents one after the other, each with the answer of the one before, and the last answer is checked. " +
					"barrier: all agents arrive, and then all are told to go on. " +
					"vote: all agents vote, and there is a majority; a quarter votes against it, unless agents fail. " +
					"election: all agents stand, and the one of the highest priority leads, another one each time. " +
					"auction: all agents bid, and the highest bid wins, another one each time. " +
					"mixed: these eight in turn.",
			},
			{Name: "operations", Kind: scenario.Int, Default: 1000, Min: 1, Max: 100_000_000, Doc: "Operations of the team."},
			{Name: "concurrency", Kind: scenario.Int, Default: 1, Min: 1, Max: 10_000, Doc: "Operations of a team under way at once."},
			{Name: "fail_agents", Kind: scenario.Int, Default: 0, Min: 0, Max: 100_000, Doc: "Agents of the team that fail, spread evenly over it, after the operations were done once with all agents well; they are then done again."},
			{Name: "failure", Kind: scenario.Text, Default: killedAgents, Choices: []string{killedAgents, silentAgents}, Doc: "How they fail. killed: they are gone, which is known at once. silent: they take what they are asked and never answer, so that who asks waits for the timeout."},
			{Name: "timeout", Kind: scenario.Duration, Default: time.Second, Min: 0.001, Max: 60, Doc: "The deadline of one operation."},
		},
		Metrics: []scenario.Metric{
			{Name: "coordination_latency_ms", Unit: "ms", Better: report.Lower, Distribution: true, Probe: "action_p50_ms", Doc: "Time of one operation, with that of checking its result; with fail_agents, while they fail. The context with its deadline is made outside of most operations."},
			{Name: "throughput_operations_per_sec", Unit: "1/s", Better: report.Higher, Probe: "completed_per_second", Doc: "Operations of one team that succeeded per second; with fail_agents, while they fail."},
			{Name: "success_rate", Unit: "ratio", Better: report.Higher, Must: "== 1", Timed: true, Aggregation: scenario.Worst, Expected: toleratesFailures, Doc: "Operations of one team that succeeded / operations; with fail_agents, while they fail. It must be 1 unless agents fail that the type of operation cannot do without."},
			{Name: "scalability_factor", Unit: "ratio", Better: report.Higher, Doc: "Operations per second of four such teams side by side, which are 4 times the agents / of one, all agents being well."},
			{Name: "failure_impact", Unit: "ratio", Better: report.Lower, Must: "== 0", Timed: true, Aggregation: scenario.Worst, Expected: toleratesFailures, Given: func(p scenario.Params) bool { return p.Int("fail_agents") > 0 }, Doc: "1 − success rate with the failing agents / without; reported with fail_agents. It must be 0 where the type of operation can do without them."},
			mustBeZero("wrong_results", "Operations whose result was wrong, by type: a missing, doubled, swapped or wrong answer, a release before all had arrived, a ballot, bid or priority of a dead agent, a wrong count, price or winner; and broken rules of ties, abstentions, dead agents and the replacement of a leader, which are checked once. The errors tell which."),
			timeDependent(mustBeZero("answers_missing", "Answers that operations did not get from agents that were well.")),
			telemetryMismatches(),
			wellBegun,
		},
		Estimate: coordinationEstimate,
		Check: func(p scenario.Params) error {
			if p.Int("fail_agents") >= p.Int("agents") {
				return fmt.Errorf("of %d agents %d cannot fail: at least one has to be left", p.Int("agents"), p.Int("fail_agents"))
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

// toleratesFailures says whether operations succeed although agents fail: if none do, or if
// the others are enough.
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

// coordinationTypes are the types of operations, in the order in which mixed
// takes them.
var coordinationTypes = []string{"simple", "complex", "fan-out", "pipeline", "barrier", "vote", "election", "auction"}

func measureCoordination(ctx context.Context, env *stress.Env, system coordinator, behaviour func(rank int) mabeam.Behaviour) error {
	p, loads := env.Params, newBudget(env, coordinationEstimate(env.Params))
	defer loads.report()
	wrong, w := newChecker(env, "wrong_results"), newTelemetryCheck(env, env.System())
	teams := make([]*coordinationGroup, scalingGroups)
	for i := range teams {
		var err error
		if teams[i], err = newCoordinationGroup(ctx, env, system, wrong, behaviour); err != nil {
			return err
		}
	}
	first, operations := teams[0], env.Count(p.Int("operations"))
	drive := func(ctx context.Context, of []*coordinationGroup, operations int, metrics []string) (load.Result, error) {
		workers := min(p.Int("concurrency")*len(of), operations)
		leases := make([]sharedDeadline, workers)
		defer func() {
			for i := range leases {
				leases[i].cancelContext()
			}
		}()
		return loads.run(ctx, load.Load{Workers: workers, Operations: operations, Metrics: metrics},
			func(ctx context.Context, op load.Op) error {
				limited := leases[op.Worker].context(ctx, op.Due, p.Duration("timeout"))
				return of[op.Worker%len(of)].coordinate(ctx, limited, p.Text("type"))
			})
	}
	results := []string{"coordination_latency_ms", "throughput_operations_per_sec", "success_rate"}
	ofOne := results
	if p.Int("fail_agents") > 0 {
		ofOne = []string{"failure_impact"} // the results are those of the failing team
	}

	var one, several load.Result
	parts := min(coordinationParts, operations)
	for part := range parts {
		n := partSize(operations, part, parts)
		driven, err := drive(ctx, teams[:1], n, ofOne)
		if err != nil {
			return err
		}
		one.Add(driven)
		if driven, err = drive(ctx, teams, n*scalingGroups, []string{"scalability_factor"}); err != nil {
			return err
		}
		several.Add(driven)
	}
	result := one
	if p.Int("fail_agents") > 0 {
		failed, err := first.fail(ctx, env)
		if err != nil {
			return err
		}
		if result, err = drive(ctx, teams[:1], operations, results); err != nil {
			return err
		}
		reportFailureImpact(env, failed, one, result)
	}
	var missing, rounds int64
	for _, t := range teams {
		missing += t.reportMissedAnswers(env)
		rounds += t.rounds.Load()
	}
	env.Value("answers_missing", float64(missing))
	w.expect(ctx, map[string]int64{"CoordinationRounds": rounds, "AgentsStarted": int64(scalingGroups * p.Int("agents"))})
	w.report()
	if err := checkCoordination(ctx, env.System(), system, wrong); err != nil {
		return err
	}
	wrong.report()
	env.Latency("coordination_latency_ms", result.Latency)
	env.Value("throughput_operations_per_sec", result.PerSecond())
	env.Value("success_rate", ratio(result.Succeeded, result.Attempted))
	if one.PerSecond() > 0 {
		env.Value("scalability_factor", several.PerSecond()/one.PerSecond())
	} else {
		env.Unmeasured("scalability_factor", "no operation of a single team succeeded")
	}
	return nil
}

// reportFailureImpact tells what the agents that failed cost.
func reportFailureImpact(env *stress.Env, failed []string, well, failing load.Result) {
	before, after := ratio(well.Succeeded, well.Attempted), ratio(failing.Succeeded, failing.Attempted)
	if before == 0 {
		env.Unmeasured("failure_impact", "no operation succeeded even before agents failed")
		return
	}
	env.Value("failure_impact", 1-after/before)
	const was = "%s (before: %s)"
	env.Note(fmt.Sprintf("%s on purpose by fail_agents: %s. What it cost: success rate "+was+", throughput "+was+", median latency "+was,
		env.Params.Text("failure"), strings.Join(failed, ", "),
		report.Quantity(after, "ratio"), report.Quantity(before, "ratio"),
		report.Quantity(failing.PerSecond(), "1/s"), report.Quantity(well.PerSecond(), "1/s"),
		report.Quantity(load.Milliseconds(failing.Latency.Quantile(0.5)), "ms"), report.Quantity(load.Milliseconds(well.Latency.Quantile(0.5)), "ms")), 1)
}
