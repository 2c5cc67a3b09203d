package stress

import (
	"strings"
	"testing"

	"mabeam-top/internal/stress/scenario"
	"mabeam-top/internal/stress/verdict"
)

// A row of the baseline table that nothing can fail is an error.
func TestCheckBaselines(t *testing.T) {
	cat := Catalogue{{Measurement: scenario.Measurement{
		Name: "agent-creation", Component: "agents", Params: []scenario.Param{{Name: "count", Kind: scenario.Int}},
		Metrics: []scenario.Metric{{Name: "rate", Unit: "1/s"}, {Name: "time_ms", Unit: "ms", Distribution: true}},
	}}}
	for name, c := range map[string]struct{ rows, want string }{
		"a metric":        {"rate: {value: 1, better: higher}", ""},
		"a maximum":       {"time_ms.max: {value: 1, better: lower}", ""},
		"a floor":         {"time_ms.p99: {better: lower, floors: [{of: hand_over, share: 1, at: {count: 5}}]}", ""},
		"nobody's":        {"growth: {value: 1, better: lower}", "agents.growth: no measurement reports this metric"},
		"of no statistic": {"rate.p99: {value: 1, better: lower}", "agents.rate.p99: no measurement reports this metric"},
		"no such work":    {"rate: {better: higher, floors: [{of: walking, share: 1}]}", "no reference workload walking"},
		"no such param":   {"rate: {better: higher, floors: [{of: hand_over, share: 1, from: {number: 5}}]}", "no parameter number"},
	} {
		table, err := verdict.ParseBaselines([]byte("agents: {" + c.rows + "}"))
		if err != nil {
			t.Fatal(name, err)
		}
		err = CheckBaselines(cat, table)
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}
