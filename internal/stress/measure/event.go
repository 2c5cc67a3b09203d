package measure

import (
	"context"
	"fmt"
	"math"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	mabeam "mabeam-top/internal/runtime"
	"mabeam-top/internal/stress"
	"mabeam-top/internal/stress/report"
)

// maxStressEvents bounds the memory that event-stress itself takes.
const maxStressEvents = 20_000_000

// latencyEvery is which share of the events of event-throughput have their
// latency taken: a look at the clock costs as much as several deliveries.
const latencyEvery = 16

func eventThroughput() *stress.Measurement {
	return &stress.Measurement{
		Name:      "event-throughput",
		Summary:   "How many events per second do publishers get to their subscribers, and how late?",
		Component: "event_system",
		Params: []stress.Param{
			{Name: "events", Kind: stress.Int, Default: 100000, Min: 1, Max: 100_000_000, Doc: "Events to publish, as fast as the subscribers take them."},
			{Name: "subscribers", Kind: stress.Int, Default: 10, Min: 1, Max: 100_000, Doc: "Subscribers, each of which gets every event."},
			{Name: "publishers", Kind: stress.Int, Default: 1, Min: 1, Max: 10_000, Doc: "Publishers at the same time."},
			{Name: "patterns", Kind: stress.Bool, Default: false, Doc: "Whether to subscribe to a pattern that matches 16 event types, instead of one type."},
		},
		Metrics: []stress.Metric{
			{Name: "events_per_second", Unit: "1/s", Better: report.Higher, Probe: "events_delivered_per_second", ProbePer: "subscribers", Doc: "Events published / time until the last one was handled by its last subscriber."},
			{Name: "deliveries_per_second", Unit: "1/s", Better: report.Higher, Probe: "events_delivered_per_second", Doc: "Deliveries made / the same time."},
			{Name: "average_latency_ms", Unit: "ms", Better: report.Lower, Distribution: true, Probe: "action_p50_ms", Doc: "Time from publishing to being handled, of every 16th event at every subscriber; under full load it is mostly waiting in the queue."},
			{Name: "propagation_efficiency", Unit: "ratio", Better: report.Higher, Doc: "Deliveries made / deliveries due."},
			{Name: "success_rate", Unit: "ratio", Better: report.Higher, Doc: "Events that the bus accepted / events published."},
			{Name: "ordering_violations", Unit: "count", Better: report.Lower, Doc: "Deliveries of an event after a later one of the same publisher."},
		},
		Estimate: func(p stress.Params) time.Duration {
			return 100*time.Millisecond + time.Duration(p.Int("events"))*(300+time.Duration(p.Int("subscribers"))*20)
		},
		Targets: []stress.Target{stress.Subscribers, stress.Agents, stress.Components},
		Run:     func(ctx context.Context, env *stress.Env) error { return measureThroughput(ctx, env, env.Subscriber) },
	}
}

