package main

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"mabeam-top/internal/stress/scenario"
)

// The tables of requirements and of scenarios name everything that exists: each
// metric of each measurement in a row of its scenario, and each scenario.
func TestGuideToMeasurements(t *testing.T) {
	page := readSourceFile(t, "docs/reference/coverage.md") + readSourceFile(t, "docs/reference/scenarios.md")
	scenarios, err := parse(builtin())
	if err != nil {
		t.Fatal(err)
	}
	isScenario := func(name string) bool {
		return slices.ContainsFunc(scenarios, func(s scenario.Scenario) bool { return s.Name == name })
	}
	name := regexp.MustCompile("`([^`]+)`")
	listed := map[string][]string{} // the metrics of each measurement
	for _, line := range strings.Split(page, "\n") {
		cells := strings.Split(line, "|")
		if len(cells) == 5 {
			expectation(t, scenarios, name.FindAllStringSubmatch(cells[2], -1), name.FindAllStringSubmatch(cells[3], -1))
		}
		if len(cells) != 7 || !strings.HasPrefix(strings.TrimSpace(cells[2]), "`") {
			continue
		}
		of := name.FindStringSubmatch(cells[2])[1]
		if catalogue().Descriptions().Find(of) == nil {
			t.Errorf("there is no measurement %s: %s", of, line)
			continue
		}
		for _, s := range name.FindAllStringSubmatch(cells[2], -1) {
			if !isScenario(s[1]) {
				t.Errorf("there is no scenario %s: %s", s[1], line)
			}
		}
		for _, m := range name.FindAllStringSubmatch(cells[3], -1) {
			listed[of] = append(listed[of], m[1])
		}
		if blind := strings.TrimSpace(cells[5]); len(blind) < 5 {
			t.Errorf("nothing is said about what it cannot see: %s", line)
		}
	}
	for _, s := range scenarios {
		if !strings.Contains(page, "`"+s.Name+"`") && !strings.Contains(page, " "+s.Name+" ") && !strings.Contains(page, " "+s.Name+"`") {
			t.Errorf("the scenario %s is not on the page", s.Name)
		}
	}
	for _, m := range catalogue() {
		var metrics []string
		for _, metric := range m.Metrics {
			metrics = append(metrics, metric.Name)
			if !slices.Contains(listed[m.Name], metric.Name) {
				t.Errorf("%s of %s is not in the table", metric.Name, m.Name)
			}
		}
		for _, metric := range listed[m.Name] {
			if !slices.Contains(metrics, metric) {
				t.Errorf("%s has no metric %s", m.Name, metric)
			}
		}
		if !slices.ContainsFunc(scenarios, func(s scenario.Scenario) bool { return s.Name == m.Name && slices.Contains(s.Tags, defaultTag) }) {
			t.Errorf("there is no scenario of the tag %s with the name of the measurement %s", defaultTag, m.Name)
		}
	}
}

// expectation checks a row of the original project's expectations: each metric belongs to
// one of the scenarios.
func expectation(t *testing.T, all []scenario.Scenario, names, metrics [][]string) {
	t.Helper()
	var known []string
	for _, s := range all {
		if slices.ContainsFunc(names, func(n []string) bool { return n[1] == s.Name }) {
			for _, m := range measurementsOf(s) {
				for _, metric := range catalogue().Descriptions().Find(m).Metrics {
					known = append(known, metric.Name)
				}
			}
		}
	}
	for _, m := range metrics {
		if len(known) > 0 && !slices.Contains(known, m[1]) {
			t.Errorf("none of the scenarios %v has a metric %s", names, m[1])
		}
	}
}
