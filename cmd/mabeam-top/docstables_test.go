package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/spf13/pflag"

	"mabeam-top/internal/probes/probe"
	"mabeam-top/internal/stress/reference"
	"mabeam-top/internal/stress/report"
	"mabeam-top/internal/stress/scenario"
	"mabeam-top/internal/stress/verdict"
)

// This file makes the generated tables of the documentation.

func commandTable(*testing.T) string {
	rows := table{{"command", "meaning", "flags of its own"}}
	for _, c := range (&app{}).rootCommand().Commands() {
		if !c.IsAvailableCommand() {
			continue
		}
		var names []string
		c.Flags().VisitAll(func(f *pflag.Flag) { names = append(names, code("--"+f.Name)) })
		rows = append(rows, []string{code("mabeam-top " + strings.TrimSuffix(c.Use, " [flags]")), sentence(c.Short), strings.Join(names, ", ")})
	}
	return rows.String()
}

func flagTables(*testing.T) string {
	groups := map[string]table{}
	var order []string
	flags := (&app{}).rootCommand().Flags()
	flags.SortFlags = false
	flags.VisitAll(func(f *pflag.Flag) {
		group := cmp.Or(strings.Join(f.Annotations[flagGroup], ""), "Other")
		if groups[group] == nil {
			order, groups[group] = append(order, group), table{{"flag", "meaning"}}
		}
		placeholder, usage := pflag.UnquoteUsage(f)
		name := strings.TrimSpace("--" + f.Name + " " + placeholder)
		if f.Shorthand != "" {
			name = "-" + f.Shorthand + ", " + name
		}
		groups[group] = append(groups[group], []string{code(name), sentence(usage)})
	})
	var b strings.Builder
	for i, group := range order {
		if i > 0 {
			b.WriteString("\n")
		}
		fmt.Fprintf(&b, "### %s\n\n%s", group, groups[group])
	}
	return b.String()
}

func scenarioTable(t *testing.T) string {
	scenarios, err := parse(builtin())
	if err != nil {
		t.Fatal(err)
	}
	rows := table{{"scenario", "description", "tags"}}
	for _, s := range scenarios {
		rows = append(rows, []string{code(s.Name), s.Description, strings.Join(s.Tags, ", ")})
	}
	return rows.String()
}

// A jsonSchema is what the tables need of a JSON Schema.
type jsonSchema struct {
	Description string                `json:"description"`
	Type        any                   `json:"type"`
	Default     any                   `json:"default"`
	Enum        []any                 `json:"enum"`
	Properties  map[string]jsonSchema `json:"properties"`
	Required    []string              `json:"required"`
	Items       *jsonSchema           `json:"items"`
	AnyOf       []jsonSchema          `json:"anyOf"`
	Defs        map[string]jsonSchema `json:"$defs"`
}

func schemaOf(t *testing.T, kind string) jsonSchema {
	t.Helper()
	var s jsonSchema
	if err := json.Unmarshal(output(t, "schema", kind), &s); err != nil {
		t.Fatal(err)
	}
	return s
}

// flow writes a value in the notation of a scenario file.
func flow(v any) string {
	switch v := v.(type) {
	case []any:
		items := make([]string, len(v))
		for i := range v {
			items[i] = flow(v[i])
		}
		return "[" + strings.Join(items, ", ") + "]"
	case map[string]any:
		var items []string
		for _, key := range slices.Sorted(maps.Keys(v)) {
			items = append(items, key+": "+flow(v[key]))
		}
		return "{" + strings.Join(items, ", ") + "}"
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	case string:
		return cmp.Or(v, `""`)
	}
	return fmt.Sprint(v)
}

// keyTable describes the keys of a mapping in a scenario file, the named ones
// first.
func keyTable(s jsonSchema, first ...string) string {
	keys := first
	for _, key := range slices.Sorted(maps.Keys(s.Properties)) {
		if !slices.Contains(first, key) {
			keys = append(keys, key)
		}
	}
	rows := table{{"key", "default", "meaning"}}
	for _, key := range keys {
		p, fallback := s.Properties[key], ""
		switch {
		case p.Default != nil:
			fallback = code(flow(p.Default))
		case slices.Contains(s.Required, key):
			fallback = "required"
		case p.AnyOf != nil:
			fallback = "none"
		}
		rows = append(rows, []string{code(key), fallback, meaning(p)})
	}
	return rows.String()
}

// meaning is the description of a key, with its choices and the keys of its
// entries.
func meaning(p jsonSchema) string {
	text := p.Description
	if p.Enum != nil {
		choices := make([]string, len(p.Enum))
		for i, choice := range p.Enum {
			choices[i] = code(flow(choice))
		}
		text += " One of " + strings.Join(choices, ", ") + "."
	}
	entries := p.Properties
	if p.Items != nil && p.Items.Properties != nil {
		entries = p.Items.Properties
	}
	for _, key := range slices.Sorted(maps.Keys(entries)) {
		text += " " + code(key) + ": " + strings.TrimSuffix(meaning(entries[key]), ".") + "."
	}
	return strings.TrimSpace(text)
}

