package fault_test

import (
	"context"
	"encoding/json"
	"math"
	"testing"
	"time"

	mabeam "mabeam-top/internal/runtime"
	"mabeam-top/internal/stress"
	"mabeam-top/internal/stress/fold"
	"mabeam-top/internal/stress/load"
	"mabeam-top/internal/stress/report"
	"mabeam-top/internal/stress/scenario"
	"mabeam-top/internal/stress/stream"
)

// idle is an agent that replies at once.
type idle struct{ mabeam.Defaults }

func (idle) HandleAction(context.Context, *mabeam.Agent, string, any) (any, error) { return nil, nil }

// startIdle starts agents that faults can hit.
func startIdle(t *testing.T, env *stress.Env, n int) []string {
	t.Helper()
	ids := make([]string, n)
	for i := range ids {
		id, err := env.System().StartAgent(t.Context(), env.Agent(mabeam.Spec{Type: "idle", Behaviour: idle{}}))
		if err != nil {
			t.Fatal(err)
		}
		ids[i] = id
	}
	return ids
}

// pass runs a load of one operation every 10 ms.
func pass(t *testing.T, env *stress.Env, d time.Duration, op func(ctx context.Context) error) {
	t.Helper()
	_, err := env.RunLoad(t.Context(), load.Load{Workers: 1, For: d}, func(ctx context.Context, _ load.Op) error {
		if !load.Sleep(ctx, 10*time.Millisecond) {
			return ctx.Err()
		}
		return op(ctx)
	})
	if err != nil {
		t.Error(err)
	}
}

func nothing(context.Context) error { return nil }

// runFaults runs a step with faults. It returns the result and the faults in order, with their
// times since the start of the step.
func runFaults(t *testing.T, step string, run func(env *stress.Env)) (report.Step, []stream.Event) {
	t.Helper()
	cat := stress.Catalogue{{Measurement: scenario.Measurement{
		Name: "hit", Summary: "What do faults hit?", Targets: []scenario.Target{scenario.TargetAgents, scenario.TargetSubscribers, scenario.TargetComponents},
		Metrics: []scenario.Metric{{Name: "done", Unit: "bool", Must: "== true"}},
	}, Run: func(_ context.Context, env *stress.Env) error {
		run(env)
		env.Bool("done", true)
		return nil
	}}}
	events, r := runScenario(t, cat, "name: s\ntitle: S\nseed: 7\nsteps:\n  - measure: hit\n"+step)
	began := 0.0
	var faults []stream.Event
	for _, e := range events {
		switch {
		case e.Type == stream.RepetitionStarted:
			began = e.T
		case e.Fault != nil:
			e.T -= began
			faults = append(faults, e)
		}
	}
	return r.Scenarios[0].Steps[0], faults
}

// runScenario runs a scenario and returns its events and its report.
func runScenario(t *testing.T, cat stress.Catalogue, source string) (events []stream.Event, result report.Report) {
	t.Helper()
	scenarios, err := scenario.Parse(cat.Descriptions(), nil, scenario.Document{File: "s.yaml", Source: []byte(source)})
	if err != nil {
		t.Fatal(err)
	}
	err = fold.WithReport(stress.Engine{Catalogue: cat}.Source(scenario.Plan{Scenarios: scenarios})).Run(t.Context(), func(e stream.Event) {
		events = append(events, e)
		if e.Report != nil {
			result = *e.Report
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return events, result
}

// injected returns how often each fault was injected.
func injected(step report.Step) map[string]int64 {
	counts := map[string]int64{}
	for _, f := range step.Faults {
		counts[f.Fault] = f.Injected
	}
	return counts
}

func hundredths(seconds float64) float64 { return math.Round(100*seconds) / 100 }

func asJSON(t *testing.T, v any) string {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
