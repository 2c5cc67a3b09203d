package measure

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	mabeam "mabeam-top/internal/runtime"
	"mabeam-top/internal/stress"
	"mabeam-top/internal/stress/load"
	"mabeam-top/internal/stress/report"
	"mabeam-top/internal/stress/scenario"
	"mabeam-top/internal/stress/stream"
	"mabeam-top/internal/stress/verdict"
)

// The experiment takes minutes, and depends on the machine as much as on the program, so
// it runs only on request:
//
//	go test ./internal/stress/measure -run Experiment -experiment -v -timeout 1h
var (
	experiment     = flag.Bool("experiment", false, "measure how far comparisons of runs can be trusted, which takes a quarter of an hour")
	experimentKeep = flag.String("experiment-keep", "", "the folder for the reports of the experiment; none: they are not kept")
)

// comparisons is how many comparisons of each kind are made.
const comparisons = 10

// busyAction is like agent-action, but can make each operation longer by a share of what
// it took, so that a slow-down of 15 % is one of 15 %, whatever part of the time is due to
// the runtime, the action or the machine.
func busyAction() *stress.Measurement {
	return &stress.Measurement{Measurement: scenario.Measurement{
		Name: "busy-action", Summary: "Measures how fast actions of a known amount of work are.",
		Params: []scenario.Param{
			{Name: "rounds", Kind: scenario.Int, Default: 1, Min: 1, Max: 1_000_000, Doc: "Work of each action."},
			{Name: "calls", Kind: scenario.Int, Default: 1, Min: 1, Max: 1000, Doc: "Actions of an operation."},
			{Name: "operations", Kind: scenario.Int, Default: 1000, Min: 1, Max: 100_000_000, Doc: "Number of operations."},
			{Name: "slower", Kind: scenario.Ratio, Default: 0.0, Min: 0, Max: 10, Doc: "Share by which each operation is made longer."},
		},
		Metrics: []scenario.Metric{
			{Name: "operations_per_second", Unit: "1/s", Better: report.Higher, Doc: "Rate."},
			{Name: "execution_time_ms", Unit: "ms", Better: report.Lower, Distribution: true, Doc: "Time of one operation."},
		},
	}, Run: func(ctx context.Context, env *stress.Env) error {
		id, err := env.System().StartAgent(ctx, mabeam.Spec{Type: "busy", Behaviour: busy{rounds: env.Params.Int("rounds")}})
		if err != nil {
			return err
		}
		calls, longer := env.Params.Int("calls"), 1+env.Params.Float("slower")
		result, err := env.RunLoad(ctx, load.Load{Workers: 1, Operations: env.Params.Int("operations")}, func(ctx context.Context, _ load.Op) error {
			began := time.Now()
			for range calls {
				if _, err := env.System().Execute(ctx, id, "work", nil); err != nil {
					return err
				}
			}
			until := time.Duration(float64(time.Since(began)) * longer)
			spins := 0
			for time.Since(began) < until {
				spins++
			}
			return nil
		})
		if err != nil {
			return err
		}
		env.Value("operations_per_second", result.PerSecond())
		env.Latency("execution_time_ms", result.Latency)
		return nil
	}}
}

// busy runs rounds of a random number generator.
type busy struct {
	mabeam.Defaults
	rounds int
}

func (b busy) HandleAction(context.Context, *mabeam.Agent, string, any) (any, error) {
	x := uint64(88172645463325252)
	for range b.rounds {
		x ^= x << 13
		x ^= x >> 7
		x ^= x << 17
	}
	return x, nil
}

// slowdown is a scenario of which a part can be made slower: long actions, which take much
// longer than the runtime's part of them, and short ones. The last step never changes.
func slowdown(slower string) string {
	return fmt.Sprintf(`
name: slowdown
title: Slowdown
steps:
  - {measure: busy-action, name: long, repeat: 10, with: {rounds: 20000, operations: 30000, slower: %[1]s}}
  - {measure: busy-action, name: short, repeat: 10, with: {rounds: 1, calls: 50, operations: 30000, slower: %[1]s}}
  - {measure: registry-operations, name: control, repeat: 10, baseline: none, with: {lookup: 1000000, register: 100000, unregister: 100000}}
`, slower)
}

