package stress

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	mabeam "mabeam-top/internal/runtime"
	"mabeam-top/internal/stress/fold"
	"mabeam-top/internal/stress/load"
	"mabeam-top/internal/stress/report"
	"mabeam-top/internal/stress/scenario"
	"mabeam-top/internal/stress/stream"
)

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

// The repetitions of the groups of a scenario alternate. Each group has its warm-up before the
// first and ends after its last. The time of other groups does not count as that of a step.
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

// A scenario that times out reports how far each step got, and which steps did not run.
func TestEngineInterleavedTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		plan := planOf(t, probing(nil), scenarioOf("  - {measure: probe, name: a, repeat: 3}\n"+
			"  - {measure: probe, name: b, with: {duration: 10s}}\n  - {measure: probe, name: c}\n")+"timeout: 1s\n")
		_, r := collect(context.Background(), t, Engine{Catalogue: probing(nil)}.Source(plan))
		s := r.Scenarios[0]
		if len(s.Steps) != 2 || s.Verdict != report.Broken || !strings.Contains(fmt.Sprint(r.Recommendations), "not run of scenario s: c (scenario timeout of 1s)") {
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

// An interrupted step reports its finished repetitions and how many there are, without the
// interrupted one.
func TestEngineCancelledInALaterRepetition(t *testing.T) {
	for finished := range 3 {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithCancel(context.Background())
			defer cancel()
			plan := planOf(t, probing(nil), scenarioOf("  - {measure: probe, repeat: 4, with: {duration: 1s}}\n"))
			var r report.Report
			if err := fold.WithReport(Engine{Catalogue: probing(nil)}.Source(plan)).Run(ctx, func(e stream.Event) {
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

// A repetition in which the machine was busy with other programs runs again, three times in a
// step at most, and nothing of it is kept, unless something was wrong in it.
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

// A step with an undecided metric gets as many repetitions again, once.
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

// A warm-up by time lasts that long, also with a shorter load.
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

// A step that fails reports in which repetition, because its figures are those of the
// repetitions before.
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

// A step is interrupted in the repetition that was cut off.
func TestInterruptedInTheFirstRepetition(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		_, r := collect(ctx, t, Engine{Catalogue: probing(nil)}.Source(planOf(t, probing(nil), scenarioOf("  - {measure: probe, repeat: 3, with: {rate: 100/s, duration: 5s}}\n"))))
		errs := r.Scenarios[0].Steps[0].Errors
		if last := errs[len(errs)-1]; last.Message != "interrupted in repetition 1 of 3" {
			t.Errorf("errors %+v", errs)
		}
	})
}
