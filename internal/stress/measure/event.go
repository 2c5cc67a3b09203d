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

const (
	// latencyEvery is which share of the events of event-throughput have
	// their latency taken: a look at the clock costs as much as several
	// deliveries.
	latencyEvery = 16
	// stalledAfter is how long no event may be delivered before those that
	// are missing count as lost.
	stalledAfter = 5 * time.Second
)

// A parcel is the data of a measured event.
type parcel struct {
	publisher, n int
	phase        int // of the load
	due          time.Time
	timed        bool // take its latency
}

// A receiver is one subscriber of a measurement, and what it saw. Its handler
// is called with one event at a time.
type receiver struct {
	shard        *stress.Shard
	subscription *mabeam.Subscription
	last         []int // the newest event of each publisher; -1 before the first
	received     [maxPhases]atomic.Int64
	disorder     atomic.Int64
	_            [64]byte // two receivers do not share a cache line
}

// maxPhases is how many phases the load of a measurement of events has.
const maxPhases = 2

func (r *receiver) handle(_ context.Context, e mabeam.Event) {
	p := e.Data.(*parcel)
	if p.timed {
		r.shard.Record(time.Since(p.due))
	}
	if p.n <= r.last[p.publisher] {
		r.disorder.Add(1)
	}
	r.last[p.publisher] = p.n
	r.received[p.phase].Add(1)
}

// receivers are the subscribers of a measurement.
type receivers []*receiver

// subscribe adds n receivers. Wrap, if given, is put around the handler of
// each.
func subscribe(system *mabeam.System, n, publishers int, pattern string, exact bool, recorder *stress.Recorder, wrap handlerWrap) (receivers, error) {
	all := make(receivers, n)
	for i := range all {
		r := &receiver{shard: recorder.Shard(), last: make([]int, publishers)}
		for p := range r.last {
			r.last[p] = -1
		}
		handler := r.handle
		if wrap != nil {
			handler = wrap(i, handler)
		}
		join := system.Bus().SubscribePattern
		if exact {
			join = system.Bus().Subscribe
		}
		s, err := join(pattern, handler, mabeam.SubscribeOptions{})
		if err != nil {
			return nil, fmt.Errorf("subscriber %d of %d: %w", i+1, n, err)
		}
		r.subscription = s
		all[i] = r
	}
	return all, nil
}

// A handlerWrap disturbs a subscriber: it gets the handler of subscriber i and
// returns the one to use.
type handlerWrap func(i int, handler func(context.Context, mabeam.Event)) func(context.Context, mabeam.Event)

// delivered is how many deliveries were made.
func (all receivers) delivered() (n int64) {
	for phase := range maxPhases {
		n += all.deliveredOf(phase)
	}
	return n
}

// deliveredOf is how many deliveries of one phase's events were made.
func (all receivers) deliveredOf(phase int) (n int64) {
	for _, r := range all {
		n += r.received[phase].Load()
	}
	return n
}

// dropped is how many deliveries the bus dropped.
func (all receivers) dropped() (n int64) {
	for _, r := range all {
		n += int64(r.subscription.Dropped())
	}
	return n
}

// lost tells the subscribers that are there no more, by why.
func (all receivers) lost(env *stress.Env) (n int64) {
	for _, r := range all {
		if err := r.subscription.Err(); err != nil {
			env.Finding("a subscriber was lost during the load: "+err.Error(), 1)
			n++
		}
	}
	return n
}

// disorder is how many events came after a later one of their publisher.
func (all receivers) disorder() (n int64) {
	for _, r := range all {
		n += r.disorder.Load()
	}
	return n
}

// await waits until all deliveries that are due were made or dropped, and
// returns when the last was. It gives up when nothing has moved for
// stalledAfter.
func (all receivers) await(ctx context.Context, due int64) (time.Time, error) {
	last, moved := int64(-1), time.Now()
	for {
		n := all.delivered() + all.dropped()
		now := time.Now()
		if n >= due {
			return now, nil
		}
		if n > last {
			last, moved = n, now
		}
		if now.Sub(moved) > stalledAfter {
			return moved, nil
		}
		if !stress.Sleep(ctx, 50*time.Microsecond) {
			return now, ctx.Err()
		}
	}
}

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
		Run: func(ctx context.Context, env *stress.Env) error { return measureThroughput(ctx, env, nil) },
	}
}

