package measure

import (
	"fmt"
	"strings"
	"testing"

	"mabeam-top/internal/stress/scenario"
)

// Conditions that no measurement can meet are refused, because of the unit or the kind of
// the metric; others are accepted.
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
		_, err := scenario.Parse(Catalogue().Descriptions(), nil, scenario.Document{File: "s.yaml", Source: []byte(source)})
		if c.possible && err != nil || !c.possible && (err == nil || !strings.Contains(err.Error(), "can never hold")) {
			t.Errorf("%s: %s %s: %v", c.measurement, c.metric, c.condition, err)
		}
	}
}

// On a busy machine, conditions that time decides are undecided, and others are not.
func TestWhatTimeDecides(t *testing.T) {
	for metric, want := range map[string]bool{
		"agent-action timeouts": true, "agent-action timeout_lateness_ms": true, "agent-action success_rate": true, "agent-action signals_lost": false,
		"agent-action tells_lost": false, "agent-action replies_wrong": false, "agent-action agent_rules_broken": false,
		"agent-action wrong_results": false, "agent-action overlaps": false, "agent-action signals_out_of_order": false, "agent-action tells_out_of_order": false,
		"sandbox-lifecycle restart_time_ms": true, "sandbox-lifecycle supervision_rules_broken": false, "sandbox-lifecycle isolation_violations": false,
		"process-limit guard_rules_broken": false, "process-limit deadlines_missed": true, "process-limit recovery_successful": true, "process-limit leaked_registrations": false,
		"event-propagation all_sizes_tested": true, "event-propagation lost": false, "event-propagation duplicates": false,
		"event-throughput ordering_violations": false, "event-stress dropped": false,
		"registry-scalability all_sizes_tested": true, "registry-scalability inconsistencies": false,
		"exhaustion-recovery survivors": true, "exhaustion-recovery limits_broken": true, "exhaustion-recovery data_consistent": false,
		"system-startup components_not_working": false, "system-startup component_times_wrong": false,
		"coordination success_rate": true, "coordination answers_missing": true, "coordination wrong_results": false,
		"system-load success_rate": true, "system-load wrong_results": false, "capacity capacity_found": false,
	} {
		measurement, name, _ := strings.Cut(metric, " ")
		known := false
		for _, m := range Catalogue().Find(measurement).Metrics {
			if m.Name != name {
				continue
			}
			if known = true; m.Timed != want {
				t.Errorf("%s: time decides is %v, want %v", metric, m.Timed, want)
			}
		}
		if !known {
			t.Errorf("there is no %s", metric)
		}
	}
}

// Parameters that do not fit together are refused before anything runs.
func TestParametersThatDoNotFit(t *testing.T) {
	for _, c := range []struct{ measurement, with, want string }{
		{"agent-memory", "monitor_duration: 1s, measurement_interval: 300ms", ""},
		{"agent-memory", "monitor_duration: 1s, measurement_interval: 400ms", "at least three times"},
		{"agent-memory", "configs: []", "configs: the list is empty"},
		{"system-load", "rate: 1000/s, duration: 1s, mix: {ping: 1}", ""},
		{"system-load", "rate: 1000/s, duration: 1s, mix: {ping: 0, increment: 0, publish: 0}", "mix has no weight"},
		{"system-load", "rate: 10/s, duration: 3s, mix: {ping: 1}", "at least 4s"},
		{"coordination", "agents: 3, fail_agents: 2", ""},
		{"coordination", "agents: 3, fail_agents: 3", "3 of 3 agents cannot fail"},
		{"registry-operations", "register: 100, unregister: 101", "of 100 entries, 101 cannot be unregistered"},
		{"process-limit", "limit: 1000, operations: 200", "fewer than the 300 starts"},
	} {
		source := fmt.Sprintf("name: s\ntitle: S\nsteps:\n  - {measure: %s, with: {%s}}\n", c.measurement, c.with)
		_, err := scenario.Parse(Catalogue().Descriptions(), nil, scenario.Document{File: "s.yaml", Source: []byte(source)})
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s {%s}: %v, want %q", c.measurement, c.with, err, c.want)
		}
	}
}
