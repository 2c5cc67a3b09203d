package measure

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	mabeam "mabeam-top/internal/runtime"
	"mabeam-top/internal/stress"
	"mabeam-top/internal/stress/load"
	"mabeam-top/internal/stress/report"
)

// publishing returns the catalogue with a bus that takes a given time to publish to n
// subscribers, and then delivers at once.
func publishing(takes func(n int) time.Duration) stress.Catalogue {
	return withRun("event-propagation", func(ctx context.Context, env *stress.Env) error {
		return measurePropagation(ctx, env, func(ctx context.Context, n int, e mabeam.Event) error {
			time.Sleep(takes(n))
			return env.System().Bus().Publish(ctx, e)
		})
	})
}

// The scaling is that of a known function of the subscribers.
func TestPropagationScales(t *testing.T) {
	for name, c := range map[string]struct {
		takes  func(n int) time.Duration
		most   float64 // ms, with 256 subscribers
		factor float64
		word   string
	}{
		"constant":  {func(int) time.Duration { return time.Millisecond }, 1, 0.5, "constant"},
		"linear":    {func(n int) time.Duration { return time.Duration(n) * 10 * time.Microsecond }, 2.56, 1, "linear"},
		"quadratic": {func(n int) time.Duration { return time.Duration(n*n) * time.Microsecond }, 65.536, 2, "superlinear"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := runStep(t, publishing(c.takes), "", "{measure: event-propagation, with: {subscriber_counts: [256, 1, 16], patterns: 16, events: 20}}")
				wantWithin(t, "propagation_time_ms", value(t, s, "propagation_time_ms"), c.most, 0.001)
				wantWithin(t, "p99", s.Metrics["propagation_time_ms"].Distribution.P99, c.most, 0.02)
				wantWithin(t, "per subscriber", value(t, s, "propagation_time_per_subscriber_ms"), c.most/256, 0.02)
				wantWithin(t, "per subscriber of 16", value(t, s, "propagation_time_per_subscriber_ms.16"), load.Milliseconds(c.takes(16))/16, 0.02)
				wantWithin(t, "factor", value(t, s, "subscribers_scaling_factor"), c.factor, 0.02)
				wantWithin(t, "pattern_matching_time_ms", value(t, s, "pattern_matching_time_ms"), load.Milliseconds(c.takes(16)), 0.001)
				if word := s.Metrics["subscriber_scaling"].Value; word != c.word {
					t.Errorf("called %v, want %s", word, c.word)
				}
				if v := value(t, s, "max_subscribers_tested"); v != 256 || len(s.Errors) > 1 { // 256 of them hold too little memory
					t.Errorf("tested up to %v; %+v", v, s.Errors)
				}
			})
		})
	}
}

// A bus that forgets its subscribers from a hundred on was not tested with more.
func TestEventsThatDoNotArrive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cat := withRun("event-propagation", func(ctx context.Context, env *stress.Env) error {
			return measurePropagation(ctx, env, func(ctx context.Context, n int, e mabeam.Event) error {
				if n >= 100 {
					return nil
				}
				return env.System().Bus().Publish(ctx, e)
			})
		})
		s := runStep(t, cat, "", "{measure: event-propagation, with: {subscriber_counts: [10, 100, 1000], patterns: 100, events: 5}}")
		if v := value(t, s, "max_subscribers_tested"); v != 10 || s.Verdict != report.Fail {
			t.Errorf("tested up to %v subscribers, verdict %s", v, s.Verdict)
		}
		if s.Operations.Failed != 5 {
			t.Errorf("%+v, want all 5 events to a hundred subscribers failed", s.Operations)
		}
		if s.Metrics["subscribers_scaling_factor"].Value != nil || s.Metrics["subscriber_scaling_exponent"].Value != nil {
			t.Error("the scaling is reported from one size")
		}
		// The events for patterns were not forwarded either: 5 are missing.
		if reported := s.Errors[len(s.Errors)-1]; reported.Count != 5 {
			t.Errorf("errors %+v", s.Errors)
		}
	})
}

// The time for an event of a new type grows with the patterns that it is matched against.
func TestPatternsAreReallyMatched(t *testing.T) {
	r := runDocument(t, Catalogue(), `
name: s
title: S
steps:
  - {measure: event-propagation, name: few, with: {subscriber_counts: [1, 2], patterns: 2, events: 300}}
  - {measure: event-propagation, name: many, with: {subscriber_counts: [1, 2], patterns: 5000, events: 300}}
`)
	few, many := r.Scenarios[0].Steps[0], r.Scenarios[0].Steps[1]
	a, b := few.Metrics["pattern_matching_time_ms"].Distribution.P50, many.Metrics["pattern_matching_time_ms"].Distribution.P50
	if b < 10*a {
		t.Errorf("%v ms with 2 patterns, %v ms with 5,000", a, b)
	}
}

// Wrong and missing deliveries to patterns count even if their number is right.
func TestWrongPatternsAreCounted(t *testing.T) {
	cat := withRun("event-propagation", func(ctx context.Context, env *stress.Env) error {
		return measurePropagation(ctx, env, func(ctx context.Context, _ int, e mabeam.Event) error {
			if e.Type == "matching.3.3" {
				e.Type = "matching.4.3"
			}
			return env.System().Bus().Publish(ctx, e)
		})
	})
	s := runStep(t, cat, "", "{measure: event-propagation, with: {subscriber_counts: [1, 10], patterns: 10, events: 100}}")
	if v := value(t, s, "pattern_mismatches"); v != 2 || s.Verdict != report.Fail { // one missing, and one too many
		t.Errorf("%v mismatches, %s, %+v", v, s.Verdict, s.Errors)
	}
}

// A healthy bus passes all checks, whatever its options.
func TestHealthyBusPassesChecks(t *testing.T) {
	for _, system := range []string{"", "system: {mailbox: 3}", "system: {bus_policy: drop-oldest}"} {
		s := runStep(t, Catalogue(), system, "{measure: event-propagation, with: {subscriber_counts: [1, 10], patterns: 10, events: 100}}")
		if value(t, s, "bus_rules_broken") != 0 || value(t, s, "pattern_mismatches") != 0 || value(t, s, "telemetry_mismatches") != 0 {
			t.Errorf("%s: %+v", system, s.Errors)
		}
	}
}

// A cost of each pattern for events of a known type is detected.
func TestKnownTypesThatCostByPattern(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := runStep(t, publishing(func(n int) time.Duration { return time.Duration(n) * time.Microsecond }), "",
			"{measure: event-propagation, baseline: none, with: {subscriber_counts: [1, 10], patterns: 100, events: 20}}")
		wantWithin(t, "pattern_scaling_exponent", value(t, s, "pattern_scaling_exponent"), 1, 0.01)
		if s.Metrics["pattern_scaling_exponent"].Status != report.StatusFail {
			t.Errorf("%+v", s.Metrics["pattern_scaling_exponent"])
		}
	})
}
