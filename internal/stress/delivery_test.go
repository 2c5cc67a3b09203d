package stress

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"mabeam-top/internal/probes"
	"mabeam-top/internal/stress/load"
	"mabeam-top/internal/stress/report"
)

// A load that is late because of the system under test is judged; one that is late because of
// other programs is inconclusive.
func TestLoadDelayedByTheSystemIsJudged(t *testing.T) {
	for who, others := range map[load.LagCause]float64{load.SystemUnderTest: 0.01, load.OtherPrograms: 0.5} {
		synctest.Test(t, func(t *testing.T) {
			cat := probing(nil)
			cat[0].Run = func(ctx context.Context, env *Env) error {
				start := time.Now()
				env.loads.Meter.Cost = func() float64 { return 0 }
				env.loads.Meter.ReadProcessors = func() (probes.CPUTimes, error) {
					total := 2 * time.Since(start).Seconds()
					return probes.CPUTimes{Own: total * (0.9 - others), Busy: total * 0.9, Total: total}, nil
				}
				var once atomic.Bool
				result, err := env.RunLoad(ctx, load.Load{Workers: 4, Stages: []load.Stage{{Rate: 100, For: time.Second}}}, func(context.Context, load.Op) error {
					if once.CompareAndSwap(false, true) {
						env.loads.Meter.CountLate(7)
					}
					return nil
				})
				if result.Lag.Cause != who || !result.Lagged() || result.Undelivered() != (who == load.OtherPrograms) {
					t.Errorf("%d late, lag %+v, want %q", result.Late, result.Lag, who)
				}
				env.Value("rate", 1)
				return err
			}
			_, r := collect(context.Background(), t, Engine{Catalogue: cat}.Source(planOf(t, cat, scenarioOf("  - {measure: probe, thresholds: {rate: '>= 1'}}\n"))))
			if v := r.Scenarios[0].Steps[0].Verdict; (v == report.Inconclusive) != (who == load.OtherPrograms) {
				t.Errorf("%q: %s", who, v)
			}
		})
	}
}

// A load that the generator did not deliver is inconclusive, whatever its metrics are.
func TestUndeliveredLoadIsInconclusive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cat := probing(nil)
		cat[0].Run = func(ctx context.Context, env *Env) error {
			env.loads.Meter.CountLate(50) // what a starved generator counts
			_, err := env.RunLoad(ctx, load.Load{Workers: 1, Operations: 1000}, func(context.Context, load.Op) error {
				env.loads.Meter.CountLate(1)
				return nil
			})
			env.Value("rate", 1)
			return err
		}
		_, r := collect(context.Background(), t, Engine{Catalogue: cat}.Source(planOf(t, cat, scenarioOf("  - {measure: probe, thresholds: {rate: '>= 1'}}\n"))))
		step := r.Scenarios[0].Steps[0]
		if step.Verdict != report.Inconclusive || !strings.Contains(fmt.Sprint(step.Errors), "not delivered") {
			t.Errorf("%s, %+v", step.Verdict, step.Errors)
		}
	})
}

// A measurement that allows its load to lag gets the lag in the result, and stays
// conclusive.
func TestLoadThatMayLag(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, why := range []string{"", "the machine is busy"} {
			cat := probing(nil)
			cat[0].Run = func(ctx context.Context, env *Env) error {
				result, err := env.RunLoad(ctx, load.Load{Workers: 1, Operations: 1000, MayLag: true}, func(_ context.Context, op load.Op) error {
					if op.N < 20 {
						env.loads.Meter.CountLate(1)
					}
					return nil
				})
				if result.Late != 20 || !result.Lagged() {
					t.Errorf("%d of 1,000 late, lagged: %v", result.Late, result.Lagged())
				}
				if why != "" {
					env.Inconclusive(why)
				}
				env.Value("rate", 1)
				return err
			}
			_, r := collect(context.Background(), t, Engine{Catalogue: cat}.Source(planOf(t, cat, scenarioOf("  - {measure: probe}\n"))))
			step := r.Scenarios[0].Steps[0]
			if want := why != ""; (step.Verdict == report.Inconclusive) != want || want != (len(step.Errors) == 2 && step.Errors[1].Message == why) { // after that it was tried again
				t.Errorf("%q: %s, %+v", why, step.Verdict, step.Errors)
			}
		}
	})
}
