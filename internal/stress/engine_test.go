package stress

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"mabeam-top/internal/stress/scenario"

	mabeam "mabeam-top/internal/runtime"
	"mabeam-top/internal/runtime/agents"
	"mabeam-top/internal/stress/load"
	"mabeam-top/internal/stress/report"
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
		return probe(ctx, env)
	}}}
}

func probe(ctx context.Context, env *Env) error {
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
	driven, err := env.RunLoad(ctx, LoadOf(env.Params, env.Params.Int("operations")), func(ctx context.Context, op load.Op) error {
		if mode == "errors" && op.N%2 == 1 {
			return errPlanned
		}
		_, err := env.System().Execute(ctx, id, "sleep", map[string]any{"for": "2ms"})
		return err
	})
	if err != nil {
		return err
	}
	env.Latency("time_ms", driven.Latency)
	env.Value("repetition", float64(driven.Attempted))
	env.Value("rate", driven.PerSecond())
	env.Text("kind", mode)
	env.Bool("fine", driven.Failed == 0)
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

// collect runs a source and returns its events, which must be a whole stream.
func collect(ctx context.Context, t testing.TB, source stream.Source) (events []stream.Event, result report.Report) {
	t.Helper()
	var mu sync.Mutex
	if err := source.Run(ctx, func(e stream.Event) {
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

// An action of exactly 2 ms is measured as 2 ms, and the step tells all that
// was asked.
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

func TestEngineRepetitions(t *testing.T) {
	run := func(t *testing.T) (systems []*mabeam.System, draws []uint64, r report.Report) {
		cat := probing(func(e *Env) {
			systems = append(systems, e.System())
			draws = append(draws, e.Rand.Uint64())
		})
		plan := planOf(t, cat, scenarioOf("  - {measure: probe, repeat: 3, warmup: 5, with: {operations: 20}}\n"))
		_, r = collect(context.Background(), t, Engine{Catalogue: cat}.Source(plan))
		return systems, draws, r
	}
	synctest.Test(t, func(t *testing.T) {
		systems, first, r := run(t)
		_, second, _ := run(t)
		if len(systems) != 4 {
			t.Fatalf("ran %d times, want a warm-up and 3 repetitions", len(systems))
		}
		seen := map[*mabeam.System]bool{}
		different := map[uint64]bool{}
		for i := range systems {
			if seen[systems[i]] {
				t.Error("a system was used twice")
			}
			seen[systems[i]] = true
			different[first[i]] = true
			if first[i] != second[i] {
				t.Errorf("repetition %d: the same seed drew %d and %d", i, first[i], second[i])
			}
		}
		if len(different) != 4 {
			t.Error("two repetitions have the same randomness")
		}
		step := r.Scenarios[0].Steps[0]
		if step.Operations.Attempted != 60 { // the warm-up is thrown away
			t.Errorf("%d operations, want 3 × 20", step.Operations.Attempted)
		}
	})
}

// The repetitions of a scenario's groups take turns; each has the warm-up
// before its first, and ends after its last. What the others take is not told
// as a step's own time.
func TestEngineInterleavesRepetitions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		plan := planOf(t, probing(nil), scenarioOf("  - {measure: probe, name: a, repeat: 3, with: {operations: 500}}\n"+
			"  - {measure: probe, name: b, repeat: 2, warmup: 5}\n"+
			"  - parallel:\n      - {measure: probe, name: c}\n      - {measure: probe, name: d, repeat: 2}\n"))
		events, r := collect(context.Background(), t, Engine{Catalogue: probing(nil)}.Source(plan))
		var order []string
		for _, e := range events {
			switch e.Type {
			case stream.StepStarted:
				order = append(order, fmt.Sprintf("+%s%d", e.Step.Name, e.Step.Group))
			case stream.RepetitionStarted:
				order = append(order, fmt.Sprintf("%s%d", e.Repetition.Step, e.Repetition.Number))
			case stream.StepFinished:
				order = append(order, "-"+e.StepResult.Name)
			}
		}
		if got, want := strings.Join(order, " "), "+a1 a1 +b2 b0 b1 +c3 +d3 c1 d1 a2 b2 -b d2 -c -d a3 -a"; got != want {
			t.Errorf("the order is\n%s, want\n%s", got, want)
		}
		for i, want := range []struct {
			name    string
			seconds float64
		}{{"a", 3}, {"b", 0.05}, {"c", 0.04}, {"d", 0.04}} {
			s := r.Scenarios[0].Steps[i]
			if s.Name != want.name || s.Verdict != report.Pass || s.DurationSeconds < want.seconds || s.DurationSeconds > want.seconds+0.1 {
				t.Errorf("step %d: %s is %s and took %v s, want %s and about %v s", i, s.Name, s.Verdict, s.DurationSeconds, want.name, want.seconds)
			}
		}
	})
}

// A scenario that runs out of time tells of each step how far it got, and what
// was not begun.
func TestEngineInterleavedTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		plan := planOf(t, probing(nil), scenarioOf("  - {measure: probe, name: a, repeat: 3}\n"+
			"  - {measure: probe, name: b, with: {duration: 10s}}\n  - {measure: probe, name: c}\n")+"timeout: 1s\n")
		_, r := collect(context.Background(), t, Engine{Catalogue: probing(nil)}.Source(plan))
		s := r.Scenarios[0]
		if len(s.Steps) != 2 || s.Verdict != report.Broken || !strings.Contains(fmt.Sprint(r.Recommendations), "not run: step c of s (scenario timeout of 1s)") {
			t.Fatalf("%s with %d steps; %v", s.Verdict, len(s.Steps), r.Recommendations)
		}
		for i, reached := range []string{"after repetition 1 of 3", "in repetition 1 of 1"} {
			step := s.Steps[i]
			if step.Verdict != report.Broken || len(step.Metrics["rate"].Samples) != 1-i || !strings.Contains(fmt.Sprint(step.Errors), reached) {
				t.Errorf("%s: %s with the samples %v and %v; want an error %s and what it had measured",
					step.Name, step.Verdict, step.Metrics["rate"].Samples, step.Errors, reached)
			}
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

func TestEngineTellsWhatWentWrong(t *testing.T) {
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

// Of a step that is interrupted the repetitions that were finished are told, and
// how many these are; one that was cut off is not among them.
func TestEngineCancelledInALaterRepetition(t *testing.T) {
	for finished := range 3 {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithCancel(context.Background())
			defer cancel()
			plan := planOf(t, probing(nil), scenarioOf("  - {measure: probe, repeat: 4, with: {duration: 1s}}\n"))
			var r report.Report
			if err := (Engine{Catalogue: probing(nil)}).Source(plan).Run(ctx, func(e stream.Event) {
				if e.Type == stream.RepetitionStarted && e.Repetition.Number == finished+1 {
					time.AfterFunc(500*time.Millisecond, cancel)
				}
				if e.Report != nil {
					r = *e.Report
				}
			}); err != nil {
				t.Fatal(err)
			}
			step := r.Scenarios[0].Steps[0]
			if step.Verdict != report.Interrupted || len(step.Metrics["rate"].Samples) != finished || step.Repetitions == nil || *step.Repetitions != (report.Repetitions{Finished: finished, Planned: 4}) {
				t.Errorf("%s, %+v of %+v", step.Verdict, step.Metrics["rate"], step.Repetitions)
			}
		})
	}
}

// What is wrong because a repetition was cut off is not told as the system's fault.
func TestEngineTellsNothingOfACutOffCheck(t *testing.T) {
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

// Whenever a run is cancelled, it ends within a second, with all that was
// finished, and with nothing left behind (synctest would tell).
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

// A load that its generator did not deliver is inconclusive, whatever the
// metrics say.
func TestUndeliveredLoadIsInconclusive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cat := probing(nil)
		cat[0].Run = func(ctx context.Context, env *Env) error {
			env.loads.Meter.CountLate(50) // what a starved generator counts
			_, err := env.RunLoad(ctx, load.Load{Workers: 1, Operations: 1000}, func(context.Context, load.Op) error {
				env.loads.Meter.CountLate(1)
				return nil
			})
			env.Value("rate", 1)
			return err
		}
		_, r := collect(context.Background(), t, Engine{Catalogue: cat}.Source(planOf(t, cat, scenarioOf("  - {measure: probe, thresholds: {rate: '>= 1'}}\n"))))
		step := r.Scenarios[0].Steps[0]
		if step.Verdict != report.Inconclusive || !strings.Contains(fmt.Sprint(step.Errors), "not delivered") {
			t.Errorf("%s, %+v", step.Verdict, step.Errors)
		}
	})
}

