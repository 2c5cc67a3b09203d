package scenario

import (
	"errors"
	"fmt"
	"maps"
	"slices"
)

// Select returns the scenarios with those names, in the order of the names, and then those
// with one of the tags, each once. The error has every name and tag without a scenario.
func Select(scenarios []Scenario, names, tags []string) ([]Scenario, error) {
	var selected []Scenario
	taken := make(map[string]bool)
	take := func(fits func(Scenario) bool) (found bool) {
		for _, s := range scenarios {
			if !fits(s) {
				continue
			}
			found = true
			if !taken[s.Name] {
				taken[s.Name] = true
				selected = append(selected, s)
			}
		}
		return found
	}
	var problems []error
	for _, name := range names {
		if !take(func(s Scenario) bool { return s.Name == name }) {
			problems = append(problems, fmt.Errorf("unknown scenario %q%s", shorten(name), didYouMean(name, scenarioNames(scenarios))))
		}
	}
	for _, tag := range tags {
		if !take(func(s Scenario) bool { return slices.Contains(s.Tags, tag) }) {
			problems = append(problems, fmt.Errorf("no scenario has the tag %q%s", shorten(tag), didYouMean(tag, Tags(scenarios))))
		}
	}
	if len(problems) > 0 {
		return nil, errors.Join(problems...)
	}
	return selected, nil
}

// Tags returns the tags of the scenarios, sorted, each once.
func Tags(scenarios []Scenario) []string {
	set := make(map[string]bool)
	for _, s := range scenarios {
		for _, tag := range s.Tags {
			set[tag] = true
		}
	}
	return slices.Sorted(maps.Keys(set))
}

func scenarioNames(scenarios []Scenario) []string {
	names := make([]string, len(scenarios))
	for i, s := range scenarios {
		names[i] = s.Name
	}
	return names
}
