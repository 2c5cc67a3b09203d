package stream_test

import (
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"mabeam-top/internal/probes/probe"
	"mabeam-top/internal/stress/report"
	"mabeam-top/internal/stress/report/reporttest"
	"mabeam-top/internal/stress/stream"
	"mabeam-top/internal/stress/stream/streamtest"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

func compileSchema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	document, err := jsonschema.UnmarshalJSON(strings.NewReader(stream.SchemaJSON()))
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
	seen := map[stream.Type]bool{}
	for _, e := range streamtest.WholeRun() {
		line, err := json.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		if err := validate(t, schema, string(line)); err != nil {
			t.Errorf("%s: %v", line, err)
		}
		seen[e.Type] = true
	}
	for _, bare := range []stream.Event{
		{Type: stream.ScenarioStarted, Scenario: &stream.Scenario{}},
		{Type: stream.StepStarted, Step: &stream.Step{Repeat: 1}},
		{Type: stream.RunStarted, Run: &stream.Run{Schema: stream.Schema}},
		{Type: stream.SampleTaken, Sample: probe.Sample{"agents": 1}, Inspection: &stream.Inspection{
			Types: []stream.TypeState{{Type: "t", AtWork: stream.Durations{Count: 1, Buckets: []stream.DurationBucket{{UpToSeconds: 1, Count: 1}}}}}, TypesTotal: 1,
			OtherTypes: &stream.TypeState{}, Waits: []stream.WaitState{{}}, WaitsTotal: 1, Agent: &stream.AgentDetail{Summary: stream.AgentState{Lifecycle: "ready"}, Waits: []stream.WaitState{{}}},
			Supervisors: []stream.SupervisorState{{Children: []stream.ChildState{{Restart: "permanent", Below: &stream.SupervisorState{Unlisted: 1}}}}}, SupervisorsTotal: 1,
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
var payloads = map[stream.Type]string{
	stream.RunStarted: "run", stream.ScenarioStarted: "scenario", stream.StepStarted: "step", stream.RepetitionStarted: "repetition",
	stream.SampleTaken: "sample", stream.FaultInjected: "fault", stream.Logged: "log", stream.StepFinished: "step_result",
	stream.ScenarioFinished: "scenario_result", stream.RunFinished: "report",
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
	if err := json.Unmarshal([]byte(stream.SchemaJSON()), &schema); err != nil {
		t.Fatal(err)
	}
	records := map[string]any{
		"run": stream.Run{}, "scenario": stream.Scenario{}, "step": stream.Step{}, "limit": stream.Limit{}, "repetition": stream.Repetition{}, "fault": stream.Fault{}, "log": stream.Log{},
		"inspection": stream.Inspection{}, "agent_state": stream.AgentState{}, "agent_detail": stream.AgentDetail{}, "bus_event": stream.BusEvent{},
		"subscription_state": stream.SubscriptionState{}, "type_state": stream.TypeState{}, "durations": stream.Durations{}, "duration_bucket": stream.DurationBucket{},
		"wait_state": stream.WaitState{}, "supervisor_state": stream.SupervisorState{}, "child_state": stream.ChildState{},
	}
	objects := map[string]object{"event": schema.object}
	maps.Copy(objects, schema.Defs)
	delete(objects, "report") // another schema, with its own test
	for name, def := range objects {
		record := records[name]
		if name == "event" {
			record = stream.Event{}
		}
		if record == nil {
			t.Errorf("no record for %s", name)
			continue
		}
		var fields, always []string
		for _, f := range reflect.VisibleFields(reflect.TypeOf(record)) {
			field, options, _ := strings.Cut(f.Tag.Get("json"), ",")
			if field == "-" {
				continue
			}
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
		if want := payloads[stream.Type(kind)]; want == "" || !slices.Equal(one.Required, []string{want}) {
			t.Errorf("%s requires %v, want %s", kind, one.Required, want)
		}
	}
	if len(schema.OneOf) != len(payloads) {
		t.Errorf("%d types of events, want %d", len(schema.OneOf), len(payloads))
	}
}

// The schema has exactly the constants of the code. A floor is no limit of a step: it is
// not known before the step runs.
func TestSchemaHasEveryConstant(t *testing.T) {
	var schema struct {
		Properties map[string]struct{ Enum []string }
		Defs       map[string]struct {
			Properties map[string]struct{ Enum []string }
		} `json:"$defs"`
	}
	if err := json.Unmarshal([]byte(stream.SchemaJSON()), &schema); err != nil {
		t.Fatal(err)
	}
	declared := reporttest.Constants(t, ".")
	kinds := slices.DeleteFunc(reporttest.Constants(t, "../report")["CheckKind"], func(k string) bool { return k == string(report.KindFloor) })
	for name, c := range map[string]struct{ enum, declared []string }{
		"type":          {schema.Properties["type"].Enum, declared["Type"]},
		"inspection.by": {schema.Defs["inspection"].Properties["by"].Enum, declared["AgentOrder"]},
		"limit.source":  {schema.Defs["limit"].Properties["source"].Enum, kinds},
	} {
		if got, want := slices.Sorted(slices.Values(c.enum)), slices.Sorted(slices.Values(c.declared)); len(want) == 0 || !slices.Equal(got, want) {
			t.Errorf("%s: the schema has %q, the code %q", name, got, want)
		}
	}
}