func measureThroughput(ctx context.Context, env *stress.Env, wrap handlerWrap) error {
	p, system := env.Params, env.System()
	recorder := stress.NewRecorder()
	types := []string{"perf.event"}
	from := audience{
		subscribers: p.Int("subscribers"), publishers: p.Int("publishers"), topic: types[0], recorder: recorder, wrap: wrap,
	}
	if from.pattern = p.Bool("patterns"); from.pattern {
		from.topic, types = "perf.*", make([]string, 16)
		for i := range types {
			types[i] = "perf." + strconv.Itoa(i)
		}
	}
	all, err := from.subscribeTargets(ctx, env)
	if err != nil {
		return err
	}
	events := env.Count(p.Int("events"))
	parcels := make([]parcel, events)
	driven, err := env.Drive(ctx, stress.Load{Workers: p.Int("publishers"), Operations: events, Recorder: recorder},
		func(ctx context.Context, op stress.Op) error {
			parcel := &parcels[op.N]
			*parcel = publisherParcel(op)
			parcel.timed = op.N%latencyEvery == 0
			return system.Bus().Publish(ctx, mabeam.Event{Type: types[op.N%len(types)], Data: parcel, Timestamp: op.Due})
		})
	if err != nil {
		return err
	}
	published := time.Now()
	due := driven.Succeeded * int64(len(all))
	end, err := all.await(ctx, due)
	if err != nil {
		return err
	}
	// The load's own time leaves out that in which it was held.
	took, made := driven.Took+max(end.Sub(published), 0), all.delivered()
	env.Value("events_per_second", stress.PerSecond(driven.Succeeded, took))
	env.Value("deliveries_per_second", stress.PerSecond(made, took))
	env.Latency("average_latency_ms", recorder.Total())
	env.Value("propagation_efficiency", ratio(made, due))
	env.Value("success_rate", ratio(driven.Succeeded, driven.Attempted))
	env.Value("ordering_violations", float64(all.disorder()))
	all.tellLost(env, due)
	return nil
}

func eventStress() *stress.Measurement {
	return &stress.Measurement{
		Name:      "event-stress",
		Summary:   "Does the event bus hold a given rate of events, and a burst after it, without falling behind?",
		Component: "event_stress",
		Params: []stress.Param{
			{Name: "rate", Kind: stress.Rate, Default: 10000.0, Min: 1, Max: 1e7, Doc: "Events that are due per second, whatever the answers."},
			{Name: "duration", Kind: stress.Duration, Default: 5 * time.Second, Min: 0.1, Max: 3600, Doc: "How long that rate lasts."},
			{Name: "burst", Kind: stress.Rate, Default: 15000.0, Min: 1, Max: 1e7, Doc: "Events that are due per second in the burst that follows."},
			{Name: "burst_duration", Kind: stress.Duration, Default: time.Second, Max: 600, Doc: "How long the burst lasts; 0s leaves it out."},
			{Name: "subscribers", Kind: stress.Int, Default: 10, Min: 1, Max: 100_000, Doc: "Subscribers, each of which gets every event."},
		},
		Metrics: []stress.Metric{
			{Name: "events_processed", Unit: "count", Better: report.Higher, Doc: "Events of both phases that were handled, as deliveries / subscribers."},
			{Name: "processed_ratio", Unit: "ratio", Better: report.Higher, Doc: "events_processed / events due."},
			{Name: "sustained_event_rate", Unit: "1/s", Better: report.Higher, Probe: "events_delivered_per_second", ProbePer: "subscribers", CappedBy: "rate", Doc: "Events of the first phase that were handled by its end / its length."},
			{Name: "burst_event_rate", Unit: "1/s", Better: report.Higher, Probe: "events_delivered_per_second", ProbePer: "subscribers", CappedBy: "burst", Late: true, Doc: "Events of the burst that were handled by its end / its length."},
			{Name: "dropped", Unit: "count", Better: report.Lower, Probe: "events_dropped", Doc: "Deliveries that the bus dropped."},
			{Name: "backlog_max", Unit: "count", Better: report.Lower, Doc: "Most deliveries that were due and not made at one moment, looked at every 10 ms."},
			{Name: "system_stable", Unit: "bool", Better: report.Higher, Doc: "Whether stability_score is at least 0.95, no subscriber was lost, and the backlog was gone within 1 s of the load's end."},
			{Name: "stability_score", Unit: "ratio", Better: report.Higher, Doc: "Share of the windows of 100 ms (longer if fewer than 10 events are due in that) in which at least 90 % of the rate due was handled and less than 1 % dropped or failed."},
			{Name: "memory_usage_stable", Unit: "bool", Better: report.Higher, Doc: "Whether live memory, read after each second of the load, grew by less than 10 %, and no subscription was lost or left."},
			{Name: "recovery_time_ms", Unit: "ms", Better: report.Lower, Doc: "Time from the load's end until nothing was waiting any more."},
			{Name: "latency_ms", Unit: "ms", Better: report.Lower, Distribution: true, Probe: "action_p50_ms", Doc: "Time from when an event was due to when it was handled, of every event at every subscriber."},
		},
		Estimate: func(p stress.Params) time.Duration {
			return 200*time.Millisecond + p.Duration("duration") + p.Duration("burst_duration")
		},
		Check: func(p stress.Params) error {
			// Each event is kept until it is delivered, to know when it was due.
			events := p.Float("rate")*p.Duration("duration").Seconds() + p.Float("burst")*p.Duration("burst_duration").Seconds()
			if events > maxStressEvents {
				return fmt.Errorf("%.0f events are more than %d; lower a rate or a duration", events, maxStressEvents)
			}
			return nil
		},
		LoadLength: func(p stress.Params) time.Duration { return p.Duration("duration") + p.Duration("burst_duration") },
		Targets:    []stress.Target{stress.Subscribers, stress.Agents, stress.Components},
		Run:        func(ctx context.Context, env *stress.Env) error { return measureStress(ctx, env, env.Subscriber) },
	}
}

