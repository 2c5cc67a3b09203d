package stress

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	mabeam "mabeam-top/internal/runtime"
	"mabeam-top/internal/stress/report"
	"mabeam-top/internal/stress/verdict"
)

// An action of exactly 2 ms is measured as 2 ms, and the step reports all its parameters.
func TestEngineMeasures(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		plan := planOf(t, probing(nil), scenarioOf(
			"  - {measure: probe, name: a, repeat: 3, with: {operations: 100}, thresholds: {time_ms.p95: '< 2.1', time_ms.max: '< 1'}}\n"+
				"  - {measure: probe, name: b, with: {mode: errors}}\n"))
		_, r := collect(context.Background(), t, Engine{Catalogue: probing(nil), Baselines: verdict.Builtin()}.Source(plan))
		a, b := r.Scenarios[0].Steps[0], r.Scenarios[0].Steps[1]
		m := a.Metrics["time_ms"]
		if v := m.Value.(float64); v != 2 || len(m.Samples) != 3 || m.Distribution.Count != 300 || m.Distribution.P50 != 2 {
			t.Errorf("an action of exactly 2 ms: %+v, %+v", m, m.Distribution)
		}
		if v := a.Metrics["rate"].Value.(float64); v < 499 || v > 501 {
			t.Errorf("one action of 2 ms after the other: %v/s", v)
		}
		if a.Operations != (report.Operations{Attempted: 300, Succeeded: 300}) {
			t.Errorf("a: %+v", a.Operations)
		}
		if a.Verdict != report.Fail || !a.Thresholds[0].OK && !a.Thresholds[1].OK || a.Thresholds[0].OK == a.Thresholds[1].OK {
			t.Errorf("a: %s, thresholds %+v", a.Verdict, a.Thresholds)
		}
		if a.Metrics["kind"].Value != "ok" || a.Metrics["fine"].Value != true || b.Metrics["fine"].Value != false {
			t.Errorf("text and bool: %v, %v, %v", a.Metrics["kind"], a.Metrics["fine"], b.Metrics["fine"])
		}
		if b.Operations != (report.Operations{Attempted: 10, Succeeded: 5, Failed: 5}) {
			t.Errorf("b: %+v", b.Operations)
		}
		// One message, whatever the id in it.
		if len(b.Errors) != 1 || b.Errors[0].Count != 5 || strings.Contains(b.Errors[0].Message, "7f_3") {
			t.Errorf("b: %+v", b.Errors)
		}
	})
}

func TestEngineParallelSteps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		systems := map[*mabeam.System]int{}
		cat := probing(func(e *Env) {
			mu.Lock()
			defer mu.Unlock()
			systems[e.System()]++
		})
		plan := planOf(t, cat, scenarioOf("  - parallel:\n      - {measure: probe, name: a, repeat: 2}\n      - {measure: probe, name: b}\n"))
		_, r := collect(context.Background(), t, Engine{Catalogue: cat}.Source(plan))
		if len(systems) != 2 {
			t.Errorf("%d systems for 2 repetitions", len(systems))
		}
		a, b := r.Scenarios[0].Steps[0], r.Scenarios[0].Steps[1]
		if a.Operations.Succeeded != 20 || b.Operations.Succeeded != 10 {
			t.Errorf("a: %+v, b: %+v", a.Operations, b.Operations)
		}
	})
}

func TestEngineReportsErrors(t *testing.T) {
	for _, c := range []struct {
		name, scenario string
		verdict        report.Verdict
		says           string
	}{
		{"measurement fails", scenarioOf("  - {measure: probe, with: {mode: fail}}\n"), report.Broken, "planned failure"},
		{"measurement panics", scenarioOf("  - {measure: probe, with: {mode: panic}}\n"), report.Broken, "planned panic"},
		{"metric without a value", scenarioOf("  - {measure: probe, with: {mode: missing}, thresholds: {missing: '< 1'}}\n"), report.Fail, "missing was not measured: it cannot be"},
		{
			"timeout", scenarioOf("  - {measure: probe, with: {duration: 10s}}\n  - {measure: probe, name: later}\n") + "timeout: 1s\n",
			report.Broken, "scenario timeout of 1s",
		},
		{ // and what was measured until then is told
			"aborted by a threshold",
			scenarioOf("  - {measure: probe, with: {duration: 100s}, thresholds: {rate: {is: '> 1000', window: 1s, abort: true}}}\n") + "timeout: 20s\n",
			report.Fail, "stopped early",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				_, r := collect(context.Background(), t, Engine{Catalogue: probing(nil)}.Source(planOf(t, probing(nil), c.scenario)))
				step := r.Scenarios[0].Steps[0]
				if r.Verdict != c.verdict || step.Verdict != c.verdict {
					t.Errorf("run %s, step %s, want %s", r.Verdict, step.Verdict, c.verdict)
				}
				if text := fmt.Sprint(step.Errors); !strings.Contains(text, c.says) {
					t.Errorf("errors %s do not say %q", text, c.says)
				}
			})
		})
	}
}

