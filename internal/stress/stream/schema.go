package stream

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"sync"

	"mabeam-top/internal/stress/report"
)

//go:embed schema.json
var schemaJSON []byte

// SchemaJSON returns the JSON Schema (2020-12) of one event, which is one line of the
// stream. It is self-contained: it embeds the schema of the report.
func SchemaJSON() string { return bundled() }

var bundled = sync.OnceValue(func() string {
	var schema struct {
		Schema      string                     `json:"$schema"`
		ID          string                     `json:"$id"`
		Title       string                     `json:"title"`
		Description string                     `json:"description"`
		Type        string                     `json:"type"`
		Closed      bool                       `json:"additionalProperties"`
		Required    []string                   `json:"required"`
		Properties  json.RawMessage            `json:"properties"`
		OneOf       json.RawMessage            `json:"oneOf"`
		Defs        map[string]json.RawMessage `json:"$defs"`
	}
	if err := json.Unmarshal(schemaJSON, &schema); err != nil {
		panic(fmt.Sprintf("schema of the event stream: %v", err)) // embedded in the program and tested
	}
	schema.Defs["report"] = json.RawMessage(report.SchemaJSON())
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(schema); err != nil {
		panic(fmt.Sprintf("schema of the event stream: %v", err))
	}
	return out.String()
})

// The records that start a run, scenario or step encode empty lists and tables as [] and
// {}, as those of the report do.

// MarshalJSON implements json.Marshaler.
func (r Run) MarshalJSON() ([]byte, error) {
	type plain Run
	p := plain(r)
	p.Command, p.Scenarios = report.OrEmpty(r.Command), report.OrEmpty(r.Scenarios)
	return report.MarshalUnescaped(p)
}

// MarshalJSON implements json.Marshaler.
func (s Scenario) MarshalJSON() ([]byte, error) {
	type plain Scenario
	p := plain(s)
	p.Tags, p.Steps = report.OrEmpty(s.Tags), report.OrEmpty(s.Steps)
	return report.MarshalUnescaped(p)
}

// MarshalJSON implements json.Marshaler.
func (s Step) MarshalJSON() ([]byte, error) {
	type plain Step
	p := plain(s)
	p.Limits, p.Params = report.OrEmpty(s.Limits), report.OrEmptyMap(s.Params)
	return report.MarshalUnescaped(p)
}