func TestExperiment(t *testing.T) {
	if !*experiment {
		t.Skip("it takes a quarter of an hour; use -experiment")
	}
	gate, err := os.ReadFile("../../../scenarios/release-gate.yaml")
	if err != nil {
		t.Fatal(err)
	}
	t.Run("unchanged", func(t *testing.T) {
		alarms := 0
		for i := range comparisons {
			c := compareRuns(t, fmt.Sprintf("unchanged-%02d", i+1), string(gate), string(gate))
			if c.Detected {
				alarms++
			}
			t.Logf("comparison %d: %s", i+1, errorText(c))
		}
		t.Logf("%d of %d comparisons of the same build found a regression", alarms, comparisons)
	})
	t.Run("slower", func(t *testing.T) {
		found, sizes := map[string]int{}, map[string][]float64{}
		steps := []string{"long", "short", "control"}
		for i := range comparisons {
			c := compareRuns(t, fmt.Sprintf("slower-%02d", i+1), slowdown("0%"), slowdown("15%"))
			for _, step := range steps {
				if slices.ContainsFunc(c.Metrics, func(m report.RegressionMetric) bool {
					return m.Step == step && m.Verdict == report.Regressed
				}) {
					found[step]++
				}
			}
			for _, m := range c.Metrics {
				if m.DeltaPercent != nil {
					key := m.Step + " " + m.Metric
					sizes[key] = append(sizes[key], *m.DeltaPercent)
				}
			}
			t.Logf("comparison %d: %s", i+1, errorText(c))
		}
		for _, step := range steps {
			t.Logf("%s: found in %d of %d", step, found[step], comparisons)
		}
		for _, key := range []string{"long execution_time_ms", "short execution_time_ms", "control lookup_time_ms"} {
			t.Logf("%s differed by %+.1f %% (median of the comparisons; from %+.1f %% to %+.1f %%)", key,
				report.Median(sizes[key]), slices.Min(sizes[key]), slices.Max(sizes[key]))
		}
	})
}

// errorText lists what regressed.
func errorText(r report.Regression) string {
	var found []string
	for _, m := range r.Metrics {
		if m.Verdict == report.Regressed {
			found = append(found, fmt.Sprintf("%s %s %+.0f %% (p = %.4f; %s)", m.Step, m.Metric, *m.DeltaPercent, *m.PValue, m.Note))
		}
	}
	if len(found) == 0 {
		return "nothing"
	}
	return strings.Join(found, ", ")
}

// compareRuns runs two scenarios one after the other, as two calls of the program would,
// and compares them.
func compareRuns(t *testing.T, name, before, now string) report.Regression {
	t.Helper()
	c, _, err := verdict.Compare(runOnce(t, name+"-before", before), runOnce(t, name+"-now", now), "before", verdict.Rule{Force: true})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func runOnce(t *testing.T, name, source string) (r report.Report) {
	t.Helper()
	cat := append(Catalogue(), busyAction())
	scenarios, err := scenario.Parse(cat.Descriptions(), verdict.Builtin().Components(), scenario.Document{File: "experiment.yaml", Source: []byte(source)})
	if err != nil {
		t.Fatal(err)
	}
	engine := stress.Engine{Catalogue: cat, Baselines: verdict.Builtin()}
	err = withReport(engine.Source(scenario.Plan{Scenarios: scenarios})).Run(t.Context(), func(e stream.Event) {
		if e.Type == stream.RunFinished {
			r = *e.Report
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	if r.Verdict != report.Pass {
		t.Fatalf("the run's verdict is %s", r.Verdict)
	}
	if *experimentKeep != "" {
		data, err := json.Marshal(r)
		if err == nil {
			err = os.WriteFile(filepath.Join(*experimentKeep, name+".json"), data, 0o666)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return r
}
