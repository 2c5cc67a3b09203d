package stress

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"mabeam-top/internal/runtime/agents"
	"mabeam-top/internal/stress/fold"
	"mabeam-top/internal/stress/load"
	"mabeam-top/internal/stress/report"
	"mabeam-top/internal/stress/scenario"
	"mabeam-top/internal/stress/stream"
	"mabeam-top/internal/stress/verdict"
)

var errPlanned = errors.New("planned failure of agent_7f_3 after 12 ms")

// probing is a catalogue whose measurement does what its mode says.
func probing(seen func(*Env)) Catalogue {
	return Catalogue{{Measurement: scenario.Measurement{
		Name: "probe", Summary: "Does the engine do what it should?",
		Params: append(scenario.LoadParams(),
			scenario.Param{Name: "mode", Kind: scenario.Text, Default: "ok", Doc: "What happens."},
			scenario.Param{Name: "operations", Kind: scenario.Int, Default: 10, Min: 1, Max: -1, Doc: "How often."}),
		Metrics: []scenario.Metric{
			{Name: "time_ms", Unit: "ms", Better: report.Lower, Distribution: true, Probe: "action_p50_ms"},
			{Name: "repetition", Unit: "count", Better: report.Neither},
			{Name: "rate", Unit: "1/s", Better: report.Higher, Must: ">= 0", Probe: "completed_per_second"},
			{Name: "kind", Unit: "text"},
			{Name: "fine", Unit: "bool"},
			{Name: "missing", Unit: "count", Better: report.Neither, Given: func(p scenario.Params) bool { return p.Text("mode") == "missing" }},
		},
		Check: scenario.CheckLoad,
		OwnProcess: func(p scenario.Params) (scenario.MemoryLimits, bool) {
			return scenario.MemoryLimits{Soft: hogSoft, Hard: hogHard}, strings.HasPrefix(p.Text("mode"), "own")
		},
	}, Died: func(env *Env, d *Death) error {
		if !strings.HasSuffix(env.Params.Text("mode"), "told") {
			return d
		}
		env.Operations(0, 1, 0)
		env.Bool("fine", false)
		env.Value("rate", float64(d.PeakBytes))
		env.Text("kind", fmt.Sprintf("out of memory: %v, signal: %v", d.OutOfMemory, d.Signal))
		return nil
	}, Run: func(ctx context.Context, env *Env) error {
		if seen != nil {
			seen(env)
		}
		return runProbe(ctx, env)
	}}}
}

func runProbe(ctx context.Context, env *Env) error {
	mode := strings.TrimSuffix(strings.TrimPrefix(env.Params.Text("mode"), "own "), " told")
	switch mode {
	case "panic":
		panic("planned panic")
	case "fail":
		return errPlanned
	}
	if err := die(ctx, mode); err != nil {
		return err
	}
	id, err := env.System().StartAgent(ctx, agents.Complex(agents.ComplexOptions{}))
	if err != nil {
		return err
	}
	if mode == "finds" {
		env.Detail("wrong by itself", 1)
		defer func() { env.Detail("wrong at the end", 1) }()
	}
	result, err := env.RunLoad(ctx, LoadOf(env.Params, env.Params.Int("operations")), func(ctx context.Context, op load.Op) error {
		if mode == "errors" && op.N%2 == 1 {
			return errPlanned
		}
		_, err := env.System().Execute(ctx, id, "sleep", map[string]any{"for": "2ms"})
		return err
	})
	if err != nil {
		return err
	}
	env.Latency("time_ms", result.Latency)
	env.Value("repetition", float64(result.Attempted))
	env.Value("rate", result.PerSecond())
	env.Text("kind", mode)
	env.Bool("fine", result.Failed == 0)
	if mode == "tail" {
		time.Sleep(2 * time.Second)
	}
	if mode == "missing" {
		env.Unmeasured("missing", "it cannot be")
	}
	return nil
}

// planOf reads scenario files that must be right.
func planOf(t testing.TB, cat Catalogue, sources ...string) scenario.Plan {
	t.Helper()
	var documents []scenario.Document
	for i, source := range sources {
		documents = append(documents, scenario.Document{File: fmt.Sprintf("%d.yaml", i), Source: []byte(source)})
	}
	scenarios, err := scenario.Parse(cat.Descriptions(), verdict.Builtin().Components(), documents...)
	if err != nil {
		t.Fatal(err)
	}
	return scenario.Plan{Scenarios: scenarios}
}

// collect runs a source and returns its events, which must be a whole stream, with results
// and a report.
func collect(ctx context.Context, t testing.TB, source stream.Source) (events []stream.Event, result report.Report) {
	t.Helper()
	var mu sync.Mutex
	if err := fold.WithReport(source).Run(ctx, func(e stream.Event) {
		if !mu.TryLock() {
			t.Error("two events at once")
			return
		}
		defer mu.Unlock()
		events = append(events, e)
	}); err != nil {
		t.Fatal(err)
	}
	last := 0.0
	for _, e := range events {
		if e.T < last {
			t.Errorf("%s at %v after an event at %v", e.Type, e.T, last)
		}
		last = e.T
	}
	if len(events) < 2 || events[0].Type != stream.RunStarted || events[len(events)-1].Type != stream.RunFinished {
		t.Fatalf("not a whole stream: %d events", len(events))
	}
	return events, *events[len(events)-1].Report
}

func scenarioOf(steps string) string {
	return "name: s\ntitle: S\nseed: 7\nsteps:\n" + steps
}