// A repetition in which the machine was busy with other things is carried out again, three of
// a step at most, and nothing of it is kept; but one in which something was wrong is kept.
func TestDisturbedRepetitions(t *testing.T) {
	const plain = "{measure: probe, repeat: 2, thresholds: {rate: '>= 1'}}"
	for name, test := range map[string]struct {
		step      string
		each      time.Duration // that an operation takes
		disturbed int           // how many repetitions are, the first ones
		wrong     bool          // so is the first one
		ran       int
		again     int64
		samples   int
		verdict   report.Verdict
	}{
		"none":         {plain, 0, 0, false, 2, 0, 2, report.Pass},
		"one":          {plain, 0, 1, false, 3, 1, 2, report.Pass},
		"three":        {plain, 0, 3, false, 5, 3, 2, report.Pass},
		"all":          {plain, 0, 99, false, 5, 3, 2, report.Inconclusive},
		"wrong":        {plain, 0, 1, true, 2, 0, 2, report.Fail},
		"with windows": {"{measure: probe, repeat: 2, thresholds: {rate: {is: '>= 1', window: 1s}}}", 0, 1, false, 2, 0, 2, report.Inconclusive},
		"just in time": {"{measure: probe, thresholds: {rate: '>= 1'}}", 2900 * time.Millisecond, 1, false, 2, 1, 1, report.Pass},
		"no more time": {"{measure: probe, thresholds: {rate: '>= 1'}}", 3100 * time.Millisecond, 1, false, 1, 0, 1, report.Inconclusive},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				cat := probing(nil)
				ran := 0
				cat[0].Run = func(ctx context.Context, env *Env) error {
					ran++
					env.Value("rate", float64(ran))
					if ran <= test.disturbed {
						env.Inconclusive("the load was not delivered")
						if test.wrong {
							env.Finding("lost", 1)
						}
					}
					_, err := env.RunLoad(ctx, load.Load{Workers: 1, Operations: 10}, func(context.Context, load.Op) error { load.Sleep(ctx, test.each); return nil })
					return err
				}
				_, r := collect(context.Background(), t, Engine{Catalogue: cat}.Source(planOf(t, cat, scenarioOf("  - "+test.step+"\n"))))
				step := r.Scenarios[0].Steps[0]
				again := int64(0)
				for _, e := range step.Errors {
					if e.Kind == report.Note && strings.Contains(e.Message, "again") {
						again += e.Count
					}
				}
				if ran != test.ran || again != test.again || len(step.Metrics["rate"].Samples) != test.samples || step.Verdict != test.verdict || step.Operations.Attempted != int64(10*test.samples) {
					t.Errorf("%d ran, %d again, samples %v, %s, %+v, %+v", ran, again, step.Metrics["rate"].Samples, step.Verdict, step.Operations, step.Errors)
				}
			})
		})
	}
}

