package report

import (
	"math"
	"time"

	"mabeam-top/internal/probes/probe"
)

// The reports that the tests of every format share, by name.
func fixtures() map[string]Report {
	return map[string]Report{
		"pass":         passed(),
		"warn":         warned(),
		"fail":         failed(),
		"inconclusive": inconclusive(),
		"error":        childDied(),
		"interrupted":  interrupted(),
		"empty":        empty(),
		"odd":          odd(),
		"regression":   regressed(),
		"exact":        broken(),
		"undecided":    undecided(),
	}
}

func ptr[T any](v T) *T { return &v }

// run is a report around scenarios, summed up as the engine does it.
func run(scenarios ...Scenario) Report {
	r := Report{
		Schema: Schema, ID: "01jd8k2m", StartedAt: time.Date(2026, 3, 14, 1, 59, 26, 0, time.UTC), DurationSeconds: 31.24,
		Tool:    Tool{Version: "v0.3.0", Commit: "5f82ceaa01bb34", Go: "go1.26.8"},
		Command: []string{"mabeam-top", "--headless", "event-storm"}, Seed: 42,
		Host: Host{
			OS: "linux", Arch: "amd64", Kernel: "6.1.0-18", CPUModel: "Example CPU @ 2.60GHz", CPUs: 2,
			MemoryBytes: 8_330_000_000, GOMAXPROCS: 2, GOMemLimit: math.MaxInt64,
		},
		Scenarios: scenarios,
	}
	for i := range r.Scenarios {
		for j := range r.Scenarios[i].Steps {
			step := &r.Scenarios[i].Steps[j]
			step.Score = ScoreOf(step.Metrics, step.Verdict)
		}
		r.Scenarios[i].Conclude()
	}
	r.Conclude()
	return r
}

func scenario(name, title string, steps ...Step) Scenario {
	return Scenario{
		Name: name, Title: title, Tags: []string{"baseline"}, StartedAt: time.Date(2026, 3, 14, 1, 59, 26, 0, time.UTC),
		DurationSeconds: 31.1, File: "builtin:" + name + ".yaml", Steps: steps,
	}
}

func judged(unit string, better Better, baseline, deviation float64, status Status, value float64, samples ...float64) Metric {
	return Metric{
		Value: value, Unit: unit, Better: better, Samples: samples,
		Baseline: &baseline, Tolerance: ptr(0.2), Deviation: &deviation, Status: status,
	}
}

func told(unit string, value any, samples ...float64) Metric {
	return Metric{Value: value, Unit: unit, Better: Neither, Samples: samples, Status: StatusInfo}
}

func probes() map[probe.Name]Probe {
	return map[probe.Name]Probe{
		"goroutines":      {Min: 12, Mean: 180.5, Max: 214, Last: 14},
		"heap_bytes":      {Min: 4.1e6, Mean: 2.2e7, Max: 4.12e7, Last: 1.8e7},
		"rss_bytes":       {Min: 2.1e7, Mean: 6e7, Max: 8.1e7, Last: 7.9e7},
		"cpu_percent":     {Min: 3, Mean: 160.2, Max: 193.4, Last: 12},
		"gc_pause_p99_ms": {Min: 0.01, Mean: 0.05, Max: 0.214, Last: 0.06},
	}
}

func creation() Step {
	return Step{
		Name: "agent-creation", Measurement: "agent-creation", Component: "agent_creation",
		Params: map[string]any{"agents": 1000, "concurrency": 1, "agent_type": "demo"}, Verdict: Pass, DurationSeconds: 1.42,
		Metrics: map[string]Metric{
			"agents_per_second":    judged("1/s", Higher, 1000, 411.3, StatusExceed, 412_300, 409_000, 412_300, 420_100),
			"creation_time_ms":     judged("ms", Lower, 1, 0.9978, StatusExceed, 0.0022, 0.0021, 0.0022, 0.0024),
			"creation_time_ms.max": judged("ms", Lower, 10, 0.92, StatusExceed, 0.8),
			"memory_per_agent":     judged("bytes", Lower, 1048576, 0, StatusPass, 1048576, 1048576, 1048576, 1048576),
			"parallel_speedup":     told("ratio", 1.63, 1.6, 1.63, 1.7),
			"success_rate":         told("ratio", 1.0, 1, 1, 1),
			"total_count":          told("count", 1000.0, 1000, 1000, 1000),
		},
		Operations: Operations{Attempted: 3000, Succeeded: 3000}, Probes: probes(),
	}
}

func passed() Report {
	return run(scenario("agent-creation", "Agent creation", creation()))
}

