package fold

import (
	"strings"
	"testing"
	"time"

	"mabeam-top/internal/probes/probe"
	"mabeam-top/internal/stress/report"
	"mabeam-top/internal/stress/stream"
)

// turns is a scenario of two groups whose repetitions take turns: a, and the
// pair b and c.
func turns() []stream.Event {
	step := func(name string, group int) stream.Event {
		return stream.Event{Type: stream.StepStarted, Step: &stream.Step{Name: name, Group: group, Repeat: 2}}
	}
	repetition := func(name string, n int) stream.Event {
		return stream.Event{Type: stream.RepetitionStarted, Repetition: &stream.Repetition{Step: name, Number: n, Of: 2}}
	}
	sample := func(agents float64) stream.Event {
		return stream.Event{Type: stream.SampleTaken, Sample: probe.Sample{"agents": agents}}
	}
	events := []stream.Event{
		{Type: stream.RunStarted, Run: &stream.Run{Scenarios: []string{"s"}}},
		{Type: stream.ScenarioStarted, Scenario: &stream.Scenario{Name: "s", StartedAt: time.Unix(0, 0), Steps: []string{"a", "b", "c"}}},
		step("a", 1), repetition("a", 1), sample(1),
		step("b", 2), step("c", 2), repetition("b", 1), repetition("c", 1), sample(20),
		repetition("a", 2), sample(3),
	}
	for i := range events {
		events[i].T = float64(i)
	}
	return events
}

// What is sampled belongs to the steps that have their turn.
func TestCollectorOfStepsInTurns(t *testing.T) {
	var c Collector
	for _, e := range turns() {
		c.Add(e)
	}
	steps := c.Report().Scenarios[0].Steps
	for i, want := range []struct {
		probe report.Probe
		says  string
	}{
		{report.Probe{Min: 1, Mean: 2, Max: 3, Last: 3}, "in repetition 2 of 2"},
		{report.Probe{Min: 20, Mean: 20, Max: 20, Last: 20}, "after repetition 1 of 2"},
		{report.Probe{Min: 20, Mean: 20, Max: 20, Last: 20}, "after repetition 1 of 2"},
	} {
		if got := steps[i].Probes["agents"]; got != want.probe || !strings.Contains(steps[i].Errors[0].Message, want.says) {
			t.Errorf("step %s: %+v, %v; want %+v, %s", steps[i].Name, got, steps[i].Errors, want.probe, want.says)
		}
	}
}

func TestTimelineOfStepsInTurns(t *testing.T) {
	var timeline Timeline
	var got []string
	for _, e := range turns() {
		timeline.Add(e)
		if e.Type != stream.SampleTaken {
			continue
		}
		var names string
		for _, s := range timeline.Snapshot().Active() {
			names += s.Step.Name
		}
		got = append(got, names)
	}
	if text := strings.Join(got, " "); text != "a bc a" {
		t.Errorf("active were %q, want a, then b and c, then a", text)
	}
}

func TestProgressOfStepsInTurns(t *testing.T) {
	var out strings.Builder
	p := Progress{Out: &out}
	var got []string
	for _, e := range turns() {
		p.Add(e)
		if e.Type == stream.SampleTaken {
			got = append(got, p.position())
		}
	}
	want := "s/a  repetition 1 of 2|s/b+c  repetition 1 of 2|s/a  repetition 2 of 2"
	if text := strings.Join(got, "|"); text != want {
		t.Errorf("told %q, want %q", text, want)
	}
}
