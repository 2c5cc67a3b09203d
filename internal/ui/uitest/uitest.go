// Package uitest is a made-up run for tests of the UI: its scenarios, its events
// and its report.
package uitest

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"

	"mabeam-top/internal/probes/probe"
	"mabeam-top/internal/stress/report"
	"mabeam-top/internal/stress/stream"
	"mabeam-top/internal/ui/session"
)

// A Runner starts runs that play the script, or fails.
type Runner struct {
	Source stream.Source
	Err    error
}

// Start implements session.Runner.
func (r Runner) Start(session.Order) (stream.Source, error) {
	if r.Err != nil {
		return nil, r.Err
	}
	return r.Source, nil
}

// Check requires a unit for the rate, and at most 1000 subscribers.
func (r Runner) Check(_ string, s session.Settings) map[string]error {
	errs := map[string]error{}
	if rate, ok := s["storm.rate"]; ok && !strings.HasSuffix(rate, "/s") {
		errs["storm.rate"] = fmt.Errorf("expected a rate such as 10000/s, not %q", rate)
	}
	if n, ok := s["storm.subscribers"]; ok {
		if v, err := strconv.Atoi(n); err != nil || v < 1 {
			errs["storm.subscribers"] = fmt.Errorf("%s is too small; the least is 1", n)
		} else if v > 1000 {
			errs[""] = fmt.Errorf("%d subscribers are more than the mailboxes hold", v)
		}
	}
	return errs
}

// A Source plays the script at its times.
type Source struct {
	// DieAt is when the stream ends with an error, in seconds, and PanicAt when it
	// panics; 0 means never.
	DieAt, PanicAt float64
}

// ErrChildDied is the error of a Source that dies.
var ErrChildDied = errors.New("the child process died: signal: killed")

// Run implements stream.Source.
func (f Source) Run(ctx context.Context, emit func(stream.Event)) error {
	// Samples come between the ticks of the UI, and keys after both, because the
	// order of events at the same time is random.
	last, passed := 0.0, 0.05
	for _, e := range Script() {
		if f.DieAt > 0 && e.T >= f.DieAt {
			return ErrChildDied
		}
		if f.PanicAt > 0 && e.T >= f.PanicAt {
			panic("index out of range")
		}
		select {
		case <-ctx.Done():
			r := FinalReport()
			r.Verdict = report.Interrupted
			emit(stream.Event{T: last, Type: stream.RunFinished, Report: r})
			return context.Cause(ctx)
		case <-time.After(time.Duration((e.T - passed) * float64(time.Second))):
		}
		last, passed = e.T, max(e.T, passed)
		emit(e)
	}
	return nil
}

