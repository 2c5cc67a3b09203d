package fold

import (
	"context"
	"errors"
	"reflect"
	"slices"
	"testing"

	"mabeam-top/internal/stress/report"
	"mabeam-top/internal/stress/stream"
	"mabeam-top/internal/stress/stream/streamtest"
)

// engineRun returns the events of streamtest.WholeRun as an engine sends them: with results
// of steps only.
func engineRun() fixed {
	events := fixed(streamtest.WholeRun())
	for i, e := range events {
		if e.ScenarioResult != nil || e.Report != nil {
			events[i] = stream.Event{T: e.T, Type: e.Type, End: &stream.End{}}
		}
	}
	return events
}

// withReportOf returns the events of a source with a report.
func withReportOf(t *testing.T, source stream.Source) (events []stream.Event, err error) {
	t.Helper()
	err = WithReport(source).Run(t.Context(), func(e stream.Event) {
		if e.End != nil {
			t.Errorf("%s has an end", e.Type)
		}
		events = append(events, e)
	})
	if len(events) == 0 || events[len(events)-1].Report == nil {
		t.Fatal("the last event has no report")
	}
	return events, err
}

func TestWithReport(t *testing.T) {
	events, err := withReportOf(t, engineRun())
	if err != nil || len(events) != len(engineRun()) {
		t.Fatalf("%d events, %v", len(events), err)
	}
	want := streamtest.WholeRun()
	var scenarios []report.Scenario
	for i, e := range events {
		if result := e.ScenarioResult; (result == nil) != (want[i].ScenarioResult == nil) {
			t.Errorf("event %d, %s, has the result %+v", i, e.Type, result)
		} else if result != nil {
			scenarios = append(scenarios, *result)
		}
	}
	r := events[len(events)-1].Report
	if !reflect.DeepEqual(r.Scenarios, scenarios) {
		t.Errorf("the report has the scenarios %+v, the events %+v", r.Scenarios, scenarios)
	}
	// The steps finish in another order than that of the scenario.
	storm := scenarios[0]
	if !reflect.DeepEqual(storm.Steps, want[len(want)-1].Report.Scenarios[0].Steps) || storm.Verdict != report.Warn || storm.Score != 0.9 || storm.File != "builtin:storm.yaml" {
		t.Errorf("the first scenario is %+v", storm)
	}
	if r.ID != "r1" || r.Seed != 42 || r.Host.CPUs != 2 || r.DurationSeconds != 7 || r.Verdict != report.Warn || r.Score != 0.95 || len(r.Recommendations) != 0 {
		t.Errorf("the report is %+v", r)
	}
}

// A scenario and a run that end early say what did not run.
func TestWithReportOfAnEarlyEnd(t *testing.T) {
	timeout := errors.New("scenario timeout of 1s")
	for name, test := range map[string]struct {
		scenario, run error
		verdict       report.Verdict
		advice        []string
	}{
		"timeout":     {timeout, nil, report.Broken, []string{"not run of scenario storm: load (scenario timeout of 1s)", "not run: calm"}},
		"interrupted": {context.Canceled, context.Canceled, report.Interrupted, []string{"not run of scenario storm: load (interrupted)", "not run: calm"}},
	} {
		t.Run(name, func(t *testing.T) {
			whole := engineRun()
			lookups := whole[slices.IndexFunc(whole, func(e stream.Event) bool { return e.StepResult != nil })]
			source := fixed{
				whole[0], whole[1], whole[3], lookups,
				{T: 3, Type: stream.ScenarioFinished, End: &stream.End{Cause: test.scenario}},
				{T: 4, Type: stream.RunFinished, End: &stream.End{Cause: test.run}},
			}
			events, err := withReportOf(t, source)
			if err != nil || len(events) != len(source) {
				t.Fatalf("%d events, %v", len(events), err)
			}
			result, r := events[4].ScenarioResult, events[5].Report
			if result.Verdict != test.verdict || len(result.Steps) != 1 || result.Steps[0].Verdict != report.Pass {
				t.Errorf("the scenario is %+v", result)
			}
			if r.Verdict != test.verdict || !slices.Equal(r.Recommendations, test.advice) {
				t.Errorf("the run is %s with %q, want %q", r.Verdict, r.Recommendations, test.advice)
			}
		})
	}
}

// A source that fails, or ends without run_finished, has a report too.
func TestWithReportOfABrokenSource(t *testing.T) {
	boom := errors.New("boom")
	events, err := withReportOf(t, broken{engineRun()[:9], boom})
	if last := events[len(events)-1]; !errors.Is(err, boom) || len(events) != 10 || last.Type != stream.RunFinished || last.T != 1.1 || last.Report.Verdict != report.Broken {
		t.Errorf("%d events, %v, the last is %+v", len(events), err, last)
	}
}

// A broken source ends with an error.
type broken struct {
	fixed
	err error
}

func (b broken) Run(ctx context.Context, emit func(stream.Event)) error {
	return errors.Join(b.fixed.Run(ctx, emit), b.err)
}
