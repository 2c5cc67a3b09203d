package measure

import (
	"context"
	"testing"
	"testing/synctest"

	mabeam "mabeam-top/internal/runtime"
	"mabeam-top/internal/stress"
	"mabeam-top/internal/stress/load"
	"mabeam-top/internal/stress/report"
)

// If every tenth event is lost, a tenth of the deliveries is reported as lost.
func TestLostDeliveriesAreNotHidden(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cat := withRun("event-throughput", func(ctx context.Context, env *stress.Env) error {
			return measureThroughput(ctx, env, func(_ int, handler func(context.Context, mabeam.Event)) func(context.Context, mabeam.Event) {
				seen := 0
				return func(ctx context.Context, e mabeam.Event) {
					if seen++; seen%10 != 0 {
						handler(ctx, e)
					}
				}
			})
		})
		s := runStep(t, cat, "", "{measure: event-throughput, with: {events: 1000, subscribers: 3}}")
		wantWithin(t, "propagation_efficiency", value(t, s, "propagation_efficiency"), 0.9, 1e-9)
		if value(t, s, "lost") != 300 || errorCount(s, "deliveries lost") != 300 || s.Verdict != report.Fail {
			t.Errorf("%s, errors %+v, want 300 lost", s.Verdict, s.Errors)
		}
		// The bus counts them as delivered.
		if v := value(t, s, "telemetry_mismatches"); v != 2 {
			t.Errorf("%v mismatches, %+v", v, s.Errors)
		}
	})
}

// A subscriber that swaps two events is detected.
func TestDisorderIsSeen(t *testing.T) {
	cat := withRun("event-throughput", func(ctx context.Context, env *stress.Env) error {
		return measureThroughput(ctx, env, func(_ int, handler func(context.Context, mabeam.Event)) func(context.Context, mabeam.Event) {
			var held *mabeam.Event
			seen := 0
			return func(ctx context.Context, e mabeam.Event) {
				switch seen++; {
				case seen == 50:
					held = &e
				case held != nil:
					handler(ctx, e)
					handler(ctx, *held)
					held = nil
				default:
					handler(ctx, e)
				}
			}
		})
	})
	s := runStep(t, cat, "", "{measure: event-throughput, with: {events: 1000, subscribers: 2}}")
	if v := value(t, s, "ordering_violations"); v != 2 {
		t.Errorf("%v events out of order, want one at each of 2 subscribers", v)
	}
}

// disturbed returns the catalogue with disturbed subscribers of event-stress or
// event-throughput.
func disturbed(name string, wrap handlerWrap) stress.Catalogue {
	return withRun(name, func(ctx context.Context, env *stress.Env) error {
		if name == "event-stress" {
			return measureStress(ctx, env, wrap)
		}
		return measureThroughput(ctx, env, wrap)
	})
}

// Missing, repeated and late events are counted as such.
func TestReceiverCounts(t *testing.T) {
	for name, test := range map[string]struct {
		seqs                          []int
		missing, disorder, duplicates int64
	}{
		"in order":             {[]int{0, 1, 2, 3}, 0, 0, 0},
		"one skipped":          {[]int{0, 2, 3}, 1, 0, 0},
		"the first skipped":    {[]int{3}, 3, 0, 0},
		"swapped":              {[]int{1, 0, 3, 2}, 0, 2, 0},
		"twice at once":        {[]int{0, 0, 1}, 0, 0, 1},
		"twice later":          {[]int{0, 1, 2, 0, 3}, 0, 0, 1},
		"late, and then again": {[]int{0, 4, 2, 2}, 2, 1, 1},
		"late from the middle": {[]int{0, 9, 5, 4, 6, 1, 8, 7, 2, 3}, 0, 8, 0},
	} {
		r := &subscriber{shard: load.NewRecorder().Shard()}
		handle := subscriberGroup{publishers: 2}.handler(r)
		for _, seq := range test.seqs {
			handle(t.Context(), mabeam.Event{Data: &payload{publisher: 1, seq: seq}})
		}
		if r.missing.Load() != test.missing || r.outOfOrder.Load() != test.disorder || r.duplicates.Load() != test.duplicates {
			t.Errorf("%s: %d missing, %d out of order, %d twice", name, r.missing.Load(), r.outOfOrder.Load(), r.duplicates.Load())
		}
	}
}

// If every twentieth event comes twice, the efficiency does not benefit.
func TestDuplicatesFail(t *testing.T) {
	cat := disturbed("event-throughput", func(_ int, handle func(context.Context, mabeam.Event)) func(context.Context, mabeam.Event) {
		seen := 0
		return func(ctx context.Context, e mabeam.Event) {
			handle(ctx, e)
			if seen++; seen%20 == 0 {
				handle(ctx, e)
			}
		}
	})
	s := runStep(t, cat, "", "{measure: event-throughput, with: {events: 1000, subscribers: 2}}")
	if value(t, s, "duplicates") != 100 || value(t, s, "ordering_violations") != 0 || value(t, s, "lost") != 0 {
		t.Errorf("%+v", s.Metrics)
	}
	for _, metric := range []string{"duplicates", "propagation_efficiency", "telemetry_mismatches"} {
		if s.Metrics[metric].Status != report.StatusFail {
			t.Errorf("%s is %v: %s", metric, s.Metrics[metric].Value, s.Metrics[metric].Status)
		}
	}
}

// Events after the end of a subscription, and a subscription that remains, are failures.
func TestEventsAfterUnsubscribe(t *testing.T) {
	cat := withRun("event-stress", func(ctx context.Context, env *stress.Env) error {
		return measureStress(ctx, env, func(_ int, handle func(context.Context, mabeam.Event)) func(context.Context, mabeam.Event) {
			_, err := env.System().Bus().Subscribe("stress.event", func(ctx context.Context, e mabeam.Event) {
				if p := e.Data.(*payload); !p.timed { // published after all had unsubscribed
					handle(ctx, e)
				}
			}, mabeam.SubscribeOptions{})
			if err != nil {
				t.Error(err)
			}
			return handle
		})
	})
	s := runStep(t, cat, "", "{measure: event-stress, baseline: none, with: {rate: 1000/s, duration: 200ms, burst_duration: 0s, subscribers: 1}}")
	if value(t, s, "findings") != 3 || errorCount(s, "that had unsubscribed") != 3 || s.Metrics["memory_usage_stable"].Value != false {
		t.Errorf("%v findings, %+v", value(t, s, "findings"), s.Errors)
	}
}