// Script is a whole run: a scenario of three steps, two of them with limits.
func Script() []stream.Event {
	var out []stream.Event
	t := 0.0
	add := func(e stream.Event) {
		e.T = t
		out = append(out, e)
	}
	add(stream.Event{Type: stream.RunStarted, Run: &stream.Run{
		Schema: stream.Schema, ID: "r1", Scenarios: []string{"event-storm"}, EstimateSeconds: 36,
	}})
	add(stream.Event{Type: stream.ScenarioStarted, Scenario: &stream.Scenario{
		Name: "event-storm", Title: "Event storm", Steps: []string{"throughput", "storm", "cool-down"}, EstimateSeconds: 36,
	}})
	rng := rand.New(rand.NewPCG(1, 2))
	noise := func(share float64) float64 { return 1 + share*(2*rng.Float64()-1) }
	repetition := func(step string, number, of int, seconds, rate float64, storm bool) {
		add(stream.Event{Type: stream.RepetitionStarted, Repetition: &stream.Repetition{Step: step, Number: number, Of: of}})
		start := t
		dropped := 0.0
		for t < start+seconds-1e-9 {
			t = math.Round((t+0.1)*10) / 10
			age := t - start
			up := 1 - math.Exp(-age*4)
			stall := 0.0
			if storm && age > 2 && age < 3.2 {
				stall = 1
				dropped += 20 * rng.Float64()
				add(stream.Event{Type: stream.FaultInjected, Fault: &stream.Fault{Step: step, Fault: "kill_agents", Target: "a_0042"}})
			}
			done := rate * up * (1 - 0.55*stall) * noise(0.03)
			add(stream.Event{Type: stream.SampleTaken, Sample: probe.Sample{
				"offered_per_second": rate, "completed_per_second": done, "failed_per_second": 0,
				"action_p50_ms": 0.12 * noise(0.1) * (1 + stall), "action_p95_ms": 0.9 * noise(0.2) * (1 + 2*stall),
				"action_p99_ms": 3.1 * noise(0.25) * (1 + 2.2*stall),
				"heap_bytes":    (24 + 17*math.Mod(t, 2.3)/2.3) * 1e6, "heap_live_bytes": (18 + math.Floor(t/2.3)*0.2) * 1e6,
				"stack_bytes": 3.1e6 * noise(0.02), "goroutines": 214 + 20*stall*noise(0.2), "agents": 1000 - 40*stall*noise(0.5),
				"events_published_per_second": done, "events_delivered_per_second": 10 * done, "events_dropped": math.Floor(dropped),
				"cpu_percent": 132 * noise(0.1), "rss_bytes": 71e6, "host_cpu_percent": 71 * noise(0.05), "host_memory_percent": 43,
				"mailbox_depth": math.Round(40*noise(0.5) + 3000*stall*(age-2)), "mailbox_depth_max": 4 + math.Round(110*stall*noise(0.1)),
				"goroutines_running": 2, "goroutines_runnable": math.Round(6 * noise(0.5) * (1 + 8*stall)), "goroutines_waiting": 206,
				"threads": 9, "open_files": 14, "alloc_bytes_per_second": done * 390, "gc_cycles": math.Floor(t / 2.3), "gc_cpu_ratio": 0.012 * noise(0.3),
				"sched_latency_p50_ms": 0.004 * noise(0.2), "sched_latency_p99_ms": 0.13 * noise(0.4) * (1 + 40*stall), "gc_pause_p99_ms": 0.08 * noise(0.5),
				"inflight": math.Round(5 + 900*stall*noise(0.1)), "generator_lag_ms": 0.2 * noise(0.5), "agents_crashed": math.Floor(dropped / 10),
			}, Inspection: Inspection(t, stall)})
		}
	}

	add(stream.Event{Type: stream.StepStarted, Step: &stream.Step{Name: "throughput", Measurement: "event-throughput", Repeat: 2, Limits: []stream.Limit{
		{Metric: "events_per_second", Source: "baseline", Op: ">=", Value: 10000, Unit: "1/s", Tolerance: 0.2, Probe: "events_published_per_second"},
		{Metric: "average_latency_ms", Source: "baseline", Op: "<=", Value: 0.5, Unit: "ms", Tolerance: 0.2},
		{Metric: "propagation_efficiency", Source: "baseline", Op: ">=", Value: 0.95, Unit: "ratio", Tolerance: 0.2},
	}}})
	repetition("throughput", 0, 2, 1, 15000, false)
	repetition("throughput", 1, 2, 4, 15000, false)
	repetition("throughput", 2, 2, 4, 15000, false)
	steps := FinalReport().Scenarios[0].Steps
	add(stream.Event{Type: stream.StepFinished, StepResult: &steps[0]})

	add(stream.Event{Type: stream.StepStarted, Step: &stream.Step{Name: "storm", Measurement: "event-stress", Repeat: 4, Limits: []stream.Limit{
		{Metric: "sustained_event_rate", Source: "baseline", Op: ">=", Value: 8000, Unit: "1/s", Tolerance: 0.2, Probe: "completed_per_second"},
		{Metric: "burst_event_rate", Source: "baseline", Op: ">=", Value: 24000, Unit: "1/s", Tolerance: 0.2},
		{Metric: "stability_score", Source: "baseline", Op: ">=", Value: 0.95, Unit: "ratio", Tolerance: 0.2},
		{Metric: "latency_ms.p99", Source: "threshold", Op: "<", Value: 5, Unit: "ms", Probe: "action_p99_ms"},
		{Metric: "events_processed", Source: "threshold", Op: ">=", Value: 95000, Unit: "count"},
		{Metric: "duplicated", Source: "must", Op: "==", Value: 0, Unit: "count"},
		{Metric: "findings", Source: "must", Op: "==", Value: 0, Unit: "count"},
		{Metric: "ordering_violations", Source: "must", Op: "==", Value: 0, Unit: "count"},
		{Metric: "recovered", Source: "must", Op: "==", Value: 1, Unit: "bool"},
	}}})
	for n := 0; n <= 4; n++ {
		repetition("storm", n, 4, 5, 20000, n > 0)
		if n == 2 {
			add(stream.Event{Type: stream.Logged, Log: &stream.Log{Level: "warn", Message: "slow subscriber sub_17: queue 96 % full for 2.1 s, blocks 3 publishers"}})
		}
	}
	add(stream.Event{Type: stream.StepFinished, StepResult: &steps[1]})
	add(stream.Event{Type: stream.StepStarted, Step: &stream.Step{Name: "cool-down", Measurement: "event-throughput", Repeat: 1}})
	repetition("cool-down", 1, 1, 2, 500, false)
	add(stream.Event{Type: stream.StepFinished, StepResult: &steps[2]})
	final := FinalReport()
	add(stream.Event{Type: stream.ScenarioFinished, ScenarioResult: &final.Scenarios[0]})
	add(stream.Event{Type: stream.RunFinished, Report: final})
	return out
}

