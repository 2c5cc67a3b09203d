// Package streamtest has streams of events for tests.
package streamtest

import (
	"time"

	"mabeam-top/internal/probes/probe"
	"mabeam-top/internal/stress/report"
	"mabeam-top/internal/stress/stream"
)

// Began is when the run of WholeRun started.
var Began = time.Date(2026, 3, 14, 1, 59, 26, 0, time.UTC)

// FinishedStep returns a step of 2 s with one metric.
func FinishedStep(name string, verdict report.Verdict, score float64) report.Step {
	return report.Step{
		Name: name, Measurement: "event-stress", Verdict: verdict, Score: score, DurationSeconds: 2,
		Metrics:    map[string]report.Metric{"latency_ms": {Value: 0.5, Unit: "ms", Better: report.Lower, Status: report.StatusInfo}},
		Operations: report.Operations{Attempted: 10, Succeeded: 10},
	}
}

// WholeRun returns the events of a run of two scenarios, with every type of event.
// The first scenario has two steps in parallel.
func WholeRun() []stream.Event {
	first := report.Scenario{Name: "storm", Title: "Storm", StartedAt: Began, DurationSeconds: 3, Steps: []report.Step{FinishedStep("load", report.Warn, 0.8), FinishedStep("lookups", report.Pass, 1)}}
	first.Conclude()
	second := report.Scenario{Name: "calm", Title: "Calm", StartedAt: Began.Add(4 * time.Second), DurationSeconds: 3, Steps: []report.Step{FinishedStep("calm", report.Pass, 1)}}
	second.Conclude()
	whole := report.Report{Schema: report.Schema, ID: "r1", StartedAt: Began, DurationSeconds: 7, Command: []string{"mabeam-top"}, Seed: 42, Scenarios: []report.Scenario{first, second}}
	whole.Conclude()
	return []stream.Event{
		{T: 0, Type: stream.RunStarted, Run: &stream.Run{
			Schema: stream.Schema, ID: "r1", StartedAt: Began, Command: []string{"mabeam-top"}, Seed: 42,
			Tool: report.Tool{Version: "v1"}, Host: report.Host{OS: "linux", CPUs: 2}, Scenarios: []string{"storm", "calm"},
		}},
		{T: 0.1, Type: stream.ScenarioStarted, Scenario: &stream.Scenario{Name: "storm", Title: "Storm", Tags: []string{"events"}, File: "builtin:storm.yaml", StartedAt: Began, Steps: []string{"load", "lookups"}}},
		{T: 0.5, Type: stream.StepStarted, Step: &stream.Step{Name: "load", Measurement: "event-stress", Component: "event_stress", Params: map[string]any{"rate": "10/s"}, Repeat: 5, Isolated: true, Limits: []stream.Limit{{Metric: "latency_ms.p99", Source: "threshold", Op: "<", Value: 5, Unit: "ms"}}}},
		{T: 0.5, Type: stream.StepStarted, Step: &stream.Step{Name: "lookups", Measurement: "registry-operations", Repeat: 5}},
		{T: 0.5, Type: stream.SampleTaken, Sample: probe.Sample{"agents": 999}},
		{T: 0.6, Type: stream.RepetitionStarted, Repetition: &stream.Repetition{Step: "load", Number: 0, Of: 5}},
		{T: 0.7, Type: stream.SampleTaken, Sample: probe.Sample{"agents": 999}},
		{T: 1, Type: stream.RepetitionStarted, Repetition: &stream.Repetition{Step: "load", Number: 1, Of: 5}},
		{T: 1.1, Type: stream.SampleTaken, Sample: probe.Sample{"agents": 10, "rss_bytes": 100}},
		{T: 1.2, Type: stream.FaultInjected, Fault: &stream.Fault{Step: "load", Fault: "kill_agents", Target: "a_1"}},
		{T: 1.3, Type: stream.FaultInjected, Fault: &stream.Fault{Step: "load", Fault: "kill_agents", Target: "a_2"}},
		{T: 1.4, Type: stream.FaultInjected, Fault: &stream.Fault{Step: "load", Fault: "stall", ByHand: true}},
		{T: 1.5, Type: stream.Logged, Log: &stream.Log{Level: "info", Message: "half way"}},
		{T: 2, Type: stream.RepetitionStarted, Repetition: &stream.Repetition{Step: "load", Number: 2, Of: 5}},
		{T: 2.1, Type: stream.SampleTaken, Sample: probe.Sample{"agents": 30}},
		{T: 2.5, Type: stream.StepFinished, StepResult: &first.Steps[1]},
		{T: 3, Type: stream.StepFinished, StepResult: &first.Steps[0]},
		{T: 3.1, Type: stream.ScenarioFinished, ScenarioResult: &first},
		{T: 4, Type: stream.ScenarioStarted, Scenario: &stream.Scenario{Name: "calm", Title: "Calm", StartedAt: Began, Steps: []string{"calm"}}},
		{T: 4.1, Type: stream.StepStarted, Step: &stream.Step{Name: "calm", Measurement: "event-stress", Repeat: 1}},
		{T: 6.9, Type: stream.StepFinished, StepResult: &second.Steps[0]},
		{T: 7, Type: stream.ScenarioFinished, ScenarioResult: &second},
		{T: 7, Type: stream.RunFinished, Report: &whole},
	}
}

// Recording returns a recorded run that lasted that many seconds, with ten samples per
// second.
func Recording(seconds int) *stream.Recording {
	r := &stream.Recording{Events: []stream.Event{
		{Type: stream.RunStarted, Run: &stream.Run{Schema: stream.Schema, ID: "r", EstimateSeconds: float64(seconds)}},
		{Type: stream.ScenarioStarted, Scenario: &stream.Scenario{Name: "s", Steps: []string{"storm"}}},
		{Type: stream.StepStarted, Step: &stream.Step{Name: "storm", Repeat: 1}},
		{Type: stream.RepetitionStarted, Repetition: &stream.Repetition{Step: "storm", Number: 1, Of: 1}},
	}}
	for i := 1; i <= 10*seconds; i++ {
		t := float64(i) / 10
		r.Events = append(r.Events, stream.Event{T: t, Type: stream.SampleTaken, Sample: probe.Sample{"goroutines": t}})
		if i%100 == 50 {
			r.Events = append(r.Events, stream.Event{T: t, Type: stream.FaultInjected, Fault: &stream.Fault{Step: "storm", Fault: "kill_agents"}})
		}
	}
	r.Events = append(r.Events, stream.Event{T: float64(seconds), Type: stream.RunFinished, Report: &report.Report{Schema: report.Schema, ID: "r", Verdict: report.Pass}})
	return r
}
