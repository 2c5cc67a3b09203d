package measure

import (
	"context"
	"testing"
	"time"

	"mabeam-top/internal/probes/probe"
	mabeam "mabeam-top/internal/runtime"
	"mabeam-top/internal/stress"
	"mabeam-top/internal/stress/load"
	"mabeam-top/internal/stress/report"
	"mabeam-top/internal/stress/scenario"
)

// docs/how-to/add-a-measurement.md shows this file's measurement.

func idlePublish() *stress.Measurement {
	return &stress.Measurement{Measurement: scenario.Measurement{
		Name:    "idle-publish",
		Summary: "What does it cost to publish an event that nobody subscribes to?",
		Params: []scenario.Param{
			{Name: "events", Kind: scenario.Int, Default: 100_000, Min: 1, Max: 10_000_000, Doc: "Number of events to publish."},
		},
		Metrics: []scenario.Metric{
			{Name: "publish_time_ms", Unit: "ms", Better: report.Lower, Distribution: true, Probe: probe.ActionP50MS, Doc: "Time of one publish."},
			{Name: "unexpected_deliveries", Unit: "count", Better: report.Lower, Must: "== 0", Aggregation: scenario.Sum, Doc: "Deliveries that the runtime counted, although nobody had subscribed."},
		},
		Estimate: func(p scenario.Params) time.Duration { return time.Duration(p.Int("events")) * time.Microsecond },
	}, Run: measureIdlePublish}
}

func measureIdlePublish(ctx context.Context, env *stress.Env) error {
	system := env.System()
	before := system.Telemetry().EventsDelivered
	publishing := load.Load{Workers: 1, Operations: env.Count(env.Params.Int("events"))}
	result, err := env.RunLoad(ctx, publishing, func(ctx context.Context, _ load.Op) error {
		return system.Bus().Publish(ctx, mabeam.Event{Type: "idle"})
	})
	if err != nil {
		return err
	}
	env.Latency("publish_time_ms", result.Latency)
	env.Value("unexpected_deliveries", float64(system.Telemetry().EventsDelivered-before))
	return nil
}

func TestIdlePublish(t *testing.T) {
	r := runDocument(t, stress.Catalogue{idlePublish()}, `
name: idle
title: Idle
steps:
  - measure: idle-publish
    with: {events: 1000}
    thresholds: {publish_time_ms.p50: "< 1000"}
`)
	if step := r.Scenarios[0].Steps[0]; step.Verdict != report.Pass {
		t.Errorf("%s: %+v", step.Verdict, step.Errors)
	}
}
