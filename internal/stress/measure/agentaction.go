package measure

import (
	"context"
	"fmt"
	"time"

	"mabeam-top/internal/probes/probe"
	mabeam "mabeam-top/internal/runtime"
	"mabeam-top/internal/stress"
	"mabeam-top/internal/stress/conformance"
	"mabeam-top/internal/stress/load"
	"mabeam-top/internal/stress/report"
	"mabeam-top/internal/stress/scenario"
)

// maxLateness limits the median lateness of timeouts, in milliseconds. On a busy machine
// the median is about 5.
const maxLateness = "<= 20"

func agentAction() *stress.Measurement {
	withProbes := func(name string) func(scenario.Params) bool {
		return func(p scenario.Params) bool { return p.Int(name) > 0 }
	}
	metrics := []scenario.Metric{
		{Name: "total_actions", Unit: "count", Better: report.Neither, Doc: "Actions requested."},
		{Name: "successful_actions", Unit: "count", Better: report.Higher, Doc: "Actions that succeeded."},
		{Name: "actions_per_second", Unit: "1/s", Better: report.Higher, Probe: probe.CompletedPerSecond, Doc: "successful_actions / duration of the load."},
		{Name: "execution_time_ms", Unit: "ms", Better: report.Lower, Distribution: true, Probe: probe.ActionP50MS, Doc: "Time from the request of an action to its answer, including the time to record it. In an open load, the time starts when the action is due."},
		{Name: "success_rate", Unit: "ratio", Better: report.Higher, Must: "== 1", Timed: true, Aggregation: scenario.Worst, Doc: "successful_actions / total_actions."},
		mustBeZero("wrong_results", "Actions with an impossible result, actions of the load that succeeded but are missing in the state of their agent, error and timeout probes with an undocumented result, and calls of call_probes that failed."),
		{
			Name: "timeouts", Unit: "count", Better: report.Lower, Must: "== 0", Timed: true, Aggregation: scenario.Sum,
			Expected: func(p scenario.Params) bool { return !p.Has("timeout") },
			Doc:      "Actions of the load that timed out: after the parameter timeout or, without one, after the default time that a caller waits.",
		},
		{Name: "timeout_accuracy_ms", Unit: "ms", Better: report.Lower, Distribution: true, Given: withProbes("timeout_probes"), Doc: "Time from the deadline of a hanging action until its caller gets the error. Every second action ignores its context."},
		{Name: "timeout_lateness_ms", Unit: "ms", Better: report.Lower, Must: maxLateness, Timed: true, Given: withProbes("timeout_probes"), Doc: "Median of timeout_accuracy_ms in a repetition, which is robust against single pauses of the machine."},
		{Name: "error_handling_time_ms", Unit: "ms", Better: report.Lower, Distribution: true, Given: withProbes("error_probes"), Doc: "Time from the request of a failing action to its error."},
		telemetryMismatches(),
	}
	for _, rules := range [][]scenario.Metric{signalMetrics(), messageMetrics(), lifecycleMetrics(), callMetrics()} {
		metrics = append(metrics, rules...)
	}
	return &stress.Measurement{Measurement: scenario.Measurement{
		Name:      "agent-action",
		Summary:   "Measures how fast agents handle actions, and checks errors, timeouts, signals, messages and the agent life cycle.",
		Component: "agent_action",
		Params: append(scenario.LoadParams(),
			scenario.Param{
				Name: "scenarios", Kind: scenario.List, Doc: "Loads to run one after the other, each on its own agents.",
				Default: []scenario.Params{{"agent_type": "demo", "action": "ping", "agents": 1, "action_count": 10000}},
				Fields: []scenario.Param{
					agentTypeParam(),
					{Name: "action", Kind: scenario.Text, Default: "ping", Doc: "Action to request."},
					{Name: "params", Kind: scenario.Map, Doc: "Parameters of the action."},
					{Name: "agents", Kind: scenario.Int, Default: 1, Min: 1, Max: 1_000_000, Doc: "Agents that get the actions in turn."},
					{Name: "action_count", Kind: scenario.Int, Default: 10000, Min: 1, Max: 1_000_000_000, Doc: "Actions to request if the load has no duration."},
				},
			},
			scenario.Param{Name: "timeout", Kind: scenario.Duration, Min: 1e-6, Max: -1, Doc: "Deadline of each action of the load."},
			scenario.Param{Name: "error_probes", Kind: scenario.Int, Default: 1000, Min: 0, Max: 1_000_000, Doc: "Failing actions after the load, to measure error handling."},
			scenario.Param{Name: "timeout_probes", Kind: scenario.Int, Default: 20, Min: 0, Max: 1000, Doc: "Hanging actions after the load, to measure the lateness of timeouts."},
			scenario.Param{Name: "probe_timeout", Kind: scenario.Duration, Default: 10 * time.Millisecond, Min: 1e-6, Max: 60, Doc: "Deadline of a hanging action."},
			scenario.Param{Name: "signal_probes", Kind: scenario.Int, Default: 1000, Min: 0, Max: 1_000_000, Doc: "Signals on a separate system, to check that each arrives exactly once and in order."},
			scenario.Param{Name: "tell_probes", Kind: scenario.Int, Default: 1000, Min: 0, Max: 1_000_000, Doc: "Actions sent with Tell on a separate system, to check that each is handled exactly once and in order."},
			scenario.Param{Name: "reply_probes", Kind: scenario.Int, Default: 1000, Min: 0, Max: 1_000_000, Doc: "Messages on a separate system, half with Request and half with Send, to check that each gets its own reply."},
			scenario.Param{Name: "life_probes", Kind: scenario.Int, Default: 5, Min: 0, Max: 10_000, Doc: "Rounds on a separate system that suspend, fill, stop, kill, restart and crash agents, to check the documented rules."},
			scenario.Param{Name: "call_probes", Kind: scenario.Int, Default: 2000, Min: 0, Max: 10_000_000, Doc: "Calls of each kind other than actions on a separate system, to measure their time; fewer than 20 skip it."},
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

// loadDuration is how long a load of LoadParams lasts: a closed load without a duration as
// long as its operations take.
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

// measureActions runs the loads; wrap may replace the behaviour of the n-th agent.
func measureActions(ctx context.Context, env *stress.Env, wrap func(n int, spec mabeam.Spec) mabeam.Spec) error {
	var total load.Result
	var ended actionCounts
	wrong, telemetry := conformance.NewChecker(env, "wrong_results"), newTelemetryCheck(env, env.System())
	agents := 0
	for _, s := range env.Params.List("scenarios") {
		ids, err := startAgents(ctx, env.System(), s.Int("agents"), func() mabeam.Spec {
			agents++
			return env.Agent(wrap(agents-1, specOf(s.Text("agent_type"))))
		})
		if err != nil {
			return err
		}
		loadResult, answered, err := runActions(ctx, env, ids, s, wrong)
		if err != nil {
			return err
		}
		total.Add(loadResult)
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
	if !env.Aborted() { // actions that were cut off are not counted
		// The runtime may count an action that was refused or given up, or not.
		expected["ActionsDone"] = countRange{total.Succeeded, total.Attempted}
		expected["ActionsFailed"], expected["RepliesLate"] = countRange{0, total.Failed}, countRange{0, total.Failed}
	}
	telemetry.expectBetween(ctx, expected)
	telemetry.report()
	for _, run := range []func(context.Context, *stress.Env, *conformance.Checker) error{measureErrorHandling, measureTimeouts, checkCallTimes} {
		if err := run(ctx, env, wrong); err != nil {
			return err
		}
	}
	wrong.Report()
	for _, check := range []struct {
		param string // the number of its probes
		run   func(ctx context.Context, r conformance.Recorder, probes int) error
	}{{"signal_probes", conformance.CheckSignals}, {"tell_probes", conformance.CheckTells}, {"reply_probes", conformance.CheckReplies}, {"life_probes", conformance.CheckLifecycle}} {
		if err := check.run(ctx, env, env.Params.Int(check.param)); err != nil {
			return err
		}
	}
	return nil
}

// minActionTimeout is the least time for a closed load without a duration.
const minActionTimeout = 5 * time.Second

// estimateAction is roughly how long an action takes.
func estimateAction(action string, params map[string]any) time.Duration {
	if action == "sleep" {
		d, _ := time.ParseDuration(fmt.Sprint(params["for"]))
		return d
	}
	return 2 * time.Microsecond
}

// runActions runs the load of one scenario.
func runActions(ctx context.Context, env *stress.Env, ids []string, s scenario.Params, wrong *conformance.Checker) (load.Result, actionCounts, error) {
	system, action, params := env.System(), s.Text("action"), s.Map("params")
	l := stress.LoadOf(env.Params, s.Int("action_count"))
	if l.Operations > 0 {
		l.For = max(loadTimeout(time.Duration(l.Operations)*estimateAction(action, params)), minActionTimeout)
	}
	expected := resultCheckOf(s.Text("agent_type"), action, s.Map("params"))
	ended := make([]actionCounts, l.Workers) // by worker
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
	loadResult, err := env.RunLoad(ctx, l, carryOut)
	total := sumCounts(ended)
	wrong.Add(total.wrong, errWrongResult.Error())
	checkStates(ctx, env, wrong, expected, ids, total, loadResult.Failed)
	return loadResult, total, err
}
