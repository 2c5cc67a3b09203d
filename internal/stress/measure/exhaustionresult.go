package measure

import (
	"context"
	"errors"
	"fmt"
	"time"

	mabeam "mabeam-top/internal/runtime"
	"mabeam-top/internal/stress"
	"mabeam-top/internal/stress/conformance"
	"mabeam-top/internal/stress/load"
	"mabeam-top/internal/stress/report"
)

// An exhaustionResult is the result of one scenario, or of all together.
type exhaustionResult struct {
	recovery   time.Duration
	restored   float64   // throughput after / before
	lost       float64   // 1 − throughput after / throughput of a new system
	after      []float64 // throughput of each part
	fresh      []float64
	agents     int64 // that no fault ended
	survivors  int64 // of them, those that answered in the end
	wrong      int64 // of these, those whose state does not match their acknowledgements
	restarts   int64 // of agents and components
	mismatches int
}

// merge combines two results: the worst, or the sum, of each value.
func (o *exhaustionResult) merge(next exhaustionResult) {
	o.recovery = max(o.recovery, next.recovery)
	o.restored = min(o.restored, next.restored)
	if next.lost > o.lost {
		o.lost, o.after, o.fresh = next.lost, next.after, next.fresh
	}
	o.wrong += next.wrong
	o.agents += next.agents
	o.survivors += next.survivors
	o.restarts += next.restarts
	o.mismatches += next.mismatches
}

func (o *exhaustionResult) report(env *stress.Env) {
	if o.wrong > 0 {
		env.Detail("agents whose state does not match what they acknowledged", o.wrong)
	}
	if died := o.agents - o.survivors; died > 0 {
		env.Detail("agents did not survive although no fault ended them", died)
	}
	env.Value("recovery_time_ms", load.Milliseconds(o.recovery))
	if o.survivors > 0 {
		env.Bool("data_consistent", o.wrong == 0)
	} else {
		env.Unmeasured("data_consistent", "no agent survived")
	}
	if o.agents > 0 {
		env.Value("survivors", ratio(o.survivors, o.agents))
	} else {
		env.Unmeasured("survivors", "faults ended all agents")
	}
	env.Value("performance_restored", o.restored)
	env.Decline("performance_lost", o.fresh, o.after)
	env.Value("component_restarts", float64(o.restarts))
	env.Value("telemetry_mismatches", float64(o.mismatches))
}

// compare measures the throughput in turn with a new system.
func (x *exhaustionRun) compare(ctx context.Context, o *exhaustionResult) (err error) {
	fresh := &exhaustionRun{env: x.env, newBehaviour: x.newBehaviour, loads: x.loads, isFresh: true}
	if fresh.system, err = mabeam.Start(ctx, x.env.Options()); err != nil {
		return fmt.Errorf("start a new system: %w", err)
	}
	defer conformance.StopSystem(ctx, x.env, fresh.system)
	if err := fresh.start(ctx); err != nil {
		return err
	}
	for part := range workParts {
		if err := errors.Join(fresh.work(ctx, part, &o.fresh), x.work(ctx, part, &o.after)); err != nil {
			return err
		}
	}
	o.lost = 1 - report.Median(o.after)/max(report.Median(o.fresh), 1e-9)
	return nil
}
