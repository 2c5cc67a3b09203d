package stress

import (
	"context"
	"encoding/json"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"mabeam-top/internal/stress/fault"
	"mabeam-top/internal/stress/scenario"

	mabeam "mabeam-top/internal/runtime"
	"mabeam-top/internal/stress/load"
	"mabeam-top/internal/stress/reference"
	"mabeam-top/internal/stress/report"
	"mabeam-top/internal/stress/verdict"
)

// maxErrorKinds is how many different error messages of a step are told apart.
const maxErrorKinds = 50

// Env is what a measurement works with during one repetition: its parameters,
// a fresh system, loads to drive, and a place for its results.
type Env struct {
	Params scenario.Params
	// Rand is the source of all randomness, seeded for this repetition.
	Rand *rand.Rand

	measurement *Measurement
	system      *mabeam.System
	options     mabeam.Options
	shared      bool                 // other steps use the system at the same time
	watch       func(*mabeam.System) // has the probes read another system
	warmup      scenario.Warmup      // of a warm-up only: where it ends
	began       time.Time
	aborted     context.Context // ends when a threshold ends the loads
	cutOff      context.Context // ends when the repetition is cut off; nil if it cannot be
	loadChanged func(loadState)
	flush       func()          // has windows see what was up to now
	faults      *fault.Injector // nil if the step has none, and no viewer can inject any
	loads       *load.Runner

	mu           sync.Mutex
	recorders    []*load.Recorder
	results      map[string]sample
	errors       []report.Error
	operations   report.Operations
	ended        report.Operations // those of loads that have ended, which the runner counts too
	findings     int64
	supplied     map[string]func() int64 // what is counted of its own, by probe
	reference    []reference.Figures     // that it measured itself
	disturbed    bool                    // the machine was busy with other things
	inconclusive string                  // why the repetition is inconclusive
}

// A sample is what one repetition says of one metric: a number, text or bool,
// the distribution whose mean is the number, or what it adds to an estimate.
type sample struct {
	Value     any               `json:"value"`
	Histogram *load.Histogram   `json:"histogram,omitempty"`
	Estimate  *verdict.Estimate `json:"estimate,omitempty"`
}

// MarshalJSON implements json.Marshaler. JSON has no way to write a number that
// is not finite; it is no measurement either.
func (s sample) MarshalJSON() ([]byte, error) {
	if v, ok := s.Value.(float64); ok && !report.Finite(v) {
		s.Value = nil
	}
	type plain sample
	return json.Marshal(plain(s))
}

// System is the system of the repetition, fresh and running.
func (e *Env) System() *mabeam.System { return e.system }

// Options are what the scenario says about the system.
func (e *Env) Options() mabeam.Options { return e.options }

// SharesSystem says whether other steps use the same system at the same time.
func (e *Env) SharesSystem() bool { return e.shared }

// Watch has the probes read another system than that of the repetition, and
// faults hit it.
func (e *Env) Watch(s *mabeam.System) {
	e.watch(s)
	e.faults.SetSystem(s)
}

// Count returns n, or how many operations the warm-up is to have if that is
// less.
func (e *Env) Count(n int) int {
	if e.warmup.Operations > 0 {
		return min(n, e.warmup.Operations)
	}
	return n
}

// Now is the time by a clock that stands still while the load is held by hand.
// What a measurement times itself while a load runs, it has to time by this.
func (e *Env) Now() time.Time { return e.loads.Clock().Now() }

// At is what the clock of Now showed at a moment since the load was resumed last.
func (e *Env) At(t time.Time) time.Time { return e.loads.Clock().At(t) }

// Aborted says whether a threshold has ended the loads of the step.
func (e *Env) Aborted() bool { return e.aborted.Err() != nil }

// outcome is what the repetition says.
func (e *Env) outcome() outcome {
	e.mu.Lock()
	defer e.mu.Unlock()
	results := maps.Clone(e.results)
	if results == nil {
		results = map[string]sample{}
	}
	results[report.FindingsMetric] = sample{Value: float64(e.findings)}
	return outcome{
		Results: results, Operations: e.operations, Errors: slices.Clone(e.errors), Inconclusive: e.inconclusive,
		Disturbed: e.disturbed, Reference: slices.Clone(e.reference),
	}
}

// progress is what the repetition says so far. Operations that are under way
// are not in it.
func (e *Env) progress() outcome {
	now := e.loads.Operations()
	o := e.outcome()
	e.mu.Lock()
	defer e.mu.Unlock()
	o.Operations.Succeeded += max(now.Succeeded-e.ended.Succeeded, 0)
	o.Operations.Failed += max(now.Failed-e.ended.Failed, 0)
	o.Operations.Dropped += max(now.Dropped-e.ended.Dropped, 0)
	o.Operations.Attempted = o.Operations.Succeeded + o.Operations.Failed + o.Operations.Dropped
	return o
}

// Inconclusive says that the figures tell nothing about the system under test, because the
// machine was busy with other things, and how that showed. Drive does so if the generator
// could not deliver a load that may not lag.
func (e *Env) Inconclusive(why string) { e.inconclude(why, true) }

// inconclude is Inconclusive; if the machine was not disturbed, another try would tell no
// more.
func (e *Env) inconclude(why string, disturbed bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.inconclusive, e.disturbed = why, disturbed
}

// Operations adds to what the step attempted, besides what Drive did.
func (e *Env) Operations(succeeded, failed, dropped int64) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.operations.Add(report.Operations{
		Attempted: succeeded + failed + dropped, Succeeded: succeeded, Failed: failed, Dropped: dropped,
	})
}
