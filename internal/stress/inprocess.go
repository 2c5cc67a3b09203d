package stress

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"mabeam-top/internal/probes"
	mabeam "mabeam-top/internal/runtime"
	"mabeam-top/internal/stress/load"
	"mabeam-top/internal/stress/profile"
	"mabeam-top/internal/stress/reference"
	"mabeam-top/internal/stress/resources"
	"mabeam-top/internal/stress/scenario"
	"mabeam-top/internal/stress/stream"
)

const (
	// stopTimeout is how long a system can take to stop after its repetition.
	stopTimeout = 10 * time.Second
	// abandonTimeout is how long it can take if the run was interrupted.
	abandonTimeout = 500 * time.Millisecond
)

// inProcess carries out repetitions in this process. It owns the system, the
// probes and the loads.
type inProcess struct {
	plan      scenario.Plan
	catalogue Catalogue
	sampler   *probes.Sampler
	system    atomic.Pointer[mabeam.System] // that the probes read
	loads     loadProbes
	control   *load.Control
	// missingLimit is a note for each step about a limit that this process could
	// not be given; empty for none.
	missingLimit string
	// steerable says that a viewer can disturb the loads.
	steerable      bool
	inspectRequest atomic.Pointer[stream.Inspect] // what a viewer wants to see

	mu    sync.Mutex // guards parts
	parts []*partRun // of the running job, for commands
}

// newInProcess returns an executor for the plan's repetitions. Steerable says that
// a viewer can disturb the loads. It fails only if the probes cannot be read.
func newInProcess(plan scenario.Plan, cat Catalogue, steerable bool) (*inProcess, error) {
	process, err := probes.Process()
	if err != nil {
		return nil, fmt.Errorf("read this process's probes: %w", err)
	}
	e := &inProcess{plan: plan, catalogue: cat, control: load.NewControl(), steerable: steerable}
	e.sampler = probes.New(scenario.SampleInterval,
		probes.GoMetrics(), process, probes.HostLoad(), probes.System(e.system.Load), &e.loads)
	return e, nil
}

// close implements executor.
func (e *inProcess) close() error { return nil }

// run implements executor.
func (e *inProcess) run(ctx context.Context, j job, o observer) ([]outcome, profile.Part, error) {
	runtime.GC() // the garbage of the previous repetition
	var figures []reference.Figures
	if j.Reference {
		figures = append(figures, measureReference())
	}
	goroutines := resources.Goroutines()
	r, err := e.start(ctx, j, o)
	if err != nil {
		return make([]outcome, len(j.Parts)), profile.Part{}, fmt.Errorf("start the system: %w", err)
	}
	defer r.close(ctx)
	profiled := r.measure(ctx)
	if err := r.stop(ctx); err != nil {
		r.addFinding(err.Error(), 1)
	} else if ctx.Err() == nil {
		r.checkGoroutines(ctx, goroutines)
	}
	if j.Reference {
		figures = append(figures, measureReference())
	}
	return r.outcomes(figures), profiled, nil
}

// measureReference measures the reference works once.
func measureReference() reference.Figures {
	figures := reference.Measure()
	figures[reference.EntryMemory] = reference.EntryBytes() // measured once
	return figures
}

// setParts sets the parts that commands and probes are about.
func (e *inProcess) setParts(parts []*partRun) {
	e.loads.setParts(parts)
	e.mu.Lock()
	e.parts = parts
	e.mu.Unlock()
}
