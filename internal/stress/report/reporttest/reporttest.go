// Package reporttest provides reports for tests: one for each verdict, and some that are
// hard to print.
package reporttest

import (
	"math"
	"time"

	"mabeam-top/internal/probes/probe"
	"mabeam-top/internal/stress/report"
)

// All returns all reports, by their names.
func All() map[string]report.Report {
	return map[string]report.Report{
		"pass":         Passed(),
		"warn":         warned(),
		"fail":         Failed(),
		"inconclusive": Inconclusive(),
		"error":        childDied(),
		"interrupted":  interrupted(),
		"empty":        empty(),
		"odd":          Odd(),
		"regression":   regressed(),
		"exact":        broken(),
		"undecided":    undecided(),
	}
}

// Run returns a report of scenarios, with scores and verdicts as the engine sets them.
func Run(scenarios ...report.Scenario) report.Report {
	r := report.Report{
		Schema: report.Schema, ID: "01jd8k2m", StartedAt: time.Date(2026, 3, 14, 1, 59, 26, 0, time.UTC), DurationSeconds: 31.24,
		Tool:    report.Tool{Version: "v0.3.0", Commit: "5f82ceaa01bb34", Go: "go1.26.8"},
		Command: []string{"mabeam-top", "--headless", "event-storm"}, Seed: 42,
		Host: report.Host{
			OS: "linux", Arch: "amd64", Kernel: "6.1.0-18", CPUModel: "Example CPU @ 2.60GHz", CPUs: 2,
			MemoryBytes: 8_330_000_000, GOMAXPROCS: 2, GOMemLimit: math.MaxInt64,
		},
		Scenarios: scenarios,
	}
	for i := range r.Scenarios {
		for j := range r.Scenarios[i].Steps {
			step := &r.Scenarios[i].Steps[j]
			step.Score = report.ScoreOf(step.Metrics, step.Verdict)
		}
		r.Scenarios[i].Conclude()
	}
	r.Conclude()
	return r
}

// Scenario returns the result of a scenario.
func Scenario(name, title string, steps ...report.Step) report.Scenario {
	return report.Scenario{
		Name: name, Title: title, Tags: []string{"baseline"}, StartedAt: time.Date(2026, 3, 14, 1, 59, 26, 0, time.UTC),
		DurationSeconds: 31.1, File: "builtin:" + name + ".yaml", Steps: steps,
	}
}

func withBaseline(unit string, better report.Better, baseline, deviation float64, status report.Status, value float64, samples ...float64) report.Metric {
	return report.Metric{
		Value: value, Unit: unit, Better: better, Samples: samples,
		Baseline: &baseline, Tolerance: new(0.2), Deviation: &deviation, Status: status,
	}
}

func unchecked(unit string, value any, samples ...float64) report.Metric {
	return report.Metric{Value: value, Unit: unit, Better: report.Neither, Samples: samples, Status: report.StatusInfo}
}

func probes() map[probe.Name]report.Probe {
	return map[probe.Name]report.Probe{
		"goroutines":      {Min: 12, Mean: 180.5, Max: 214, Last: 14},
		"heap_bytes":      {Min: 4.1e6, Mean: 2.2e7, Max: 4.12e7, Last: 1.8e7},
		"rss_bytes":       {Min: 2.1e7, Mean: 6e7, Max: 8.1e7, Last: 7.9e7},
		"cpu_percent":     {Min: 3, Mean: 160.2, Max: 193.4, Last: 12},
		"gc_pause_p99_ms": {Min: 0.01, Mean: 0.05, Max: 0.214, Last: 0.06},
	}
}

