package measure

import (
	"context"
	"fmt"
	"time"

	mabeam "mabeam-top/internal/runtime"
	"mabeam-top/internal/stress"
	"mabeam-top/internal/stress/load"
	"mabeam-top/internal/stress/report"
	"mabeam-top/internal/stress/scenario"
)

// maxLateness is how late callers may be told in the median, in milliseconds. On a busy
// machine it is about 5.
const maxLateness = "<= 20"

func agentAction() *stress.Measurement {
	withProbes := func(name string) func(scenario.Params) bool {
		return func(p scenario.Params) bool { return p.Int(name) > 0 }
	}
	metrics := []scenario.Metric{
		{Name: "total_actions", Unit: "count", Better: report.Neither, Doc: "Actions asked for."},
		{Name: "successful_actions", Unit: "count", Better: report.Higher, Doc: "Actions that gave a result."},
		{Name: "actions_per_second", Unit: "1/s", Better: report.Higher, Probe: "completed_per_second", Doc: "successful_actions / duration of the load."},
		{Name: "execution_time_ms", Unit: "ms", Better: report.Lower, Distribution: true, Probe: "action_p50_ms", Doc: "Time from asking (in an open load: from when it was due) to the answer, with that of recording it."},
		{Name: "success_rate", Unit: "ratio", Better: report.Higher, Must: "== 1", Timed: true, Aggregation: scenario.Worst, Doc: "successful_actions / total_actions."},
		mustBeZero("wrong_results", "Actions with a result that they cannot have, those of the load that succeeded and are not in the state of their agent, probes of errors and deadlines with another result than documented, and calls of call_probes that failed."),
		{
			Name: "timeouts", Unit: "count", Better: report.Lower, Must: "== 0", Timed: true, Aggregation: scenario.Sum,
			Expected: func(p scenario.Params) bool { return !p.Has("timeout") },
			Doc:      "Actions of the load whose deadline passed: that of the parameter timeout, or, without one, that for which an agent may leave a caller waiting.",
		},
		{Name: "timeout_accuracy_ms", Unit: "ms", Better: report.Lower, Distribution: true, Given: withProbes("timeout_probes"), Doc: "How much later than its deadline the caller of a hanging action was told. Every second action does not heed its context."},
		{Name: "timeout_lateness_ms", Unit: "ms", Better: report.Lower, Must: maxLateness, Timed: true, Given: withProbes("timeout_probes"), Doc: "The median of timeout_accuracy_ms of a repetition, which single pauses of the machine do not sway."},
		{Name: "error_handling_time_ms", Unit: "ms", Better: report.Lower, Distribution: true, Given: withProbes("error_probes"), Doc: "Time from asking for an action that fails to its error."},
		telemetryMismatches(),
	}
	for _, rules := range [][]scenario.Metric{signalMetrics(), messageMetrics(), lifecycleMetrics(), callMetrics()} {
		metrics = append(metrics, rules...)
	}
	return &stress.Measurement{Measurement: scenario.Measurement{
		Name:      "agent-action",
		Summary:   "How fast do agents carry out actions, and how do errors and timeouts behave?",
		Component: "agent_action",
		Params: append(scenario.LoadParams(),
			scenario.Param{
				Name: "scenarios", Kind: scenario.List, Doc: "What is asked of which agents, one after the other.",
				Default: []scenario.Params{{"agent_type": "demo", "action": "ping", "agents": 1, "action_count": 10000}},
				Fields: []scenario.Param{
					agentTypeParam(),
					{Name: "action", Kind: scenario.Text, Default: "ping", Doc: "The action to ask for."},
					{Name: "params", Kind: scenario.Map, Doc: "The action's parameters."},
					{Name: "agents", Kind: scenario.Int, Default: 1, Min: 1, Max: 1_000_000, Doc: "Agents that are asked in turn."},
					{Name: "action_count", Kind: scenario.Int, Default: 10000, Min: 1, Max: 1_000_000_000, Doc: "Actions to ask for, if the load has no duration."},
				},
			},
			scenario.Param{Name: "timeout", Kind: scenario.Duration, Min: 1e-6, Max: -1, Doc: "Gives each action of the load this deadline."},
			scenario.Param{Name: "error_probes", Kind: scenario.Int, Default: 1000, Min: 0, Max: 1_000_000, Doc: "Failing actions asked for after the load, to see what an error costs."},
			scenario.Param{Name: "timeout_probes", Kind: scenario.Int, Default: 20, Min: 0, Max: 1000, Doc: "Hanging actions asked for after the load, to see how exactly a deadline is kept."},
			scenario.Param{Name: "probe_timeout", Kind: scenario.Duration, Default: 10 * time.Millisecond, Min: 1e-6, Max: 60, Doc: "The deadline of a hanging action."},
			scenario.Param{Name: "signal_probes", Kind: scenario.Int, Default: 1000, Min: 0, Max: 1_000_000, Doc: "Signals sent on a system of their own, to see that each arrives once and in order."},
			scenario.Param{Name: "tell_probes", Kind: scenario.Int, Default: 1000, Min: 0, Max: 1_000_000, Doc: "Actions told on a system of their own, to see that each is carried out once and in order."},
			scenario.Param{Name: "reply_probes", Kind: scenario.Int, Default: 1000, Min: 0, Max: 1_000_000, Doc: "Messages sent on a system of their own, half with Request and half with Send, to see that each gets its own reply."},
			scenario.Param{Name: "life_probes", Kind: scenario.Int, Default: 5, Min: 0, Max: 10_000, Doc: "Rounds on a system of their own in which agents are suspended, filled, stopped, killed, restarted and made to panic, to see that each does what is documented."},
			scenario.Param{Name: "call_probes", Kind: scenario.Int, Default: 2000, Min: 0, Max: 10_000_000, Doc: "Calls of each other kind than actions, on a system of their own, to see what they take; less than 20 for none."},
		),
		Metrics: metrics,
		Estimate: func(p scenario.Params) time.Duration {
			total := 200*time.Millisecond + time.Duration(p.Int("timeout_probes"))*p.Duration("probe_timeout") + time.Duration(p.Int("call_probes"))*callSetTime
			for _, s := range p.List("scenarios") {
				total += loadDuration(p, time.Duration(s.Int("action_count"))*2*time.Microsecond)
			}
			return total
		},
		LoadLength: func(p scenario.Params) time.Duration {
			return loadDuration(p, 0) * time.Duration(len(p.List("scenarios")))
		},
		Targets: []scenario.Target{scenario.TargetAgents, scenario.TargetComponents},
		Check:   scenario.CheckLoad,
	}, Run: func(ctx context.Context, env *stress.Env) error {
		return measureActions(ctx, env, func(_ int, spec mabeam.Spec) mabeam.Spec { return spec })
	}}
}

