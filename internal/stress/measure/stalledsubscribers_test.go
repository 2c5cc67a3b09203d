package measure

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	mabeam "mabeam-top/internal/runtime"
	"mabeam-top/internal/stress"
	"mabeam-top/internal/stress/report"
)

// stalling makes subscriber 0 stall at its n-th event.
func stalling(n int, d time.Duration) handlerWrap {
	return func(i int, handler func(context.Context, mabeam.Event)) func(context.Context, mabeam.Event) {
		if i > 0 {
			return handler
		}
		seen := 0
		return func(ctx context.Context, e mabeam.Event) {
			if seen++; seen == n {
				time.Sleep(d)
			}
			handler(ctx, e)
		}
	}
}

// One subscriber stalls for 200 ms in an open load of 1,000/s: the 200 events that are due
// meanwhile are late by 200 ms down to 1 ms.
func TestStallOfASubscriber(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cat := withRun("event-stress", func(ctx context.Context, env *stress.Env) error {
			return measureStress(ctx, env, stalling(501, 200*time.Millisecond))
		})
		s := runStep(t, cat, "", "{measure: event-stress, with: {rate: 1000/s, duration: 2s, burst: 1000/s, burst_duration: 100ms, subscribers: 1}}")
		if s.Verdict == report.Inconclusive {
			t.Errorf("the machine is blamed for the stall: %v", s.Errors)
		}
		d := s.Metrics["latency_ms"].Distribution
		wantWithin(t, "max", d.Max, 200, 0.05)
		wantWithin(t, "p99", d.P99, 200-21, 0.05) // 1 % of 2,100 were later
		if d.P50 > 1 {
			t.Errorf("p50 %v: most were not delayed", d.P50)
		}
		if v := value(t, s, "events_processed"); v != 2100 {
			t.Errorf("%v events processed", v)
		}
		// Nothing was handled during two of 21 windows. That everything was handled in the
		// third makes none of them stable.
		wantWithin(t, "stability_score", value(t, s, "stability_score"), 19.0/21, 1e-9)
		if s.Metrics["system_stable"].Value != false {
			t.Errorf("stable, with a stability score of %v", value(t, s, "stability_score"))
		}
	})
}

// A blocked subscriber delays no other subscriber, but its publishers. When all of them
// wait, the others get no events either, which shows because latency counts from when
// events were due.
func TestStallDelaysTheOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cat := withRun("event-stress", func(ctx context.Context, env *stress.Env) error {
			return measureStress(ctx, env, stalling(500, 200*time.Millisecond))
		})
		s := runStep(t, cat, "system: {mailbox: 16}", "{measure: event-stress, with: {rate: 1000/s, duration: 1s, burst: 1000/s, burst_duration: 100ms, subscribers: 10}}")
		d := s.Metrics["latency_ms"].Distribution
		wantWithin(t, "max", d.Max, 200, 0.05)
		// With 16 events in its queue, and then 64 publishers waiting one after the other, the
		// last 120 ms of the stall delay ten deliveries a millisecond. The slowest hundredth
		// of 11,000 is 80 of the stalled subscriber and then 2.7 ms of all.
		wantWithin(t, "p99", d.P99, 120-2.7, 0.05)
	})
}

// A subscriber blocks in its first event while 499 more are published: 100 fit into its
// queue, and exactly the rest is dropped.
func TestDropsAreCountedExactly(t *testing.T) {
	for _, policy := range []string{"drop-newest", "drop-oldest"} {
		t.Run(policy, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				cat := withRun("event-stress", func(ctx context.Context, env *stress.Env) error {
					return measureStress(ctx, env, stalling(1, 499500*time.Microsecond))
				})
				s := runStep(t, cat, "system: {mailbox: 100, bus_policy: "+policy+"}",
					"{measure: event-stress, with: {rate: 1000/s, duration: 1s, burst: 1000/s, burst_duration: 100ms, subscribers: 1}}")
				// Operations are events, all accepted by the bus.
				if s.Operations != (report.Operations{Attempted: 1100, Succeeded: 1100}) {
					t.Errorf("operations %+v", s.Operations)
				}
				if dropped, made := value(t, s, "dropped"), value(t, s, "events_processed"); dropped != 399 || made != 1100-399 {
					t.Errorf("%v dropped and %v processed of 1,100, want 399 dropped", dropped, made)
				}
				reported := s.Errors[len(s.Errors)-1]
				if reported.Count != 399 {
					t.Errorf("errors %+v, want 399 dropped", s.Errors)
				}
				// Event 0 blocks, 1 to 100 wait, 101 is the first without room.
				wantWithin(t, "time of the first drop", reported.FirstAtSeconds, 0.101, 0.01)
				wantWithin(t, "propagation", value(t, s, "processed_ratio"), 701.0/1100, 1e-9)
			})
		})
	}
}

// At a low rate the windows are long enough for ten events, so that one event at a border
// decides nothing. A shorter load says nothing about stability.
func TestStabilityOfSlowLoads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := runStep(t, Catalogue(), "", "{measure: event-stress, baseline: none, with: {rate: 7/s, duration: 20s, burst_duration: 0s, subscribers: 3}}")
		if value(t, s, "stability_score") != 1 || s.Metrics["system_stable"].Value != true || value(t, s, "events_processed") != 140 {
			t.Errorf("%+v", s.Metrics)
		}
		if _, there := s.Metrics["burst_event_rate"]; there {
			t.Error("the rate of a burst is reported without a burst")
		}
		s = runStep(t, Catalogue(), "", "{measure: event-stress, baseline: none, with: {rate: 7/s, duration: 1s, burst_duration: 0s}}")
		if s.Metrics["stability_score"].Value != nil || s.Metrics["system_stable"].Value != nil || len(s.Errors) != 2 {
			t.Errorf("%+v, errors %+v", s.Metrics, s.Errors)
		}
	})
}
