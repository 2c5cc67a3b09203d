package measure

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync/atomic"
	"time"

	mabeam "mabeam-top/internal/runtime"
	"mabeam-top/internal/stress"
	"mabeam-top/internal/stress/report"
)

func eventPropagation() *stress.Measurement {
	return &stress.Measurement{
		Name:      "event-propagation",
		Summary:   "How long until an event has reached all its subscribers, and how does that grow with their number?",
		Component: "event_propagation",
		Params: []stress.Param{
			{Name: "subscriber_counts", Kind: stress.Ints, Default: []int{1, 10, 100, 1000}, Min: 1, Max: 1_000_000, Doc: "Numbers of subscribers to try, from the smallest to the largest. How it scales takes two different ones."},
			{Name: "patterns", Kind: stress.Int, Default: 100, Min: 0, Max: 100_000, Doc: "Patterns that are subscribed to while event types are published for the first time; 0 leaves that out."},
			{Name: "events", Kind: stress.Int, Default: 1000, Min: 1, Max: 10_000_000, Doc: "Events for each number of subscribers, and event types for the patterns. The next event is published when the last one has reached all."},
		},
		Metrics: []stress.Metric{
			{Name: "propagation_time_ms", Unit: "ms", Better: report.Lower, Distribution: true, Probe: "action_p50_ms", Doc: "Time from publishing one event to when the last of the most subscribers is called with it, with nothing else on the bus."},
			{Name: "propagation_time_per_subscriber_ms", Unit: "ms", Better: report.Lower, Keyed: true, Doc: "Median of that time / subscribers, at the most subscribers; with .COUNT at that many."},
			{Name: "subscribers_scaling_factor", Unit: "ratio", Better: report.Lower, Doc: "By what factor the median time per subscriber grows with each doubling of the subscribers, as geometric mean from the fewest to the most: 1 is constant, 2 linear. Below 1, more subscribers share what an event costs anyway."},
			{Name: "subscriber_scaling", Unit: "text", Better: report.Neither, Doc: "How the time until all have the event grows with the subscribers, by the exponent of a log–log fit: constant, logarithmic (less than linear), linear, or superlinear. Linear means that each subscriber costs the same."},
			{Name: "pattern_matching_time_ms", Unit: "ms", Better: report.Lower, Distribution: true, Probe: "action_p50_ms", Doc: "Time to publish the first event of a type, which is matched against all patterns, one of which it matches; with that of making the type known."},
			{Name: "subscriber_cleanup_time_ms", Unit: "ms", Better: report.Lower, Doc: "Time to unsubscribe the most subscribers, one after the other."},
			{Name: "max_subscribers_tested", Unit: "count", Better: report.Higher, CappedBy: "subscriber_counts", Doc: "The most subscribers of which every one got every event."},
		},
		Estimate: func(p stress.Params) time.Duration {
			deliveries := p.Int("patterns") / 4
			for _, n := range p.Ints("subscriber_counts") {
				deliveries += n + 50
			}
			return 100*time.Millisecond + time.Duration(p.Int("events")*deliveries)*70
		},
		Targets: []stress.Target{stress.Components},
		Run: func(ctx context.Context, env *stress.Env) error {
			return measurePropagation(ctx, env, func(ctx context.Context, _ int, e mabeam.Event) error {
				return env.System().Bus().Publish(ctx, e)
			})
		},
	}
}

// A publisher publishes an event on a bus with that many subscribers, or
// patterns.
type publisher func(ctx context.Context, subscribers int, e mabeam.Event) error

func measurePropagation(ctx context.Context, env *stress.Env, publish publisher) error {
	var totals, each []sized
	most, tested := propagated{}, 0
	for _, n := range ascending(env.Params.Ints("subscriber_counts")) {
		one, err := propagate(ctx, env, n, publish)
		if err != nil {
			return err
		}
		if one.failed > 0 || env.Aborted() {
			break // more of them would not do better
		}
		most, tested = one, n
		median := stress.Milliseconds(one.took.Quantile(0.5))
		totals, each = append(totals, sized{n, median}), append(each, sized{n, median / float64(n)})
		env.Value("propagation_time_per_subscriber_ms."+strconv.Itoa(n), median/float64(n))
	}
	env.Value("max_subscribers_tested", float64(tested))
	if tested > 0 {
		env.Latency("propagation_time_ms", most.took)
		env.Value("propagation_time_per_subscriber_ms", each[len(each)-1].value)
		env.Value("subscriber_cleanup_time_ms", stress.Milliseconds(most.cleanup))
	}
	factor, ok := perDoubling(each)
	e, fits := exponent(totals)
	if ok && fits {
		env.Value("subscribers_scaling_factor", factor)
		env.Text("subscriber_scaling", scalingWord(e))
	} else {
		why := "that takes two different subscriber_counts at which all events arrive"
		env.Unmeasured("subscribers_scaling_factor", why)
		env.Unmeasured("subscriber_scaling", why)
	}
	return matchPatterns(ctx, env, publish)
}

