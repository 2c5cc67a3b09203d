package fold

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"mabeam-top/internal/probes/probe"
	"mabeam-top/internal/stress/report"
	"mabeam-top/internal/stress/report/format"
	"mabeam-top/internal/stress/stream"
	"mabeam-top/internal/stress/stream/streamtest"
)

// collect folds the events up to the one of that time, inclusive.
func collect(until float64) *Collector {
	c := &Collector{}
	for _, e := range streamtest.WholeRun() {
		if e.T <= until {
			c.Add(e)
		}
	}
	return c
}

func TestCollectorOfAWholeRun(t *testing.T) {
	c := collect(7)
	for name, r := range map[string]report.Report{
		"Report": c.Report(), "Finish": c.Finish(nil), "Finish of a run that was cancelled at its end": c.Finish(context.Canceled),
	} {
		if r.Verdict != report.Warn || r.Score != 0.95 || r.Grade != report.Acceptable || len(r.Scenarios) != 2 || len(r.Recommendations) != 0 {
			t.Errorf("%s: %+v", name, r)
		}
	}
	c.Add(stream.Event{T: 9, Type: stream.ScenarioStarted, Scenario: &stream.Scenario{Name: "late"}})
	if r := c.Report(); len(r.Scenarios) != 2 || r.DurationSeconds != 7 {
		t.Errorf("something was added after the end: %+v", r)
	}
}

func TestCollectorOfADeadChild(t *testing.T) {
	r := collect(2.1).Finish(errors.New("the child process was killed (exit status 137)"))
	if r.ID != "r1" || r.Seed != 42 || r.Host.OS != "linux" || r.Tool.Version != "v1" || !r.StartedAt.Equal(streamtest.Began) || r.DurationSeconds != 2.1 {
		t.Errorf("the run's own facts: %+v", r)
	}
	if r.Verdict != report.Broken || r.Score != 0 || r.Grade != report.Critical {
		t.Errorf("run %s, %v, %s", r.Verdict, r.Score, r.Grade)
	}
	if got, want := strings.Join(r.Recommendations, "; "), "not run: calm"; got != want {
		t.Errorf("recommendations %q, want %q", got, want)
	}
	if len(r.Scenarios) != 1 || len(r.Scenarios[0].Steps) != 2 || r.Scenarios[0].Verdict != report.Broken {
		t.Fatalf("scenarios %+v", r.Scenarios)
	}
	load, lookups := r.Scenarios[0].Steps[0], r.Scenarios[0].Steps[1]
	if load.Verdict != report.Broken || load.Component != "event_stress" || load.Params["rate"] != "10/s" || !load.Isolated || !load.Steered {
		t.Errorf("load: %+v", load)
	}
	if load.DurationSeconds != 1.6 {
		t.Errorf("load lasted %v", load.DurationSeconds)
	}
	if want := "the child process was killed (exit status 137), 1.6 s after the step started, in repetition 2 of 5"; len(load.Errors) != 1 || load.Errors[0] != (report.Error{Message: want, Count: 1, FirstAtSeconds: 1.6}) {
		t.Errorf("errors %+v", load.Errors)
	}
	if want := "killed (exit status 137), 1.6 s after the step started, before its first repetition"; len(lookups.Errors) != 1 || !strings.HasSuffix(lookups.Errors[0].Message, want) {
		t.Errorf("errors of the other step %+v", lookups.Errors)
	}
	var told []string
	for _, f := range load.Faults {
		told = append(told, f.Text())
	}
	if want := []string{"kill_agents ×2 from 700 ms to 800 ms: a_1, a_2", "stall ×1 at 900 ms"}; !slices.Equal(told, want) {
		t.Errorf("faults %q, want %q", told, want)
	}
	// Neither what came before the first repetition nor the warm-up counts.
	if want := (report.Probe{Min: 10, Mean: 20, Max: 30, Last: 30}); load.Probes["agents"] != want || len(load.Probes) != 2 {
		t.Errorf("probes %v", load.Probes)
	}
	if len(load.Metrics) != 0 || len(lookups.Probes) != 0 {
		t.Errorf("what was not measured is there: %v, %v", load.Metrics, lookups.Probes)
	}
}