func scenarioKeyTable(t *testing.T) string {
	s := schemaOf(t, "scenario")
	steps, system := s.Properties["steps"], s.Properties["system"]
	steps.Description, steps.Items = cmp.Or(steps.Description, "The steps, see [below](#steps)."), nil
	system.Properties, system.Default = nil, nil
	system.Description = strings.TrimSuffix(system.Description, ".") + ", see [below](#system)."
	s.Properties["steps"], s.Properties["system"] = steps, system
	return keyTable(s, "name", "title", "description", "tags", "timeout", "seed", "system", "steps")
}

func systemKeyTable(t *testing.T) string {
	return keyTable(schemaOf(t, "scenario").Properties["system"])
}

func stepKeyTable(t *testing.T) string {
	s := schemaOf(t, "scenario").Defs["step"]
	delete(s.Properties, "faults")
	s.Required = []string{"measure"}
	s.Properties["with"] = jsonSchema{Description: "The parameters of the measurement, see [measurements.md](measurements.md)."}
	return keyTable(s, "measure", "name", "with", "warmup", "repeat", "baseline", "tolerance", "thresholds")
}

func faultTable(t *testing.T) string {
	rows := table{{"fault", "parameters (default)", "meaning"}}
	for _, fault := range schemaOf(t, "scenario").Defs["step"].Properties["faults"].Items.AnyOf {
		kind := fault.Required[0]
		var params []string
		for _, name := range slices.Sorted(maps.Keys(fault.Properties)) {
			if p := fault.Properties[name]; name != kind && name != "from" && name != "until" {
				params = append(params, code(name)+" ("+code(flow(p.Default))+"): "+meaning(p))
			}
		}
		doc, _, _ := strings.Cut(fault.Properties[kind].Description, ". ")
		rows = append(rows, []string{code(kind), strings.Join(params, " "), sentence(doc)})
	}
	return rows.String()
}

func probeTable(*testing.T) string {
	rows := table{{"probe", "unit", "kind", "meaning"}}
	for _, p := range probe.All() {
		rows = append(rows, []string{code(string(p.Name)), p.Unit, string(p.Kind), p.Doc})
	}
	return rows.String()
}

func referenceWorkloadTable(*testing.T) string {
	rows := table{{"reference workload", "unit", "what it does"}}
	for _, w := range reference.Workloads() {
		rows = append(rows, []string{code(string(w.Workload)), w.Unit, w.Doc})
	}
	return rows.String()
}

func measurementSections(t *testing.T) string {
	schema := schemaOf(t, "scenario")
	var b strings.Builder
	for i, m := range catalogue().Descriptions() {
		if i > 0 {
			b.WriteString("\n")
		}
		fmt.Fprintf(&b, "## `%s`\n\n%s\n\n", m.Name, m.Summary)
		var targets []string
		for _, target := range m.Targets {
			targets = append(targets, string(target))
		}
		targets = append(targets, "the process")
		component := "none"
		if m.Component != "" {
			component = code(m.Component)
		}
		fmt.Fprintf(&b, "Baseline component: %s. Faults can hit: %s.\n\n", component, strings.Join(targets, ", "))
		b.WriteString(strings.Replace(keyTable(schema.Defs["with."+m.Name]), "| key |", "| parameter |", 1))
		b.WriteString("\n" + metricTable(m).String())
	}
	return b.String()
}

func metricTable(m *scenario.Measurement) table {
	rows := table{{"metric", "unit", "checked against", "meaning"}}
	for _, metric := range m.Metrics {
		unit := metric.Unit
		if metric.Distribution {
			unit += ", distribution"
		}
		doc := metric.Doc
		if metric.Probe != "" {
			doc += " Live probe: " + code(string(metric.Probe)) + "."
		}
		rows = append(rows, []string{code(metric.Name), unit, limitsOf(m, metric), doc})
	}
	return rows
}

// limitsOf lists what a metric is checked against in every scenario.
func limitsOf(m *scenario.Measurement, metric scenario.Metric) string {
	var limits []string
	if metric.Must != "" {
		limits = append(limits, "condition "+code(metric.Must))
	}
	for _, row := range verdict.Builtin().Table() {
		if row.Component != m.FloorsOf() || row.Metric != metric.Name && !strings.HasPrefix(row.Metric, metric.Name+".") {
			continue
		}
		part := strings.TrimPrefix(row.Metric, metric.Name)
		if part != "" {
			part = " of " + code(part)
		}
		if b, ok := verdict.Builtin().Find(row.Component, row.Metric); ok && m.Component != "" {
			op := "<="
			if b.Better == report.Higher {
				op = ">="
			}
			limits = append(limits, "baseline"+part+" "+code(op+" "+strconv.FormatFloat(b.Value, 'f', -1, 64)))
		}
		if len(row.Workloads) > 0 {
			limits = append(limits, "floor"+part)
		}
	}
	return strings.Join(limits, "; ")
}
