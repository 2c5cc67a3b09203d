package scenario

import "testing"

// What cannot be told apart from what other steps do cannot have a window beside them.
func TestWindowsThatCannotBe(t *testing.T) {
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