// propagated is what became of the events for one number of subscribers.
type propagated struct {
	took    *stress.Histogram
	failed  int64
	cleanup time.Duration
}

var errNotDelivered = errors.New("an event did not reach all its subscribers")

// propagate publishes one event after the other to n subscribers.
func propagate(ctx context.Context, env *stress.Env, n int, publish publisher) (propagated, error) {
	system, recorder := env.System(), stress.NewRecorder()
	shard := recorder.Shard()
	before := system.Telemetry().Subscriptions
	var left atomic.Int64 // subscribers that have not got the event yet
	reached := make(chan time.Time, 1)
	subscriptions := make([]*mabeam.Subscription, n)
	for i := range subscriptions {
		s, err := system.Bus().Subscribe("propagation.event", func(context.Context, mabeam.Event) {
			if left.Add(-1) == 0 {
				reached <- time.Now()
			}
		}, mabeam.SubscribeOptions{})
		if err != nil {
			return propagated{}, fmt.Errorf("subscriber %d of %d: %w", i+1, n, err)
		}
		subscriptions[i] = s
	}
	stalled := time.NewTimer(stalledAfter)
	defer stalled.Stop()
	missing := false
	driven, err := env.Drive(ctx, stress.Load{
		Workers: 1, Operations: env.Count(env.Params.Int("events")), Recorder: recorder,
		Metrics: []string{"propagation_time_ms"},
	}, func(ctx context.Context, _ stress.Op) error {
		if missing {
			return errNotDelivered // who waits for the last event would take the next for it
		}
		left.Store(int64(n))
		stalled.Reset(stalledAfter)
		published := time.Now()
		if err := publish(ctx, n, mabeam.Event{Type: "propagation.event", Timestamp: published}); err != nil {
			missing = true
			return err
		}
		select {
		case end := <-reached:
			shard.Record(end.Sub(published))
			return nil
		case <-stalled.C:
			missing = true
			return errNotDelivered
		case <-ctx.Done():
			return ctx.Err()
		}
	})
	if err != nil {
		return propagated{}, err
	}
	cleaning := time.Now()
	for _, s := range subscriptions {
		s.Unsubscribe()
	}
	cleanup := time.Since(cleaning)
	if stayed := system.Telemetry().Subscriptions - before; stayed > 0 {
		env.Finding("subscriptions that were ended are still there", stayed)
	}
	return propagated{took: recorder.Total(), failed: driven.Failed, cleanup: cleanup}, nil
}

// matchPatterns publishes event types that the bus has not seen before.
func matchPatterns(ctx context.Context, env *stress.Env, publish publisher) error {
	patterns := env.Params.Int("patterns")
	if patterns == 0 {
		return nil
	}
	var got atomic.Int64
	for i := range patterns {
		_, err := env.System().Bus().SubscribePattern("matching."+strconv.Itoa(i)+".*", func(context.Context, mabeam.Event) {
			got.Add(1)
		}, mabeam.SubscribeOptions{})
		if err != nil {
			return fmt.Errorf("pattern %d of %d: %w", i+1, patterns, err)
		}
	}
	types := make([]string, env.Count(env.Params.Int("events")))
	for i := range types {
		types[i] = "matching." + strconv.Itoa(i%patterns) + "." + strconv.Itoa(i)
	}
	driven, err := env.Drive(ctx, stress.Load{Workers: 1, Operations: len(types), Metrics: []string{"pattern_matching_time_ms"}},
		func(ctx context.Context, op stress.Op) error {
			return publish(ctx, patterns, mabeam.Event{Type: types[op.N]})
		})
	if err != nil {
		return err
	}
	env.Latency("pattern_matching_time_ms", driven.Latency)
	settle(ctx, func() bool { return got.Load() < driven.Succeeded })
	if wrong := got.Load() - driven.Succeeded; wrong != 0 {
		env.Finding(fmt.Sprintf("patterns got %d events, of %d that match one each", got.Load(), driven.Succeeded), max(wrong, -wrong))
	}
	return nil
}
