package measure

import (
	"context"
	"errors"
	"math"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	mabeam "mabeam-top/internal/runtime"
	"mabeam-top/internal/stress"
	"mabeam-top/internal/stress/conformance"
	"mabeam-top/internal/stress/report"
)

// withLimitedCalls returns the catalogue with process-limit calling a system with other
// behaviour.
func withLimitedCalls(wrap conformance.CallWrap) stress.Catalogue {
	return withRun("process-limit", func(ctx context.Context, env *stress.Env) error {
		return measureProcessLimit(ctx, env, wrap)
	})
}

// admitting makes starts succeed that were refused with an error, n times or, if n is -1,
// always. Several workers start agents at once.
func admitting(refusal error, n int64) conformance.CallWrap {
	return func(calls conformance.Calls) conformance.Calls {
		start := calls.Start
		var admitted atomic.Int64
		calls.Start = func(ctx context.Context, spec mabeam.Spec) (string, error) {
			id, err := start(ctx, spec)
			if !errors.Is(err, refusal) || n >= 0 && admitted.Add(1) > n {
				return id, err
			}
			return "admitted", nil
		}
		return calls
	}
}

const limitStep = "{measure: process-limit, with: {limit: 200, limit_percentage: 80%, overshoot: 25%, operations: 5000}}"

// A healthy system starts 200 agents, refuses 50, and everything else works.
func TestLimitOfAgents(t *testing.T) {
	s := runStep(t, Catalogue(), "", limitStep)
	for metric, want := range map[string]float64{"rejected": 50, "graceful_degradation_score": 1, "leaked_goroutines": 0} {
		if v := value(t, s, metric); v != want {
			t.Errorf("%s is %v, want %v", metric, v, want)
		}
	}
	if s.Metrics["limit_reached"].Value != true || s.Metrics["recovery_successful"].Value != true || len(s.Errors) > 0 {
		t.Errorf("%+v, errors %+v", s.Metrics, s.Errors)
	}
	// 160 first, then 5,000 operations, three times 50 replacements, and 200 stops.
	if s.Operations != (report.Operations{Attempted: 5510, Succeeded: 5510}) {
		t.Errorf("%+v", s.Operations)
	}
}

// A system without a limit, and one that refuses too early, are detected.
func TestLimitThatIsNotKept(t *testing.T) {
	early := withLimitedCalls(func(a conformance.Calls) conformance.Calls {
		start, started := a.Start, 0
		a.Start = func(ctx context.Context, spec mabeam.Spec) (string, error) {
			if started++; started > 190 {
				return "", mabeam.ErrLimitReached
			}
			return start(ctx, spec)
		}
		return a
	})
	s := runStep(t, withLimitedCalls(admitting(mabeam.ErrLimitReached, 1)), "", limitStep)
	if m := s.Metrics["limit_reached"]; m.Value != false || m.Status != report.StatusFail || value(t, s, "rejected") != 49 {
		t.Errorf("a limit that is off by one: %v, %s", m.Value, m.Status)
	}
	for reported, cat := range map[string]stress.Catalogue{"beyond": withLimitedCalls(admitting(mabeam.ErrLimitReached, -1)), "below": early} {
		t.Run(reported, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := runStep(t, cat, "", strings.Replace(limitStep, "}}", ", concurrency: 1}}", 1))
				for _, metric := range []string{"limit_reached", "recovery_successful"} {
					if m := s.Metrics[metric]; m.Value != false || m.Status != report.StatusFail {
						t.Errorf("%s is %v, %s", metric, m.Value, m.Status)
					}
				}
				if m := s.Metrics["graceful_degradation_score"]; reported == "beyond" && (m.Value != nil || m.Status != report.StatusFail || errorCount(s, "graceful_degradation_score was not measured: nothing was refused") != 1) {
					t.Errorf("graceful_degradation_score is %v, %s; %+v", m.Value, m.Status, s.Errors)
				}
				if len(s.Errors) == 0 || !strings.Contains(s.Errors[0].Message, reported+" the limit") {
					t.Errorf("errors %+v", s.Errors)
				}
			})
		})
	}
}

