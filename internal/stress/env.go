package stress

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"mabeam-top/internal/probes/probe"
	mabeam "mabeam-top/internal/runtime"
	"mabeam-top/internal/stress/fault"
	"mabeam-top/internal/stress/load"
	"mabeam-top/internal/stress/reference"
	"mabeam-top/internal/stress/report"
	"mabeam-top/internal/stress/scenario"
	"mabeam-top/internal/stress/verdict"
)

// maxErrorKinds is how many different error messages of a step are counted separately.
const maxErrorKinds = 50

// An Env is what a measurement works with during one repetition: its parameters, a
// fresh system, a way to run loads, and a place for its results.
type Env struct {
	Params scenario.Params
	// Rand is the source of all randomness, seeded for this repetition.
	Rand *rand.Rand

	measurement *Measurement
	system      *mabeam.System
	options     mabeam.Options
	shared      bool                 // other steps use the system at the same time
	watch       func(*mabeam.System) // makes the probes read another system
	warmup      scenario.Warmup      // zero unless this is a warm-up
	began       time.Time
	aborted     context.Context // ends when a threshold ends the loads
	cutOff      context.Context // ends when the repetition is interrupted; nil if it cannot be
	loadChanged func(loadState)
	flush       func()          // ends the current interval of the windows
	faults      *fault.Injector // nil if the step has none, and no viewer can inject any
	loads       *load.Runner

	mu           sync.Mutex
	recorders    []*load.Recorder
	results      map[string]sample
	errors       []report.Error
	operations   report.Operations
	ended        report.Operations // those of loads that have ended, which the runner counts too
	findings     int64
	supplied     map[probe.Name]func() int64 // probes that the measurement counts itself
	reference    []reference.Figures         // that the measurement took itself
	disturbed    bool                        // the machine was busy with other programs
	inconclusive string                      // why the repetition is inconclusive
}

// A sample is the result of one repetition for one metric: a number, text or bool, the
// distribution whose mean is the number, or what the repetition adds to an estimate.
type sample struct {
	Value     any               `json:"value"`
	Histogram *load.Histogram   `json:"histogram,omitempty"`
	Estimate  *verdict.Estimate `json:"estimate,omitempty"`
}

// MarshalJSON implements json.Marshaler. JSON cannot express a number that is not
// finite, and such a number is not a measurement.
func (s sample) MarshalJSON() ([]byte, error) {
	if v, ok := s.Value.(float64); ok && !report.Finite(v) {
		s.Value = nil
	}
	type plain sample
	return json.Marshal(plain(s))
}

// System returns the system of the repetition, fresh and running.
func (e *Env) System() *mabeam.System { return e.system }

// Options returns the options that the system was started with.
func (e *Env) Options() mabeam.Options { return e.options }

// SharesSystem reports whether other steps use the system at the same time.
func (e *Env) SharesSystem() bool { return e.shared }

// Watch makes the probes read, and the faults hit, another system than that of the
// repetition.
func (e *Env) Watch(s *mabeam.System) {
	e.watch(s)
	e.faults.SetSystem(s)
}

// Count returns n, or the number of operations of the warm-up if that is less.
func (e *Env) Count(n int) int {
	if e.warmup.Operations > 0 {
		return min(n, e.warmup.Operations)
	}
	return n
}

// Aborted reports whether a threshold has ended the loads of the step.
func (e *Env) Aborted() bool { return e.aborted.Err() != nil }

// outcome returns the outcome of the repetition.
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

// progress returns the outcome so far, without the operations in flight.
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

// Inconclusive makes the repetition inconclusive, because the machine was busy with
// other programs, and says how that showed. RunLoad calls it if the generator could not
// deliver a load.
func (e *Env) Inconclusive(why string) { e.inconclude(why, true) }

// inconclude makes the repetition inconclusive. If the machine was not disturbed,
// another repetition would not help.
func (e *Env) inconclude(why string, disturbed bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.inconclusive, e.disturbed = why, disturbed
}

// Operations adds operations to those of the step, besides those of its loads.
func (e *Env) Operations(succeeded, failed, dropped int64) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.operations.Add(report.Operations{
		Attempted: succeeded + failed + dropped, Succeeded: succeeded, Failed: failed, Dropped: dropped,
	})
}

// Agent returns the spec of an agent that the step's faults can hit. Each life of
// each agent needs a call of its own, and has to be started on System, or on the
// system given to Watch.
func (e *Env) Agent(spec mabeam.Spec) mabeam.Spec { return e.faults.Agent(spec) }

// Subscriber returns the handler of subscriber n, counted from 0, that the step's
// faults can hit.
func (e *Env) Subscriber(n int, handler func(context.Context, mabeam.Event)) func(context.Context, mabeam.Event) {
	return e.faults.Subscriber(SubscriberName(n), handler)
}

// SubscriberName returns the name of subscriber n, counted from 0, in faults, on the
// bus and in reports.
func SubscriberName(n int) string { return fmt.Sprintf("subscriber-%d", n+1) }

// HasFaultsOn reports whether a fault of the step can hit such targets.
func (e *Env) HasFaultsOn(t scenario.Target) bool { return e.faults.Hits(t) }

// EndedByFault reports whether a fault has ended a life of the agent of that id, which
// has a supervisor.
func (e *Env) EndedByFault(id string) bool { return e.faults.Ended(id) }