func measureStress(ctx context.Context, env *stress.Env, wrap handlerWrap) error {
	p, system := env.Params, env.System()
	recorder := stress.NewRecorder()
	phases := [maxPhases]stress.Stage{
		{Rate: p.Float("rate"), For: p.Duration("duration")},
		{Rate: p.Float("burst"), For: p.Duration("burst_duration")},
	}
	metrics := [maxPhases]string{"sustained_event_rate", "burst_event_rate"}
	// An open load has many workers, so that a publisher that has to wait does
	// not hold up the others; each is a publisher of its own.
	const workers = 64
	all, err := audience{
		subscribers: p.Int("subscribers"), publishers: workers, topic: "stress.event", recorder: recorder, wrap: wrap,
	}.subscribeTargets(ctx, env)
	if err != nil {
		return err
	}
	// All memory that the measuring takes is there before any is read.
	var room [maxPhases]parcels
	for i, phase := range phases {
		room[i] = parcelsOf(phase)
	}
	watch := &watcher{all: all, now: env.Now, due: env.Due}
	watching, stop := context.WithCancel(ctx)
	var wg sync.WaitGroup
	wg.Go(func() { watch.run(watching) })
	defer wg.Wait()
	defer stop()

	var due, accepted int64
	for i, phase := range phases {
		if phase.For == 0 {
			continue
		}
		watch.rate.Store(int64(phase.Rate))
		driven, err := env.Drive(ctx, stress.Load{
			Workers: workers, Stages: []stress.Stage{phase}, Recorder: recorder, Metrics: []string{metrics[i], "latency_ms", "dropped"},
		}, func(ctx context.Context, op stress.Op) error {
			parcel := room[i].of(op.N)
			*parcel = publisherParcel(op)
			parcel.phase = i
			err := system.Bus().Publish(ctx, mabeam.Event{Type: "stress.event", Data: parcel, Timestamp: op.Due})
			watch.count(err)
			return err
		})
		if err != nil {
			return err
		}
		length := driven.Took
		if !env.Aborted() {
			length = max(length, phase.For)
		}
		env.Value(metrics[i], stress.PerSecond(all.deliveredOf(i), length)/float64(len(all)))
		due += driven.Attempted
		accepted += driven.Succeeded
		if env.Aborted() {
			break // what did not run is not measured
		}
	}
	watch.rate.Store(0)
	ended := time.Now()
	empty, err := all.await(ctx, accepted*int64(len(all)))
	if err != nil {
		return err
	}
	stop()
	wg.Wait()

	made := all.delivered()
	recovery := max(empty.Sub(ended), 0)
	lost := all.lost(env)
	env.Value("events_processed", float64(made)/float64(len(all)))
	env.Value("processed_ratio", float64(made)/float64(max(due, 1)*int64(len(all))))
	env.Value("dropped", float64(all.dropped()))
	env.Value("backlog_max", float64(watch.backlog))
	if score, ok := watch.score(); ok {
		env.Bool("system_stable", score >= 0.95 && lost == 0 && recovery < time.Second)
		env.Value("stability_score", score)
	} else {
		why := "the load was shorter than a window in which ten events are due"
		env.Unmeasured("system_stable", why)
		env.Unmeasured("stability_score", why)
	}
	if growth, ok := watch.growth(); ok {
		env.Bool("memory_usage_stable", math.Abs(growth) < stableGrowth && lost == 0)
	} else {
		env.Unmeasured("memory_usage_stable", "the load was too short to read live memory three times")
	}
	env.Value("recovery_time_ms", stress.Milliseconds(recovery))
	env.Latency("latency_ms", recorder.Total())
	all.tellLost(env, accepted*int64(len(all)))
	return nil
}

