package stress

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"mabeam-top/internal/probes"
	"mabeam-top/internal/stress/load"
	"mabeam-top/internal/stress/report"
)

// A load that the system under test kept from being delivered is judged: the delay
// is the system's.
func TestLoadDelayedByTheSystemIsJudged(t *testing.T) {
	for who, others := range map[load.LagCause]float64{load.SystemUnderTest: 0.01, load.OtherPrograms: 0.5} {
		synctest.Test(t, func(t *testing.T) {
			cat := probing(nil)
			cat[0].Run = func(ctx context.Context, env *Env) error {
				start := time.Now()
				env.loads.Meter.Cost = func() float64 { return 0 }
				env.loads.Meter.ReadProcessors = func() (probes.ProcessorTimes, error) {
					total := 2 * time.Since(start).Seconds()
					return probes.ProcessorTimes{Own: total * (0.9 - others), Busy: total * 0.9, Total: total}, nil
				}
				var once atomic.Bool
				driven, err := env.RunLoad(ctx, load.Load{Workers: 4, Stages: []load.Stage{{Rate: 100, For: time.Second}}}, func(context.Context, load.Op) error {
					if once.CompareAndSwap(false, true) {
						env.loads.Meter.CountLate(7)
					}
					return nil
				})
				if driven.Lag.Cause != who || !driven.Lagged() || driven.Undelivered() != (who == load.OtherPrograms) {
					t.Errorf("%d late, blame %+v, want %q", driven.Late, driven.Lag, who)
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