// Inspection is an inspection at a time. stall is 1 while subscribers are stalled.
func Inspection(t, stall float64) *stream.Inspection {
	in := &stream.Inspection{AgentsTotal: 1000, By: stream.ByMailbox, SubscriptionsTotal: 100}
	for i, name := range []string{"a_0042", "a_0007", "a_0913", "a_0100", "worker-宽字符", "a_0666", "a_0001", "a_0002", "a_0003", "a_0004"} {
		in.Agents = append(in.Agents, stream.AgentState{
			ID: name, Type: "worker", Lifecycle: []string{"busy", "ready"}[min(i, 1)], Mailbox: (118 + int(400*stall)) / (1 + 9*i), MailboxCapacity: 1024,
			ActionsPerSecond: 2100 / float64(1+i), MemoryBytes: 18_000 - 700*int64(i), BusySeconds: max(4.2-float64(i)*4, 0),
		})
	}
	in.Agent = &stream.AgentDetail{
		Summary: in.Agents[0], Parent: "supervisor", Capabilities: []string{"ping", "increment"}, Version: 1711, AgeSeconds: t, ChangedSeconds: 0.02,
		ActionsDone: int64(2100 * t), State: `{"count": 1711, "last": "increment"}`, Subscriptions: []string{"load.**"},
		Events: []stream.BusEvent{{AgoSeconds: 2.4, Type: "agent.started", Source: "supervisor"}, {AgoSeconds: 0.1, Type: "load.burst", Source: "a_0042"}},
	}
	for i := range 12 {
		sub := stream.SubscriptionState{
			Subscriber: fmt.Sprintf("sub_%02d", 17+i), Pattern: "load.event", Policy: "block", Queued: 180 / (1 + i), Capacity: 4096,
			Delivered: int64(20000 * t), Blocks: true,
		}
		if i < 3 && stall > 0 {
			sub.Queued, sub.FullSeconds, sub.Dropped = 3940-100*i, 2.1/float64(1+i), int64(30*i)
		}
		in.Subscriptions = append(in.Subscriptions, sub)
	}
	return in
}