// A step of which a metric is undecided gets as many repetitions again, once.
func TestUndecidedSteps(t *testing.T) {
	for name, test := range map[string]struct {
		step    string
		held    int64 // of 100 in each repetition, where half must
		samples int
		verdict report.Verdict
	}{
		"decided":            {"repeat: 3", 80, 3, report.Pass},
		"failed":             {"repeat: 3", 20, 3, report.Fail},
		"decided by more":    {"repeat: 3", 57, 6, report.Pass},
		"failed by more":     {"repeat: 3", 43, 6, report.Fail},
		"never decided":      {"repeat: 3", 50, 6, report.Inconclusive},
		"too few to ask for": {"repeat: 2", 57, 2, report.Inconclusive},
		"another one failed": {"repeat: 3, thresholds: {rate: '< 1'}", 57, 3, report.Fail},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				cat := probing(nil)
				cat[0].Metrics = append(cat[0].Metrics, scenario.Metric{Name: "held", Unit: "ratio", Better: report.Higher, Must: ">= 0.5"})
				cat[0].Run = func(_ context.Context, env *Env) error {
					env.Operations(1, 0, 0)
					env.Value("rate", 1)
					env.Share("held", test.held, 100)
					return nil
				}
				_, r := collect(context.Background(), t, Engine{Catalogue: cat}.Source(planOf(t, cat, scenarioOf("  - {measure: probe, "+test.step+"}\n"))))
				step := r.Scenarios[0].Steps[0]
				if len(step.Metrics["rate"].Samples) != test.samples || step.Verdict != test.verdict || step.Operations.Attempted != int64(test.samples) || step.Repetitions != nil {
					t.Errorf("samples %v, %s, %+v, %+v", step.Metrics["rate"].Samples, step.Verdict, step.Metrics["held"], step.Errors)
				}
			})
		})
	}
}

