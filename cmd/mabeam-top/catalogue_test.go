package main

import (
	"encoding/json"
	"reflect"
	"slices"
	"testing"
	"time"

	"mabeam-top/internal/probes/probe"
	"mabeam-top/internal/stress"
	"mabeam-top/internal/stress/scenario"
	"mabeam-top/internal/stress/verdict"
)

// The built-in scenarios are valid, and each of two tags covers all measurements.
func TestBuiltin(t *testing.T) {
	all, err := parse(builtin())
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range all {
		if s.File != "builtin:"+s.Name+".yaml" {
			t.Errorf("%s is in the file %s", s.Name, s.File)
		}
		if s.Description == "" || len(s.Tags) == 0 {
			t.Errorf("%s has no description or no tag", s.Name)
		}
		if s.Timeout < 2*s.Estimate() {
			t.Errorf("%s takes about %v, with a timeout of %v", s.Name, s.Estimate(), s.Timeout)
		}
	}
	for tag, most := range map[string]time.Duration{defaultTag: 3 * time.Minute, "smoke": 30 * time.Second} {
		tagged, err := scenario.Select(all, nil, []string{tag})
		if err != nil {
			t.Fatal(err)
		}
		var measured []string
		for _, s := range tagged {
			measured = append(measured, measurementsOf(s)...)
		}
		for _, m := range catalogue() {
			if !slices.Contains(measured, m.Name) {
				t.Errorf("the tag %s does not measure %s", tag, m.Name)
			}
		}
		if took := (scenario.Plan{Scenarios: tagged}).Estimate(); took > most {
			t.Errorf("the tag %s takes about %v, want at most %v", tag, took, most)
		}
	}
}

// The plan of the built-in scenarios survives the way to a child process.
func TestBuiltinPlanJSON(t *testing.T) {
	cat := catalogue().Descriptions()
	all, err := scenario.Parse(cat, verdict.Builtin().Components(), builtin()...)
	if err != nil {
		t.Fatal(err)
	}
	plan := scenario.Plan{Scenarios: all}
	data, err := json.Marshal(plan)
	if err != nil {
		t.Fatal(err)
	}
	again, err := cat.DecodePlan(data)
	if err != nil || !reflect.DeepEqual(again, plan) {
		t.Errorf("the plan decodes to %+v, %v; want %+v", again, err, plan)
	}
}

// Every floor applies to a step of the built-in scenarios.
func TestFloorsAreUsed(t *testing.T) {
	table := verdict.Builtin()
	if err := stress.CheckBaselines(catalogue(), table); err != nil {
		t.Fatal(err)
	}
	scenarios, err := parse(builtin())
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range table.Table() {
		used := len(row.Workloads) == 0
		for _, s := range scenarios {
			for _, step := range s.Steps() {
				used = used || step.Measurement.FloorsOf() == row.Component &&
					table.HasFloor(row.Component, row.Metric, scenario.Encode(step.Params, step.Measurement.Params))
			}
		}
		if !used {
			t.Errorf("no step of the built-in scenarios has the floor of %s.%s", row.Component, row.Metric)
		}
	}
}

// Every probe that shows a metric is declared. Reports, charts and the metrics page use
// the declared names, and the reference page is generated from them.
func TestMetricsHaveDeclaredProbes(t *testing.T) {
	for _, m := range catalogue().Descriptions() {
		for _, metric := range m.Metrics {
			if _, ok := probe.Find(metric.Probe); metric.Probe != "" && !ok {
				t.Errorf("%s of %s has the unknown probe %s", metric.Name, m.Name, metric.Probe)
			}
		}
	}
}
