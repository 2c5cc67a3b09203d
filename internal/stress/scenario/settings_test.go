package scenario

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

// Setting a setting to its value changes nothing.
func TestSettingsAreOverrides(t *testing.T) {
	for _, s := range append(overridableScenarios(t), goodScenarios(t)...) {
		before := string(Show(s))
		for _, setting := range Settings(s) {
			if setting.Step == "" {
				continue
			}
			plan, err := NewPlan([]Scenario{s}, Overrides{Set: []string{setting.Key() + "=" + setting.Value}})
			if err != nil {
				t.Errorf("%s: %s cannot be set to its own value: %v", s.Name, setting.Key(), err)
				continue
			}
			if after := string(Show(plan.Scenarios[0])); after != before {
				t.Errorf("%s: setting %s to its own value %s changed\n%s\nto\n%s", s.Name, setting.Key(), setting.Value, before, after)
			}
		}
	}
}

// goodScenarios are those of all files that are valid.
func goodScenarios(t *testing.T) []Scenario {
	t.Helper()
	var all []Scenario
	for _, path := range fixtures(t, "good") {
		scenarios, err := parseFile(t, path)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, scenarios...)
	}
	return all
}

func TestProblemsByKey(t *testing.T) {
	s := overridableScenarios(t)[0]
	repeat := 0
	_, err := NewPlan([]Scenario{s}, Overrides{Set: []string{"storm.rate=fast", "storm.rate=5", "nothing=1"}, Repeat: &repeat})
	var problems Problems
	if !errors.As(err, &problems) {
		t.Fatal(err)
	}
	got := problems.ByKey()
	for key, want := range map[string]string{
		"storm.rate": `expected a rate such as 10000/s, not the text "fast"`,
		"nothing":    "no step has the parameter",
		"repeat":     "0 is too small",
	} {
		if !strings.HasPrefix(fmt.Sprint(got[key]), want) {
			t.Errorf("%s: %v, want %s", key, got[key], want)
		}
	}
	if len(got) != 3 {
		t.Errorf("problems of %v", got)
	}
}
