package stress

import (
	"context"
	"errors"
	"math"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"mabeam-top/internal/stress/load"
	"mabeam-top/internal/stress/report"
	"mabeam-top/internal/stress/scenario"
	"mabeam-top/internal/stress/stream"
)

// steered runs a plan in a bubble while somebody steers it, and returns what was
// told.
func steered(t *testing.T, source string, by func(stream.Steerable)) (events []stream.Event) {
	t.Helper()
	run := Engine{Catalogue: probing(nil), Steerable: true}.Source(planOf(t, probing(nil), source)).(stream.Steerable)
	var wg sync.WaitGroup
	wg.Go(func() { by(run) })
	events, _ = collect(t.Context(), t, run.(stream.Source))
	wg.Wait()
	return events
}

func obey(t *testing.T, s stream.Steerable, c stream.Command) {
	t.Helper()
	if err := s.Command(c); err != nil {
		t.Errorf("%+v: %v", c, err)
	}
}

const openLoad = `
name: open
title: Open
timeout: 30s
steps:
  - {measure: probe, with: {rate: 100/s, duration: 10s, operations: 10}}
`

// A pause of a minute makes no operation late and changes no rate, and the scenario does not
// time out. There is no verdict all the same.
func TestPausedLoadLosesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		events := steered(t, openLoad, func(s stream.Steerable) {
			time.Sleep(3 * time.Second)
			obey(t, s, stream.Command{Do: stream.SetPaused, Paused: true})
			obey(t, s, stream.Command{Do: stream.SetPaused, Paused: true}) // again
			time.Sleep(time.Minute)
			obey(t, s, stream.Command{Do: stream.SetPaused})
		})
		result := events[len(events)-1].Report
		step := result.Scenarios[0].Steps[0]
		if step.Operations.Succeeded != 1000 || step.Operations.Attempted != 1000 {
			t.Errorf("operations %+v, want 1000", step.Operations)
		}
		if d := step.Metrics["time_ms"].Distribution; d == nil || d.Max > 10 {
			t.Errorf("latency %+v: the pause is in it", d)
		}
		if rate, _ := step.Metrics["rate"].Value.(float64); rate < 99 || rate > 101 {
			t.Errorf("the rate is %v, want 100", rate)
		}
		if !step.Steered || step.Verdict != report.Inconclusive || step.Reason() != loadSteered {
			t.Errorf("steered %v, verdict %s, %v", step.Steered, step.Verdict, step.Errors)
		}
		var byHand []string
		for _, e := range events {
			if e.Log != nil && e.Log.ByHand {
				byHand = append(byHand, e.Log.Message)
			}
		}
		if got := strings.Join(byHand, ", "); got != "load paused, load resumed" {
			t.Errorf("told %q", got)
		}
	})
}

func TestRateChange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		events := steered(t, openLoad, func(s stream.Steerable) {
			time.Sleep(5 * time.Second)
			obey(t, s, stream.Command{Do: stream.SetRate, Rate: 2})
			for _, bad := range []float64{0, -1, 1e9} {
				if err := s.Command(stream.Command{Do: stream.SetRate, Rate: bad}); err == nil {
					t.Errorf("a rate of %v was taken", bad)
				}
			}
		})
		step := events[len(events)-1].Report.Scenarios[0].Steps[0]
		// Five seconds at 100 and five at 200 a second.
		if n := step.Operations.Succeeded; n < 1499 || n > 1501 || !step.Steered {
			t.Errorf("%d operations, steered %v", n, step.Steered)
		}
	})
}

