package measure

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"mabeam-top/internal/probes/probe"
	mabeam "mabeam-top/internal/runtime"
	"mabeam-top/internal/stress"
	"mabeam-top/internal/stress/load"
	"mabeam-top/internal/stress/report"
	"mabeam-top/internal/stress/resources"
	"mabeam-top/internal/stress/scenario"
)

// maxStressEvents limits the memory of event-stress itself.
const maxStressEvents = 20_000_000

func eventStress() *stress.Measurement {
	return &stress.Measurement{Measurement: scenario.Measurement{
		Name:      "event-stress",
		Summary:   "Measures whether the event bus sustains a rate of events, and a burst after it, without falling behind.",
		Component: "event_stress",
		Params: []scenario.Param{
			{Name: "rate", Kind: scenario.Rate, Default: 10000.0, Min: 1, Max: 1e7, Doc: "Events that are due per second, independent of the answers."},
			{Name: "duration", Kind: scenario.Duration, Default: 5 * time.Second, Min: 0.1, Max: 3600, Doc: "Length of the first phase."},
			{Name: "burst", Kind: scenario.Rate, Default: 15000.0, Min: 1, Max: 1e7, Doc: "Events that are due per second in the burst that follows."},
			{Name: "burst_duration", Kind: scenario.Duration, Default: time.Second, Max: 600, Doc: "Length of the burst; 0s skips it."},
			{Name: "subscribers", Kind: scenario.Int, Default: 10, Min: 1, Max: 100_000, Doc: "Subscribers, each of which receives every event."},
		},
		Metrics: append([]scenario.Metric{
			{Name: "events_processed", Unit: "count", Better: report.Higher, Doc: "Events of both phases that were handled: deliveries without duplicates / subscribers."},
			{Name: "processed_ratio", Unit: "ratio", Better: report.Higher, Must: "== 1", Aggregation: scenario.Worst, Doc: "events_processed / events due. With a bus policy that drops events, set thresholds on it and on dropped."},
			{Name: "sustained_event_rate", Unit: "1/s", Better: report.Higher, Probe: probe.EventsDeliveredPerSecond, ProbePer: "subscribers", CappedBy: "rate", Doc: "Events handled by the end of the first phase / length of the phase."},
			{Name: "burst_event_rate", Unit: "1/s", Better: report.Higher, Probe: probe.EventsDeliveredPerSecond, ProbePer: "subscribers", CappedBy: "burst", Late: true, Given: hasBurst, Doc: "Events of the burst handled by its end / length of the burst."},
			{Name: "dropped", Unit: "count", Better: report.Lower, Must: "== 0", Aggregation: scenario.Sum, Probe: probe.EventsDropped, Doc: "Deliveries that the bus dropped."},
			{Name: "backlog_max", Unit: "count", Better: report.Lower, Doc: "Maximum of deliveries due but not made, sampled every 10 ms."},
			{Name: "system_stable", Unit: "bool", Better: report.Higher, Must: "== true", Given: hasWindow, Bound: &scenario.Bound{Metric: "stability_score", Least: 0.95}, Doc: "Whether stability_score is at least 0.95, no agent crashed, no subscription ended by itself, and no event was queued 1 s after the end of the load."},
			{Name: "stability_score", Unit: "ratio", Better: report.Higher, Given: hasWindow, Doc: "Share of the 100 ms windows in which at least 90 % of the due deliveries were made, and less than 1 % were dropped or failed. Windows are longer if fewer than 10 events are due in 100 ms. A delivery counts in the window in which it ended."},
			{Name: "memory_growth_rate", Unit: "ratio", Better: report.Lower, Unclipped: true, Doc: "1 − live heap before the load / after it, from three readings each with no operation in progress. No garbage collection is forced during the load."},
			{Name: "memory_usage_stable", Unit: "bool", Better: report.Higher, Must: "== true", OfProcess: true, Bound: &scenario.Bound{Metric: "memory_growth_rate", Limit: stableGrowth}, Doc: "Whether memory_growth_rate is within ±10 %, and no subscription remained after all had unsubscribed."},
			{Name: "recovery_time_ms", Unit: "ms", Better: report.Lower, Doc: "Time from the end of the load until no event was queued. It has no value if events are still missing after 5 s without a delivery."},
			{Name: "latency_ms", Unit: "ms", Better: report.Lower, Distribution: true, Probe: probe.ActionP50MS, Doc: "Time from when an event was due until it was handled, for every event at every subscriber."},
		}, deliveryMetrics()...),
		Estimate: func(p scenario.Params) time.Duration {
			return 200*time.Millisecond + p.Duration("duration") + p.Duration("burst_duration")
		},
		Check: func(p scenario.Params) error {
			// Each event is kept until it is delivered, to know when it was due.
			events := p.Float("rate")*p.Duration("duration").Seconds() + p.Float("burst")*p.Duration("burst_duration").Seconds()
			if events > maxStressEvents {
				return fmt.Errorf("%.0f events exceed the maximum of %d; lower a rate or a duration", events, maxStressEvents)
			}
			return nil
		},
		LoadLength: func(p scenario.Params) time.Duration { return p.Duration("duration") + p.Duration("burst_duration") },
		Targets:    []scenario.Target{scenario.TargetSubscribers, scenario.TargetAgents, scenario.TargetComponents},
	}, Run: func(ctx context.Context, env *stress.Env) error { return measureStress(ctx, env, env.Subscriber) }}
}

