package measure

import (
	"context"
	"strconv"
	"time"

	"mabeam-top/internal/probes/probe"
	mabeam "mabeam-top/internal/runtime"
	"mabeam-top/internal/stress"
	"mabeam-top/internal/stress/load"
	"mabeam-top/internal/stress/report"
	"mabeam-top/internal/stress/scenario"
)

// latencySampling is the interval of events whose latency is recorded: reading the clock
// costs as much as several deliveries.
const latencySampling = 16

func eventThroughput() *stress.Measurement {
	return &stress.Measurement{Measurement: scenario.Measurement{
		Name:      "event-throughput",
		Summary:   "Measures how many events per second publishers deliver to their subscribers, and their latency.",
		Component: "event_system",
		Params: []scenario.Param{
			{Name: "events", Kind: scenario.Int, Default: 100000, Min: 1, Max: 100_000_000, Doc: "Events to publish, as fast as the subscribers accept them."},
			{Name: "subscribers", Kind: scenario.Int, Default: 10, Min: 1, Max: 100_000, Doc: "Subscribers, each of which receives every event."},
			{Name: "publishers", Kind: scenario.Int, Default: 1, Min: 1, Max: 10_000, Doc: "Concurrent publishers."},
			{Name: "patterns", Kind: scenario.Bool, Default: false, Doc: "Whether to subscribe to a pattern that matches 16 event types, instead of one type."},
		},
		Metrics: append([]scenario.Metric{
			{Name: "events_per_second", Unit: "1/s", Better: report.Higher, Probe: probe.EventsDeliveredPerSecond, ProbePer: "subscribers", Doc: "Events published / time until the last subscriber has handled the last event."},
			{Name: "deliveries_per_second", Unit: "1/s", Better: report.Higher, Probe: probe.EventsDeliveredPerSecond, Doc: "Deliveries / the same time."},
			{Name: "average_latency_ms", Unit: "ms", Better: report.Lower, Distribution: true, Probe: probe.ActionP50MS, Doc: "Time from publishing an event until it is handled, for every 16th event at every subscriber. At full load it is mostly time in the queue."},
			{Name: "propagation_efficiency", Unit: "ratio", Better: report.Higher, Must: "== 1", Aggregation: scenario.Worst, Doc: "Deliveries / deliveries due; above 1 if some were repeated. With a bus policy that drops events, set a threshold on it."},
			{Name: "success_rate", Unit: "ratio", Better: report.Higher, Must: "== 1", Aggregation: scenario.Worst, Doc: "Events accepted by the bus / events published."},
		}, deliveryMetrics()...),
		Estimate: func(p scenario.Params) time.Duration {
			return 100*time.Millisecond + time.Duration(p.Int("events"))*(300+time.Duration(p.Int("subscribers"))*20)
		},
		Targets: []scenario.Target{scenario.TargetSubscribers, scenario.TargetAgents, scenario.TargetComponents},
	}, Run: func(ctx context.Context, env *stress.Env) error { return measureThroughput(ctx, env, env.Subscriber) }}
}

func measureThroughput(ctx context.Context, env *stress.Env, wrap handlerWrap) error {
	p, system := env.Params, env.System()
	recorder := load.NewRecorder()
	types := []string{"perf.event"}
	group := subscriberGroup{
		subscribers: p.Int("subscribers"), publishers: p.Int("publishers"), topic: types[0], recorder: recorder, wrap: wrap,
	}
	if group.pattern = p.Bool("patterns"); group.pattern {
		group.topic, types = "perf.*", make([]string, 16)
		for i := range types {
			types[i] = "perf." + strconv.Itoa(i)
		}
	}
	all, err := group.subscribeTargets(ctx, env)
	if err != nil {
		return err
	}
	all.supplyProbes(env)
	events := env.Count(p.Int("events"))
	data, from := make(payloads, events), make(publishers, p.Int("publishers"))
	w := newTelemetryCheck(env, system)
	result, err := env.RunLoad(ctx, load.Load{Workers: len(from), Operations: events, Recorder: recorder},
		func(ctx context.Context, op load.Op) error {
			one := &data[op.N]
			*one = from.payload(op)
			one.timed = op.N%latencySampling == 0
			return system.Bus().Publish(ctx, mabeam.Event{Type: types[op.N%len(types)], Data: one, Timestamp: op.Due})
		})
	if err != nil {
		return err
	}
	sent := publishCounts{result.Succeeded, result.Failed}
	ended := time.Now()
	end, _, err := all.awaitDeliveries(ctx, sent.accepted)
	if err != nil {
		return err
	}
	env.Drained()
	// The duration of the load excludes pauses.
	took := result.Took + max(end.Sub(ended), 0)
	all.checkTelemetry(ctx, w, sent, 0)
	made := all.delivered()
	env.Value("events_per_second", load.PerSecond(result.Succeeded, took))
	env.Value("deliveries_per_second", load.PerSecond(made, took))
	env.Latency("average_latency_ms", recorder.Total())
	env.Value("propagation_efficiency", ratio(made, sent.accepted*int64(len(all))))
	env.Value("success_rate", ratio(result.Succeeded, result.Attempted))
	all.reportEnded(env)
	all.reportDeliveries(env, sent)
	if _, err := all.unsubscribeAll(ctx, env, w, from, types[0]); err != nil {
		return err
	}
	w.report()
	return nil
}