// loadDuration is how long the load of LoadParams lasts; a closed one without a
// duration as long as its operations take.
func loadDuration(p scenario.Params, operations time.Duration) time.Duration {
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

// measureActions asks agents for actions; wrap may put something in front of the
// behaviour of the n-th agent.
func measureActions(ctx context.Context, env *stress.Env, wrap func(n int, spec mabeam.Spec) mabeam.Spec) error {
	var total load.Result
	var ended actionCounts
	wrong, telemetry := newChecker(env, "wrong_results"), newTelemetryCheck(env, env.System())
	agents := 0
	for _, s := range env.Params.List("scenarios") {
		ids, err := startAgents(ctx, env.System(), s.Int("agents"), func() mabeam.Spec {
			agents++
			return env.Agent(wrap(agents-1, specOf(s.Text("agent_type"))))
		})
		if err != nil {
			return err
		}
		driven, answered, err := runActions(ctx, env, ids, s, wrong)
		if err != nil {
			return err
		}
		total.Add(driven)
		ended = sumCounts([]actionCounts{ended, answered})
	}
	env.Value("total_actions", float64(total.Attempted))
	env.Value("successful_actions", float64(total.Succeeded))
	env.Value("actions_per_second", total.PerSecond())
	env.Latency("execution_time_ms", total.Latency)
	env.Value("success_rate", ratio(total.Succeeded, total.Attempted))
	env.Value("timeouts", float64(ended.timeouts))
	expected := map[string]countRange{
		"AgentsStarted": {int64(agents), int64(agents)}, "AgentsStopped": {}, "AgentsCrashed": {0, total.Failed}, "AgentsRestarted": {},
	}
	if !env.Aborted() { // actions that were cut off are in no count
		// One that was refused, or given up, counts in one way or another.
		expected["ActionsDone"] = countRange{total.Succeeded, total.Attempted}
		expected["ActionsFailed"], expected["RepliesLate"] = countRange{0, total.Failed}, countRange{0, total.Failed}
	}
	telemetry.expectBetween(ctx, expected)
	telemetry.report()
	for _, probe := range []func(context.Context, *stress.Env, *checker) error{measureErrorHandling, measureTimeouts, checkCallTimes} {
		if err := probe(ctx, env, wrong); err != nil {
			return err
		}
	}
	wrong.report()
	for _, check := range []func(context.Context, *stress.Env) error{checkSignals, checkTells, checkReplies, checkLifecycle} {
		if err := check(ctx, env); err != nil {
			return err
		}
	}
	return nil
}

// minActionTimeout is how long a closed load without a duration may take at least.
const minActionTimeout = 5 * time.Second

// estimateAction is about how long an action takes.
func estimateAction(action string, params map[string]any) time.Duration {
	if action == "sleep" {
		d, _ := time.ParseDuration(fmt.Sprint(params["for"]))
		return d
	}
	return 2 * time.Microsecond
}

// runActions drives the load of one scenario.
func runActions(ctx context.Context, env *stress.Env, ids []string, s scenario.Params, wrong *checker) (load.Result, actionCounts, error) {
	system, action, params := env.System(), s.Text("action"), s.Map("params")
	l := stress.LoadOf(env.Params, s.Int("action_count"))
	if l.Operations > 0 {
		l.For = max(loadTimeout(time.Duration(l.Operations)*estimateAction(action, params)), minActionTimeout)
	}
	expected := resultCheckOf(s.Text("agent_type"), action, s.Map("params"))
	ended := make([]actionCounts, l.Workers) // each touched by its worker only
	ask := func(ctx context.Context, op load.Op) error {
		result, err := system.Execute(ctx, ids[op.N%len(ids)], action, params)
		return ended[op.Worker].record(expected, result, err)
	}
	carryOut := ask
	if env.Params.Has("timeout") {
		timeout := env.Params.Duration("timeout")
		carryOut = func(ctx context.Context, op load.Op) error {
			limited, cancel := context.WithTimeout(ctx, timeout)
			defer cancel()
			return ask(limited, op)
		}
	}
	driven, err := env.RunLoad(ctx, l, carryOut)
	total := sumCounts(ended)
	wrong.add(total.wrong, errWrongResult.Error())
	checkStates(ctx, env, wrong, expected, ids, total, driven.Failed)
	return driven, total, err
}