// A step has no verdict if its load was paused or its rate changed, whatever its
// thresholds say, and no window aborts it.
func TestSteeredLoadHasNoVerdict(t *testing.T) {
	closed := strings.Replace(openLoad, "rate: 100/s, duration: 10s, operations: 10", "duration: 10s", 1)
	for name, c := range map[string]struct {
		source, threshold string
		command           stream.Command
		verdict           report.Verdict
	}{
		"the rate is lowered":       {openLoad, "rate: {is: '>= 98', window: 1s, abort: true}", stream.Command{Do: stream.SetRate, Rate: 0.3}, report.Inconclusive},
		"the rate is raised":        {openLoad, "rate: '<= 102'", stream.Command{Do: stream.SetRate, Rate: 2}, report.Inconclusive},
		"a threshold fails anyway":  {openLoad, "time_ms: {is: '< 1', window: 1s}", stream.Command{Do: stream.SetRate, Rate: 2}, report.Inconclusive},
		"a closed load has no rate": {closed, "rate: '> 1'", stream.Command{Do: stream.SetRate, Rate: 2}, report.Pass},
		"the rate stays the same":   {openLoad, "rate: '>= 98'", stream.Command{Do: stream.SetRate, Rate: 1}, report.Pass},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				source := strings.Replace(c.source, "}}", "}, thresholds: {"+c.threshold+"}}", 1)
				events := steered(t, source, func(s stream.Steerable) {
					time.Sleep(3 * time.Second)
					obey(t, s, c.command)
				})
				step := events[len(events)-1].Report.Scenarios[0].Steps[0]
				steered := c.verdict == report.Inconclusive
				if step.Verdict != c.verdict || step.Steered != steered || steered && step.Reason() != loadSteered {
					t.Errorf("%s, steered %v, %q, want %s; %+v, errors %+v", step.Verdict, step.Steered, step.Reason(), c.verdict, step.Thresholds, step.Errors)
				}
				if step.DurationSeconds < 9.9 {
					t.Errorf("it ended after %v s", step.DurationSeconds)
				}
			})
		})
	}
}

func TestManualFaultsAndInspection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var source stream.Steerable
		events := steered(t, openLoad, func(s stream.Steerable) {
			source = s
			time.Sleep(2 * time.Second)
			obey(t, s, stream.Command{Do: stream.SetInspection, Inspect: stream.Inspect{Agents: 5, Subscriptions: 5}})
			obey(t, s, stream.Command{Do: stream.InjectFault, Fault: "garbage: 3, size: 1MB"})
			// It has no subscribers.
			err := s.Command(stream.Command{Do: stream.InjectFault, Fault: "stall_subscribers: 1"})
			if err == nil || !strings.Contains(err.Error(), "inject the fault stall_subscribers: 1: ") {
				t.Errorf("an impossible fault was refused with %v", err)
			}
			if err := s.Command(stream.Command{Do: stream.InjectFault, Fault: "earthquake: 1"}); err == nil {
				t.Error("an unknown fault was taken")
			}
			time.Sleep(2 * time.Second)
			obey(t, s, stream.Command{Do: stream.SetInspection})
		})
		injected, looks, last := 0, 0, 0.0
		for _, e := range events {
			if e.Fault != nil && e.Fault.ByHand && e.Fault.Fault == "garbage" {
				injected++
			}
			if e.Inspection != nil {
				looks, last = looks+1, e.T
				if e.Inspection.AgentsTotal != 1 || len(e.Inspection.Agents) != 1 || e.Inspection.Agents[0].Type == "" {
					t.Errorf("a look: %+v", e.Inspection)
				}
			}
		}
		if injected != 3 {
			t.Errorf("%d faults were injected, want 3", injected)
		}
		if looks < 5 || looks > 9 || last > 4.2 {
			t.Errorf("%d looks in two seconds, the last at %.1f s", looks, last)
		}
		step := events[len(events)-1].Report.Scenarios[0].Steps[0]
		if !step.Steered || len(step.Faults) != 1 || step.Faults[0].Injected != 3 {
			t.Errorf("steered %v, faults %+v", step.Steered, step.Faults)
		}
		if err := source.Command(stream.Command{Do: stream.SetRate, Rate: 2}); !errors.Is(err, stream.ErrNotSteerable) {
			t.Errorf("a run that is over took a command: %v", err)
		}
	})
}

// The offered rate is what is due, also if no worker is free, and nothing is due in a pause.
func TestOfferedRateIsWhatIsDue(t *testing.T) {
	const load = `
name: slow
title: Slow
steps:
  - {measure: probe, with: {rate: 1000/s, duration: 10s, concurrency: 1}}
`
	synctest.Test(t, func(t *testing.T) {
		events := steered(t, load, func(s stream.Steerable) {
			time.Sleep(4 * time.Second)
			obey(t, s, stream.Command{Do: stream.SetPaused, Paused: true})
			time.Sleep(4 * time.Second)
			obey(t, s, stream.Command{Do: stream.SetPaused})
		})
		seen := map[string]int{}
		for _, e := range events {
			offered, ok := e.Sample["offered_per_second"]
			if !ok {
				continue
			}
			when, wantOffered, wantCompleted := "before", 1000.0, 500.0 // by one worker, in 2 ms each
			switch {
			case e.T > 4.25 && e.T < 7.85:
				when, wantOffered, wantCompleted = "held", 0, 0
			case e.T > 3.85 && e.T < 8.15 || e.T < 0.15 || e.T > 13.85:
				continue
			case e.T >= 8.15:
				when = "after"
			}
			seen[when]++
			const one = 10.001 // operation more or less in a tenth of a second
			if completed := e.Sample["completed_per_second"]; math.Abs(offered-wantOffered) > one || math.Abs(completed-wantCompleted) > one {
				t.Errorf("at %.1f s (%s): %v offered and %v completed a second, want %v and %v", e.T, when, offered, completed, wantOffered, wantCompleted)
			}
		}
		if seen["before"] < 35 || seen["held"] < 35 || seen["after"] < 55 {
			t.Errorf("samples: %v", seen)
		}
	})
}

