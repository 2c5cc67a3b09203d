package stream

import (
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

func compileSchema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	document, err := jsonschema.UnmarshalJSON(strings.NewReader(SchemaJSON()))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource("urn:mabeam-top:events:v1", document); err != nil {
		t.Fatal(err)
	}
	schema, err := c.Compile("urn:mabeam-top:events:v1")
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

func validate(t *testing.T, schema *jsonschema.Schema, event string) error {
	t.Helper()
	document, err := jsonschema.UnmarshalJSON(strings.NewReader(event))
	if err != nil {
		t.Fatal(err)
	}
	return schema.Validate(document)
}

func TestEventsAreValid(t *testing.T) {
	schema := compileSchema(t)
	seen := map[Type]bool{}
	for _, e := range wholeRun() {
		line, err := json.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		if err := validate(t, schema, string(line)); err != nil {
			t.Errorf("%s: %v", line, err)
		}
		seen[e.Type] = true
	}
	for _, bare := range []Event{
		{Type: ScenarioStarted, Scenario: &Scenario{}},
		{Type: StepStarted, Step: &Step{Repeat: 1}},
		{Type: RunStarted, Run: &Run{Schema: Schema}},
		{Type: SampleTaken, Sample: map[string]float64{"agents": 1}, Inspection: &Inspection{
			Types: []TypeState{{Type: "t", AtWork: Durations{Count: 1, Buckets: []DurationBucket{{UpToSeconds: 1, Count: 1}}}}}, TypesTotal: 1,
			OtherTypes: &TypeState{}, Waits: []WaitState{{}}, WaitsTotal: 1, Agent: &AgentDetail{Summary: AgentState{Lifecycle: "ready"}, Waits: []WaitState{{}}},
			Supervisors: []SupervisorState{{Children: []ChildState{{Restart: "permanent", Below: &SupervisorState{Unlisted: 1}}}}}, SupervisorsTotal: 1,
		}},
	} {
		line, err := json.Marshal(bare)
		if err != nil {
			t.Fatal(err)
		}
		if err := validate(t, schema, string(line)); err != nil {
			t.Errorf("without any entries: %s: %v", line, err)
		}
	}
	if len(seen) != len(payloads) {
		t.Errorf("the run has events of %d types, there are %d", len(seen), len(payloads))
	}
}

func TestSchemaRefuses(t *testing.T) {
	schema := compileSchema(t)
	for name, event := range map[string]string{
		"no type":         `{"t": 1}`,
		"no time":         `{"type": "sample", "sample": {}}`,
		"an unknown type": `{"t": 1, "type": "nap"}`,
		"no payload":      `{"t": 1, "type": "sample"}`,
		"another payload": `{"t": 1, "type": "sample", "log": {"level": "info", "message": ""}}`,
		"two payloads":    `{"t": 1, "type": "sample", "sample": {}, "log": {"level": "info", "message": ""}}`,
		"a text as probe": `{"t": 1, "type": "sample", "sample": {"agents": "3"}}`,
		"a broken report": `{"t": 1, "type": "run_finished", "report": {}}`,
	} {
		if validate(t, schema, event) == nil {
			t.Errorf("%s is valid: %s", name, event)
		}
	}
}

// payloads are the fields that the types of events carry.
var payloads = map[Type]string{
	RunStarted: "run", ScenarioStarted: "scenario", StepStarted: "step", RepetitionStarted: "repetition",
	SampleTaken: "sample", FaultInjected: "fault", Logged: "log", StepFinished: "step_result",
	ScenarioFinished: "scenario_result", RunFinished: "report",
}

// TestSchemaHasEveryField holds the schema against the records, both ways.
func TestSchemaHasEveryField(t *testing.T) {
	type object struct {
		Properties           map[string]any `json:"properties"`
		Required             []string       `json:"required"`
		AdditionalProperties any            `json:"additionalProperties"`
	}
	var schema struct {
		object
		OneOf []struct {
			Properties map[string]any `json:"properties"`
			Required   []string       `json:"required"`
		} `json:"oneOf"`
		Defs map[string]object `json:"$defs"`
	}
	if err := json.Unmarshal([]byte(SchemaJSON()), &schema); err != nil {
		t.Fatal(err)
	}
	records := map[string]any{
		"run": Run{}, "scenario": Scenario{}, "step": Step{}, "limit": Limit{}, "repetition": Repetition{}, "fault": Fault{}, "log": Log{},
		"inspection": Inspection{}, "agent_state": AgentState{}, "agent_detail": AgentDetail{}, "bus_event": BusEvent{},
		"subscription_state": SubscriptionState{}, "type_state": TypeState{}, "durations": Durations{}, "duration_bucket": DurationBucket{},
		"wait_state": WaitState{}, "supervisor_state": SupervisorState{}, "child_state": ChildState{},
	}
	objects := map[string]object{"event": schema.object}
	maps.Copy(objects, schema.Defs)
	delete(objects, "report") // another schema, with its own test
	for name, def := range objects {
		record := records[name]
		if name == "event" {
			record = Event{}
		}
		if record == nil {
			t.Errorf("no record for %s", name)
			continue
		}
		var fields, always []string
		for _, f := range reflect.VisibleFields(reflect.TypeOf(record)) {
			field, options, _ := strings.Cut(f.Tag.Get("json"), ",")
			fields = append(fields, field)
			if options != "omitempty" {
				always = append(always, field)
			}
		}
		slices.Sort(fields)
		slices.Sort(always)
		if got := slices.Sorted(maps.Keys(def.Properties)); !slices.Equal(got, fields) {
			t.Errorf("%s: the schema has %v, the record %v", name, got, fields)
		}
		if got := slices.Sorted(slices.Values(def.Required)); !slices.Equal(got, always) {
			t.Errorf("%s: the schema requires %v, the record always writes %v", name, got, always)
		}
		if def.AdditionalProperties != false {
			t.Errorf("%s is not closed", name)
		}
	}
	if len(objects) != len(records)+1 {
		t.Errorf("%d objects for %d records", len(objects), len(records)+1)
	}
	for _, one := range schema.OneOf {
		kind, _ := one.Properties["type"].(map[string]any)["const"].(string)
		if want := payloads[Type(kind)]; want == "" || !slices.Equal(one.Required, []string{want}) {
			t.Errorf("%s requires %v, want %s", kind, one.Required, want)
		}
	}
	if len(schema.OneOf) != len(payloads) {
		t.Errorf("%d types of events, want %d", len(schema.OneOf), len(payloads))
	}
}
