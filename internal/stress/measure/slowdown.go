package measure

import (
	"context"
	"fmt"
	"time"

	mabeam "mabeam-top/internal/runtime"
	"mabeam-top/internal/stress"
	"mabeam-top/internal/stress/conformance"
	"mabeam-top/internal/stress/report"
	"mabeam-top/internal/stress/scenario"
)

const (
	// slowdownRounds is how many rounds of cycles the old and the new system get in turn,
	// and cyclesPerRound how many cycles a round has. The median of roundsPerReading rounds
	// is one reading, so that a change of the machine's speed during a round decides
	// nothing.
	slowdownRounds, cyclesPerRound, roundsPerReading = 96, 50, 8
	// slowdownTimeout limits the time for a slow system.
	slowdownTimeout = 3 * time.Second
)

// agingSlowdown describes the metric of measureSlowdown.
func agingSlowdown(given func(scenario.Params) bool) scenario.Metric {
	return scenario.Metric{
		Name: "aging_slowdown", Unit: "ratio", Better: report.Lower, Must: "<= 0.2", Given: given,
		Doc: "1 − cycle rate of the system after all cycles / cycle rate of a new system, at least 0. Both run in turn, so changes of the machine's speed affect both. Reported from 10,000 cycles on.",
	}
}

// measureSlowdown compares the system, after many cycles, with a new one.
func measureSlowdown(ctx context.Context, env *stress.Env, spec func() mabeam.Spec) error {
	fresh, err := mabeam.Start(ctx, env.Options())
	if err != nil {
		return fmt.Errorf("start a new system: %w", err)
	}
	defer conformance.StopSystem(ctx, env, fresh)
	both := [2]*mabeam.System{fresh, env.System()}
	if _, err := timeCycles(ctx, fresh, spec, 4*cyclesPerRound); err != nil { // fill its pools
		return err
	}
	var ratios []float64
	began := time.Now()
	for round := range slowdownRounds {
		var took [2]time.Duration
		for i := range both {
			which := (i + round) % 2 // each is first in turn
			if took[which], err = timeCycles(ctx, both[which], spec, cyclesPerRound); err != nil {
				return err
			}
		}
		ratios = append(ratios, float64(took[0])/float64(max(took[1], 1)))
		if time.Since(began) > slowdownTimeout {
			break
		}
	}
	env.Operations(int64(2*len(ratios)*cyclesPerRound), 0, 0)
	var readings, same []float64
	for from := 0; from < len(ratios); from += roundsPerReading {
		readings = append(readings, report.Median(ratios[from:min(from+roundsPerReading, len(ratios))]))
		same = append(same, 1)
	}
	env.Decline("aging_slowdown", same, readings)
	return nil
}

// timeCycles times cycles of one agent after the other.
func timeCycles(ctx context.Context, system *mabeam.System, spec func() mabeam.Spec, n int) (time.Duration, error) {
	began := time.Now()
	for range n {
		id, err := system.StartAgent(ctx, spec())
		if err == nil {
			err = system.StopAgent(ctx, id)
		}
		if err != nil {
			return 0, fmt.Errorf("compare with a new system: %w", err)
		}
	}
	return time.Since(began), nil
}
