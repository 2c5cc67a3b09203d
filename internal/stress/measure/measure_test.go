package measure

import (
	"context"
	"slices"
	"strings"
	"testing"

	"mabeam-top/internal/stress"
	"mabeam-top/internal/stress/report"
	"mabeam-top/internal/stress/stream"
	"mabeam-top/internal/stress/verdict"
)

// runDocument runs a scenario file against a catalogue and returns its report.
func runDocument(t *testing.T, cat stress.Catalogue, source string) report.Report {
	t.Helper()
	baselines := verdict.Builtin()
	scenarios, err := stress.Parse(cat, baselines.Components(), stress.Document{File: "test.yaml", Source: []byte(source)})
	if err != nil {
		t.Fatal(err)
	}
	var result *report.Report
	err = stress.Engine{Baselines: baselines}.Source(stress.Plan{Scenarios: scenarios}).Run(context.Background(), func(e stream.Event) {
		if e.Report != nil {
			result = e.Report
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return *result
}

const smoke = `
name: smoke
title: Smoke
steps:
  - {measure: agent-creation, with: {agents: 1000}, repeat: 2}
  - {measure: agent-action}
  - {measure: agent-lifecycle, with: {cycles: 5000}}
  - {measure: system-startup, with: {fail_component: event_bus}}
  - {measure: event-throughput}
  - {measure: event-throughput, name: patterns, with: {patterns: true, publishers: 3}}
  - {measure: event-stress, with: {duration: 500ms, burst_duration: 300ms}}
  - {measure: registry-operations}
`

// Every measurement reports what it declares, and nothing is left out that
// could be measured.
func TestEveryMeasurementReportsItsMetrics(t *testing.T) {
	r := runDocument(t, Catalogue(), smoke)
	for _, step := range r.Scenarios[0].Steps {
		if step.Verdict == report.Broken {
			t.Errorf("%s: %+v", step.Name, step.Errors)
		}
		var declared []string
		for _, m := range Catalogue().Find(step.Measurement).Metrics {
			declared = append(declared, m.Name)
		}
		for _, name := range declared {
			// Without a deadline nothing can miss it, and half a second is too
			// short to see memory grow.
			if _, ok := step.Metrics[name]; !ok && !slices.Contains([]string{"timeouts", "memory_usage_stable"}, name) {
				t.Errorf("%s: %s is not reported", step.Name, name)
			}
		}
	}
}

// What counts all that the system holds cannot run beside others.
func TestAloneIsAlone(t *testing.T) {
	source := "name: s\ntitle: S\nsteps:\n  - parallel:\n      - {measure: agent-creation}\n      - {measure: agent-action}\n"
	_, err := stress.Parse(Catalogue(), verdict.Builtin().Components(), stress.Document{File: "f", Source: []byte(source)})
	if err == nil || !strings.Contains(err.Error(), "f:5:9: agent-creation counts what the whole system holds") {
		t.Errorf("%v", err)
	}
}

// Two measurements side by side count what is their own.
func TestSideBySide(t *testing.T) {
	r := runDocument(t, Catalogue(), `
name: s
title: S
steps:
  - parallel:
      - {measure: event-throughput, with: {events: 50000}}
      - {measure: agent-action, with: {duration: 300ms}}
      - {measure: registry-operations}
`)
	for _, step := range r.Scenarios[0].Steps {
		if step.Verdict == report.Broken || len(step.Errors) > 0 {
			t.Errorf("%s: %s, %+v", step.Name, step.Verdict, step.Errors)
		}
	}
	if v := value(t, r.Scenarios[0].Steps[0], "propagation_efficiency"); v != 1 {
		t.Errorf("propagation efficiency %v", v)
	}
}