// At its limit a system fails every second action, or all events, or all lookups: a third
// of the operations each.
func TestDegradationAtTheLimit(t *testing.T) {
	for name, c := range map[string]struct {
		score float64
		wrap  func(a conformance.Calls, atLimit *atomic.Bool) conformance.Calls
	}{
		"actions": {1 - 1.0/6, func(a conformance.Calls, atLimit *atomic.Bool) conformance.Calls {
			act, n := a.Execute, 0
			a.Execute = func(ctx context.Context, id, action string, params any) (any, error) {
				if n++; atLimit.Load() && n%2 == 0 {
					return nil, mabeam.ErrTimeout
				}
				return act(ctx, id, action, params)
			}
			return a
		}},
		"events": {1 - 1.0/3, func(a conformance.Calls, atLimit *atomic.Bool) conformance.Calls {
			publish := a.Publish
			a.Publish = func(ctx context.Context, e mabeam.Event) error {
				if atLimit.Load() {
					return nil // it is lost, and nobody reports it
				}
				return publish(ctx, e)
			}
			return a
		}},
		"events, of which others are repeated": {1 - 1.0/6, func(a conformance.Calls, atLimit *atomic.Bool) conformance.Calls {
			publish, n := a.Publish, 0
			a.Publish = func(ctx context.Context, e mabeam.Event) error {
				if !atLimit.Load() {
					return publish(ctx, e)
				}
				if n++; n%2 == 0 {
					return nil // it is lost
				}
				return errors.Join(publish(ctx, e), publish(ctx, e))
			}
			return a
		}},
		"others' answers": {1 - 1.0/3, func(a conformance.Calls, atLimit *atomic.Bool) conformance.Calls {
			act := a.Execute
			a.Execute = func(ctx context.Context, id, action string, params any) (any, error) {
				got, err := act(ctx, id, action, params)
				if atLimit.Load() {
					got = "another agent"
				}
				return got, err
			}
			return a
		}},
		"lookups": {1 - 1.0/3, func(a conformance.Calls, atLimit *atomic.Bool) conformance.Calls {
			lookup := a.Lookup
			a.Lookup = func(id string) (mabeam.Entry, bool) {
				if atLimit.Load() {
					return mabeam.Entry{}, false
				}
				return lookup(id)
			}
			return a
		}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := runStep(t, withLimitedCalls(func(a conformance.Calls) conformance.Calls {
					var atLimit atomic.Bool
					start, recovering := a.Start, false
					a.Start = func(ctx context.Context, spec mabeam.Spec) (string, error) {
						id, err := start(ctx, spec)
						// From the first refusal until an agent starts again.
						full := errors.Is(err, mabeam.ErrLimitReached)
						recovering = recovering || atLimit.Load() && !full
						atLimit.Store(full && !recovering)
						return id, err
					}
					return c.wrap(a, &atLimit)
				}), "", strings.Replace(limitStep, "}}", ", concurrency: 1}}", 1))
				if v := value(t, s, "graceful_degradation_score"); math.Abs(v-c.score) > 0.005 {
					t.Errorf("score %v, want %v; %+v", v, c.score, s.Errors)
				}
				if len(s.Errors) == 0 {
					t.Error("there are no errors")
				}
				if s.Metrics["recovery_successful"].Value != true {
					t.Errorf("not recovered: %+v", s.Errors)
				}
				if again := errorCount(s, "that were repeated") > 0; again != strings.Contains(name, "repeated") {
					t.Errorf("repeated events: %v; %+v", again, s.Errors)
				}
			})
		})
	}
}

