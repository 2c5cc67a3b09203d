package measure

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync/atomic"
	"time"

	"mabeam-top/internal/probes/probe"
	mabeam "mabeam-top/internal/runtime"
	"mabeam-top/internal/stress"
	"mabeam-top/internal/stress/conformance/eventbus"
	"mabeam-top/internal/stress/load"
	"mabeam-top/internal/stress/report"
	"mabeam-top/internal/stress/resources"
	"mabeam-top/internal/stress/scenario"
)

func eventPropagation() *stress.Measurement {
	return &stress.Measurement{Measurement: scenario.Measurement{
		Name:      "event-propagation",
		Summary:   "Measures how long an event takes to reach all its subscribers, how that scales, and checks the documented rules of the bus.",
		Component: "event_propagation",
		Params: []scenario.Param{
			{Name: "subscriber_counts", Kind: scenario.Ints, Default: []int{1, 10, 100, 1000}, Min: 1, Max: 1_000_000, Doc: "Numbers of subscribers, measured in ascending order. The scaling needs two different ones."},
			{Name: "patterns", Kind: scenario.Int, Default: 100, Min: 0, Max: 100_000, Doc: "Patterns subscribed to while event types are published for the first time; 0 skips that."},
			{Name: "events", Kind: scenario.Int, Default: 1000, Min: 1, Max: 10_000_000, Doc: "Events for each number of subscribers, and event types for the patterns. The next event is published after the previous one has reached all subscribers."},
		},
		Metrics: []scenario.Metric{
			{Name: "propagation_time_ms", Unit: "ms", Better: report.Lower, Distribution: true, Probe: probe.ActionP50MS, Doc: "Time from publishing one event until the last subscriber is called, with the most subscribers and no other events."},
			{Name: "propagation_time_per_subscriber_ms", Unit: "ms", Better: report.Lower, Keyed: true, Doc: "Median propagation time / subscribers, with the most subscribers; with .COUNT, with that many."},
			{Name: "subscribers_scaling_factor", Unit: "ratio", Better: report.Lower, Doc: "Growth of the median time per subscriber with each doubling of the subscribers, as the geometric mean from the fewest to the most: 1 is constant, 2 linear. Below 1, more subscribers share the fixed costs of an event."},
			{Name: "subscriber_scaling_exponent", Unit: "exponent", Better: report.Lower, Must: subscriberScalingLimit, Doc: "The exponent e of time ~ subscribers^e between the two largest subscriber_counts, from the medians of ten batches of events each: 1 is linear."},
			{Name: "subscriber_scaling", Unit: "text", Better: report.Neither, Doc: "Class of subscriber_scaling_exponent: constant, logarithmic (sublinear), linear or superlinear; a range of them if its interval spans several."},
			{Name: "pattern_matching_time_ms", Unit: "ms", Better: report.Lower, Distribution: true, Probe: probe.ActionP50MS, Given: hasPatterns, Doc: "Time to publish the first event of a type, which is matched against all patterns and makes the type known. It matches one pattern."},
			{Name: "pattern_scaling_exponent", Unit: "exponent", Better: report.Lower, Must: patternScalingLimit, Given: hasSeveralPatterns, Doc: "The exponent e of time ~ patterns^e for an event of a known type that matches no pattern, between one pattern and all, from ten batches of events each: 0 is constant."},
			mustBeZero("pattern_mismatches", "Events that reached a pattern that does not match, did not reach a pattern that matches, or came twice."),
			mustBeZero("bus_rules_broken", "Violations of the documented rules of the bus: queue policies and their order and drop counts, blocked publishers, bounds and order of the history, the runtime's own events, and ends of subscriptions. The errors name each."),
			mustBeZero("lost", "Deliveries of accepted events that were not made."),
			mustBeZero("duplicates", "Deliveries of an event that the subscriber had already received."),
			telemetryMismatches(),
			{Name: "subscriber_cleanup_time_ms", Unit: "ms", Better: report.Lower, Doc: "Time to unsubscribe the most subscribers, one after the other."},
			{Name: "memory_per_subscription", Unit: "bytes", Better: report.Lower, Doc: "Growth of live heap and stacks by the most subscribers, idle and with their handlers, after two garbage collections, per subscriber. Not reported if they hold less than 128 KiB."},
			{Name: "max_subscribers_tested", Unit: "count", Better: report.Higher, Aggregation: scenario.Worst, CappedBy: "subscriber_counts", Doc: "Most subscribers with which every subscriber received every event."},
			{Name: "all_sizes_tested", Unit: "bool", Better: report.Higher, Must: "== true", Timed: true, Doc: "Whether max_subscribers_tested is the largest of subscriber_counts."},
		},
		Estimate: func(p scenario.Params) time.Duration {
			deliveries := p.Int("patterns") / 4
			for _, n := range p.Ints("subscriber_counts") {
				deliveries += n + 50
			}
			return 150*time.Millisecond + time.Duration(p.Int("events")*deliveries)*70
		},
		Targets: []scenario.Target{scenario.TargetComponents},
	}, Run: func(ctx context.Context, env *stress.Env) error {
		return measurePropagation(ctx, env, func(ctx context.Context, _ int, e mabeam.Event) error {
			return env.System().Bus().Publish(ctx, e)
		})
	}}
}

