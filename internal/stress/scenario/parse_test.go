package scenario

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "write the golden files instead of comparing with them")

var testComponents = []string{"agent_creation", "event_stress", "registry"}

// testCatalogue has a parameter of every kind and a metric of every sort.
var testCatalogue = Catalogue{
	{
		Name: "agent-creation", Summary: "How fast are agents created?", Component: "agent_creation",
		Params: []Param{
			{Name: "agents", Kind: Int, Default: 1000, Min: 1, Max: 1e6, Doc: "How many agents are created."},
			{Name: "concurrency", Kind: Int, Default: 1, Min: 1, Doc: "By how many at once."},
			{Name: "rate", Kind: Rate, Doc: "How fast, if not as fast as it goes."},
		},
		Metrics:  []Metric{{Name: "agents_per_second", Unit: "1/s"}, {Name: "creation_time_ms", Unit: "ms", Distribution: true}},
		Estimate: func(p Params) time.Duration { return time.Duration(p.Int("agents")) * time.Millisecond },
		Check: func(p Params) error {
			if p.Int("concurrency") > p.Int("agents") {
				return fmt.Errorf("concurrency %d is more than the %d agents", p.Int("concurrency"), p.Int("agents"))
			}
			return nil
		},
	},
	{
		Name: "kinds", Summary: "What is there to ask with?", Targets: []Target{TargetAgents, TargetSubscribers, TargetComponents},
		Params: []Param{
			{Name: "count", Kind: Int, Default: 1},
			{Name: "factor", Kind: Float, Default: 1.5, Min: -10, Max: 10000},
			{Name: "share", Kind: Ratio, Default: 0.9, Min: 0, Max: 1},
			{Name: "wait", Kind: Duration, Default: 5 * time.Second, Min: 0.001, Max: 7200},
			{Name: "rate", Kind: Rate, Default: 10000.0, Min: 1, Max: 1e7},
			{Name: "memory", Kind: Size, Default: int64(64 << 20), Min: 1 << 20},
			{Name: "parallel", Kind: Bool, Default: true},
			{Name: "agent_type", Kind: Text, Default: "demo"},
			{Name: "mode", Kind: Text, Default: "fast", Choices: []string{"fast", "slow"}},
			{Name: "params", Kind: Map},
			{Name: "scenarios", Kind: List, Default: []Params{{"action": "ping"}}, Fields: []Param{
				{Name: "agent_type", Kind: Text, Default: "demo"},
				{Name: "action", Kind: Text, Default: "echo"},
				{Name: "params", Kind: Map},
				{Name: "agents", Kind: Int, Default: 1, Min: 1},
			}},
			{Name: "mix", Kind: Table, Default: Params{"ping": 0.7, "publish": 0.3}, Fields: []Param{
				{Name: "ping", Kind: Ratio, Default: 0.0, Min: 0, Max: 1},
				{Name: "publish", Kind: Ratio, Default: 0.0, Min: 0, Max: 1},
			}},
			{Name: "stages", Kind: Stages},
			{Name: "agent_counts", Kind: Ints, Default: []int{10, 100}, Min: 1, Max: 100000},
			{Name: "exhaust", Kind: Texts, Default: []string{"agents"}, Choices: []string{"agents", "memory", "files"}},
			{Name: "bandwidth", Kind: Size},
			{Name: "partition", Kind: Text, Choices: []string{"half"}},
		},
		Metrics: []Metric{
			{Name: "latency_ms", Unit: "ms", Distribution: true, Probe: "action_p50_ms"},
			{Name: "survived", Unit: "bool"},
			{Name: "memory", Unit: "bytes", Keyed: true},
			{Name: "success_rate", Unit: "ratio"},
			{Name: "success_rate_windowed", Unit: "ratio", Probe: "success"},
			{Name: "scaling", Unit: "text"},
		},
		Estimate:   func(p Params) time.Duration { return p.Duration("wait") },
		LoadLength: func(p Params) time.Duration { return p.Duration("wait") },
	},
}

func parseFile(t *testing.T, path string) ([]Scenario, error) {
	t.Helper()
	source, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return Parse(testCatalogue, testComponents, Document{File: filepath.Base(path), Source: source})
}

// fixtures returns the files of a folder of testdata, at least one.
func fixtures(t *testing.T, folder string) []string {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join("testdata", folder, "*.yaml"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("no fixtures in testdata/%s (%v)", folder, err)
	}
	return paths
}

func golden(t *testing.T, path, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("differs from %s; got:\n%s\nwant:\n%s", path, got, want)
	}
}

// All problems of a bad file are reported at once, each with its position.
func TestParseProblems(t *testing.T) {
	for _, path := range fixtures(t, "bad") {
		t.Run(filepath.Base(path), func(t *testing.T) {
			scenarios, err := parseFile(t, path)
			var problems Problems
			if !errors.As(err, &problems) || scenarios != nil {
				t.Fatalf("Parse = %v, %v; want no scenarios and problems", scenarios, err)
			}
			golden(t, strings.TrimSuffix(path, ".yaml")+".problems", err.Error()+"\n")
		})
	}
}