// What fails because a repetition was interrupted is not a finding.
func TestInterruptedCheckIsNoFinding(t *testing.T) {
	for name, c := range map[string]struct {
		after time.Duration
		want  []string
	}{
		"finished": {time.Hour, []string{"wrong by itself", "wrong at the end"}},
		"cut off":  {500 * time.Millisecond, []string{"wrong by itself"}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeoutCause(context.Background(), c.after, context.Canceled)
				defer cancel()
				_, r := collect(ctx, t, Engine{Catalogue: probing(nil)}.Source(planOf(t, probing(nil), scenarioOf("  - {measure: probe, with: {mode: finds, duration: 1s}}\n"))))
				var got []string
				for _, e := range r.Scenarios[0].Steps[0].Errors {
					if e.Kind == report.Detail {
						got = append(got, e.Message)
					}
				}
				if !slices.Equal(got, c.want) {
					t.Errorf("%q, want %q", got, c.want)
				}
			})
		})
	}
}

// A run ends within a second of its cancellation, with everything that had finished, and
// leaves nothing behind: synctest would fail.
func TestEngineCancelled(t *testing.T) {
	for _, after := range []time.Duration{0, time.Millisecond, 50 * time.Millisecond, 150 * time.Millisecond, 550 * time.Millisecond} {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithTimeoutCause(context.Background(), after, context.Canceled)
			defer cancel()
			plan := planOf(t, probing(nil), scenarioOf(
				"  - {measure: probe, name: a, repeat: 3, with: {operations: 50}}\n"+
					"  - {measure: probe, name: open, with: {rate: 100/s, duration: 10s}}\n"+
					"  - {measure: probe, name: never}\n"))
			began := time.Now()
			_, r := collect(ctx, t, Engine{Catalogue: probing(nil)}.Source(plan))
			if late := time.Since(began) - after; late > time.Second {
				t.Errorf("cancelled after %v: ended %v later", after, late)
			}
			if r.Verdict != report.Interrupted {
				t.Errorf("cancelled after %v: %s", after, r.Verdict)
			}
			if text := fmt.Sprint(r.Recommendations); !strings.Contains(text, "not run") {
				t.Errorf("cancelled after %v: what was not run is not told: %s", after, text)
			}
			if after > 200*time.Millisecond && len(r.Scenarios[0].Steps[0].Metrics) == 0 {
				t.Errorf("cancelled after %v: what was measured is not told", after)
			}
		})
	}
}

// The probes of a load show it while it runs.
func TestLoadProbes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		plan := planOf(t, probing(nil), scenarioOf("  - {measure: probe, with: {duration: 2s, concurrency: 1}}\n"))
		events, r := collect(context.Background(), t, Engine{Catalogue: probing(nil)}.Source(plan))
		seen := 0
		for _, e := range events {
			if v, ok := e.Sample["action_p50_ms"]; ok {
				seen++
				if v < 1.98 || v > 2.02 {
					t.Errorf("at %.1f s: actions of 2 ms have a median of %v", e.T, v)
				}
			}
		}
		if seen < 18 {
			t.Errorf("%d samples of a load of 2 s", seen)
		}
		p := r.Scenarios[0].Steps[0].Probes
		if c := p["completed_per_second"]; c.Mean < 480 || c.Mean > 510 {
			t.Errorf("500 actions per second show as %+v", c)
		}
		if p["offered_per_second"].Mean < p["completed_per_second"].Mean-10 {
			t.Errorf("less was offered than completed: %+v", p["offered_per_second"])
		}
	})
}
