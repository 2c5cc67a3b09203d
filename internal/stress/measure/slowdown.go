package measure

import (
	"context"
	"fmt"
	"time"

	mabeam "mabeam-top/internal/runtime"
	"mabeam-top/internal/stress"
	"mabeam-top/internal/stress/report"
	"mabeam-top/internal/stress/scenario"
)

const (
	// slowdownRounds is how many rounds of cycles the old and the fresh system get in
	// turn, cyclesPerRound how many cycles a round has, and roundsPerReading how many rounds
	// count as one reading: the median of them, as a machine that changes its speed in
	// the middle of a round would decide otherwise.
	slowdownRounds, cyclesPerRound, roundsPerReading = 96, 50, 8
	// slowdownTimeout bounds the time that a slow system may take for that.
	slowdownTimeout = 3 * time.Second
)

// agingSlowdown describes the metric that measureSlowdown reports.
func agingSlowdown(given func(scenario.Params) bool) scenario.Metric {
	return scenario.Metric{
		Name: "aging_slowdown", Unit: "ratio", Better: report.Lower, Must: "<= 0.2", Given: given,
		Doc: "1 − rate of cycles of the system after all of them / of a fresh system, both in turn, so that a machine that changes its speed changes both; 0 if it is not slower. Reported for at least 10,000 cycles.",
	}
}

// measureSlowdown compares the system, which has seen many cycles, with a fresh one.
func measureSlowdown(ctx context.Context, env *stress.Env, spec func() mabeam.Spec) error {
	fresh, err := mabeam.Start(ctx, env.Options())
	if err != nil {
		return fmt.Errorf("start a fresh system: %w", err)
	}
	defer stopSystem(ctx, env, fresh)
	both := [2]*mabeam.System{fresh, env.System()}
	if _, err := timeCycles(ctx, fresh, spec, 4*cyclesPerRound); err != nil { // its pools fill
		return err
	}
	var ratios []float64
	began := env.Now()
	for round := range slowdownRounds {
		var took [2]time.Duration
		for i := range both {
			which := (i + round) % 2 // each is first by turns
			if took[which], err = timeCycles(ctx, both[which], spec, cyclesPerRound); err != nil {
				return err
			}
		}
		ratios = append(ratios, float64(took[0])/float64(max(took[1], 1)))
		if env.Now().Sub(began) > slowdownTimeout {
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
			return 0, fmt.Errorf("compare with a fresh system: %w", err)
		}
	}
	return time.Since(began), nil
}