// Creation returns a step that passed.
func Creation() report.Step {
	return report.Step{
		Name: "agent-creation", Measurement: "agent-creation", Component: "agent_creation",
		Params: map[string]any{"agents": 1000, "concurrency": 1, "agent_type": "demo"}, Verdict: report.Pass, DurationSeconds: 1.42,
		Metrics: map[string]report.Metric{
			"agents_per_second":    withBaseline("1/s", report.Higher, 1000, 411.3, report.StatusExceed, 412_300, 409_000, 412_300, 420_100),
			"creation_time_ms":     withBaseline("ms", report.Lower, 1, 0.9978, report.StatusExceed, 0.0022, 0.0021, 0.0022, 0.0024),
			"creation_time_ms.max": withBaseline("ms", report.Lower, 10, 0.92, report.StatusExceed, 0.8),
			"memory_per_agent":     withBaseline("bytes", report.Lower, 1048576, 0, report.StatusPass, 1048576, 1048576, 1048576, 1048576),
			"parallel_speedup":     unchecked("ratio", 1.63, 1.6, 1.63, 1.7),
			"success_rate":         unchecked("ratio", 1.0, 1, 1, 1),
			"total_count":          unchecked("count", 1000.0, 1000, 1000, 1000),
		},
		Operations: report.Operations{Attempted: 3000, Succeeded: 3000}, Probes: probes(),
	}
}

// Passed returns a report of a run that passed.
func Passed() report.Report {
	return Run(Scenario("agent-creation", "Agent creation", Creation()))
}

func warned() report.Report {
	s := Creation()
	s.Verdict = report.Warn
	s.Metrics["creation_time_ms"] = withBaseline("ms", report.Lower, 1, -0.15, report.StatusWarn, 1.15, 1.1, 1.15, 1.18)
	s.Recommendations = []string{"creation_time_ms is 1.15 ms, 15 % above the baseline of 1 ms, close to the 20 % at which it fails"}
	return Run(Scenario("agent-creation", "Agent creation", s))
}

// Storm returns a step that failed, with thresholds, faults and errors.
func Storm() report.Step {
	latency := unchecked("ms", 0.12, 0.11, 0.12, 0.12, 0.13, 0.12)
	latency.Distribution = &report.Distribution{Count: 495_210, Min: 0.004, Mean: 0.31, Stddev: 0.9, P50: 0.12, P90: 0.6, P95: 0.9, P99: 8.4, P999: 11.2, Max: 14.9}
	return report.Step{
		Name: "storm", Measurement: "event-stress", Component: "event_stress",
		Params:  map[string]any{"rate": "20000/s", "duration": "5s", "subscribers": 100},
		Steered: true, Isolated: true, Verdict: report.Fail, DurationSeconds: 28.3,
		Metrics: map[string]report.Metric{
			"sustained_event_rate": withBaseline("1/s", report.Higher, 8000, 1.475, report.StatusExceed, 19800, 19700, 19800, 19850, 19900, 19810),
			"burst_event_rate":     withBaseline("1/s", report.Higher, 15000, -0.31, report.StatusFail, 10350, 9000, 10350, 13200, 10100, 10400),
			"stability_score":      withBaseline("ratio", report.Higher, 0.95, -0.12, report.StatusWarn, 0.836, 0.82, 0.84, 0.836, 0.83, 0.84),
			"latency_ms":           latency,
			"dropped":              unchecked("count", 4790.0, 4790, 4790, 4800, 4600, 4790),
			"system_stable":        unchecked("bool", false, 0, 0, 0, 0, 0),
			"processed_ratio":      unchecked("ratio", 0.99998, 0.99998, 0.99998, 0.99999, 0.99998, 0.99998),
		},
		Thresholds: []report.Threshold{
			{Metric: "latency_ms.p99", Condition: "< 5", Actual: new(8.4)},
			{Metric: "processed_ratio", Condition: ">= 0.95", Actual: new(0.99998), OK: true},
			{Metric: "sustained_event_rate", Condition: ">= 15000", Actual: new(3210.0), WindowSeconds: new(1.0), WorstAtSeconds: new(14.2)},
			{Metric: "system_stable", Condition: "== 1", Actual: new(0.0)},
		},
		Operations: report.Operations{Attempted: 500_000, Succeeded: 495_200, Failed: 10, Dropped: 4790},
		Errors:     []report.Error{{Message: "publish: mailbox of sub_17 is full", Count: 4790, FirstAtSeconds: 3.21}, {Message: "agent a_0042 crashed", Count: 10, FirstAtSeconds: 1.04}},
		Faults: []report.Fault{
			{Fault: "kill_agents", Injected: 40, FirstAtSeconds: new(1.02), LastAtSeconds: new(27.4), Targets: []report.Target{{Name: "a_0042", Count: 1, FirstAtSeconds: 1.02}, {Name: "a_0007", Count: 3, FirstAtSeconds: 1.31}}},
			{Fault: "stall_subscribers", Injected: 1, FirstAtSeconds: new(14.2), LastAtSeconds: new(14.2), Targets: []report.Target{{Name: "subscriber-3", Count: 1, FirstAtSeconds: 14.2}}},
			{Fault: "garbage", Injected: 12, FirstAtSeconds: new(0.5), LastAtSeconds: new(6.0)},
			{Fault: "hog_cpu"},
		},
		Probes: probes(),
		Recommendations: []string{
			"latency_ms.p99 is 8.4 ms, limit < 5 ms",
			"burst_event_rate is 10.3k/s, 31 % below the baseline of 15k/s (20 % allowed); its best repetition was within at 13.2k/s, so repeat more often to tell chance from cause",
		},
	}
}

