package stress

import (
	"context"
	"strings"
	"testing"

	"mabeam-top/internal/stress/report"
	"mabeam-top/internal/stress/scenario"
	"mabeam-top/internal/stress/verdict"
)

// A step whose load is too small for its baselines fails, and reports that no system could
// have passed; the log says so when the step begins.
func TestUnreachableBaselines(t *testing.T) {
	cat := Catalogue{{Measurement: scenario.Measurement{
		Name: "event-stress", Component: "event_stress", Summary: "What rate holds?",
		Params: []scenario.Param{
			{Name: "rate", Kind: scenario.Rate, Default: 10000.0, Min: 1, Max: 1e6},
			{Name: "bursts", Kind: scenario.Ints, Default: []int{20000}, Min: 1, Max: 1e6},
		},
		Metrics: []scenario.Metric{
			{Name: "sustained_event_rate", Unit: "1/s", CappedBy: "rate"},
			{Name: "burst_event_rate", Unit: "1/s", CappedBy: "bursts"},
			{Name: "stability_score", Unit: "ratio"},
		},
	}, Run: func(_ context.Context, env *Env) error {
		env.Operations(1, 0, 0)
		env.Value("sustained_event_rate", env.Params.Float("rate"))
		env.Value("burst_event_rate", 20000)
		env.Value("stability_score", 1)
		return nil
	}}}
	const (
		rate  = "sustained_event_rate cannot reach its baseline of 8k/s because rate is 1k/s; increase it, or use baseline: none and your own thresholds"
		burst = "burst_event_rate cannot reach its baseline of 15k/s because bursts is 11,000 at most; increase it, or use baseline: none and your own thresholds"
	)
	for _, c := range []struct {
		name, step string
		verdict    report.Verdict
		want       []string
	}{
		{"as asked", "{measure: event-stress}", report.Pass, nil},
		{"within the tolerance", "{measure: event-stress, with: {rate: 6500/s}}", report.Warn, nil},
		{"too low", "{measure: event-stress, with: {rate: 1000/s, bursts: [10, 11000]}}", report.Fail, []string{burst, rate}},
		{"held against nothing", "{measure: event-stress, baseline: none, with: {rate: 1000/s}, thresholds: {stability_score: '== 1'}}", report.Pass, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			events, r := collect(t.Context(), t, Engine{Catalogue: cat, Baselines: verdict.Builtin()}.Source(planOf(t, cat, scenarioOf("  - "+c.step+"\n"))))
			step := r.Scenarios[0].Steps[0]
			var told, logged []string
			for _, text := range step.Recommendations {
				if strings.Contains(text, "cannot reach") {
					told = append(told, text)
				}
			}
			for _, e := range events {
				if e.Log != nil && e.Log.Level == "warn" {
					logged = append(logged, strings.TrimPrefix(e.Log.Message, "event-stress: "))
				}
			}
			want := strings.Join(c.want, "\n")
			if step.Verdict != c.verdict || strings.Join(told, "\n") != want || strings.Join(logged, "\n") != want {
				t.Errorf("%s, told %q, logged %q, want %s and %q", step.Verdict, told, logged, c.verdict, c.want)
			}
		})
	}
}