// A measurement that looks for the load which cannot be delivered is told that
// this one was not, and judges by itself.
func TestLoadThatMayLag(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, why := range []string{"", "the machine is busy"} {
			cat := probing(nil)
			cat[0].Run = func(ctx context.Context, env *Env) error {
				driven, err := env.RunLoad(ctx, load.Load{Workers: 1, Operations: 1000, MayLag: true}, func(_ context.Context, op load.Op) error {
					if op.N < 20 {
						env.loads.Meter.CountLate(1)
					}
					return nil
				})
				if driven.Late != 20 || !driven.Lagged() {
					t.Errorf("%d of 1,000 late, lagged: %v", driven.Late, driven.Lagged())
				}
				if why != "" {
					env.Inconclusive(why)
				}
				env.Value("rate", 1)
				return err
			}
			_, r := collect(context.Background(), t, Engine{Catalogue: cat}.Source(planOf(t, cat, scenarioOf("  - {measure: probe}\n"))))
			step := r.Scenarios[0].Steps[0]
			if want := why != ""; (step.Verdict == report.Inconclusive) != want || want != (len(step.Errors) == 2 && step.Errors[1].Message == why) { // after that it was tried again
				t.Errorf("%q: %s, %+v", why, step.Verdict, step.Errors)
			}
		}
	})
}

// The probes of the load show it while it runs.
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

// A threshold that must hold in every window is held against the load, and not
// against what a measurement does before and after it.
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

// A warm-up by time lasts as long as it says, also with a shorter load.
func TestWarmupLastsItsTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		plan := planOf(t, probing(nil), scenarioOf("  - {measure: probe, warmup: 2s, with: {operations: 10}}\n"))
		events, r := collect(context.Background(), t, Engine{Catalogue: probing(nil)}.Source(plan))
		for _, e := range events {
			if e.Type == stream.RepetitionStarted && e.Repetition.Number == 1 && (e.T < 2 || e.T > 2.1) {
				t.Errorf("the measured part began at %v s", e.T)
			}
		}
		if n := r.Scenarios[0].Steps[0].Operations.Attempted; n != 10 {
			t.Errorf("%d operations, want the measured 10", n)
		}
	})
}

// A step that breaks tells in which repetition, because the figures that it has are
// of those before.
func TestBrokenInARepetition(t *testing.T) {
	runs := 0
	cat := Catalogue{{Measurement: scenario.Measurement{
		Name: "fragile", Summary: "Does it hold?", Metrics: []scenario.Metric{{Name: "number", Unit: "count", Must: ">= 0"}},
	}, Run: func(_ context.Context, env *Env) error {
		if runs++; runs == 2 {
			return errors.New("no more")
		}
		env.Value("number", 7)
		env.Operations(1, 0, 0)
		return nil
	}}}
	_, r := collect(t.Context(), t, Engine{Catalogue: cat}.Source(planOf(t, cat, scenarioOf("  - {measure: fragile, repeat: 3}\n"))))
	step := r.Scenarios[0].Steps[0]
	if len(step.Errors) != 1 || step.Errors[0].Message != "no more, in repetition 2 of 3" || step.Verdict != report.Broken {
		t.Errorf("%s, errors %+v", step.Verdict, step.Errors)
	}
	if m := step.Metrics["number"]; m.Value != 7.0 || len(m.Samples) != 1 || runs != 2 {
		t.Errorf("measured %+v in %d repetitions", m, runs)
	}
}