// FinalReport is the report of the script.
func FinalReport() *report.Report {
	checked := func(value float64, unit string, baseline, deviation float64, status report.Status, samples ...float64) report.Metric {
		return report.Metric{Value: value, Unit: unit, Samples: samples, Baseline: new(baseline), Tolerance: new(0.2), Deviation: new(deviation), Status: status}
	}
	info := func(value any, unit string, samples ...float64) report.Metric {
		return report.Metric{Value: value, Unit: unit, Samples: samples, Status: report.StatusInfo}
	}
	exact := func(value any, status report.Status, samples ...float64) report.Metric {
		return report.Metric{Value: value, Unit: "count", Better: report.Lower, Samples: samples, Condition: "== 0", Status: status}
	}
	return &report.Report{
		Schema: report.Schema, ID: "r1", StartedAt: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC), Command: []string{"mabeam-top"}, Seed: 42, DurationSeconds: 36.2, Verdict: report.Fail, Score: 0.72, Grade: report.Critical,
		Recommendations: []string{"latency_ms.p99 rose when 3 subscribers stalled: look at sub_17, whose queue was full for 4.2 s"},
		Scenarios: []report.Scenario{{
			Name: "event-storm", Title: "Event storm", Verdict: report.Fail, Score: 0.72, DurationSeconds: 36.2,
			StartedAt: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC),
			Steps: []report.Step{
				{
					Name: "throughput", Measurement: "event-throughput", Verdict: report.Warn, DurationSeconds: 9,
					Metrics: map[string]report.Metric{
						"events_per_second":      checked(14950, "1/s", 10000, 0.495, report.StatusExceed, 14900, 15000),
						"average_latency_ms":     checked(0.57, "ms", 0.5, -0.14, report.StatusWarn, 0.55, 0.59),
						"propagation_efficiency": checked(1, "ratio", 0.95, 0.0526, report.StatusPass, 1, 1),
						"deliveries_per_second":  info(149500.0, "1/s", 149000, 150000),
					},
					Operations: report.Operations{Attempted: 135000, Succeeded: 135000},
				},
				{
					Name: "storm", Measurement: "event-stress", Verdict: report.Fail, DurationSeconds: 25,
					Metrics: map[string]report.Metric{
						"sustained_event_rate": checked(19800, "1/s", 8000, 1.475, report.StatusExceed, 19700, 19800, 19800, 19900),
						"burst_event_rate":     checked(17800, "1/s", 24000, -0.258, report.StatusFail, 18800, 17100, 17800, 17700),
						"stability_score":      checked(0.99, "ratio", 0.95, 0.042, report.StatusPass, 0.99, 0.98, 0.99, 0.99),
						"system_stable":        info(true, "bool", 1, 1, 1, 1),
						"latency_ms": {
							Value: 0.31, Unit: "ms", Samples: []float64{0.3, 0.31, 0.33, 0.31}, Status: report.StatusInfo,
							Distribution: &report.Distribution{Count: 398700, Min: 0.02, Mean: 0.31, Stddev: 0.4, P50: 0.12, P90: 0.7, P95: 0.9, P99: 8.4, P999: 11, Max: 14.2},
						},
						"events_processed":     info(98800.0, "count", 98700, 98800, 98900, 98800),
						"duplicated":           exact(2.0, report.StatusFail, 0, 0, 2, 0),
						"ordering_violations":  exact(0.0, report.StatusPass, 0, 0, 0, 0),
						"findings":             exact(0.0, report.StatusPass, 0, 0, 0, 0),
						"recovered":            {Unit: "bool", Condition: "== true", Status: report.StatusFail, MissingIn: []int{3}, Samples: []float64{1, 1, 1}},
						"deliveries_per_agent": {Value: 52_000.0, Unit: "1/s", Better: report.Higher, Samples: []float64{51_000, 52_000, 52_000, 53_000}, Floor: &report.Floor{Value: 40_000, Reference: "hand_over", Share: 0.04}, Status: report.StatusPass},
					},
					Thresholds: []report.Threshold{
						{Metric: "latency_ms.p99", Condition: "< 5", Actual: new(8.4), WindowSeconds: new(1.0), WorstAtSeconds: new(14.0)},
						{Metric: "events_processed", Condition: ">= 95000", Actual: new(98800.0), OK: true},
					},
					Operations: report.Operations{Attempted: 400000, Succeeded: 398700, Failed: 900, Dropped: 400},
					Errors: []report.Error{
						{Message: "publish: queue of sub_17 is full", Count: 900, FirstAtSeconds: 14.1},
						{Message: "sub_03 got event 40,112 twice", Count: 2, FirstAtSeconds: 18.2, Kind: report.Detail},
						{Message: "recovered was not measured: no agent could be started again", Count: 1, FirstAtSeconds: 24.8, Kind: report.Unmeasured},
						{Message: "the sampler was 12 ms late", Count: 3, FirstAtSeconds: 2, Kind: report.Note},
					},
					Faults: []report.Fault{{Fault: "kill_agents", Injected: 48}},
				},
				{Name: "cool-down", Measurement: "event-throughput", Verdict: report.Pass, DurationSeconds: 2, Metrics: map[string]report.Metric{
					"events_per_second": info(498.0, "1/s"),
				}},
			},
		}},
	}
}

var limits = []stream.Limit{
	{Metric: "events_per_second", Source: "baseline", Op: ">=", Value: 10000, Unit: "1/s"},
	{Metric: "average_latency_ms", Source: "baseline", Op: "<=", Value: 0.5, Unit: "ms"},
	{Metric: "sustained_event_rate", Source: "baseline", Op: ">=", Value: 8000, Unit: "1/s"},
	{Metric: "latency_ms.p99", Source: "threshold", Op: "<", Value: 5, Unit: "ms"},
	{Metric: "duplicated", Source: "must", Op: "==", Value: 0, Unit: "count"},
	{Metric: "recovered", Source: "must", Op: "==", Value: 1, Unit: "bool"},
}

