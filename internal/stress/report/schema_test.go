package report_test

import (
	"bytes"
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"mabeam-top/internal/stress/report"
	"mabeam-top/internal/stress/report/reporttest"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

func compileSchema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	document, err := jsonschema.UnmarshalJSON(strings.NewReader(report.SchemaJSON()))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft2020)
	c.AssertFormat()
	if err := c.AddResource("urn:mabeam-top:report:v1", document); err != nil {
		t.Fatal(err)
	}
	schema, err := c.Compile("urn:mabeam-top:report:v1")
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

func TestReportsAreValid(t *testing.T) {
	schema := compileSchema(t)
	for name, r := range reporttest.All() {
		t.Run(name, func(t *testing.T) {
			var b bytes.Buffer
			if err := report.Write(&b, r); err != nil {
				t.Fatal(err)
			}
			document, err := jsonschema.UnmarshalJSON(&b)
			if err != nil {
				t.Fatal(err)
			}
			if err := schema.Validate(document); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestSchemaRefuses(t *testing.T) {
	schema := compileSchema(t)
	for name, c := range map[string]struct{ from, to string }{
		"another schema":     {`"schema": "mabeam-top/report/v1"`, `"schema": "mabeam-top/report/v2"`},
		"an unknown field":   {`"seed": 42`, `"seed": 42, "seeds": 1`},
		"a missing field":    {`"seed": 42,`, ``},
		"a text for number":  {`"seed": 42`, `"seed": "42"`},
		"an unknown verdict": {`"verdict": "fail"`, `"verdict": "good"`},
		"an unknown unit":    {`"unit": "ms"`, `"unit": "µs"`},
		"info with baseline": {`"status": "exceed"`, `"status": "info"`},
		"judged without one": {`"status": "info"`, `"status": "pass"`},
		"ok without actual":  {`"actual": 0.99998`, `"actual": null`},
		"no time":            {`"started_at": "2026-03-14T01:59:26Z"`, `"started_at": "yesterday"`},
	} {
		t.Run(name, func(t *testing.T) {
			var b bytes.Buffer
			if err := report.Write(&b, reporttest.Failed()); err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(b.String(), c.from) {
				t.Fatalf("%s is not in the report", c.from)
			}
			document, err := jsonschema.UnmarshalJSON(strings.NewReader(strings.Replace(b.String(), c.from, c.to, 1)))
			if err != nil {
				t.Fatal(err)
			}
			if schema.Validate(document) == nil {
				t.Error("valid all the same")
			}
		})
	}
}

// The schema has exactly the fields of the records.
func TestSchemaHasEveryField(t *testing.T) {
	var schema struct {
		Defs map[string]struct {
			Properties           map[string]any `json:"properties"`
			Required             []string       `json:"required"`
			AdditionalProperties any            `json:"additionalProperties"`
		} `json:"$defs"`
	}
	if err := json.Unmarshal([]byte(report.SchemaJSON()), &schema); err != nil {
		t.Fatal(err)
	}
	records := map[string]any{
		"report": report.Report{}, "tool": report.Tool{}, "host": report.Host{}, "scenario": report.Scenario{}, "step": report.Step{}, "metric": report.Metric{},
		"distribution": report.Distribution{}, "threshold": report.Threshold{}, "operations": report.Operations{}, "error": report.Error{},
		"fault": report.Fault{}, "hit": report.Target{}, "repetitions": report.Repetitions{}, "probe": report.Probe{}, "floor": report.Floor{}, "interval": report.Interval{}, "regression": report.Regression{}, "regression_metric": report.RegressionMetric{},
	}
	for name, record := range records {
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
		def := schema.Defs[name]
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
	for name, def := range schema.Defs {
		if _, ok := records[name]; !ok && def.Properties != nil {
			t.Errorf("no record for %s", name)
		}
	}
}

// The schema has exactly the constants of the code.
func TestSchemaHasEveryConstant(t *testing.T) {
	var schema struct {
		Defs map[string]struct {
			Enum       []string
			Properties map[string]struct{ Enum []string }
		} `json:"$defs"`
	}
	if err := json.Unmarshal([]byte(report.SchemaJSON()), &schema); err != nil {
		t.Fatal(err)
	}
	declared := reporttest.Constants(t, ".")
	for kind, enum := range map[string][]string{
		"Verdict": schema.Defs["verdict"].Enum, "Grade": schema.Defs["report"].Properties["grade"].Enum,
		"Better": schema.Defs["metric"].Properties["better"].Enum, "Status": schema.Defs["metric"].Properties["status"].Enum,
		"ErrorKind": schema.Defs["error"].Properties["kind"].Enum, "Change": schema.Defs["regression_metric"].Properties["verdict"].Enum,
	} {
		if got, want := slices.Sorted(slices.Values(enum)), slices.Sorted(slices.Values(declared[kind])); !slices.Equal(got, want) {
			t.Errorf("%s: the schema has %q, the code %q", kind, got, want)
		}
	}
}