// The limits of the exponents. On a healthy bus the exponent is 1.03 to 1.18 between 100
// and 1,000 subscribers, because these fit the caches less and less, and up to 1.3 if the
// processors share no cache. Patterns cost an event of a known type nothing.
const (
	subscriberScalingLimit = "<= 1.4"
	patternScalingLimit    = "<= 0.2"
)

// A publisher publishes an event on a bus with that many subscribers or patterns.
type publisher func(ctx context.Context, subscribers int, e mabeam.Event) error

func measurePropagation(ctx context.Context, env *stress.Env, publish publisher) error {
	w := newTelemetryCheck(env, env.System())
	counts := sortedSizes(env.Params.Ints("subscriber_counts"))
	var each []sizedValue
	var samples scalingSamples
	var lost, duplicates int64
	most, tested := propagated{}, 0
	for _, n := range counts {
		one, err := propagate(ctx, env, w, n, n == counts[len(counts)-1], publish)
		if err != nil {
			return err
		}
		lost, duplicates = lost+one.lost, duplicates+one.duplicates
		if one.failed > 0 || env.Aborted() {
			break // more subscribers would fail too
		}
		most, tested = one, n
		each = append(each, sizedValue{n, load.Milliseconds(one.took.Quantile(0.5)) / float64(n)})
		samples.add(n, one.batches...)
		env.Value("propagation_time_per_subscriber_ms."+strconv.Itoa(n), each[len(each)-1].value)
	}
	env.Value("lost", float64(lost))
	env.Value("duplicates", float64(duplicates))
	env.Value("max_subscribers_tested", float64(tested))
	env.Bool("all_sizes_tested", tested == counts[len(counts)-1])
	if most.memory >= resources.MemoryNoise {
		env.Value("memory_per_subscription", most.memory/float64(tested))
	} else {
		env.Unmeasured("memory_per_subscription", belowNoise("the subscribers that received all events"))
	}
	why := "no event reached all its subscribers"
	if tested > 0 {
		env.Latency("propagation_time_ms", most.took)
		env.Value("propagation_time_per_subscriber_ms", each[len(each)-1].value)
		env.Value("subscriber_cleanup_time_ms", load.Milliseconds(most.cleanup))
		why = "it needs two different subscriber_counts with which all events arrive"
	} else {
		unmeasured(env, why, "propagation_time_ms", "propagation_time_per_subscriber_ms", "subscriber_cleanup_time_ms")
	}
	if factor, ok := perDoubling(each); ok {
		env.Value("subscribers_scaling_factor", factor)
	} else {
		env.Unmeasured("subscribers_scaling_factor", why)
	}
	samples.report(env, "subscriber_scaling_exponent", "subscriber_scaling", why)
	if err := matchPatterns(ctx, env, publish); err != nil {
		return err
	}
	w.report()
	eventbus.Check(ctx, env, env.System(), env.Options(), env.SharesSystem()) // last, so that its garbage affects no metric
	return nil
}