// A watcher looks at the receivers while a load runs.
type watcher struct {
	all              receivers
	now              func() time.Time // while the load is held it stands still
	due              func() int64     // events so far
	accepted, failed atomic.Int64     // events
	rate             atomic.Int64     // that is due now, per second; 0 when there is no load

	// These belong to run until it has returned.
	windows, stable int
	backlog         int64
	memory          []float64
}

// count notes that an event was published, or was not.
func (w *watcher) count(err error) {
	if err != nil {
		w.failed.Add(1)
	} else {
		w.accepted.Add(1)
	}
}

const (
	lookEvery   = 10 * time.Millisecond
	windowFor   = 100 * time.Millisecond
	memoryEvery = time.Second
)

// run looks until ctx ends.
func (w *watcher) run(ctx context.Context) {
	windowStart, memoryRead := w.now(), w.now()
	windowRate := int64(0)
	var before handled
	var dueBefore int64
	for stress.Sleep(ctx, lookEvery) {
		accepted, now, due, seen := w.accepted.Load(), w.now(), w.due(), w.handled()
		w.backlog = max(w.backlog, w.all.backlog(accepted*int64(len(w.all))))
		rate := w.rate.Load()
		if rate != windowRate { // a phase has begun or ended: not a whole window
			windowRate, windowStart, dueBefore, before = rate, now, due, seen
			continue
		}
		if rate == 0 {
			continue
		}
		window := loadWindow(float64(rate))
		if took := now.Sub(windowStart); took >= window {
			// Counted, because a hand may have changed the rate.
			deliveries := float64((due - dueBefore) * int64(len(w.all)))
			bad := seen.dropped - before.dropped + (seen.failed-before.failed)*int64(len(w.all))
			windows := int(took / window) // of a process that was stopped, many at once
			w.windows += windows
			if float64(seen.made-before.made) >= 0.9*deliveries && (bad == 0 || float64(bad) < 0.01*deliveries) {
				w.stable += windows
			}
			windowStart, dueBefore, before = now, due, seen
		}
		// Not at the start: the history and the log of the type fill first.
		if now.Sub(memoryRead) >= memoryEvery {
			memoryRead = now
			w.memory = append(w.memory, liveBytes())
		}
	}
}

// handled is what has become of the deliveries so far, and how many events
// failed to be published.
type handled struct{ made, dropped, failed int64 }

func (w *watcher) handled() handled {
	return handled{made: w.all.delivered(), dropped: w.all.dropped(), failed: w.failed.Load()}
}

// score is the share of the windows in which the load was carried; false if there
// was none.
func (w *watcher) score() (float64, bool) {
	return ratio(int64(w.stable), int64(w.windows)), w.windows > 0
}

// growth is how much live memory grew; false if there were too few readings.
func (w *watcher) growth() (float64, bool) {
	return growthRate(w.memory), len(w.memory) >= 3
}