// Failed returns a report of a run with a failed step.
func Failed() report.Report {
	return Run(Scenario("event-storm", "Event storm", Storm()), Scenario("agent-creation", "Agent creation", Creation()))
}

// Inconclusive returns a report of a run whose load could not be delivered.
func Inconclusive() report.Report {
	s := Storm()
	s.Verdict, s.Thresholds = report.Inconclusive, nil
	s.Recommendations = []string{"the load could not be delivered as scheduled, so the figures say nothing about the system: ask for a lower rate, or use a machine with more free CPU"}
	s.Probes["generator_lag_ms"] = report.Probe{Min: 0, Mean: 3, Max: 41.2, Last: 0.1}
	return Run(Scenario("event-storm", "Event storm", s))
}

func childDied() report.Report {
	pressure := report.Step{
		Name: "memory-pressure", Measurement: "memory-pressure", Component: "resource_limits",
		Params: map[string]any{"memory_limit": "256MB"}, Verdict: report.Broken, DurationSeconds: 3.4, Isolated: true,
		Errors: []report.Error{{Message: "the child process ended without a report (exit status 137), 3.4 s after the step began, in repetition 2 of 5", Count: 1, FirstAtSeconds: 3.4}},
		Probes: map[probe.Name]report.Probe{"rss_bytes": {Min: 1e7, Mean: 2e8, Max: 2.56e8, Last: 2.56e8}},
	}
	r := Run(Scenario("memory-pressure", "Memory pressure", pressure), Scenario("agent-creation", "Agent creation", Creation()))
	r.Host.CgroupMemoryBytes = new(uint64(2_100_000_000))
	r.Host.GOMAXPROCS, r.Host.GOMemLimit = 1, 256<<20
	r.Recommendations = []string{"not run: registry-operations, network"}
	return r
}

func interrupted() report.Report {
	s := report.Step{
		Name: "storm", Measurement: "event-stress", Component: "event_stress", Verdict: report.Interrupted, DurationSeconds: 14.8,
		Repetitions: &report.Repetitions{Finished: 2, Planned: 5},
		Metrics: map[string]report.Metric{
			"sustained_event_rate": withBaseline("1/s", report.Higher, 8000, 0.25, report.StatusExceed, 10000, 9990, 10010),
			"dropped":              unchecked("count", 0.0, 0, 0),
		},
		Errors: []report.Error{{Message: "interrupted in repetition 3 of 5", Count: 1, FirstAtSeconds: 14.8}},
		Probes: probes(),
	}
	r := Run(Scenario("agent-creation", "Agent creation", Creation()), Scenario("event-storm", "Event storm", s))
	r.Command = []string{"mabeam-top", "--headless", "--set", "storm.rate=20000/s", "-f", "my scenarios/it's.yaml", "--tag", "events", "--output", "report.json"}
	return r
}

func empty() report.Report {
	r := Run()
	r.Recommendations = []string{"the run ended early, 0.0 s after its start: the event stream ended before the run had finished"}
	return r
}