func warned() Report {
	s := creation()
	s.Verdict = Warn
	s.Metrics["creation_time_ms"] = judged("ms", Lower, 1, -0.15, StatusWarn, 1.15, 1.1, 1.15, 1.18)
	s.Recommendations = []string{"creation_time_ms is 1.15 ms, 15 % above the baseline of 1 ms, close to the 20 % at which it fails"}
	return run(scenario("agent-creation", "Agent creation", s))
}

func storm() Step {
	latency := told("ms", 0.12, 0.11, 0.12, 0.12, 0.13, 0.12)
	latency.Distribution = &Distribution{Count: 495_210, Min: 0.004, Mean: 0.31, Stddev: 0.9, P50: 0.12, P90: 0.6, P95: 0.9, P99: 8.4, P999: 11.2, Max: 14.9}
	return Step{
		Name: "storm", Measurement: "event-stress", Component: "event_stress",
		Params:  map[string]any{"rate": "20000/s", "duration": "5s", "subscribers": 100},
		Steered: true, Isolated: true, Verdict: Fail, DurationSeconds: 28.3,
		Metrics: map[string]Metric{
			"sustained_event_rate": judged("1/s", Higher, 8000, 1.475, StatusExceed, 19800, 19700, 19800, 19850, 19900, 19810),
			"burst_event_rate":     judged("1/s", Higher, 15000, -0.31, StatusFail, 10350, 9000, 10350, 13200, 10100, 10400),
			"stability_score":      judged("ratio", Higher, 0.95, -0.12, StatusWarn, 0.836, 0.82, 0.84, 0.836, 0.83, 0.84),
			"latency_ms":           latency,
			"dropped":              told("count", 4790.0, 4790, 4790, 4800, 4600, 4790),
			"system_stable":        told("bool", false, 0, 0, 0, 0, 0),
			"processed_ratio":      told("ratio", 0.99998, 0.99998, 0.99998, 0.99999, 0.99998, 0.99998),
		},
		Thresholds: []Threshold{
			{Metric: "latency_ms.p99", Condition: "< 5", Actual: ptr(8.4)},
			{Metric: "processed_ratio", Condition: ">= 0.95", Actual: ptr(0.99998), OK: true},
			{Metric: "sustained_event_rate", Condition: ">= 15000", Actual: ptr(3210.0), WindowSeconds: ptr(1.0), WorstAtSeconds: ptr(14.2)},
			{Metric: "system_stable", Condition: "== 1", Actual: ptr(0.0)},
		},
		Operations: Operations{Attempted: 500_000, Succeeded: 495_200, Failed: 10, Dropped: 4790},
		Errors:     []Error{{Message: "publish: mailbox of sub_17 is full", Count: 4790, FirstAtSeconds: 3.21}, {Message: "agent a_0042 crashed", Count: 10, FirstAtSeconds: 1.04}},
		Faults: []Fault{
			{Fault: "kill_agents", Injected: 40, FirstAtSeconds: ptr(1.02), LastAtSeconds: ptr(27.4), Hit: []Hit{{"a_0042", 1, 1.02}, {"a_0007", 3, 1.31}}},
			{Fault: "stall_subscribers", Injected: 1, FirstAtSeconds: ptr(14.2), LastAtSeconds: ptr(14.2), Hit: []Hit{{"subscriber-3", 1, 14.2}}},
			{Fault: "garbage", Injected: 12, FirstAtSeconds: ptr(0.5), LastAtSeconds: ptr(6.0)},
			{Fault: "hog_cpu"},
		},
		Probes: probes(),
		Recommendations: []string{
			"latency_ms.p99 is 8.4 ms, limit < 5 ms",
			"burst_event_rate is 10.3k/s, 31 % below the baseline of 15k/s (20 % allowed); its best repetition was within at 13.2k/s, so repeat more often to tell chance from cause",
		},
	}
}

func failed() Report {
	return run(scenario("event-storm", "Event storm", storm()), scenario("agent-creation", "Agent creation", creation()))
}

func inconclusive() Report {
	s := storm()
	s.Verdict, s.Thresholds = Inconclusive, nil
	s.Recommendations = []string{"the load could not be delivered as scheduled, so the figures say nothing about the system: ask for a lower rate, or use a machine with more free CPU"}
	s.Probes["generator_lag_ms"] = Probe{Min: 0, Mean: 3, Max: 41.2, Last: 0.1}
	return run(scenario("event-storm", "Event storm", s))
}

