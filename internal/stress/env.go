package stress

import (
	"context"
	"encoding/json"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	mabeam "mabeam-top/internal/runtime"
	"mabeam-top/internal/stress/reference"
	"mabeam-top/internal/stress/report"
	"mabeam-top/internal/stress/verdict"
)

// maxErrorKinds is how many different error messages of a step are told apart.
const maxErrorKinds = 50

// Env is what a measurement works with during one repetition: its parameters,
// a fresh system, loads to drive, and a place for its results.
type Env struct {
	Params Params
	// Rand is the source of all randomness, seeded for this repetition.
	Rand *rand.Rand

	measurement *Measurement
	system      *mabeam.System
	options     mabeam.Options
	shared      bool                 // other steps use the system at the same time
	watch       func(*mabeam.System) // has the probes read another system
	warmup      Warmup               // of a warm-up only: where it ends
	began       time.Time
	aborted     context.Context // ends when a threshold ends the loads
	cutOff      context.Context // ends when the repetition is cut off; nil if it cannot be
	driving     func(loadEvent)
	flush       func()  // has windows see what was up to now
	faults      *faults // nil if the step has none, and none can be injected by hand
	gate        *gate   // what its loads pass

	counters loadCounters
	lateness lateness
	earlier  atomic.Int64 // operations of the loads before the one that runs

	mu           sync.Mutex
	recorders    []*Recorder
	results      map[string]sample
	errors       []report.Error
	operations   report.Operations
	driven       report.Operations // those of operations that the counters count too
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
	Histogram *Histogram        `json:"histogram,omitempty"`
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
	if e.faults != nil {
		e.faults.system.Store(s)
		e.faults.supervisors.Store(0) // those that crashed were the other system's
	}
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
func (e *Env) Now() time.Time { return e.gate.clock.now() }

// At is what the clock of Now showed at a moment since the load was resumed last.
func (e *Env) At(t time.Time) time.Time { return e.gate.clock.at(t) }

// Aborted says whether a threshold has ended the loads of the step.
func (e *Env) Aborted() bool { return e.aborted.Err() != nil }

// A Driven is a load that has been carried out, or several one after the other.
// The zero value is none yet.
type Driven struct {
	// Took is from the start of the first operation to the end of the last;
	// pauses between loads are not in it.
	Took time.Duration
	// Latency is of every operation that ended, failed ones too; nil of a load
	// with a Recorder, which has it.
	Latency *Histogram
	// Late is how many operations of an open load the generator began late,
	// although a worker was free.
	Late int64
	// Blame says who kept the generator from its schedule; nobody unless the load
	// Lagged.
	Blame Blame
	report.Operations

	offered turns
}

// DueBy is how many operations of an open load were due until a time since its
// start, by the clock of Env.Now. It is what was asked for, unless a hand changed the
// rate meanwhile. Of several loads it is that of the first.
func (d Driven) DueBy(at time.Duration) float64 { return d.offered.by(at) }

// Add adds a load that was carried out after this one.
func (d *Driven) Add(next Driven) {
	if d.Latency == nil {
		d.Latency = NewHistogram()
	}
	d.Took += next.Took
	d.Latency.Merge(next.Latency)
	d.Late += next.Late
	if d.Blame.Culprit == NoCulprit || next.Undelivered() {
		d.Blame = next.Blame
	}
	d.Operations.Add(next.Operations)
}

// Lagged says whether the generator began so many operations late that the load
// was another one than was asked for. Blame says why.
func (d Driven) Lagged() bool { return float64(d.Late) > lateShare*float64(d.Attempted) }

// Undelivered says whether the load was another one than was asked for through
// no fault of the system under test, so that the figures say nothing about it.
func (d Driven) Undelivered() bool {
	return d.Blame.Culprit == OthersCulprit || d.Blame.Culprit == GeneratorCulprit
}

// PerSecond is the rate of operations that succeeded.
func (d Driven) PerSecond() float64 { return PerSecond(d.Succeeded, d.Took) }

// PerSecond is the rate of n in d.
func PerSecond(n int64, d time.Duration) float64 { return float64(n) / max(d.Seconds(), 1e-9) }

// A Driver is a load that is ready to be carried out once. All the memory that
// its recording takes is allocated already, so that a measurement of memory
// around Drive does not see it.
type Driver struct {
	env      *Env
	load     Load
	recorder *Recorder
	workers  []worker
}

// Prepare gets a load ready.
func (e *Env) Prepare(l Load) *Driver {
	if e.warmup.Operations > 0 {
		l = l.upTo(e.warmup.Operations)
	}
	d := &Driver{env: e, load: l, recorder: l.Recorder}
	if d.recorder == nil {
		d.recorder = NewRecorder()
	}
	d.workers = newWorkers(l, d.recorder)
	return d
}

// Drive prepares a load and carries it out.
func (e *Env) Drive(ctx context.Context, l Load, op func(context.Context, Op) error) (Driven, error) {
	return e.Prepare(l).Drive(ctx, op)
}

// Drive carries the load out and adds its operations to the step's. A
// measurement drives one load at a time. The probes show it while it runs.
// Errors of operations are counted by their message. A threshold may end the
// load early; then what was measured so far counts. An error is returned only
// when ctx has ended.
func (d *Driver) Drive(ctx context.Context, op func(context.Context, Op) error) (Driven, error) {
	e := d.env
	e.flush() // what was before is not this load's
	e.mu.Lock()
	if !slices.Contains(e.recorders, d.recorder) {
		e.recorders = append(e.recorders, d.recorder)
	}
	e.mu.Unlock()
	before, lateBefore := e.counters.totals(), e.counters.late.Load()
	loading, stop := context.WithCancel(ctx)
	defer stop()
	defer context.AfterFunc(e.aborted, stop)()
	e.driving(loadEvent{On: true, Metrics: d.load.Metrics, Follows: d.load.follows()})
	defer func() {
		e.flush() // up to here
		if d.load.Recorder == nil {
			e.Drained()
			return
		}
		e.driving(loadEvent{Draining: true, Metrics: d.load.Metrics})
	}()
	e.earlier.Store(before.Attempted)
	if e.Aborted() || !e.gate.begin(loading, d.load) {
		return Driven{Latency: NewHistogram()}, ctx.Err()
	}
	start := e.gate.clock.now()
	if len(d.load.Stages) > 0 {
		e.lateness.begin(lateBefore, before.Attempted)
		defer e.lateness.end()
	}
	calm := e.faults.during(loading)
	d.load.drive(loading, op, d.workers, &e.counters, e.gate, e.Failed)
	took := e.gate.clock.now().Sub(start)
	calm()
	after := e.counters.totals()
	driven := Driven{Took: took, Operations: report.Operations{
		Attempted: after.Attempted - before.Attempted, Succeeded: after.Succeeded - before.Succeeded,
		Failed: after.Failed - before.Failed, Dropped: after.Dropped - before.Dropped,
	}}
	if d.load.Recorder == nil {
		driven.Latency = d.recorder.Total()
	}
	driven.Late = e.counters.late.Load() - lateBefore
	e.lateness.sample(lateBefore+driven.Late, after.Attempted)
	if driven.Lagged() {
		driven.Blame = e.lateness.blame(float64(driven.Late) / float64(driven.Attempted))
	}
	driven.offered = e.gate.offered()
	e.mu.Lock()
	e.operations.Add(driven.Operations)
	e.driven.Add(driven.Operations)
	e.mu.Unlock()
	if driven.Blame.Culprit == SystemCulprit && !d.load.MayLag {
		e.Note("the load generator was late because of the system under test: "+driven.Blame.String(), 1)
	}
	if driven.Undelivered() && !d.load.MayLag {
		e.inconclude(driven.Blame.String(), driven.Blame.Culprit == OthersCulprit)
	}
	return driven, ctx.Err()
}

// Drained says that nothing of the loads is under way any more. A measurement whose
// operations record for themselves calls it when the last of them has; windows reach
// to then.
func (e *Env) Drained() {
	e.flush()
	e.driving(loadEvent{})
	e.mu.Lock()
	defer e.mu.Unlock()
	e.recorders = nil
}

// Due is how many operations of all loads so far were due by now.
func (e *Env) Due() int64 { return e.asked(time.Now()) }

// asked is how many operations were due by now: those that have begun, and those
// of an open load for which there was no worker yet.
func (e *Env) asked(now time.Time) int64 {
	begun := e.counters.totals().Attempted
	return max(begun, e.earlier.Load()+e.gate.due(now))
}

// Rehearse carries a load out without telling anything of it, so that what grows
// with the first of its kind (pools, stacks) has grown before a measurement. It
// returns the first error of an operation, or that of ctx.
func (e *Env) Rehearse(ctx context.Context, l Load, op func(context.Context, Op) error) error {
	var counters loadCounters
	var failed atomic.Pointer[error]
	gate := newGate(newHelm()) // nobody holds it
	if !gate.begin(ctx, l) {
		return ctx.Err()
	}
	l.drive(ctx, op, newWorkers(l, nil), &counters, gate, func(err error) { failed.CompareAndSwap(nil, &err) })
	if err := failed.Load(); err != nil {
		return *err
	}
	return ctx.Err()
}

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
	now := e.counters.totals()
	o := e.outcome()
	e.mu.Lock()
	defer e.mu.Unlock()
	o.Operations.Succeeded += max(now.Succeeded-e.driven.Succeeded, 0)
	o.Operations.Failed += max(now.Failed-e.driven.Failed, 0)
	o.Operations.Dropped += max(now.Dropped-e.driven.Dropped, 0)
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

// follows says whether the load has a rate that can be changed by hand.
func (l Load) follows() bool { return len(l.Stages) > 0 && !l.Steady }

// upTo shortens a load to a number of operations.
func (l Load) upTo(operations int) Load {
	if len(l.Stages) > 0 {
		first := l.Stages[0]
		l.Stages = []Stage{{Rate: first.Rate, For: time.Duration(float64(operations) / max(first.Rate, 1) * float64(time.Second))}}
		return l
	}
	if l.Operations == 0 || l.Operations > operations {
		l.Operations = operations
	}
	return l
}

// Operations adds to what the step attempted, besides what Drive did.
func (e *Env) Operations(succeeded, failed, dropped int64) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.operations.Add(report.Operations{
		Attempted: succeeded + failed + dropped, Succeeded: succeeded, Failed: failed, Dropped: dropped,
	})
}
