package measure

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"

	"mabeam-top/internal/stress"
	streamfold "mabeam-top/internal/stress/fold"
	"mabeam-top/internal/stress/report"
	"mabeam-top/internal/stress/scenario"
	"mabeam-top/internal/stress/stream"
	"mabeam-top/internal/stress/verdict"
)

// childArgument makes the test binary a child process that serves a run.
const childArgument = "child"

func TestMain(m *testing.M) {
	if len(os.Args) < 2 || os.Args[1] != childArgument {
		os.Exit(m.Run())
	}
	if err := stress.ServeChild(context.Background(), Catalogue(), os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// runDocument runs a scenario file against a catalogue and returns its report. The timeout
// is ten minutes, because the speed of the machine is not tested.
func runDocument(t *testing.T, cat stress.Catalogue, source string, heard ...func(stream.Event)) report.Report {
	t.Helper()
	return runEngine(t, stress.Engine{Catalogue: cat, Baselines: verdict.Builtin(), Child: []string{os.Args[0], childArgument}}, source, heard...)
}

// withReport returns the source with a report.
func withReport(source stream.Source) stream.Source { return streamfold.WithReport(source) }

// runEngine runs a scenario file with an engine and returns its report.
func runEngine(t *testing.T, engine stress.Engine, source string, heard ...func(stream.Event)) report.Report {
	t.Helper()
	scenarios, err := scenario.Parse(engine.Catalogue.Descriptions(), verdict.Builtin().Components(), scenario.Document{File: "test.yaml", Source: []byte("timeout: 10m\n" + source)})
	if err != nil {
		t.Fatal(err)
	}
	var result *report.Report
	err = withReport(engine.Source(scenario.Plan{Scenarios: scenarios})).Run(context.Background(), func(e stream.Event) {
		if e.Report != nil {
			result = e.Report
		}
		for _, hear := range heard {
			hear(e)
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
  - {measure: agent-lifecycle, with: {cycles: 12000}}
  - {measure: system-startup, with: {fail_component: event_bus}}
  - {measure: memory-efficiency}
  - {measure: event-throughput}
  - {measure: event-throughput, name: patterns, with: {patterns: true, publishers: 3}}
  - {measure: event-propagation, with: {events: 200}}
  - {measure: event-stress, with: {duration: 500ms, burst_duration: 300ms}}
  - {measure: registry-operations}
  - {measure: agent-memory, with: {monitor_duration: 300ms, measurement_interval: 50ms}}
  - {measure: sandbox-lifecycle, with: {sandboxes: 20}}
  - {measure: coordination, with: {type: mixed, operations: 80, fail_agents: 1}}
  - {measure: system-load, with: {duration: 500ms}}
  - {measure: registry-scalability, with: {agent_counts: [100, 3000], operations: 5000}}
  - {measure: process-limit, with: {operations: 20000}}
  - {measure: capacity, with: {subscribers: 1, probe_duration: 20ms, latency_limit: 10s, success_rate: 0}}
  - {measure: exhaustion-recovery, with: {operations: 2000}}
  - {measure: memory-pressure, with: {memory_limit: 64MB, pressure: 80%, duration: 300ms, hard_limit: 1000%}}
`

// Every measurement reports each metric that it declares, or why it is unmeasured.
func TestEveryMeasurementReportsItsMetrics(t *testing.T) {
	r := runDocument(t, Catalogue(), smoke)
	for _, step := range r.Scenarios[0].Steps {
		if step.Verdict == report.Broken {
			t.Errorf("%s: %+v", step.Name, step.Errors)
		}
		for _, m := range Catalogue().Find(step.Measurement).Metrics {
			why := errorCount(step, m.Name+" was not measured: ")
			if step.Metrics[m.Name].Value == nil && why == 0 {
				t.Errorf("%s: %s has no value and no reason", step.Name, m.Name)
			}
		}
	}
}

// A measurement that counts what the whole system holds cannot run in parallel with
// others.
func TestAloneIsAlone(t *testing.T) {
	source := "name: s\ntitle: S\nsteps:\n  - parallel:\n      - {measure: agent-creation}\n      - {measure: agent-action}\n"
	_, err := scenario.Parse(Catalogue().Descriptions(), verdict.Builtin().Components(), scenario.Document{File: "f", Source: []byte(source)})
	if err == nil || !strings.Contains(err.Error(), "f:5:9: agent-creation counts what the whole system holds") {
		t.Errorf("%v", err)
	}
}

// Parallel measurements count only their own operations.
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