func childDied() Report {
	pressure := Step{
		Name: "memory-pressure", Measurement: "memory-pressure", Component: "resource_limits",
		Params: map[string]any{"memory_limit": "256MB"}, Verdict: Broken, DurationSeconds: 3.4, Isolated: true,
		Errors: []Error{{Message: "the child process ended without a report (exit status 137), 3.4 s after the step began, in repetition 2 of 5", Count: 1, FirstAtSeconds: 3.4}},
		Probes: map[probe.Name]Probe{"rss_bytes": {Min: 1e7, Mean: 2e8, Max: 2.56e8, Last: 2.56e8}},
	}
	r := run(scenario("memory-pressure", "Memory pressure", pressure), scenario("agent-creation", "Agent creation", creation()))
	r.Host.CgroupMemoryBytes = ptr(uint64(2_100_000_000))
	r.Host.GOMAXPROCS, r.Host.GOMemLimit = 1, 256<<20
	r.Recommendations = []string{"not run: registry-operations, network"}
	return r
}

func interrupted() Report {
	s := Step{
		Name: "storm", Measurement: "event-stress", Component: "event_stress", Verdict: Interrupted, DurationSeconds: 14.8,
		Repetitions: &Repetitions{Finished: 2, Planned: 5},
		Metrics: map[string]Metric{
			"sustained_event_rate": judged("1/s", Higher, 8000, 0.25, StatusExceed, 10000, 9990, 10010),
			"dropped":              told("count", 0.0, 0, 0),
		},
		Errors: []Error{{Message: "interrupted in repetition 3 of 5", Count: 1, FirstAtSeconds: 14.8}},
		Probes: probes(),
	}
	r := run(scenario("agent-creation", "Agent creation", creation()), scenario("event-storm", "Event storm", s))
	r.Command = []string{"mabeam-top", "--headless", "--set", "storm.rate=20000/s", "-f", "my scenarios/it's.yaml", "--tag", "events", "--output", "report.json"}
	return r
}

func empty() Report {
	r := run()
	r.Recommendations = []string{"the run ended early, 0.0 s after its start: the event stream ended before the run had finished"}
	return r
}

// odd has all that a layout may stumble over.
func odd() Report {
	s := Step{
		Name: "a-step-whose-name-is-much-longer-than-any-line-on-the-screen-of-whoever-is-paged", Measurement: "memory-efficiency", Verdict: Fail, DurationSeconds: 3725,
		Metrics: map[string]Metric{
			"memory_scaling":     told("text", "logarithmic (sub-linear)"),
			"memory_usage_trend": told("text", "steigend › 増加している傾向にあります \x1b[31mred\x1b[0m\nnext line"),
			"memory_per_agent.ein_außerordentlich_langer_name_eines_agententyps": told("bytes", 7836.0, 7800, 7836, 7900),
			"エージェント数":               told("count", 1e6, 1e6),
			"huge":                  told("1/s", 1.7e308),
			"tiny_ms":               told("ms", 3e-7),
			"zero_ms":               told("ms", 0.0, 0, 0),
			"around_zero":           told("ratio", 0.0, -0.5, 0, 0.25),
			"negative_mb":           told("MB", -12.5),
			"half_count":            told("count", 0.5),
			"many":                  told("count", 123_456_789.0),
			"memory_growth_rate":    {Value: nil, Unit: "ratio", Better: Lower, Baseline: ptr(0.05), Tolerance: ptr(0.2), Status: StatusFail},
			"never_better_ms":       judged("ms", Lower, 1e-6, -5e9, StatusFail, 5000),
			"memory_leaks":          {Value: 3.0, Unit: "count", Better: Lower, Samples: []float64{3}, Baseline: ptr(0.0), Tolerance: ptr(0.2), Status: StatusFail},
			"gc_reclaimed_exponent": told("exponent", 1.0004),
		},
		Thresholds: []Threshold{
			{Metric: "absent_ms.p99", Condition: "< 5"},
			{Metric: "zero_ms", Condition: "<= 0", Actual: ptr(0.0), OK: true},
			{Metric: "tiny_ms", Condition: "== 3e-07", Actual: ptr(3e-7), OK: true},
		},
		Operations: Operations{Attempted: 1, Failed: 1},
		Errors:     []Error{{Message: "averylongmessagewithoutanyblanksinitthatcannotbebrokenatawordboundaryandmustbebrokensomewhereelse/инаконец/最後に", Count: 1}},
	}
	r := run(Scenario{Name: "odd", Steps: []Step{s}})
	r.Tool, r.Host, r.Command = Tool{}, Host{}, nil
	return r
}

