package scenario

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"
)

const overridable = `{name: o, title: O, steps: [
	{measure: kinds, name: storm, with: {bandwidth: 1MB}},
	{parallel: [{measure: agent-creation}, {measure: agent-creation, name: few, with: {agents: 5}}]}]}`

func overridableScenarios(t *testing.T) []Scenario {
	t.Helper()
	scenarios, err := Parse(testCatalogue, testComponents, Document{File: "o.yaml", Source: []byte(overridable)})
	if err != nil {
		t.Fatal(err)
	}
	return scenarios
}

func TestNewPlan(t *testing.T) {
	scenarios := overridableScenarios(t)
	repeat, seed, timeout, tolerance := 7, uint64(0), time.Hour, 0.0
	plan, err := NewPlan(scenarios, Overrides{
		Set: []string{
			"agents=50", "few.agents=60", "storm.mix={ping: 70%}", "rate=5/s", "bandwidth=none", "wait=1s", "wait=2s",
			"agent_counts=[1, 2]", `agent_type="123"`, "storm.stages=[{rate: 1/s, for: 1s}]",
		},
		Repeat: &repeat, Seed: &seed, Timeout: &timeout, Tolerance: &tolerance,
	})
	if err != nil {
		t.Fatal(err)
	}
	got := plan.Scenarios[0]
	storm, many, few := got.Groups[0][0], got.Groups[1][0], got.Groups[1][1]
	for name, want := range map[string]any{
		"mix": Params{"ping": 0.7, "publish": 0.0}, "rate": 5.0, "bandwidth": nil, "wait": 2 * time.Second,
		"agent_counts": []int{1, 2}, "agent_type": "123", "stages": []Stage{{Rate: 1, For: time.Second}}, "count": 1,
	} {
		if !reflect.DeepEqual(storm.Params[name], want) {
			t.Errorf("storm.%s is %v, want %v", name, storm.Params[name], want)
		}
	}
	if many.Params.Int("agents") != 50 || few.Params.Int("agents") != 60 || many.Params.Float("rate") != 5 {
		t.Errorf("the agents are %v and %v, want 50 and 60, and the rate 5/s", many.Params, few.Params)
	}
	if got.Seed != 0 || got.Timeout != time.Hour {
		t.Errorf("seed and timeout are %d and %v, want 0 and 1h", got.Seed, got.Timeout)
	}
	for _, step := range plan.steps() {
		if step.Repeat != 7 || step.Tolerance != 0 {
			t.Errorf("%s: repeat and tolerance are %d and %v, want 7 and 0", step.Name, step.Repeat, step.Tolerance)
		}
	}
	roundTrip(t, got)
	if !reflect.DeepEqual(scenarios, overridableScenarios(t)) {
		t.Error("NewPlan changed the scenarios that it was given")
	}
}

func TestNewPlanWithoutOverrides(t *testing.T) {
	scenarios := overridableScenarios(t)
	plan, err := NewPlan(scenarios, Overrides{})
	if err != nil || !reflect.DeepEqual(plan.Scenarios, scenarios) {
		t.Errorf("got %+v, %v; want the scenarios as they are", plan, err)
	}
}

func TestNewPlanProblems(t *testing.T) {
	repeat, timeout, tolerance := 0, -time.Second, 11.0
	_, err := NewPlan(overridableScenarios(t), Overrides{
		Set: []string{
			"agents", "=5", "agnets=5", "strom.wait=5s", "few.wait=5s", "few.agent=5", "agents=many", "agents=", "agents=0",
			"storm.mix={pnig: 70%}", "wait=5", "count=[1", "count=1\n---\n2", "mode=none",
		},
		Repeat: &repeat, Timeout: &timeout, Tolerance: &tolerance,
	})
	want := `--set agents: expected STEP.PARAM=VALUE or PARAM=VALUE
--set =5: expected STEP.PARAM=VALUE or PARAM=VALUE
--set agnets=5: no step has the parameter "agnets"; did you mean "agents"?
--set strom.wait=5s: no step has the name "strom"; did you mean "storm"?
--set few.wait=5s: the step "few" has no parameter "wait"; expected one of agents, concurrency, rate
--set few.agent=5: the step "few" has no parameter "agent"; did you mean "agents"?
--set agents=many: agents: expected a whole number such as 1000, not the text "many"
--set agents=: agents: expected a whole number such as 1000, not an empty value
--set agents=0: agents: 0 is too small; the minimum is 1
--set storm.mix={pnig: 70%}: unknown key "pnig" in mix; did you mean "ping"?
--set wait=5: wait: expected a duration such as 5s or 200ms, not 5 without a unit
--set count=[1: not YAML: sequence end token ']' not found
--set "count=1\n---\n2": expected one value, not several documents
--set mode=none: mode: unknown value "none"; expected one of fast, slow
--timeout: timeout: -1s is too small; the minimum is 1ms
--repeat: repeat: 0 is too small; the minimum is 1
--tolerance: tolerance: 1100% is too large; the maximum is 1000%`
	if err == nil || err.Error() != want {
		t.Errorf("got:\n%v\nwant:\n%s", err, want)
	}
}

