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

// A PreparedLoad is a load of a step that can run once. All the memory that its
// recording takes is allocated, so a measurement of memory around Run does not see
// it.
type PreparedLoad struct {
	env  *Env
	load *load.Prepared
}

// PrepareLoad prepares a load.
func (e *Env) PrepareLoad(l load.Load) *PreparedLoad {
	if e.warmup.Operations > 0 {
		l = l.Limit(e.warmup.Operations)
	}
	return &PreparedLoad{e, l.Prepare()}
}

// RunLoad prepares a load and runs it.
func (e *Env) RunLoad(ctx context.Context, l load.Load, op load.Operation) (load.Result, error) {
	return e.PrepareLoad(l).Run(ctx, op)
}

// Run runs the load and adds its operations to those of the step. A measurement
// runs one load at a time. The probes show it while it runs. Errors of operations
// are counted by their message. A threshold can end the load early; then what was
// measured so far counts. Run returns an error only if ctx has ended.
func (p *PreparedLoad) Run(ctx context.Context, op load.Operation) (load.Result, error) {
	e := p.env
	loading, stop := context.WithCancel(ctx)
	defer stop()
	defer context.AfterFunc(e.aborted, stop)()
	defer e.observeLoad(p.load)()
	if e.Aborted() {
		return load.Result{Latency: load.NewHistogram()}, ctx.Err()
	}
	result, ran := e.loads.Run(loading, p.load, op, e.Failed, e.faults.During)
	if !ran {
		return load.Result{Latency: load.NewHistogram()}, ctx.Err()
	}
	e.mu.Lock()
	e.operations.Add(result.Operations)
	e.ended.Add(result.Operations)
	e.mu.Unlock()
	if !p.load.MayLag {
		e.judgeDelivery(result)
	}
	return result, ctx.Err()
}

// observeLoad has the probes and the windows observe a load, until the function
// that it returns is called.
func (e *Env) observeLoad(l *load.Prepared) (end func()) {
	e.flush() // what was before is not of this load
	e.mu.Lock()
	if r := l.Latencies(); !slices.Contains(e.recorders, r) {
		e.recorders = append(e.recorders, r)
	}
	e.mu.Unlock()
	e.loadChanged(loadState{Running: true, Metrics: l.Metrics, Adjustable: l.IsAdjustable()})
	return func() {
		e.flush() // up to here
		if l.Recorder == nil {
			e.Drained()
			return
		}
		e.loadChanged(loadState{Draining: true, Metrics: l.Metrics})
	}
}

// judgeDelivery makes the repetition inconclusive if the load was not delivered
// through no fault of the system under test.
func (e *Env) judgeDelivery(r load.Result) {
	if r.Lag.Cause == load.SystemUnderTest {
		e.Note("the load generator was late because of the system under test: "+r.Lag.String(), 1)
	}
	if r.Undelivered() {
		e.inconclude(r.Lag.String(), r.Lag.Cause == load.OtherPrograms)
	}
}

// Drained says that nothing of the loads is under way any more. A measurement whose
// operations record for themselves calls it when the last of them has; windows reach
// to then.
func (e *Env) Drained() {
	e.flush()
	e.loadChanged(loadState{})
	e.mu.Lock()
	defer e.mu.Unlock()
	e.recorders = nil
}

// Due returns how many operations of all loads so far were due by now.
func (e *Env) Due() int64 { return e.loads.Due(time.Now()) }

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

// Hits reports whether a fault of the step can hit such targets.
func (e *Env) Hits(t scenario.Target) bool { return e.faults.Hits(t) }

// Ended reports whether a fault has ended a life of the agent of that id, which has
// a supervisor.
func (e *Env) Ended(id string) bool { return e.faults.Ended(id) }
