package measure

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	mabeam "mabeam-top/internal/runtime"
	"mabeam-top/internal/stress"
	"mabeam-top/internal/stress/conformance/eventbus"
	"mabeam-top/internal/stress/load"
	"mabeam-top/internal/stress/resources"
	"mabeam-top/internal/stress/scenario"
)

func hasPatterns(p scenario.Params) bool { return p.Int("patterns") > 0 }

func hasSeveralPatterns(p scenario.Params) bool { return p.Int("patterns") > 1 }

// matchPatterns publishes events of new types, and then events of a known type.
func matchPatterns(ctx context.Context, env *stress.Env, publish publisher) error {
	mismatches := eventbus.CheckPatterns(ctx, env, env.System().Bus())
	defer func() { env.Value("pattern_mismatches", float64(mismatches)) }()
	patterns := env.Params.Int("patterns")
	if patterns == 0 {
		return nil
	}
	bus := env.System().Bus()
	known := "known.event"
	one, err := publishKnown(ctx, publish, 1, known) // no pattern matches it
	if err != nil {
		return err
	}
	var wrong atomic.Int64
	got := make([]atomic.Int64, patterns)
	for i := range patterns {
		prefix := "matching." + strconv.Itoa(i) + "."
		_, err := bus.SubscribePattern(prefix+"*", func(_ context.Context, e mabeam.Event) {
			if !strings.HasPrefix(e.Type, prefix) {
				wrong.Add(1)
				return
			}
			got[i].Add(1)
		}, mabeam.SubscribeOptions{})
		if err != nil {
			return fmt.Errorf("pattern %d of %d: %w", i+1, patterns, err)
		}
	}
	types := make([]string, env.Count(env.Params.Int("events")))
	for i := range types {
		types[i] = "matching." + strconv.Itoa(i%patterns) + "." + strconv.Itoa(i)
	}
	accepted := make([]int64, patterns)
	result, err := env.RunLoad(ctx, load.Load{Workers: 1, Operations: len(types), Metrics: []string{"pattern_matching_time_ms"}},
		func(ctx context.Context, op load.Op) error {
			err := publish(ctx, patterns, mabeam.Event{Type: types[op.N]})
			if err == nil {
				accepted[op.N%patterns]++
			}
			return err
		})
	if err != nil {
		return err
	}
	env.Latency("pattern_matching_time_ms", result.Latency)
	off := func() (n int64) {
		for i := range got {
			difference := got[i].Load() - accepted[i]
			n += max(difference, -difference)
		}
		return n + wrong.Load()
	}
	resources.WaitWhile(ctx, func() bool { return off() > 0 })
	if n := off(); n > 0 {
		env.Detail(fmt.Sprintf("events that reached a pattern wrongly, or did not reach it, of %d that match one each", result.Succeeded), n)
		mismatches += n
	}
	if patterns == 1 {
		return nil
	}
	all, err := publishKnown(ctx, publish, patterns, known)
	if err != nil {
		return err
	}
	var samples scalingSamples
	samples.add(1, one...)
	samples.add(patterns, all...)
	env.Exponent("pattern_scaling_exponent", samples.sizes, samples.values)
	return nil
}

// publishKnown publishes batches of events of a known type, and returns the time per event
// of each batch.
func publishKnown(ctx context.Context, publish publisher, patterns int, eventType string) (values []float64, err error) {
	const perBatch = 200
	for i := range batchesPerSize + 1 {
		start := time.Now()
		for range perBatch {
			if err := publish(ctx, patterns, mabeam.Event{Type: eventType, Timestamp: start}); err != nil {
				return nil, err
			}
		}
		if i > 0 { // the first batch makes the type known
			values = append(values, load.Milliseconds(time.Since(start))/perBatch)
		}
	}
	return values, nil
}