func measureThroughput(ctx context.Context, env *stress.Env, wrap handlerWrap) error {
	p, system := env.Params, env.System()
	recorder := stress.NewRecorder()
	types := []string{"perf.event"}
	pattern, exact := types[0], true
	if p.Bool("patterns") {
		pattern, exact, types = "perf.*", false, make([]string, 16)
		for i := range types {
			types[i] = "perf." + strconv.Itoa(i)
		}
	}
	all, err := subscribe(system, p.Int("subscribers"), p.Int("publishers"), pattern, exact, recorder, wrap)
	if err != nil {
		return err
	}
	events := env.Count(p.Int("events"))
	parcels := make([]parcel, events)
	start := time.Now()
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
	due := driven.Succeeded * int64(len(all))
	end, err := all.await(ctx, due)
	if err != nil {
		return err
	}
	took, made := end.Sub(start), all.delivered()
	env.Value("events_per_second", stress.PerSecond(driven.Succeeded, took))
	env.Value("deliveries_per_second", stress.PerSecond(made, took))
	env.Latency("average_latency_ms", recorder.Total())
	env.Value("propagation_efficiency", ratio(made, due))
	env.Value("success_rate", ratio(driven.Succeeded, driven.Attempted))
	env.Value("ordering_violations", float64(all.disorder()))
	tellLost(env, due, made, all.dropped())
	return nil
}

// publisherParcel is the parcel of an operation; it is timed.
func publisherParcel(op stress.Op) parcel {
	return parcel{publisher: op.Worker, n: op.N, due: op.Due, timed: true}
}

