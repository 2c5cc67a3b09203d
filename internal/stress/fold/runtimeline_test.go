package fold

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"mabeam-top/internal/probes/probe"
	"mabeam-top/internal/stress/report"
	"mabeam-top/internal/stress/stream"
	"mabeam-top/internal/stress/stream/streamtest"
)

func TestTimelineOfARun(t *testing.T) {
	var k Timeline
	for _, e := range []stream.Event{
		{T: 0, Type: stream.SampleTaken, Sample: probe.Sample{"agents": 1}},
		{T: 0.1, Type: stream.ScenarioStarted, Scenario: &stream.Scenario{Name: "storm"}},
		{T: 0.2, Type: stream.StepStarted, Step: &stream.Step{Name: "one", Limits: []stream.Limit{
			{Metric: "latency_ms.p99", Source: "threshold", Op: "<", Value: 5, Probe: "action_p99_ms", ProbeScale: 1},
			{Metric: "dropped", Source: "threshold", Op: "<", Value: 5},
			{Metric: "event_rate", Source: "baseline", Op: ">=", Value: 10, Probe: "completed_per_second", ProbeScale: 3},
		}}},
		{T: 0.3, Type: stream.RepetitionStarted, Repetition: &stream.Repetition{Step: "one", Number: 0}},
		{T: 0.5, Type: stream.RepetitionStarted, Repetition: &stream.Repetition{Step: "one", Number: 1}},
		{T: 0.6, Type: stream.SampleTaken, Sample: probe.Sample{"action_p99_ms": 2, "agents": math.NaN()}},
		{T: 0.6, Type: stream.FaultInjected, Fault: &stream.Fault{Step: "one", Fault: "kill_agents 10/s"}},
		{T: 0.65, Type: stream.FaultInjected, Fault: &stream.Fault{Step: "one", Fault: "kill_agents 10/s"}},
		{T: 0.9, Type: stream.FaultInjected, Fault: &stream.Fault{Step: "one", Fault: "kill_agents 10/s"}},
		{T: 1, Type: stream.StepFinished, StepResult: &report.Step{Name: "one"}},
		{T: 1, Type: stream.StepStarted, Step: &stream.Step{Name: "two"}},
		{T: 1.5, Type: stream.SampleTaken, Sample: probe.Sample{"agents": 3}},
	} {
		k.Add(e)
	}
	c := k.Snapshot().Timeline()
	if want := []float64{0, 0.6, 1.5}; !slices.Equal(c.Times, want) {
		t.Errorf("times %v, want %v", c.Times, want)
	}
	if got := c.Probes["agents"]; len(got) != 3 || got[0] != 1 || !math.IsNaN(got[1]) || got[2] != 3 {
		t.Errorf("agents %v", got)
	}
	if got := c.Probes["action_p99_ms"]; len(got) != 3 || !math.IsNaN(got[0]) || got[1] != 2 || !math.IsNaN(got[2]) {
		t.Errorf("action_p99_ms %v", got)
	}
	if len(c.Steps) != 2 || c.Steps[0].Scenario != "storm" || c.Steps[0].From != 0.2 || c.Steps[0].To != 1 || c.Steps[1].To != 1.5 {
		t.Fatalf("steps %+v", c.Steps)
	}
	if got, want := c.Steps[0].Repetitions, []report.TimelineRepetition{{Number: 0, At: 0.3}, {Number: 1, At: 0.5}}; !slices.Equal(got, want) {
		t.Errorf("repetitions %v", got)
	}
	if got, want := c.Steps[0].Limits, []report.TimelineLimit{
		{Metric: "latency_ms.p99", Source: "threshold", Op: "<", Probe: "action_p99_ms", Value: 5},
		{Metric: "event_rate", Source: "baseline", Op: ">=", Probe: "completed_per_second", Value: 30},
	}; !slices.Equal(got, want) {
		t.Errorf("limits %v", got)
	}
	if len(c.Faults) != 2 || c.Faults[0].Count != 2 || c.Faults[1].Count != 1 {
		t.Errorf("faults %v", c.Faults)
	}
}

// Faults that follow each other closely are not one if another repetition, or another
// step, has begun in between.
func TestFaultsOfRepetitionsStayApart(t *testing.T) {
	var k Timeline
	fault := func(at float64, step string) {
		k.Add(stream.Event{T: at, Type: stream.FaultInjected, Fault: &stream.Fault{Step: step, Fault: "kill_agents"}})
	}
	k.Add(stream.Event{T: 0, Type: stream.StepStarted, Step: &stream.Step{Name: "one"}})
	k.Add(stream.Event{T: 0, Type: stream.StepStarted, Step: &stream.Step{Name: "two"}})
	k.Add(stream.Event{T: 1, Type: stream.RepetitionStarted, Repetition: &stream.Repetition{Step: "one", Number: 1}})
	fault(1.01, "one")
	fault(1.02, "two") // beside it
	fault(1.03, "one")
	k.Add(stream.Event{T: 1.04, Type: stream.RepetitionStarted, Repetition: &stream.Repetition{Step: "one", Number: 2}})
	fault(1.05, "one")
	fault(1.06, "one")
	fault(1.07, "two")
	var got []string
	for _, f := range k.Snapshot().Timeline().Faults {
		got = append(got, fmt.Sprintf("%s %v ×%d", f.Step, f.At, f.Count))
	}
	if want := []string{"one 1.01 ×2", "two 1.02 ×2", "one 1.05 ×2"}; !slices.Equal(got, want) {
		t.Errorf("faults %v, want %v", got, want)
	}
}

// A run of any length is kept in bounded memory, and what was left out is counted.
func TestTimelineIsThinned(t *testing.T) {
	k := Timeline{Samples: 64}
	const all = 10_000
	for i := range all {
		k.Add(stream.Event{T: float64(i), Type: stream.SampleTaken, Sample: probe.Sample{"agents": float64(i)}})
	}
	c := k.Snapshot().Timeline()
	if len(c.Times) > 64 || len(c.Times) < 32 || len(c.Times) != len(c.Probes["agents"]) {
		t.Fatalf("%d samples and %d readings are kept", len(c.Times), len(c.Probes["agents"]))
	}
	if len(c.Times)+c.Thinned != all {
		t.Errorf("%d kept and %d left out of %d", len(c.Times), c.Thinned, all)
	}
	for i := range c.Times {
		if c.Probes["agents"][i] != c.Times[i] {
			t.Errorf("at %v the reading is %v", c.Times[i], c.Probes["agents"][i])
		}
	}
}

// A recording that was thinned when it was read is drawn as it is.
func TestTimelineOf(t *testing.T) {
	r := streamtest.Recording(300)
	r.Thinned = 7
	c := TimelineOf(r)
	if len(c.Times) != 3000 || c.Thinned != 7 || len(c.Faults) != 30 || c.Steps[0].To != 300 {
		t.Errorf("%d samples, %d thinned, %d faults, steps %+v", len(c.Times), c.Thinned, len(c.Faults), c.Steps)
	}
}
