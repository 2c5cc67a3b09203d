package measure

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"mabeam-top/internal/stress"
	"mabeam-top/internal/stress/conformance"
)

// Calls of a known time are measured as such, each kind separately, and a failing call is
// a wrong result.
func TestTimesOfCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cat := withRun("agent-action", func(ctx context.Context, env *stress.Env) error {
			env.Operations(1, 0, 0)
			wrong := conformance.NewChecker(env, "wrong_results")
			c, err := newCallTargets(ctx, env.System())
			if err != nil {
				return err
			}
			c.calls = []call{
				{"fast", func(context.Context) error { time.Sleep(time.Millisecond); return nil }},
				{"slow", func(context.Context) error { time.Sleep(3 * time.Millisecond); return errors.New("fails") }},
			}
			err = timeCalls(ctx, env, c, wrong)
			wrong.Report()
			return err
		})
		s := runStep(t, cat, "", "{measure: agent-action, baseline: none, with: {call_probes: 100}}")
		for metric, want := range map[string]float64{"call_time_ms.fast": 1, "call_time_ms.slow": 3, "call_time_ms": 4} {
			wantWithin(t, metric, value(t, s, metric), want, 1e-9)
		}
		wantFailed(t, s, "wrong_results", 100/callBlock)
	})
}

// Each call works and does not make the next one fail.
func TestCallsOfEachKind(t *testing.T) {
	s := runStep(t, Catalogue(), "", "{measure: agent-action, baseline: none, with: {scenarios: [{action_count: 10}], call_probes: 200}}")
	if v := value(t, s, "wrong_results"); v != 0 || value(t, s, "call_time_ms.restart") <= value(t, s, "call_time_ms.suspend") {
		t.Errorf("%v wrong results; %+v", v, s.Errors)
	}
}
