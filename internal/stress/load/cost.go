package load

import (
	"context"
	"errors"
	"math"
	"runtime"
	"time"

	"mabeam-top/internal/probes"
)

// RecordingCost measures what recording adds to an operation: the time that a
// worker of a closed load needs for an operation that does nothing. That is one
// reading of the clock, the counters and the histogram. It returns the worse of
// one worker and of one per processor.
func RecordingCost() time.Duration {
	return max(recordingCost(1), recordingCost(runtime.GOMAXPROCS(0)))
}

// recordingCost measures it with that many workers. It takes the best of several
// rounds, and CPU time where the system counts that finely enough, because other
// programs can use the processors meanwhile.
func recordingCost(workers int) time.Duration {
	const (
		rounds     = 5
		operations = 10_000 // of each worker
	)
	best := time.Duration(math.MaxInt64)
	for range rounds {
		run := runEmpty(Load{Workers: workers, Operations: workers * operations})
		best = min(best, run.took/operations)
		if run.err == nil && run.seconds > 0 {
			best = min(best, time.Duration(run.seconds/float64(workers*operations)*1e9))
		}
	}
	return best
}

// An emptyRun is the run of a load whose operations do nothing.
type emptyRun struct {
	took    time.Duration
	seconds float64 // CPU time
	err     error   // why the CPU time is not known
	latency *Histogram
	late    int64
}

// runEmpty runs a load whose operations do nothing.
func runEmpty(l Load) emptyRun {
	r, p := NewRunner(NewControl()), l.Prepare()
	ctx, cancel := context.WithCancel(context.Background()) // as the loads of a run have
	defer cancel()
	r.begin(ctx, l)
	start := time.Now()
	before, errBefore := probes.ProcessCPUSeconds()
	r.carryOut(ctx, p, func(context.Context, Op) error { return nil }, func(error) {})
	after, errAfter := probes.ProcessCPUSeconds()
	return emptyRun{time.Since(start), after - before, errors.Join(errBefore, errAfter), p.recorder.Total(), r.Meter.late.Load()}
}