// tellLost tells of deliveries that were not made.
func tellLost(env *stress.Env, due, made, dropped int64) {
	if dropped > 0 {
		env.Finding("deliveries dropped by the bus because a subscriber's queue was full", dropped)
	}
	if lost := due - made - dropped; lost > 0 {
		env.Finding("deliveries lost: neither made nor counted as dropped", lost)
	}
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
			{Name: "burst_duration", Kind: stress.Duration, Default: time.Second, Min: 0.1, Max: 600, Doc: "How long the burst lasts."},
			{Name: "subscribers", Kind: stress.Int, Default: 10, Min: 1, Max: 100_000, Doc: "Subscribers, each of which gets every event."},
		},
		Metrics: []stress.Metric{
			{Name: "events_processed", Unit: "count", Better: report.Higher, Doc: "Events of both phases that were handled, as deliveries / subscribers."},
			{Name: "processed_ratio", Unit: "ratio", Better: report.Higher, Doc: "events_processed / events due."},
			{Name: "sustained_event_rate", Unit: "1/s", Better: report.Higher, Probe: "events_delivered_per_second", ProbePer: "subscribers", Doc: "Events of the first phase that were handled by its end / its length."},
			{Name: "burst_event_rate", Unit: "1/s", Better: report.Higher, Probe: "events_delivered_per_second", ProbePer: "subscribers", Doc: "Events of the burst that were handled by its end / its length."},
			{Name: "dropped", Unit: "count", Better: report.Lower, Probe: "events_dropped", Doc: "Deliveries that the bus dropped."},
			{Name: "backlog_max", Unit: "count", Better: report.Lower, Doc: "Most deliveries that were due and not made at one moment, looked at every 10 ms."},
			{Name: "system_stable", Unit: "bool", Better: report.Higher, Doc: "Whether stability_score is at least 0.95, no subscriber was lost, and the backlog was gone within 1 s of the load's end."},
			{Name: "stability_score", Unit: "ratio", Better: report.Higher, Doc: "Share of the 100 ms windows in which at least 90 % of the rate due was handled and less than 1 % dropped or failed."},
			{Name: "memory_usage_stable", Unit: "bool", Better: report.Higher, Doc: "Whether live memory, read every second after a collection, grew by less than 10 %, and no subscription was lost or left."},
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
		Run: func(ctx context.Context, env *stress.Env) error { return measureStress(ctx, env, nil) },
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
	all, err := subscribe(system, p.Int("subscribers"), workers, "stress.event", true, recorder, wrap)
	if err != nil {
		return err
	}
	watch := newWatcher(all)
	watching, stop := context.WithCancel(ctx)
	var wg sync.WaitGroup
	wg.Go(func() { watch.run(watching) })
	defer wg.Wait()
	defer stop()

	var due, accepted int64
	for i, phase := range phases {
		parcels := make([]parcel, int(phase.Rate*phase.For.Seconds())+1)
		watch.rate.Store(int64(phase.Rate))
		start := time.Now()
		driven, err := env.Drive(ctx, stress.Load{
			Workers: workers, Stages: []stress.Stage{phase}, Recorder: recorder, Metrics: []string{metrics[i], "latency_ms", "dropped"},
		}, func(ctx context.Context, op stress.Op) error {
			parcel := &parcels[op.N]
			*parcel = publisherParcel(op)
			parcel.phase = i
			err := system.Bus().Publish(ctx, mabeam.Event{Type: "stress.event", Data: parcel, Timestamp: op.Due})
			watch.count(err)
			return err
		})
		if err != nil {
			return err
		}
		length := max(time.Since(start), phase.For)
		if env.Aborted() {
			length = time.Since(start)
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
	score := watch.score()
	env.Value("events_processed", float64(made)/float64(len(all)))
	env.Value("processed_ratio", float64(made)/float64(max(due, 1)*int64(len(all))))
	env.Value("dropped", float64(all.dropped()))
	env.Value("backlog_max", float64(watch.backlog))
	env.Bool("system_stable", score >= 0.95 && lost == 0 && recovery < time.Second)
	env.Value("stability_score", score)
	if growth, ok := watch.growth(); ok {
		env.Bool("memory_usage_stable", math.Abs(growth) < stableGrowth && lost == 0)
	} else {
		env.Unmeasured("memory_usage_stable", "the load was too short to read live memory three times")
	}
	env.Value("recovery_time_ms", stress.Milliseconds(recovery))
	env.Latency("latency_ms", recorder.Total())
	tellLost(env, accepted*int64(len(all)), made, all.dropped())
	return nil
}

// A watcher looks at the receivers while a load runs.
type watcher struct {
	all              receivers
	accepted, failed atomic.Int64 // events
	rate             atomic.Int64 // that is due now, per second; 0 when there is no load

	// These belong to run until it has returned.
	windows, stable int
	backlog         int64
	memory          []float64
}

func newWatcher(all receivers) *watcher {
	return &watcher{all: all, memory: []float64{liveBytes()}}
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
	windowStart, memoryRead := time.Now(), time.Now()
	windowRate := int64(0)
	var before handled
	for stress.Sleep(ctx, lookEvery) {
		accepted, now, seen := w.accepted.Load(), time.Now(), w.handled()
		w.backlog = max(w.backlog, accepted*int64(len(w.all))-seen.made-seen.dropped)
		rate := w.rate.Load()
		if rate != windowRate { // a phase has begun or ended: not a whole window
			windowRate, windowStart, before = rate, now, seen
			continue
		}
		if took := now.Sub(windowStart); took >= windowFor && rate > 0 {
			due := float64(rate) * took.Seconds() * float64(len(w.all))
			bad := seen.dropped - before.dropped + (seen.failed-before.failed)*int64(len(w.all))
			windows := int(took / windowFor) // of a process that was stopped, many at once
			w.windows += windows
			if float64(seen.made-before.made) >= 0.9*due && float64(bad) < 0.01*due {
				w.stable += windows
			}
			windowStart, before = now, seen
		}
		if rate > 0 && now.Sub(memoryRead) >= memoryEvery {
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

// score is the share of the windows in which the load was carried.
func (w *watcher) score() float64 { return ratio(int64(w.stable), int64(w.windows)) }

// growth is how much live memory grew; false if there were too few readings.
func (w *watcher) growth() (float64, bool) {
	return growthRate(w.memory), len(w.memory) >= 3
}