// A system that notices free room only after 50 ms, or never.
func TestRecoveryFromTheLimit(t *testing.T) {
	for name, late := range map[string]time.Duration{"soon": 50 * time.Millisecond, "never": time.Hour} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := runStep(t, withLimitedCalls(func(a conformance.Calls) conformance.Calls {
					start, full := a.Start, time.Time{}
					a.Start = func(ctx context.Context, spec mabeam.Spec) (string, error) {
						if !full.IsZero() && time.Since(full) < late {
							return "", mabeam.ErrLimitReached
						}
						id, err := start(ctx, spec)
						if errors.Is(err, mabeam.ErrLimitReached) && full.IsZero() {
							full = time.Now()
						}
						return id, err
					}
					return a
				}), "", strings.Replace(limitStep, "}}", ", concurrency: 1}}", 1))
				recovered := s.Metrics["recovery_successful"].Value == true
				if recovered != (name == "soon") {
					t.Fatalf("recovered %v; %+v", recovered, s.Errors)
				}
				if recovered {
					wantWithin(t, "recovery_time_ms", value(t, s, "recovery_time_ms"), 50, 0.03) // it was full a moment before
				} else if m := s.Metrics["recovery_time_ms"]; m.Value != nil || m.Status != report.StatusFail {
					t.Errorf("recovery_time_ms %+v", m)
				}
			})
		})
	}
}

// A system that does not recover in two of five repetitions fails, although it recovers in
// the others.
func TestNoRecoveryInSomeRepetitions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		repetition := 0
		cat := withLimitedCalls(func(a conformance.Calls) conformance.Calls {
			repetition++
			start, full := a.Start, false
			a.Start = func(ctx context.Context, spec mabeam.Spec) (string, error) {
				if full && repetition%2 == 0 {
					return "", mabeam.ErrLimitReached
				}
				id, err := start(ctx, spec)
				full = full || errors.Is(err, mabeam.ErrLimitReached)
				return id, err
			}
			return a
		})
		s := runStep(t, cat, "", "{measure: process-limit, repeat: 5, with: {limit: 20, operations: 500, concurrency: 1}}")
		if m := s.Metrics["recovery_time_ms"]; m.Value != nil || m.Status != report.StatusFail || !slices.Equal(m.MissingIn, []int{2, 4}) {
			t.Errorf("recovery_time_ms %+v", m)
		}
		if m := s.Metrics["recovery_successful"]; m.Status != report.StatusFail {
			t.Errorf("recovery_successful %+v", m)
		}
	})
}

// If a kill makes no room because the agent remains, the report names the kill.
func TestKillThatMakesNoRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := runStep(t, withLimitedCalls(func(a conformance.Calls) conformance.Calls {
			a.Kill = func(string) {}
			return a
		}), "", limitStep)
		if m := s.Metrics["recovery_successful"]; m.Status != report.StatusFail || errorCount(s, "had ended by kill, only 0 could be started") != 1 {
			t.Errorf("%+v, errors %+v", m, s.Errors)
		}
		if m := s.Metrics["telemetry_mismatches"]; m.Status != report.StatusFail {
			t.Errorf("%+v", m)
		}
	})
}

// A goroutine that leaks with each refusal is detected.
func TestRefusalsThatLeak(t *testing.T) {
	release := make(chan struct{})
	defer close(release)
	s := runStep(t, withLimitedCalls(func(a conformance.Calls) conformance.Calls {
		start := a.Start
		a.Start = func(ctx context.Context, spec mabeam.Spec) (string, error) {
			id, err := start(ctx, spec)
			if err != nil {
				go func() { <-release }()
			}
			return id, err
		}
		return a
	}), "", limitStep)
	// 50 in the overshoot, and one after each recovery.
	if v := value(t, s, "leaked_goroutines"); math.Abs(v-53) > 3 || s.Metrics["leaked_goroutines"].Status != report.StatusFail {
		t.Errorf("leaked_goroutines is %v, want 53", v)
	}
}