func TestCollectorEndings(t *testing.T) {
	for name, c := range map[string]struct {
		until   float64
		err     error
		verdict report.Verdict
		steps   string // of all scenarios, with their verdicts
		advice  string
	}{
		"before anything": {
			until: -1, verdict: report.Broken, advice: "the run ended early, 0.0 s after its start: the event stream ended before the run finished",
		},
		"before the first scenario": {
			until: 0, err: errors.New("boom"), verdict: report.Broken, advice: "the run ended early, 0.0 s after its start: boom; not run: storm, calm",
		},
		"before the first step": {
			until: 0.1, err: context.Canceled, verdict: report.Interrupted,
			advice: "the run ended early, 0.1 s after its start: interrupted; not run of scenario storm: load, lookups; not run: calm",
		},
		"in the warm-up, interrupted": {
			until: 0.7, err: fmt.Errorf("run: %w", context.Canceled), verdict: report.Interrupted, steps: "load interrupted, lookups interrupted", advice: "not run: calm",
		},
		"one step done": {
			until: 2.5, verdict: report.Broken, steps: "load error, lookups pass", advice: "not run: calm",
		},
		"all steps done": {
			until: 3, err: context.DeadlineExceeded, verdict: report.Broken, steps: "load warn, lookups pass",
			advice: "the run ended early, 3.0 s after its start: context deadline exceeded; not run: calm",
		},
		"between scenarios": {
			until: 3.1, verdict: report.Broken, steps: "load warn, lookups pass",
			advice: "the run ended early, 3.1 s after its start: the event stream ended before the run finished; not run: calm",
		},
		"in the last step": {
			until: 5, err: context.Canceled, verdict: report.Interrupted, steps: "load warn, lookups pass, calm interrupted",
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := collect(c.until).Finish(c.err)
			var steps []string
			for _, s := range r.Scenarios {
				for _, step := range s.Steps {
					steps = append(steps, step.Name+" "+string(step.Verdict))
				}
			}
			if r.Verdict != c.verdict || strings.Join(steps, ", ") != c.steps || strings.Join(r.Recommendations, "; ") != c.advice {
				t.Errorf("%s, steps %q, recommendations %q", r.Verdict, strings.Join(steps, ", "), strings.Join(r.Recommendations, "; "))
			}
		})
	}
}

// TestCollectorAnyPrefix folds any part of a run, and any events in any order,
// and expects a report that can be written and read, each time.
func TestCollectorAnyPrefix(t *testing.T) {
	all := streamtest.WholeRun()
	check := func(t *rapid.T, r report.Report) {
		var b bytes.Buffer
		if err := report.Write(&b, r); err != nil {
			t.Fatal(err)
		}
		if _, err := report.Read(&b); err != nil {
			t.Fatal(err)
		}
		for _, s := range r.Scenarios {
			if report.Worst(r.Verdict, s.Verdict) != r.Verdict {
				t.Fatalf("the run is %s, scenario %s is %s", r.Verdict, s.Name, s.Verdict)
			}
			for _, step := range s.Steps {
				if report.Worst(s.Verdict, step.Verdict) != s.Verdict {
					t.Fatalf("scenario %s is %s, step %s is %s", s.Name, s.Verdict, step.Name, step.Verdict)
				}
			}
		}
		if err := format.Text.Write(&b, r, report.Timeline{}, format.Options{}); err != nil {
			t.Fatal(err)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		events := all[:rapid.IntRange(0, len(all)-1).Draw(t, "prefix")]
		if rapid.Bool().Draw(t, "mixed up") {
			events = rapid.SliceOfN(rapid.SampledFrom(all[:len(all)-1]), 0, 30).Draw(t, "events")
		}
		c := &Collector{}
		for _, e := range events {
			c.Add(e)
			if rapid.Bool().Draw(t, "look") {
				r := c.Report()
				check(t, r)
				if r.Verdict != report.Interrupted {
					t.Fatalf("a run that goes on is %s", r.Verdict)
				}
			}
		}
		r := c.Finish(errors.New("boom"))
		check(t, r)
		if r.Verdict != report.Broken {
			t.Fatalf("a run that broke off is %s", r.Verdict)
		}
	})
}

func TestCollectorIgnoresEventsWithoutPayload(t *testing.T) {
	c := collect(2.1)
	before := fmt.Sprintf("%+v", c.Finish(nil))
	for _, kind := range stream.Types() {
		c.Add(stream.Event{T: math.NaN(), Type: kind})
	}
	if after := fmt.Sprintf("%+v", c.Finish(nil)); after != before {
		t.Errorf("before %s\nafter %s", before, after)
	}
}

func TestCollectorLeavesItsReportsAlone(t *testing.T) {
	c := collect(1.3)
	r := c.Report()
	before := fmt.Sprintf("%+v", r)
	for _, e := range streamtest.WholeRun() {
		if e.T > 1.3 && e.Type != stream.RunFinished {
			c.Add(e)
		}
	}
	c.Report()
	if after := fmt.Sprintf("%+v", r); after != before {
		t.Errorf("the report changed after it was told:\n%s\n%s", before, after)
	}
}