// Odd returns a report with names, texts and values that are hard to lay out.
func Odd() report.Report {
	s := report.Step{
		Name: "a-step-whose-name-is-much-longer-than-any-line-on-the-screen-of-whoever-is-paged", Measurement: "memory-efficiency", Verdict: report.Fail, DurationSeconds: 3725,
		Metrics: map[string]report.Metric{
			"memory_scaling":     unchecked("text", "logarithmic (sub-linear)"),
			"memory_usage_trend": unchecked("text", "steigend › 増加している傾向にあります \x1b[31mred\x1b[0m\nnext line"),
			"memory_per_agent.ein_außerordentlich_langer_name_eines_agententyps": unchecked("bytes", 7836.0, 7800, 7836, 7900),
			"エージェント数":               unchecked("count", 1e6, 1e6),
			"huge":                  unchecked("1/s", 1.7e308),
			"tiny_ms":               unchecked("ms", 3e-7),
			"zero_ms":               unchecked("ms", 0.0, 0, 0),
			"around_zero":           unchecked("ratio", 0.0, -0.5, 0, 0.25),
			"negative_mb":           unchecked("MB", -12.5),
			"half_count":            unchecked("count", 0.5),
			"many":                  unchecked("count", 123_456_789.0),
			"memory_growth_rate":    {Value: nil, Unit: "ratio", Better: report.Lower, Baseline: new(0.05), Tolerance: new(0.2), Status: report.StatusFail},
			"never_better_ms":       withBaseline("ms", report.Lower, 1e-6, -5e9, report.StatusFail, 5000),
			"memory_leaks":          {Value: 3.0, Unit: "count", Better: report.Lower, Samples: []float64{3}, Baseline: new(0.0), Tolerance: new(0.2), Status: report.StatusFail},
			"gc_reclaimed_exponent": unchecked("exponent", 1.0004),
		},
		Thresholds: []report.Threshold{
			{Metric: "absent_ms.p99", Condition: "< 5"},
			{Metric: "zero_ms", Condition: "<= 0", Actual: new(0.0), OK: true},
			{Metric: "tiny_ms", Condition: "== 3e-07", Actual: new(3e-7), OK: true},
		},
		Operations: report.Operations{Attempted: 1, Failed: 1},
		Errors:     []report.Error{{Message: "averylongmessagewithoutanyblanksinitthatcannotbebrokenatawordboundaryandmustbebrokensomewhereelse/инаконец/最後に", Count: 1}},
	}
	r := Run(report.Scenario{Name: "odd", Steps: []report.Step{s}})
	r.Tool, r.Host, r.Command = report.Tool{}, report.Host{}, nil
	return r
}

func regressed() report.Report {
	r := Run(Scenario("agent-creation", "Agent creation", Creation()))
	r.Regression = &report.Regression{
		Baseline: "old.json", Threshold: 0.1, Alpha: 0.05, Detected: true, Percentage: 23.4,
		Metrics: []report.RegressionMetric{
			{Scenario: "agent-creation", Step: "agent-creation", Metric: "creation_time_ms", Old: new(0.0018), New: new(0.0022), DeltaPercent: new(23.4), PValue: new(0.008), Verdict: "regressed"},
			{Scenario: "agent-creation", Step: "agent-creation", Metric: "agents_per_second", Old: new(350_000.0), New: new(412_300.0), DeltaPercent: new(17.8), Verdict: "improved", Note: "too few samples for significance"},
			{Scenario: "agent-creation", Step: "agent-creation", Metric: "success_rate", Old: new(1.0), New: new(1.0), DeltaPercent: new(0.0), PValue: new(1.0), Verdict: "same"},
			{Scenario: "agent-creation", Step: "agent-creation", Metric: "gone", Old: new(2.0), Verdict: "unknown", Note: "only in the old report"},
		},
	}
	return r
}

// exact is a metric with a condition.
func exact(unit, must string, value any, status report.Status, samples ...float64) report.Metric {
	return report.Metric{Value: value, Unit: unit, Better: report.Lower, Samples: samples, Condition: must, Status: status}
}