// Overridden parameters that are valid each can fail to fit together.
func TestNewPlanChecksSteps(t *testing.T) {
	_, err := NewPlan(overridableScenarios(t), Overrides{Set: []string{"concurrency=6"}})
	const want = "--set: step few: concurrency 6 is more than the 5 agents"
	if err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

// Every check that a file has passed is repeated with the overridden parameters.
func TestNewPlanChecksLoads(t *testing.T) {
	const source = `{name: o, title: O, steps: [
	{measure: kinds, name: faulty, with: {wait: 3s}, faults: [{kill_agents: 5, from: 2s}, {garbage: 1/s}]},
	{parallel: [{measure: kinds, name: watched, with: {wait: 3s}, thresholds: {latency_ms.p50: {is: "< 5", window: 1s, after: 1s}}}, {measure: agent-creation}]}]}`
	scenarios, err := Parse(testCatalogue, testComponents, Document{File: "o.yaml", Source: []byte(source)})
	if err != nil {
		t.Fatal(err)
	}
	const (
		late     = "kill_agents: the fault begins at 2 s, but the load ends after %s, so nothing would be injected; use an earlier from or a longer load"
		unfilled = "latency_ms.p50: the first window ends after 2 s, but the load ends after %s, with the last sample up to 100 ms before that, so the condition would never be evaluated; use a shorter window and after, or a longer load"
	)
	for _, c := range []struct {
		set  []string
		want []string
	}{
		{[]string{"wait=10s"}, nil},
		{[]string{"wait=2100ms"}, nil},
		{[]string{"count=5"}, nil},
		{[]string{"wait=500ms"}, []string{"--set: step faulty: " + fmt.Sprintf(late, "500 ms"), "--set: step watched: " + fmt.Sprintf(unfilled, "500 ms")}},
		{[]string{"faulty.wait=2s"}, []string{"--set: step faulty: " + fmt.Sprintf(late, "2 s")}},
		{[]string{"watched.wait=2s"}, []string{"--set: step watched: " + fmt.Sprintf(unfilled, "2 s")}},
		{[]string{"wait=500ms", "wait=3s"}, nil},
	} {
		_, err := NewPlan(scenarios, Overrides{Set: c.set})
		if want := strings.Join(c.want, "\n"); (err != nil || want != "") && (err == nil || err.Error() != want) {
			t.Errorf("%q: got\n%v\nwant\n%s", c.set, err, want)
		}
	}
	again, err := Parse(testCatalogue, testComponents, Document{File: "p.yaml", Source: []byte(strings.Replace(source, "{name: o", "{name: p", 1))})
	if err != nil {
		t.Fatal(err)
	}
	_, err = NewPlan(append(scenarios, again...), Overrides{Set: []string{"faulty.wait=1s"}})
	if err == nil || !strings.Contains(err.Error(), "--set: step faulty of o: ") || !strings.Contains(err.Error(), "--set: step faulty of p: ") {
		t.Errorf("of two scenarios: %v", err)
	}
}

func TestParseRatio(t *testing.T) {
	for s, want := range map[string]float64{"20%": 0.2, "0.2": 0.2, "7%": 0.07, "0": 0, "150%": 1.5, "1e-1": 0.1} {
		if got, err := ParseRatio(s); err != nil || got != want {
			t.Errorf("ParseRatio(%q) = %v, %v; want %v", s, got, err, want)
		}
	}
	for _, s := range []string{"", "a fifth", "20 %", "NaN", "1e999", "%", "true"} {
		if got, err := ParseRatio(s); err == nil {
			t.Errorf("ParseRatio(%q) = %v, want an error", s, got)
		}
	}
}