func TestParseProblemsOfContract(t *testing.T) {
	_, err := parseFile(t, "testdata/bad/contract.yaml")
	var problems Problems
	if !errors.As(err, &problems) || len(problems) != 3 {
		t.Fatalf("got %v, want 3 problems", err)
	}
	for i, want := range []struct {
		line int
		word string
	}{{5, "agents"}, {6, "repeets"}, {7, "no-such-thing"}} {
		if problems[i].Line != want.line || !strings.Contains(problems[i].Message, want.word) {
			t.Errorf("problem %d is %v, want one on line %d that names %s", i, problems[i], want.line, want.word)
		}
	}
}

func TestParseProblemsOfSeveralFiles(t *testing.T) {
	_, err := Parse(testCatalogue, testComponents,
		Document{"z.yaml", []byte("name: same\ntitle: T\nsteps: [{measure: kinds}]\nfoo: 1")},
		Document{"a.yaml", []byte("name: same\ntitle: T\nsteps: []")},
		Document{"empty.yaml", nil},
		Document{"latin1.yaml", []byte("name: x\ntitle: caf\xe9\n")},
		Document{"large.yaml", make([]byte, MaxSource+1)},
		Document{"deep.yaml", []byte("name: x\ntitle: " + strings.Repeat("[", 100_000))},
	)
	want := `z.yaml:4:1: unknown key "foo" in a scenario; expected one of name, title, description, tags, timeout, seed, system, steps
a.yaml:1:7: name: the scenario "same" already exists, at z.yaml:1; choose another name
a.yaml:3:8: steps: expected a list of steps such as [{measure: NAME}], not an empty list
empty.yaml:1:1: the file is empty; expected a scenario with name, title and steps
latin1.yaml:2:11: the file is not UTF-8 from here on; save it as UTF-8
large.yaml:1:1: the file is larger than 262144 bytes; split it
deep.yaml:2:72: brackets are nested more than 64 deep; remove some`
	if err == nil || err.Error() != want {
		t.Errorf("got:\n%v\nwant:\n%s", err, want)
	}
}

func TestParseFillsInDefaults(t *testing.T) {
	scenarios, err := parseFile(t, "testdata/good/minimal.yaml")
	if err != nil {
		t.Fatal(err)
	}
	kinds := testCatalogue.Find("kinds")
	want := []Scenario{{
		Name: "minimal", Title: "Minimal", Tags: []string{}, File: "minimal.yaml",
		Timeout: time.Minute, Seed: 1,
		System: System{Mailbox: 1024, BusPolicy: "block"},
		Groups: []Group{{{
			Name: "kinds", Measurement: kinds, Repeat: 1, Tolerance: 0.2,
			Params: Params{
				"count": 1, "factor": 1.5, "share": 0.9, "wait": 5 * time.Second, "rate": 10000.0, "memory": int64(64 << 20),
				"parallel": true, "agent_type": "demo", "mode": "fast",
				"scenarios":    []Params{{"agent_type": "demo", "action": "ping", "agents": 1}},
				"mix":          Params{"ping": 0.7, "publish": 0.3},
				"agent_counts": []int{10, 100}, "exhaust": []string{"agents"},
			},
		}}},
	}}
	if !reflect.DeepEqual(scenarios, want) {
		t.Errorf("got  %+v\nwant %+v", scenarios, want)
	}
	scenarios[0].Groups[0][0].Params.Ints("agent_counts")[0] = 99
	scenarios[0].Groups[0][0].Params.List("scenarios")[0]["action"] = "changed"
	scenarios[0].Groups[0][0].Params.Table("mix")["ping"] = 0.0
	if again, _ := parseFile(t, "testdata/good/minimal.yaml"); !reflect.DeepEqual(again, want) {
		t.Error("a scenario shares its parameters with the catalogue's defaults")
	}
}

func TestParseNamesSteps(t *testing.T) {
	scenarios, err := parseFile(t, "testdata/good/full.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, group := range scenarios[0].Groups {
		for _, step := range group {
			names = append(names, step.Name)
		}
		names = append(names, "|")
	}
	const want = "storm | agent-creation agent-creation-3 agent-creation-2 | agent-creation-4 |"
	if got := strings.Join(names, " "); got != want {
		t.Errorf("the steps are %s, want %s", got, want)
	}
}

func TestEstimate(t *testing.T) {
	source := `{name: e, title: E, steps: [
		{measure: kinds, with: {wait: 2s}, repeat: 3, warmup: 1s},
		{parallel: [{measure: kinds, with: {wait: 2s}}, {measure: agent-creation, with: {agents: 5000}, warmup: 100}]}]}`
	scenarios, err := Parse(testCatalogue, testComponents, Document{Source: []byte(source)})
	if err != nil {
		t.Fatal(err)
	}
	if got := scenarios[0].Estimate(); got != 12*time.Second {
		t.Errorf("the estimate is %v, want 3 × 2s + 1s + the longer of 2s and 5s", got)
	}
	if got := (Plan{Scenarios: append(scenarios, scenarios...)}).Estimate(); got != 24*time.Second {
		t.Errorf("the plan's estimate is %v, want twice 12s", got)
	}
}