func TestCollectorOfAScenarioThatNeverFinished(t *testing.T) {
	c := &Collector{}
	for _, e := range streamtest.WholeRun() {
		if e.T < 4.5 && e.Type != stream.ScenarioFinished {
			c.Add(e)
		}
	}
	r := c.Finish(context.Canceled)
	if len(r.Scenarios) != 2 || r.Scenarios[0].Verdict != report.Broken || r.Scenarios[1].Verdict != report.Interrupted || len(r.Scenarios[0].Steps) != 2 {
		t.Errorf("scenarios %+v", r.Scenarios)
	}
}

func TestProbes(t *testing.T) {
	var p Summary
	if len(p.Probes()) != 0 {
		t.Error("something is there before the first sample")
	}
	for _, v := range []float64{4, math.NaN(), -2, math.Inf(1), 7, 3} {
		p.Add(probe.Sample{"a": v})
	}
	p.Add(probe.Sample{"b": math.NaN()})
	p.Add(nil)
	if got, want := p.Probes()["a"], (report.Probe{Min: -2, Mean: 3, Max: 7, Last: 3}); len(p.Probes()) != 1 || got != want {
		t.Errorf("%+v, want %+v", p.Probes(), want)
	}
}

func TestProbesMean(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		values := rapid.SliceOfN(rapid.Float64Range(-math.MaxFloat64, math.MaxFloat64), 1, 50).Draw(t, "values")
		var p Summary
		mean, largest := 0.0, 0.0
		for _, v := range values {
			p.Add(probe.Sample{"a": v})
			mean += v / float64(len(values))
			largest = max(largest, math.Abs(v))
		}
		got := p.Probes()["a"]
		if got.Min != slices.Min(values) || got.Max != slices.Max(values) || got.Last != values[len(values)-1] {
			t.Fatalf("%+v of %v", got, values)
		}
		if !report.Finite(got.Mean) || got.Mean < got.Min || got.Mean > got.Max || math.Abs(got.Mean/2-mean/2) > 1e-12*largest {
			t.Fatalf("mean %v, want %v", got.Mean, mean)
		}
	})
}

// What was done to the load by hand was done to what was measured just then.
func TestCollectorKnowsWhatWasSteered(t *testing.T) {
	c := &Collector{}
	for _, e := range []stream.Event{
		{Type: stream.RunStarted, Run: &stream.Run{Schema: stream.Schema}},
		{Type: stream.ScenarioStarted, Scenario: &stream.Scenario{Name: "s", Steps: []string{"a", "b"}}},
		{Type: stream.StepStarted, Step: &stream.Step{Name: "a", Group: 1, Repeat: 2}},
		{Type: stream.RepetitionStarted, Repetition: &stream.Repetition{Step: "a", Number: 1}},
		{Type: stream.StepStarted, Step: &stream.Step{Name: "b", Group: 2, Repeat: 1}},
		{Type: stream.RepetitionStarted, Repetition: &stream.Repetition{Step: "b", Number: 1}},
		{Type: stream.Logged, Log: &stream.Log{Level: "info", Message: "nobody did this"}},
	} {
		c.Add(e)
	}
	steered := func() (told []bool) {
		for _, step := range c.Report().Scenarios[0].Steps {
			told = append(told, step.Steered)
		}
		return told
	}
	if got := steered(); !slices.Equal(got, []bool{false, false}) {
		t.Errorf("nobody has steered, and it says %v", got)
	}
	c.Add(stream.Event{Type: stream.Logged, Log: &stream.Log{Level: "info", Message: "the load is held", ByHand: true}})
	if got := steered(); !slices.Equal(got, []bool{false, true}) {
		t.Errorf("somebody held the load of the second step, and it says %v", got)
	}
}

func TestReportOfARecording(t *testing.T) {
	whole := streamtest.Recording(1)
	if r := ReportOf(whole); r.Verdict != report.Pass {
		t.Errorf("the report is %s: %v", r.Verdict, r.Recommendations)
	}
	broken := stream.Recording{Events: whole.Events[:6], Broken: errors.New("it ends early")}
	r := ReportOf(&broken)
	if r.Verdict != report.Broken || !strings.Contains(r.Scenarios[0].Steps[0].Errors[0].Message, "it ends early") {
		t.Errorf("the report of a broken recording is %s: %+v", r.Verdict, r.Scenarios)
	}
}