func hasBurst(p scenario.Params) bool { return p.Duration("burst_duration") > 0 }

// hasWindow reports whether a phase is as long as a window.
func hasWindow(p scenario.Params) bool {
	return p.Duration("duration") >= loadWindow(p.Float("rate")) || p.Duration("burst_duration") >= loadWindow(p.Float("burst"))
}

func measureStress(ctx context.Context, env *stress.Env, wrap handlerWrap) error {
	p, system := env.Params, env.System()
	recorder := load.NewRecorder()
	phases := [maxPhases]load.Stage{
		{Rate: p.Float("rate"), For: p.Duration("duration")},
		{Rate: p.Float("burst"), For: p.Duration("burst_duration")},
	}
	metrics := [maxPhases]string{"sustained_event_rate", "burst_event_rate"}
	// An open load has many workers, so that a blocked publisher does not delay the others.
	// Each worker is a publisher.
	const workers = 64
	const eventType = "stress.event"
	if err := fillEventLog(ctx, env, eventType); err != nil {
		return err
	}
	group := subscriberGroup{
		subscribers: p.Int("subscribers"), publishers: workers, topic: eventType, recorder: recorder, wrap: wrap,
	}
	// Allocate everything before memory is read.
	var room [maxPhases]payloads
	for i, phase := range phases {
		room[i] = payloadsOf(phase)
		group.windows[i] = newLoadWindows(phase, p.Int("subscribers"))
	}
	from := make(publishers, workers)
	all, err := group.subscribeTargets(ctx, env)
	if err != nil {
		return err
	}
	all.supplyProbes(env)
	memory := resources.LiveHeap()
	w := newTelemetryCheck(env, system)
	watch := &backlogMonitor{all: all}
	watching, stop := context.WithCancel(ctx)
	var wg sync.WaitGroup
	wg.Go(func() { watch.run(watching) })
	defer wg.Wait()
	defer stop()

	var sent publishCounts
	var due int64
	var stable stability
	for i, phase := range phases {
		if phase.For == 0 {
			continue
		}
		window := group.windows[i]
		window.start()
		result, err := env.RunLoad(ctx, load.Load{
			Workers: workers, Stages: []load.Stage{phase}, Recorder: recorder, Metrics: []string{metrics[i], "latency_ms", "dropped"},
		}, func(ctx context.Context, op load.Op) error {
			one := room[i].of(op.N)
			*one = from.payload(op)
			one.phase = i
			err := system.Bus().Publish(ctx, mabeam.Event{Type: eventType, Data: one, Timestamp: op.Due})
			if err == nil {
				watch.accepted.Add(1)
			} else {
				window.count(op.Worker, time.Now(), 0, int64(len(all)))
			}
			return err
		})
		if err != nil {
			return err
		}
		due += result.Attempted
		sent.accepted += result.Succeeded
		sent.failed += result.Failed
		length := phase.For
		if env.Aborted() {
			length = min(result.Took, length)
		} else if err := sleepUntil(ctx, window.startedAt.Add(length)); err != nil {
			return err // the last event is due before the end of the phase
		}
		env.Value(metrics[i], load.PerSecond(window.total(), length)/float64(len(all)))
		stable.add(window, length)
		if env.Aborted() {
			break // what did not run is not measured
		}
	}
	ended := time.Now()
	empty, delivered, err := all.awaitDeliveries(ctx, sent.accepted)
	if err != nil {
		return err
	}
	env.Drained()
	stop()
	wg.Wait()

	recovery := max(empty.Sub(ended), 0)
	crashed := system.Telemetry().AgentsCrashed - w.before.AgentsCrashed
	all.checkTelemetry(ctx, w, sent, 0)
	memoryAfter := resources.LiveHeap()
	runtime.KeepAlive(room) // it was allocated before memory was first read
	env.Value("events_processed", float64(all.distinct())/float64(len(all)))
	env.Value("processed_ratio", ratio(all.distinct(), max(due, 1)*int64(len(all))))
	env.Value("dropped", float64(all.dropped()))
	env.Value("backlog_max", float64(watch.most))
	if delivered {
		env.Value("recovery_time_ms", load.Milliseconds(recovery))
	} else {
		env.Unmeasured("recovery_time_ms", fmt.Sprintf("events were still missing after %v without a delivery", stallTimeout))
	}
	endedItself := all.reportEnded(env)
	if env.HasFaultsOn(scenario.TargetAgents) { // the end of an agent by a fault is not instability
		crashed, endedItself = 0, 0
	}
	if stable.report(env, 1, "the load was shorter than a window in which ten events are due", "system_stable") {
		env.Bool("system_stable", delivered && recovery < time.Second && endedItself == 0 && crashed == 0)
	}
	env.Latency("latency_ms", recorder.Total())
	all.reportDeliveries(env, sent)
	gone, err := all.unsubscribeAll(ctx, env, w, from, eventType)
	if err != nil {
		return err
	}
	w.report()
	env.Decline("memory_growth_rate", memoryAfter, memory)
	env.Bool("memory_usage_stable", gone)
	return nil
}