// delivery is a step with all kinds of checks.
func delivery() report.Step {
	rate := withBaseline("1/s", report.Higher, 10000, 0.9, report.StatusFail, 19_000, 18_800, 19_000, 19_100)
	rate.Floor = &report.Floor{Value: 240_000, Reference: "hand_over", Share: 0.05}
	memory := unchecked("bytes", 4100.0, 4090, 4100, 4120)
	memory.Better, memory.Floor, memory.BestRatio, memory.Status = report.Lower, &report.Floor{Value: 9600, Reference: "entry_bytes", Share: 12}, new(0.97), report.StatusPass
	success := withBaseline("ratio", report.Higher, 0.99, 0.01, report.StatusFail, 0.99998, 0.99998, 1, 1)
	success.Condition = "== 1"
	recovery := withBaseline("ms", report.Lower, 1000, 0, report.StatusFail, 0, 12, 14)
	recovery.Value, recovery.Deviation, recovery.MissingIn = nil, nil, []int{3}
	growth := unchecked("ratio", 0.004, -0.01, 0.004, 0.02)
	growth.Interval, growth.Status, growth.Condition = &report.Interval{Low: -0.01, High: 0.02}, report.StatusPass, "< 0.1"
	return report.Step{
		Name: "delivery", Measurement: "event-throughput", Component: "event_system",
		Params: map[string]any{"events": 100_000, "subscribers": 10}, Verdict: report.Fail, DurationSeconds: 2.2,
		Metrics: map[string]report.Metric{
			"events_per_second":   rate,
			"memory_per_event":    memory,
			"success_rate":        success,
			"recovery_time_ms":    recovery,
			"memory_growth_rate":  growth,
			"lost":                exact("count", "== 0", 3.0, report.StatusFail, 0, 3, 0),
			"duplicated":          exact("count", "== 0", 0.0, report.StatusPass, 0, 0, 0),
			"ordering_violations": exact("count", "== 0", 0.0, report.StatusPass, 0, 0, 0),
			"listing_right":       exact("bool", "== true", true, report.StatusPass, 1, 1, 1),
			"recovered":           exact("bool", "== true", nil, report.StatusFail),
			"findings":            exact("count", "== 0", 4.0, report.StatusFail, 0, 3, 1),
		},
		Operations: report.Operations{Attempted: 300_000, Succeeded: 299_997, Failed: 3},
		Errors: []report.Error{
			{Message: "one processor was taken by another program for 40 ms", Count: 1, FirstAtSeconds: 0.2, Kind: report.Note},
			{Message: "recovery_time_ms was not measured: no agent could be started again", Count: 1, FirstAtSeconds: 2.1, Kind: report.Unmeasured},
			{Message: "subscriber-4 never got event 99,998", Count: 3, FirstAtSeconds: 1.2, Kind: report.Detail},
			{Message: "publish: the bus is closed", Count: 3, FirstAtSeconds: 1.4},
			{Message: "a subscription was listed after it was cancelled", Count: 3, FirstAtSeconds: 1.5, Kind: report.Finding},
			{Message: "the history held 1,025 events, and its limit is 1,024", Count: 1, FirstAtSeconds: 1.9, Kind: report.Finding},
		},
		Probes: probes(),
	}
}

func broken() report.Report {
	return Run(Scenario("events", "Events", delivery()))
}

func undecided() report.Report {
	s := Creation()
	growth := withBaseline("ratio", report.Lower, 0.05, -0.24, report.StatusFail, 0.062, 0.01, 0.062, 0.09)
	growth.Interval = &report.Interval{Low: -0.01, High: 0.13}
	growth.Undecided = "is between -0.01 and 0.13, and fails at 0.06: more repetitions tell which"
	s.Metrics["memory_growth_rate"] = growth
	s.Verdict = report.Inconclusive
	s.Recommendations = []string{"memory_growth_rate " + growth.Undecided, "other programs took 30 % of the machine"}
	return Run(Scenario("agent-creation", "Agent creation", s))
}