func regressed() Report {
	r := run(scenario("agent-creation", "Agent creation", creation()))
	r.Regression = &Regression{
		Baseline: "old.json", Threshold: 0.1, Alpha: 0.05, Detected: true, Percentage: 23.4,
		Metrics: []RegressionMetric{
			{Scenario: "agent-creation", Step: "agent-creation", Metric: "creation_time_ms", Old: ptr(0.0018), New: ptr(0.0022), DeltaPercent: ptr(23.4), PValue: ptr(0.008), Verdict: "regressed"},
			{Scenario: "agent-creation", Step: "agent-creation", Metric: "agents_per_second", Old: ptr(350_000.0), New: ptr(412_300.0), DeltaPercent: ptr(17.8), Verdict: "improved", Note: "too few samples for significance"},
			{Scenario: "agent-creation", Step: "agent-creation", Metric: "success_rate", Old: ptr(1.0), New: ptr(1.0), DeltaPercent: ptr(0.0), PValue: ptr(1.0), Verdict: "same"},
			{Scenario: "agent-creation", Step: "agent-creation", Metric: "gone", Old: ptr(2.0), Verdict: "unknown", Note: "only in the old report"},
		},
	}
	return r
}

// exact is a metric that has to meet a condition.
func exact(unit, must string, value any, status Status, samples ...float64) Metric {
	return Metric{Value: value, Unit: unit, Better: Lower, Samples: samples, Must: must, Status: status}
}

// delivery is a step with everything that a metric can be held against.
func delivery() Step {
	rate := judged("1/s", Higher, 10000, 0.9, StatusFail, 19_000, 18_800, 19_000, 19_100)
	rate.Floor = &Floor{Value: 240_000, Of: "hand_over", Share: 0.05}
	memory := told("bytes", 4100.0, 4090, 4100, 4120)
	memory.Better, memory.Floor, memory.OfBest, memory.Status = Lower, &Floor{Value: 9600, Of: "entry_bytes", Share: 12}, ptr(0.97), StatusPass
	success := judged("ratio", Higher, 0.99, 0.01, StatusFail, 0.99998, 0.99998, 1, 1)
	success.Must = "== 1"
	recovery := judged("ms", Lower, 1000, 0, StatusFail, 0, 12, 14)
	recovery.Value, recovery.Deviation, recovery.MissingIn = nil, nil, []int{3}
	growth := told("ratio", 0.004, -0.01, 0.004, 0.02)
	growth.Interval, growth.Status, growth.Must = &Interval{Low: -0.01, High: 0.02}, StatusPass, "< 0.1"
	return Step{
		Name: "delivery", Measurement: "event-throughput", Component: "event_system",
		Params: map[string]any{"events": 100_000, "subscribers": 10}, Verdict: Fail, DurationSeconds: 2.2,
		Metrics: map[string]Metric{
			"events_per_second":   rate,
			"memory_per_event":    memory,
			"success_rate":        success,
			"recovery_time_ms":    recovery,
			"memory_growth_rate":  growth,
			"lost":                exact("count", "== 0", 3.0, StatusFail, 0, 3, 0),
			"duplicated":          exact("count", "== 0", 0.0, StatusPass, 0, 0, 0),
			"ordering_violations": exact("count", "== 0", 0.0, StatusPass, 0, 0, 0),
			"listing_right":       exact("bool", "== true", true, StatusPass, 1, 1, 1),
			"recovered":           exact("bool", "== true", nil, StatusFail),
			"findings":            exact("count", "== 0", 4.0, StatusFail, 0, 3, 1),
		},
		Operations: Operations{Attempted: 300_000, Succeeded: 299_997, Failed: 3},
		Errors: []Error{
			{Message: "one processor was taken by another program for 40 ms", Count: 1, FirstAtSeconds: 0.2, Kind: Note},
			{Message: "recovery_time_ms was not measured: no agent could be started again", Count: 1, FirstAtSeconds: 2.1, Kind: Unmeasured},
			{Message: "subscriber-4 never got event 99,998", Count: 3, FirstAtSeconds: 1.2, Kind: Detail},
			{Message: "publish: the bus is closed", Count: 3, FirstAtSeconds: 1.4},
			{Message: "a subscription was listed after it was cancelled", Count: 3, FirstAtSeconds: 1.5, Kind: Finding},
			{Message: "the history held 1,025 events, and its limit is 1,024", Count: 1, FirstAtSeconds: 1.9, Kind: Finding},
		},
		Probes: probes(),
	}
}

func broken() Report {
	return run(scenario("events", "Events", delivery()))
}

func undecided() Report {
	s := creation()
	growth := judged("ratio", Lower, 0.05, -0.24, StatusFail, 0.062, 0.01, 0.062, 0.09)
	growth.Interval = &Interval{Low: -0.01, High: 0.13}
	growth.Undecided = "is between -0.01 and 0.13, and fails at 0.06: more repetitions tell which"
	s.Metrics["memory_growth_rate"] = growth
	s.Verdict = Inconclusive
	s.Recommendations = []string{"memory_growth_rate " + growth.Undecided, "other programs took 30 % of the machine"}
	return run(scenario("agent-creation", "Agent creation", s))
}