// A load that nobody steers is not reported as steered.
func TestUnsteeredLoad(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		events, _ := collect(context.Background(), t, Engine{Catalogue: probing(nil), Steerable: true}.Source(planOf(t, probing(nil), openLoad)))
		if step := events[len(events)-1].Report.Scenarios[0].Steps[0]; step.Steered || step.Operations.Succeeded != 1000 {
			t.Errorf("steered %v, %+v", step.Steered, step.Operations)
		}
	})
}

// A pause that is over before the first repetition starts leaves the verdict alone.
func TestPauseInTheWarmUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		source := strings.Replace(openLoad, "operations: 10}}", "operations: 10}, warmup: 3s, thresholds: {rate: {is: '>= 98', window: 1s, abort: true}}}", 1)
		events := steered(t, source, func(s stream.Steerable) {
			time.Sleep(time.Second)
			obey(t, s, stream.Command{Do: stream.SetPaused, Paused: true})
			time.Sleep(time.Second)
			obey(t, s, stream.Command{Do: stream.SetPaused, Paused: false})
		})
		step := events[len(events)-1].Report.Scenarios[0].Steps[0]
		if step.Verdict != report.Pass || step.Steered || len(step.Thresholds) != 1 {
			t.Errorf("%s, steered %v: %+v, errors %+v", step.Verdict, step.Steered, step.Thresholds, step.Errors)
		}
	})
}

// Before its start, a run accepts only requests for inspection.
func TestCommandsBeforeTheRun(t *testing.T) {
	s := Engine{Catalogue: probing(nil), Steerable: true}.Source(planOf(t, probing(nil), openLoad)).(stream.Steerable)
	for _, c := range []stream.Command{{Do: stream.Stop}, {Do: stream.SetPaused, Paused: true}, {Do: stream.SetRate, Rate: 2}} {
		if err := s.Command(c); !errors.Is(err, stream.ErrNotSteerable) {
			t.Errorf("%s: %v", c.Do, err)
		}
	}
	obey(t, s, stream.Command{Do: stream.SetInspection, Inspect: stream.Inspect{Agents: 3}})
}

// A manual fault that hits nothing is logged at once, and once.
func TestManualFaultThatHitsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cat := Catalogue{{Measurement: scenario.Measurement{
			Name: "empty", Summary: "Is anybody there?", Targets: []scenario.Target{scenario.TargetAgents}, Metrics: []scenario.Metric{{Name: "done", Unit: "bool", Must: "== true"}},
		}, Run: func(ctx context.Context, env *Env) error {
			_, err := env.RunLoad(ctx, load.Load{Workers: 1, For: 3 * time.Second}, func(context.Context, load.Op) error {
				time.Sleep(10 * time.Millisecond)
				return nil
			})
			env.Bool("done", true)
			return err
		}}}
		source := Engine{Catalogue: cat, Steerable: true}.Source(planOf(t, cat, scenarioOf("  - {measure: empty}\n")))
		var wg sync.WaitGroup
		wg.Go(func() {
			time.Sleep(time.Second)
			obey(t, source.(stream.Steerable), stream.Command{Do: stream.InjectFault, Fault: "kill_agents: 3"})
		})
		events, r := collect(t.Context(), t, source)
		wg.Wait()
		var told []string
		for _, e := range events {
			if e.Log != nil && e.Log.ByHand && e.Log.Level == "warn" {
				told = append(told, e.Log.Message)
			}
		}
		if len(told) != 1 || told[0] != "empty: kill_agents was not injected: nothing was left to hit" {
			t.Errorf("told %q", told)
		}
		if errs := r.Scenarios[0].Steps[0].Errors; len(errs) != 1 || errs[0].Count != 3 {
			t.Errorf("errors %+v", errs)
		}
	})
}
