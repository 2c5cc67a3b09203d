package scenario

import (
	"slices"
	"strings"
	"testing"
)

// Conditions apply to a step only if its parameters expect them, and every measurement has the
// condition on findings.
func TestConditions(t *testing.T) {
	step := Step{Params: Params{"fail": true}, Measurement: &Measurement{Metrics: []Metric{
		{Name: "always", Unit: "count", Must: "== 0"},
		{Name: "unless", Unit: "ratio", Must: "== 1", Expected: func(p Params) bool { return !p.Bool("fail") }},
		{Name: "absent", Unit: "count", Must: "== 0", Given: func(p Params) bool { return !p.Bool("fail") }},
		{Name: "free", Unit: "count"},
	}}}
	var names []string
	for name := range step.Conditions(false) {
		names = append(names, name)
	}
	slices.Sort(names)
	if got := strings.Join(names, " "); got != "always findings" {
		t.Errorf("asked of %s", got)
	}
	if _, ok := step.DeclaredMetrics()["absent"]; ok {
		t.Error("a metric that is not given is declared")
	}
}
