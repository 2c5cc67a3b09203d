package measure

import (
	"context"
	"testing"

	"mabeam-top/internal/runtime/agents"
	"mabeam-top/internal/stress"
)

// The telemetry is compared with the measurement's own counts: an agent that is expected
// but was not started is reported with both numbers.
func TestTelemetryCheck(t *testing.T) {
	for name, test := range map[string]struct {
		started, expected int64
		mismatches        float64
	}{
		"as counted": {3, 3, 0},
		"one less":   {2, 3, 2}, // AgentsStarted and the gauge
	} {
		t.Run(name, func(t *testing.T) {
			cat := withRun("system-load", func(ctx context.Context, env *stress.Env) error {
				w := newTelemetryCheck(env, env.System())
				for range test.started {
					if _, err := env.System().StartAgent(ctx, agents.Demo()); err != nil {
						return err
					}
				}
				w.expect(ctx, map[string]int64{"AgentsStarted": test.expected, "Agents": test.expected})
				w.expect(ctx, map[string]int64{"AgentsStarted": 0}) // since the previous call
				w.report()
				env.Operations(1, 0, 0)
				return nil
			})
			s := runStep(t, cat, "", "{measure: system-load}")
			if v := value(t, s, "telemetry_mismatches"); v != test.mismatches {
				t.Errorf("%v mismatches, want %v: %+v", v, test.mismatches, s.Errors)
			}
			if test.mismatches > 0 && errorCount(s, "AgentsStarted changed by 2, want 3") != 1 {
				t.Errorf("errors %+v", s.Errors)
			}
		})
	}
}
