package stream

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"mabeam-top/internal/stress/report"
)

func TestCourseKeeper(t *testing.T) {
	var k CourseKeeper
	for _, e := range []Event{
		{T: 0, Type: SampleTaken, Sample: map[string]float64{"agents": 1}},
		{T: 0.1, Type: ScenarioStarted, Scenario: &Scenario{Name: "storm"}},
		{T: 0.2, Type: StepStarted, Step: &Step{Name: "one", Limits: []Limit{
			{Metric: "latency_ms.p99", Source: "threshold", Op: "<", Value: 5, Probe: "action_p99_ms", ProbeScale: 1},
			{Metric: "dropped", Source: "threshold", Op: "<", Value: 5},
			{Metric: "event_rate", Source: "baseline", Op: ">=", Value: 10, Probe: "completed_per_second", ProbeScale: 3},
		}}},
		{T: 0.3, Type: RepetitionStarted, Repetition: &Repetition{Step: "one", Number: 0}},
		{T: 0.5, Type: RepetitionStarted, Repetition: &Repetition{Step: "one", Number: 1}},
		{T: 0.6, Type: SampleTaken, Sample: map[string]float64{"action_p99_ms": 2, "agents": math.NaN()}},
		{T: 0.6, Type: FaultInjected, Fault: &Fault{Step: "one", Fault: "kill_agents 10/s"}},
		{T: 0.65, Type: FaultInjected, Fault: &Fault{Step: "one", Fault: "kill_agents 10/s"}},
		{T: 0.9, Type: FaultInjected, Fault: &Fault{Step: "one", Fault: "kill_agents 10/s"}},
		{T: 1, Type: StepFinished, StepResult: &report.Step{Name: "one"}},
		{T: 1, Type: StepStarted, Step: &Step{Name: "two"}},
		{T: 1.5, Type: SampleTaken, Sample: map[string]float64{"agents": 3}},
	} {
		k.Add(e)
	}
	c := k.Course()
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
	if got, want := c.Steps[0].Repetitions, []report.CourseRepetition{{Number: 0, At: 0.3}, {Number: 1, At: 0.5}}; !slices.Equal(got, want) {
		t.Errorf("repetitions %v", got)
	}
	if got, want := c.Steps[0].Limits, []report.CourseLimit{
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
func TestCourseKeeperKeepsFaultsOfRepetitionsApart(t *testing.T) {
	var k CourseKeeper
	fault := func(at float64, step string) {
		k.Add(Event{T: at, Type: FaultInjected, Fault: &Fault{Step: step, Fault: "kill_agents"}})
	}
	k.Add(Event{T: 0, Type: StepStarted, Step: &Step{Name: "one"}})
	k.Add(Event{T: 0, Type: StepStarted, Step: &Step{Name: "two"}})
	k.Add(Event{T: 1, Type: RepetitionStarted, Repetition: &Repetition{Step: "one", Number: 1}})
	fault(1.01, "one")
	fault(1.02, "two") // beside it
	fault(1.03, "one")
	k.Add(Event{T: 1.04, Type: RepetitionStarted, Repetition: &Repetition{Step: "one", Number: 2}})
	fault(1.05, "one")
	fault(1.06, "one")
	fault(1.07, "two")
	var got []string
	for _, f := range k.Course().Faults {
		got = append(got, fmt.Sprintf("%s %v ×%d", f.Step, f.At, f.Count))
	}
	if want := []string{"one 1.01 ×2", "two 1.02 ×2", "one 1.05 ×2"}; !slices.Equal(got, want) {
		t.Errorf("faults %v, want %v", got, want)
	}
}

// A run of any length is kept in bounded memory, evenly, and what was left out
// is counted.
func TestCourseKeeperThins(t *testing.T) {
	k := CourseKeeper{size: 8}
	const all = 1000
	for i := range all {
		k.Add(Event{T: float64(i), Type: SampleTaken, Sample: map[string]float64{"agents": float64(i)}})
	}
	c := k.Course()
	if len(c.Times) > 8 || len(c.Times) < 4 || len(c.Times) != len(c.Probes["agents"]) {
		t.Fatalf("%d samples and %d readings are kept", len(c.Times), len(c.Probes["agents"]))
	}
	if len(c.Times)+c.Thinned != all {
		t.Errorf("%d kept and %d left out of %d", len(c.Times), c.Thinned, all)
	}
	for i := range c.Times {
		if c.Probes["agents"][i] != c.Times[i] {
			t.Errorf("at %v the reading is %v", c.Times[i], c.Probes["agents"][i])
		}
		if i > 1 && c.Times[i]-c.Times[i-1] != c.Times[1]-c.Times[0] {
			t.Errorf("not even: %v", c.Times)
		}
	}
}