// sleepUntil waits until the clock of the load shows a time.
func sleepUntil(ctx context.Context, at time.Time) error {
	for left := time.Until(at); left > 0; left = time.Until(at) {
		if !load.Sleep(ctx, left) {
			return ctx.Err()
		}
	}
	return nil
}

// maxFillSize limits the time to fill the history.
const maxFillSize = 1 << 20

// fillEventLog publishes as many events as the bus keeps before anybody subscribes to
// their type, so that the kept events do not count as growth.
func fillEventLog(ctx context.Context, env *stress.Env, eventType string) error {
	options := env.Options()
	for range min(max(options.History, options.BusQueue, defaultLogSize)+1, maxFillSize) {
		if err := env.System().Bus().Publish(ctx, mabeam.Event{Type: eventType}); err != nil {
			return err
		}
	}
	return nil
}

// defaultLogSize is the maximum of events that the bus keeps by default.
const defaultLogSize = 1024

// backlogInterval is the time between two samples of the backlog.
const backlogInterval = 10 * time.Millisecond

// A backlogMonitor samples the backlog while a load runs.
type backlogMonitor struct {
	all      subscriberSet
	accepted atomic.Int64 // events
	most     int64        // belongs to run until it returns
}

// run samples until ctx ends.
func (w *backlogMonitor) run(ctx context.Context) {
	for load.Sleep(ctx, backlogInterval) {
		w.most = max(w.most, w.all.backlog(w.accepted.Load()))
	}
}
