package measure

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"

	mabeam "mabeam-top/internal/runtime"
	"mabeam-top/internal/stress/report"
)

// Low rates are exact: they count what was handled by the end of the phase, which is later
// than when the last event was due.
func TestLowRatesAreExact(t *testing.T) {
	for _, rate := range []float64{1, 5, 10, 3} {
		synctest.Test(t, func(t *testing.T) {
			s := runStep(t, Catalogue(), "", fmt.Sprintf("{measure: event-stress, baseline: none, with: {rate: %v/s, duration: 1s, burst: 10/s, burst_duration: 100ms, subscribers: 3}}", rate))
			if v := value(t, s, "sustained_event_rate"); v != rate {
				t.Errorf("%v/s are reported as %v", rate, v)
			}
			if v := value(t, s, "burst_event_rate"); v != 10 {
				t.Errorf("a burst of 10/s is reported as %v", v)
			}
			if v := value(t, s, "processed_ratio"); v != 1 {
				t.Errorf("processed_ratio %v", v)
			}
		})
	}
}

// An event that never comes is no recovery: the time has no value, and the system is not
// stable.
func TestWaitingInVainIsNoRecovery(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		seen := 0
		cat := disturbed("event-stress", func(_ int, handle func(context.Context, mabeam.Event)) func(context.Context, mabeam.Event) {
			return func(ctx context.Context, e mabeam.Event) {
				if seen++; seen != 100 {
					handle(ctx, e)
				}
			}
		})
		s := runStep(t, cat, "", "{measure: event-stress, baseline: none, with: {rate: 1000/s, duration: 2s, burst_duration: 0s, subscribers: 1}}")
		if s.Metrics["recovery_time_ms"].Value != nil || errorCount(s, "recovery_time_ms was not measured") != 1 {
			t.Errorf("recovery %v, %+v", s.Metrics["recovery_time_ms"].Value, s.Errors)
		}
		if s.Metrics["system_stable"].Value != false || value(t, s, "lost") != 1 || s.Verdict != report.Fail {
			t.Errorf("stable %v, lost %v, %s", s.Metrics["system_stable"].Value, s.Metrics["lost"].Value, s.Verdict)
		}
		if value(t, s, "stability_score") != 1 { // one event of a thousand
			t.Errorf("stability_score %v", s.Metrics["stability_score"].Value)
		}
	})
}

// A system that keeps a hundred bytes of each event grows.
func TestMemoryKeptOfEachEvent(t *testing.T) {
	var kept [][]byte
	leak := func(_ int, handle func(context.Context, mabeam.Event)) func(context.Context, mabeam.Event) {
		return func(ctx context.Context, e mabeam.Event) {
			kept = append(kept, make([]byte, 100))
			handle(ctx, e)
		}
	}
	for name, wrap := range map[string]handlerWrap{"keeps": leak, "keeps nothing": nil} {
		s := runStep(t, disturbed("event-stress", wrap), "", "{measure: event-stress, baseline: none, with: {rate: 20000/s, duration: 1s, burst_duration: 0s, subscribers: 1}}")
		if want := wrap == nil; s.Metrics["memory_usage_stable"].Value != want {
			t.Errorf("%s: stable %v, growth %v", name, s.Metrics["memory_usage_stable"].Value, s.Metrics["memory_growth_rate"].Value)
		}
	}
	clear(kept)
}
