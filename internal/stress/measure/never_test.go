package measure

import (
	"fmt"
	"strings"
	"testing"

	"mabeam-top/internal/stress"
)

// Conditions that no measurement can meet are refused, by the unit of the metric and
// by what it is; those that one can meet are not.
func TestConditionsThatCanNeverHold(t *testing.T) {
	for _, c := range []struct {
		measurement, metric, condition string
		possible                       bool
	}{
		{"agent-creation", "success_rate", "> 1", false},
		{"agent-creation", "success_rate", ">= 100%", true},
		{"agent-creation", "parallel_speedup", "> 1", true},
		{"agent-creation", "memory_per_agent", "< 0", true},
		{"agent-creation", "agents_per_second", "< 0", false},
		{"agent-creation", "creation_time_ms.p99", "<= -1", false},
		{"agent-memory", "memory_growth_rate", "< 0", true},
		{"agent-memory", "memory_leaks", "< 0", false},
		{"agent-memory", "memory_leaks", "<= 0", true},
		{"agent-memory", "gc_reclaimed_ratio", "> 1.01", false},
		{"memory-efficiency", "memory_efficiency_ratio", "> 1.1", true},
		{"memory-efficiency", "memory_scaling_exponent", "< 0", true},
		{"memory-efficiency", "fragmentation_ratio", "== -0.1", false},
		{"event-stress", "stability_score", "> 100%", false},
		{"event-stress", "system_stable", "== true", true},
		{"event-stress", "system_stable", "> 1", false},
		{"system-load", "load_balance", "== 2", false},
		{"process-limit", "graceful_degradation_score", ">= 2", false},
	} {
		source := fmt.Sprintf("name: s\ntitle: S\nsteps:\n  - measure: %s\n    thresholds: {%s: %q}\n", c.measurement, c.metric, c.condition)
		_, err := stress.Parse(Catalogue(), nil, stress.Document{File: "s.yaml", Source: []byte(source)})
		if c.possible && err != nil || !c.possible && (err == nil || !strings.Contains(err.Error(), "can never hold")) {
			t.Errorf("%s: %s %s: %v", c.measurement, c.metric, c.condition, err)
		}
	}
}
