package stress

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"mabeam-top/internal/stress/load"
	"mabeam-top/internal/stress/report"
	"mabeam-top/internal/stress/scenario"
	"mabeam-top/internal/stress/verdict"
)

// worked is a measurement whose operations take some time each.
func worked(run func(ctx context.Context, env *Env) error) Catalogue {
	return Catalogue{{Measurement: scenario.Measurement{
		Name: "work", Summary: "How long does it take?",
		Params: []scenario.Param{{Name: "takes", Kind: scenario.Duration, Default: time.Millisecond}},
		Metrics: []scenario.Metric{
			{Name: "rate", Unit: "1/s", Better: report.Higher, Must: ">= 0", Probe: "completed_per_second"},
			{Name: "time_ms", Unit: "ms", Better: report.Lower, Distribution: true, Probe: "action_p50_ms"},
			{Name: "alive", Unit: "count", Probe: "agents"},
		},
	}, Run: run}}
}

// A window in a parallel group is about the step's own operations: a fast step does not hide a
// slow one.
func TestWindowsBesideOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cat := worked(func(ctx context.Context, env *Env) error {
			result, err := env.RunLoad(ctx, load.Load{Workers: 1, For: 3 * time.Second}, func(ctx context.Context, _ load.Op) error {
				load.Sleep(ctx, env.Params.Duration("takes"))
				return nil
			})
			env.Value("rate", result.PerSecond())
			env.Latency("time_ms", result.Latency)
			env.Value("alive", 0)
			return err
		})
		_, r := collect(context.Background(), t, Engine{Catalogue: cat, Baselines: verdict.Baselines{}}.Source(planOf(t, cat, scenarioOf(`  - parallel:
      - {measure: work, name: slow, with: {takes: 10ms}, thresholds: {rate: {is: '>= 500', window: 1s}, time_ms.p99: {is: '< 5', window: 1s}}}
      - {measure: work, name: fast, with: {takes: 1ms}, thresholds: {rate: {is: '>= 500', window: 1s}, time_ms.p99: {is: '< 5', window: 1s}}}
`))))
		slow, fast := r.Scenarios[0].Steps[0], r.Scenarios[0].Steps[1]
		for _, held := range slow.Thresholds {
			if held.OK || held.Actual == nil || *held.Actual > 110 || *held.Actual < 9 {
				t.Errorf("slow: %s is %v in the worst window, ok %v", held.Metric, value(held.Actual), held.OK)
			}
		}
		for _, held := range fast.Thresholds {
			if !held.OK {
				t.Errorf("fast: %s is %v in the worst window", held.Metric, value(held.Actual))
			}
		}
	})
}

func value(v *float64) any {
	if v == nil {
		return nil
	}
	return *v
}

// stalling carries out a load whose operations take 1 ms, and one of them so much longer.
func stalling(l load.Load, slow int, longer time.Duration) Catalogue {
	return worked(func(ctx context.Context, env *Env) error {
		result, err := env.RunLoad(ctx, l, func(ctx context.Context, op load.Op) error {
			if op.N == slow {
				load.Sleep(ctx, longer)
			}
			load.Sleep(ctx, time.Millisecond)
			return nil
		})
		env.Value("rate", result.PerSecond())
		env.Latency("time_ms", result.Latency)
		env.Value("alive", 0)
		return err
	})
}

// A stall shows in all its windows, also in those in which no operation ended.
func TestWindowsOfAStall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cat := stalling(load.Load{Workers: 1, For: 4 * time.Second}, 1000, 900*time.Millisecond)
		_, r := collect(context.Background(), t, Engine{Catalogue: cat, Baselines: verdict.Baselines{}}.Source(planOf(t, cat,
			scenarioOf("  - {measure: work, thresholds: {time_ms.p50: {is: '< 5', window: 300ms}, rate: {is: '> 500', window: 300ms}}}\n"))))
		for _, held := range r.Scenarios[0].Steps[0].Thresholds {
			if want := map[string]float64{"time_ms.p50": 800, "rate": 0}[held.Metric]; held.OK || held.Actual == nil || *held.Actual < want || *held.Actual > want+110 {
				t.Errorf("%s is %v in the worst window, ok %v; want about %v", held.Metric, value(held.Actual), held.OK, want)
			}
		}
	})
}

// Windows include the first and the last operation of a load: the worst window is never better
// than the whole load.
func TestWindowsReachFromEndToEnd(t *testing.T) {
	for name, slow := range map[string]int{"first": 0, "last": 1999} {
		synctest.Test(t, func(t *testing.T) {
			cat := stalling(load.Load{Workers: 1, Operations: 2000}, slow, 60*time.Millisecond)
			_, r := collect(context.Background(), t, Engine{Catalogue: cat, Baselines: verdict.Baselines{}}.Source(planOf(t, cat,
				scenarioOf("  - {measure: work, thresholds: {time_ms: {is: '< 1.1', window: 500ms}}}\n"))))
			if held := r.Scenarios[0].Steps[0].Thresholds[0]; held.OK || held.Actual == nil || *held.Actual < 1.1 {
				t.Errorf("the %s operation took 61 ms, and the worst window has %v", name, value(held.Actual))
			}
		})
	}
}

// Windows cover the load, not what a measurement does before and after it.
func TestWindowsCoverTheLoad(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		plan := planOf(t, probing(nil), scenarioOf("  - {measure: probe, repeat: 2, with: {duration: 2s, mode: tail}, thresholds: {rate: {is: '>= 490', window: 1s}}}\n"))
		_, r := collect(context.Background(), t, Engine{Catalogue: probing(nil)}.Source(plan))
		step := r.Scenarios[0].Steps[0]
		if held := step.Thresholds[0]; !held.OK || held.Actual == nil || *held.Actual < 490 || *held.Actual > 510 {
			t.Errorf("%s: %+v, actual %v", step.Verdict, held, held.Actual)
		}
	})
}