// batchesPerSize is how many values of each size the exponent is estimated from.
const batchesPerSize = 10

// propagated is the result of one number of subscribers.
type propagated struct {
	took                     *load.Histogram
	batches                  []float64 // the shortest time of each, in ms
	failed, lost, duplicates int64
	cleanup                  time.Duration
	memory                   float64 // bytes that the subscriptions hold
}

var errNotDelivered = errors.New("an event did not reach all its subscribers")

// propagate publishes one event after the other to n subscribers. With weigh, it also
// reads the memory of the subscriptions.
func propagate(ctx context.Context, env *stress.Env, w *telemetryCheck, n int, weigh bool, publish publisher) (propagated, error) {
	const eventType = "propagation.event"
	system, recorder := env.System(), load.NewRecorder()
	shard, batch := recorder.Shard(), load.NewHistogram()
	var left, duplicates atomic.Int64 // left counts the subscribers that have not received the event yet
	reached := make(chan time.Time, 1)
	subscriptions := make([]*mabeam.Subscription, n)
	got := make([]int, n) // the number of the latest event
	var result propagated
	empty := 0.0
	if weigh {
		empty = resources.LiveBytes()
	}
	for i := range subscriptions {
		s, err := system.Bus().Subscribe(eventType, func(_ context.Context, e mabeam.Event) {
			number := e.Data.(int)
			if number <= got[i] {
				duplicates.Add(1)
				return
			}
			got[i] = number
			if left.Add(-1) == 0 {
				reached <- time.Now()
			}
		}, mabeam.SubscribeOptions{})
		if err != nil {
			return propagated{}, fmt.Errorf("subscriber %d of %d: %w", i+1, n, err)
		}
		subscriptions[i] = s
	}
	if weigh {
		result.memory = resources.LiveBytes() - empty
	}
	w.expect(ctx, map[string]int64{"Subscriptions": int64(n)})
	stalled := time.NewTimer(stallTimeout)
	defer stalled.Stop()
	accepted, missing := int64(0), false
	events := env.Count(env.Params.Int("events"))
	loadResult, err := env.RunLoad(ctx, load.Load{
		Workers: 1, Operations: events, Recorder: recorder,
		Metrics: []string{"propagation_time_ms"},
	}, func(ctx context.Context, op load.Op) error {
		if missing {
			return errNotDelivered // a late event would be taken for the next one
		}
		left.Store(int64(n))
		stalled.Reset(stallTimeout)
		published := time.Now()
		if err := publish(ctx, n, mabeam.Event{Type: eventType, Data: op.N + 1, Timestamp: published}); err != nil {
			missing = true
			return err
		}
		accepted++
		select {
		case end := <-reached:
			took := end.Sub(published)
			shard.Record(took)
			batch.Record(took)
			if (op.N+1)*batchesPerSize/events > op.N*batchesPerSize/events {
				result.batches = append(result.batches, load.Milliseconds(batch.Quantile(0)))
				batch.Reset()
			}
			return nil
		case <-stalled.C:
			missing = true
			result.lost += left.Load()
			return errNotDelivered
		case <-ctx.Done():
			return ctx.Err()
		}
	})
	if err != nil {
		return propagated{}, err
	}
	w.expect(ctx, map[string]int64{"EventsPublished": accepted, "EventsDelivered": accepted*int64(n) - result.lost, "EventsDropped": 0})
	cleaning := time.Now()
	for _, s := range subscriptions {
		s.Unsubscribe()
	}
	result.cleanup = time.Since(cleaning)
	w.expect(ctx, map[string]int64{"Subscriptions": int64(-n)})
	result.took, result.failed, result.duplicates = recorder.Total(), loadResult.Failed, duplicates.Load()
	return result, nil
}
