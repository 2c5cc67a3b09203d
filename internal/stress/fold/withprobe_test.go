package fold

import (
	"context"
	"errors"
	"maps"
	"testing"
	"time"

	"mabeam-top/internal/probes/probe"
	"mabeam-top/internal/stress/report"
	"mabeam-top/internal/stress/stream"
)

// fixed is a source of events that were made before.
type fixed []stream.Event

func (f fixed) Run(_ context.Context, emit func(stream.Event)) error {
	for _, e := range f {
		emit(e)
	}
	return nil
}

func TestWithProbe(t *testing.T) {
	calm, storm := report.Step{Name: "calm", Probes: map[probe.Name]report.Probe{"agents": {Last: 3}}}, report.Step{Name: "storm"}
	events := fixed{
		{Type: stream.RunStarted, Run: &stream.Run{}},
		{Type: stream.SampleTaken, Sample: probe.Sample{"agents": 1}}, // 1: before any step
		{Type: stream.ScenarioStarted, Scenario: &stream.Scenario{Name: "weather", Steps: []string{"calm", "storm"}}},
		{Type: stream.StepStarted, Step: &stream.Step{Name: "calm"}},
		{Type: stream.SampleTaken, Sample: probe.Sample{"agents": 2}}, // 2
		{Type: stream.StepStarted, Step: &stream.Step{Name: "storm"}}, // they take turns
		{Type: stream.SampleTaken},                                    // 3: nothing else could be read
		{Type: stream.StepFinished, StepResult: &calm},
		{Type: stream.SampleTaken, Sample: probe.Sample{"agents": 3}}, // 4: not to be read
		{Type: stream.SampleTaken, Sample: probe.Sample{"agents": 3}}, // 5
		{Type: stream.StepFinished, StepResult: &storm},
		{Type: stream.ScenarioFinished, End: &stream.End{}},
		{Type: stream.RunFinished, End: &stream.End{}},
	}
	n := 0.0
	source := WithReport(WithProbe(events, "mine", func(time.Time) (float64, bool) {
		n++
		return n, n != 4
	}))
	want := map[string]report.Probe{"calm": {Min: 2, Mean: 2.5, Max: 3, Last: 3}, "storm": {Min: 3, Mean: 4, Max: 5, Last: 5}}
	check := func(where string, steps ...report.Step) {
		t.Helper()
		for _, s := range steps {
			if s.Probes["mine"] != want[s.Name] {
				t.Errorf("%s: %s has %v, want %v", where, s.Name, s.Probes["mine"], want[s.Name])
			}
		}
	}
	var samples []probe.Sample
	err := source.Run(t.Context(), func(e stream.Event) {
		switch e.Type {
		case stream.SampleTaken:
			samples = append(samples, e.Sample)
		case stream.StepFinished:
			check("the step", *e.StepResult)
		case stream.ScenarioFinished:
			check("the scenario", e.ScenarioResult.Steps...)
		case stream.RunFinished:
			check("the report", e.Report.Scenarios[0].Steps...)
			if e.Report.Scenarios[0].Steps[0].Probes["agents"].Last != 3 {
				t.Error("the report lost another probe")
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []probe.Sample{{"agents": 1, "mine": 1}, {"agents": 2, "mine": 2}, {"mine": 3}, {"agents": 3}, {"agents": 3, "mine": 5}} {
		if !maps.Equal(samples[i], want) {
			t.Errorf("sample %d is %v, want %v", i+1, samples[i], want)
		}
	}
	if len(events[1].Sample) != 1 || len(calm.Probes) != 1 || storm.Probes != nil {
		t.Error("what the source holds was changed")
	}
	if err := source.(stream.Steerable).Command(stream.Command{Do: stream.Stop}); !errors.Is(err, stream.ErrNotSteerable) {
		t.Errorf("a source that takes no commands: %v", err)
	}
}
