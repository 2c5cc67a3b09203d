package scenario

import "testing"

// In a parallel group, a metric whose probe includes the other steps cannot have a window.
func TestWindowsInParallelGroups(t *testing.T) {
	cat := Catalogue{{Name: "work", Metrics: []Metric{{Name: "alive", Unit: "count", Probe: "agents"}}}}
	_, err := Parse(cat, nil, Document{File: "f", Source: []byte(`name: s
title: S
seed: 7
steps:
  - parallel:
      - {measure: work, name: a, thresholds: {alive: {is: '> 5', window: 1s}}}
      - {measure: work, name: b}
`)})
	if err == nil || err.Error() != "f:6:66: alive: a parallel group has one value for all its steps; remove the window" {
		t.Errorf("got %v", err)
	}
}
