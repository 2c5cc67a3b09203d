package verdict

import (
	"slices"
	"strings"
	"testing"

	"mabeam-top/internal/stress/report"
)

func TestBuiltinBaselines(t *testing.T) {
	b := Builtin()
	want := []string{
		"agent_action", "agent_creation", "agent_lifecycle", "agent_memory", "capacity", "event_propagation", "event_stress",
		"event_system", "registry", "registry_scalability", "resource_limits", "sandbox_lifecycle", "system_coordination", "system_load",
		"system_memory", "system_startup",
	}
	if got := b.Components(); !slices.Equal(got, want) {
		t.Errorf("components %v, want %v", got, want)
	}
	for _, c := range []struct {
		component, metric string
		want              Baseline
	}{
		{"agent_creation", "agents_per_second", Baseline{1000, report.Higher}},
		{"agent_creation", "creation_time_ms.max", Baseline{10, report.Lower}},
		{"agent_creation", "memory_per_agent", Baseline{1048576, report.Lower}},
		{"agent_action", "success_rate", Baseline{0.99, report.Higher}},
		{"resource_limits", "recovery_time_ms", Baseline{1000, report.Lower}},
	} {
		if got, ok := b.Find(c.component, c.metric); !ok || got != c.want {
			t.Errorf("%s.%s is %v, %v; want %v", c.component, c.metric, got, ok, c.want)
		}
	}
	if _, ok := b.Find("agent_creation", "success_rate"); ok {
		t.Error("agent_creation has a success_rate, which is another component's")
	}
	if b.Has("network") || !b.Has("registry") {
		t.Error("network has no baselines and registry has")
	}
	if got := b.Metrics("registry"); len(got) != 4 || got[0] != "concurrent_operations_per_sec" {
		t.Errorf("metrics of registry: %v", got)
	}
}

func TestParseBaselinesRefuses(t *testing.T) {
	for name, c := range map[string]struct{ yaml, want string }{
		"unknown key":    {"a: {m: {value: 1, better: lower, unit: ms}}", "unit"},
		"no value":       {"a: {m: {better: lower}}", "a.m: expected a value, floors or both"},
		"no direction":   {"a: {m: {value: 1}}", `better is ""`},
		"none direction": {"a: {m: {value: 1, better: none}}", `better is "none"`},
		"negative":       {"a: {m: {value: -1, better: lower}}", "not negative"},
		"not finite":     {"a: {m: {value: .inf, better: lower}}", "+Inf"},
		"not a number":   {"a: {m: {value: fast, better: lower}}", "fast"},
		"twice":          {"a: {m: {value: 1, better: lower}, m: {value: 2, better: lower}}", "m"},
		"not a table":    {"- a", "parse baselines"},
		"floor of none":  {"a: {m: {better: lower, floors: [{share: 2}]}}", "needs a reference workload"},
		"other share":    {"a: {m: {better: lower, floors: [{of: allocation, share: 1, or: {timer: -1}}]}}", "share above 0, not \"timer\""},
		"floor of 0":     {"a: {m: {better: lower, floors: [{of: allocation, share: 0}]}}", "share above 0"},
		"floor unknown":  {"a: {m: {better: lower, floors: [{of: allocation, share: 1, when: 3}]}}", "when"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := ParseBaselines([]byte(c.yaml))
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want one with %q", err, c.want)
			}
		})
	}
	_, err := ParseBaselines([]byte("a: {m: {better: lower}, n: {value: 1}}"))
	if err == nil || !strings.Contains(err.Error(), "a.m") || !strings.Contains(err.Error(), "a.n") {
		t.Errorf("not all errors are reported: %v", err)
	}
}