// Scenarios are the entries of a menu, the first of which is the script's.
func Scenarios() []session.Scenario {
	return []session.Scenario{
		{
			Name: "event-storm", Title: "Event storm", Description: "Bursts of events while subscribers crash and stall. Publishing must hold its rate, and nothing may be lost without being counted.",
			Tags: []string{"events", "stress"}, Measurements: []string{"event-throughput", "event-stress"},
			Steps: []session.Step{
				{Name: "throughput", Measurement: "event-throughput", Notes: []string{"×2"}, Limits: limits[:2]},
				{Name: "storm", Measurement: "event-stress", Notes: []string{"×4", "warm-up 1s", "kill_agents 10/s"}, Limits: limits[2:]},
				{Name: "cool-down", Measurement: "event-throughput"},
			},
			Fields: []session.Field{
				{Name: "timeout", Param: "timeout", Value: "60s", Doc: "The longest that the whole scenario may take."},
				{Name: "seed", Param: "seed", Value: "42", Doc: "What all randomness of the scenario is drawn from."},
				{Name: "throughput.events", Step: "throughput", Param: "events", Value: "100000", Doc: "How many events are published."},
				{Name: "storm.rate", Step: "storm", Param: "rate", Value: "20000/s", Doc: "How many events a second are published."},
				{Name: "storm.duration", Step: "storm", Param: "duration", Value: "5s", Doc: "For how long."},
				{Name: "storm.subscribers", Step: "storm", Param: "subscribers", Value: "100", Doc: "How many listen to each event."},
				{Name: "storm.policy", Step: "storm", Param: "policy", Value: "block", Choices: []string{"block", "drop"}, Doc: "What a full queue does."},
			},
			Estimate: 36 * time.Second, LastVerdict: report.Fail, LastRun: time.Date(2026, 3, 1, 11, 2, 0, 0, time.UTC),
		},
		{Name: "event-throughput", Title: "Event throughput", Description: "How many events a second reach ten subscribers.", Tags: []string{"events", "baseline"}, Measurements: []string{"event-throughput"}, Estimate: 12 * time.Second, LastVerdict: report.Pass},
		{Name: "agent-creation", Title: "Agent creation", Description: "How fast agents start.", Tags: []string{"agents", "baseline"}, Measurements: []string{"agent-creation"}, Estimate: 6 * time.Second, LastVerdict: report.Warn},
		{Name: "agent-lifecycle", Title: "Agent lifecycle", Description: "Start and stop, over and over.", Tags: []string{"agents", "stress"}, Measurements: []string{"agent-lifecycle"}, Estimate: 20 * time.Second},
		{Name: "wide", Title: "宽字符 scenario with a rather long title that has to be cut somewhere", Tags: []string{"limits"}, Estimate: 90 * time.Second},
		{Name: "memory-pressure", Title: "Memory pressure", Tags: []string{"limits", "stress"}, Measurements: []string{"memory-pressure"}, Estimate: 15 * time.Second, LastVerdict: report.Inconclusive},
	}
}

// Healthy is a sample of a run without problems.
func Healthy(t float64) probe.Sample {
	wave := math.Sin(t)
	return probe.Sample{
		"offered_per_second": 20000, "completed_per_second": 20000 + 300*wave, "failed_per_second": 0, "inflight": 12,
		"action_p50_ms": 0.1, "action_p95_ms": 0.9, "action_p99_ms": 3 + 0.5*wave, "generator_lag_ms": 0.3,
		"heap_bytes": 30e6 + 8e6*wave, "heap_live_bytes": 18e6 + 1e5*math.Floor(t/2), "goroutines": 200 + 10*wave, "agents": 1000,
		"events_published_per_second": 20000, "events_delivered_per_second": 200000, "events_dropped": 7, "agents_crashed": 2,
		"mailbox_depth": 40 + 30*wave, "gc_cpu_ratio": 0.02, "sched_latency_p99_ms": 0.2, "alloc_bytes_per_second": 5e6, "host_cpu_percent": 70,
	}
}
