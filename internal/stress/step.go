package stress

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"slices"
	"sync"
	"time"

	"mabeam-top/internal/stress/fold"
	"mabeam-top/internal/stress/reference"
	"mabeam-top/internal/stress/report"
	"mabeam-top/internal/stress/scenario"
	"mabeam-top/internal/stress/stream"
	"mabeam-top/internal/stress/verdict"
)

// A stepRun is one step while it is carried out: what its repetitions said so
// far.
type stepRun struct {
	parent   *run
	scenario string
	step     *scenario.Step
	// began is when it began, later by the time in which others had their
	// turn: time since then is the step's own.
	began time.Time

	isolated bool
	warm     time.Time // when its warm-up by time ends, by the run's clock
	number   int       // of the running repetition
	repeat   int       // how many repetitions it is to have
	aborted  context.Context
	abort    context.CancelFunc // ends aborted

	retries      int  // how many repetitions were carried out again
	steered      bool // by hand
	parallel     bool // other steps run at the same time
	samples      map[string]metricSamples
	done         []int // the repetitions that finished
	reference    []reference.Figures
	operations   report.Operations
	errors       []report.Error
	verdict      report.Verdict // inconclusive or error, as soon as that is known
	inconclusive string         // why it is inconclusive

	mu      sync.Mutex // guards what the sampler touches
	probes  fold.Summary
	series  map[string][]verdict.Series
	faults  []report.Fault
	load    loadState // that runs
	loaded  time.Time // when it began
	sampled time.Time
	// rate is what the rate of the loads that follow is multiplied by since
	// turned. Readings of which it was not 1 are leftOut of windows, and of
	// lowered it was below.
	rate             float64
	turned           time.Time
	leftOut, lowered bool
	resumed          time.Time // when the load was let go that was held
}

func newStepRun(r *run, step *scenario.Step, group int, isolated, beside bool) *stepRun {
	aborted, abort := context.WithCancel(context.Background())
	s := &stepRun{
		parent: r, step: step, began: time.Now(), isolated: isolated, parallel: beside,
		aborted: aborted, abort: abort, rate: 1, repeat: step.Repeat,
		samples: map[string]metricSamples{}, series: map[string][]verdict.Series{},
	}
	for _, planned := range step.Faults {
		// One that was planned and never injected is told as 0.
		if !slices.ContainsFunc(s.faults, func(f report.Fault) bool { return f.Fault == string(planned.Kind) }) {
			s.faults = append(s.faults, report.Fault{Fault: string(planned.Kind)})
		}
	}
	r.emit(stream.Event{Type: stream.StepStarted, Step: &stream.Step{
		Name: step.Name, Measurement: step.Measurement.Name, Component: step.Component, Group: group,
		Params: scenario.Encode(step.Params, step.Measurement.Params), Repeat: step.Repeat,
		EstimateSeconds: step.Estimate().Seconds(), Isolated: isolated,
		Limits: Limits(step, r.engine.Baselines),
	}})
	for _, text := range step.Unreachable(r.engine.Baselines) {
		r.log("warn", step.Name+": "+text)
	}
	return s
}

// takes says whether the step has a repetition of that number; 0 is its
// warm-up.
func (s *stepRun) hasRepetition(n int) bool {
	if n == 0 {
		return s.step.Warmup != scenario.Warmup{} && (s.warm.IsZero() || s.isWarmingUp())
	}
	return n <= s.repeat && s.verdict != report.Broken && !s.isAborted()
}

// isCold says whether its warm-up by time is not over. A load that is shorter
// than that is carried out again.
func (s *stepRun) isWarmingUp() bool {
	return s.step.Warmup.For > 0 && s.verdict != report.Broken && s.parent.clock.Now().Before(s.warm)
}

// isAborted says whether a threshold has stopped the step.
func (s *stepRun) isAborted() bool { return s.aborted.Err() != nil }

// begin tells that a repetition begins, and returns what the step's part in it
// is. At is the step's place in its group.
func (s *stepRun) begin(n, at int, seed uint64) part {
	s.number = n
	p := part{Step: at, Elapsed: time.Since(s.began), aborted: s.aborted}
	if n == 0 && s.step.Warmup.For > 0 {
		if s.warm.IsZero() {
			s.warm = s.parent.clock.Now().Add(s.step.Warmup.For)
		}
		p.Limit = max(s.warm.Sub(s.parent.clock.Now()), 1)
	}
	s.parent.emit(stream.Event{Type: stream.RepetitionStarted, Repetition: &stream.Repetition{
		Step: s.step.Name, Number: n, Of: s.repeat, Seed: repetitionSeed(seed, s.step.Name, n),
	}})
	return p
}

// injected counts a fault.
func (s *stepRun) injected(at time.Time, f stream.Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.steered = s.steered || f.ByHand
	s.faults = report.AddFault(s.faults, f.Fault, at.Sub(s.began).Seconds(), f.Target)
}

// repetitionSeed gives each repetition of each step randomness of its own that
// is the same in every run.
func repetitionSeed(seed uint64, step string, n int) uint64 {
	h := fnv.New64a()
	fmt.Fprintf(h, "%d/%s/%d", seed, step, n)
	return h.Sum64()
}

// take takes in what the repetition says that was begun. Err says why it did
// not come to its end.
func (s *stepRun) addOutcome(ctx context.Context, o outcome, err error) {
	if err == nil && o.Failure != "" && ctx.Err() == nil {
		err = errors.New(o.Failure)
	}
	if s.number == 0 {
		if err != nil && ctx.Err() == nil {
			s.fail(fmt.Errorf("warm-up: %w", err))
		}
		return
	}
	s.mu.Lock()
	s.steered = s.steered || o.Steered
	s.mu.Unlock()
	var death *Death
	if errors.As(err, &death) && ctx.Err() == nil {
		o, err = s.died(o, death)
	}
	s.operations.Add(o.Operations)
	for _, told := range o.Errors {
		addError(&s.errors, told)
	}
	if s.isAborted() {
		s.addError(errors.New("stopped early: a threshold did not hold"))
	}
	switch {
	case ctx.Err() != nil: // finish tells; a repetition that was cut off says nothing
		if err != nil {
			s.addError(err)
		}
		return
	case err != nil:
		if s.repeat > 1 { // the figures are of those before
			err = fmt.Errorf("%w, in repetition %d of %d", err, s.number, s.repeat)
		}
		s.fail(err)
		return
	case o.Inconclusive != "":
		s.verdict, s.inconclusive = report.Inconclusive, o.Inconclusive
		s.addError(errors.New(o.Inconclusive))
	}
	s.done = append(s.done, s.number)
	s.reference = append(s.reference, o.Reference...)
	for name, one := range o.Results {
		of := s.samples[name]
		s.samples[name] = metricSamples{append(of.repetitions, s.number), append(of.samples, one)}
	}
}

// mostAgain is how many repetitions of a step are carried out again at most: on a machine
// that is busy all the time there is no answer.
const maxRetries = 3

// asksAgain says whether a repetition is to be carried out again, and tells so: the machine
// was busy with other things, and nothing that can be told all the same was wrong. Nothing
// else of it is kept.
func (s *stepRun) shouldRetry(o outcome) bool {
	if !o.Disturbed || s.retries >= maxRetries || s.number == 0 || !s.canRetry() || o.Failure != "" || o.Steered ||
		o.Operations.Succeeded < o.Operations.Attempted || !s.meetsConditions(o) {
		return false
	}
	s.retries++
	s.parent.log("warn", fmt.Sprintf("%s: repetition %d of %d is carried out again: %s", s.step.Name, s.number, s.repeat, o.Inconclusive))
	s.report(report.Note, "repetitions that were carried out again, because the machine was busy with other things")
	return true
}

// canAskAgain says whether there is time for another one, and what a repetition did can be
// left out altogether: no other step has its figures from it, no fault was counted, and no
// window is judged by itself.
func (s *stepRun) canRetry() bool {
	return s.parent.clock.Now().Before(s.parent.retryUntil) && !s.parallel && !s.steered && len(s.step.Faults) == 0 && !s.isAborted() &&
		!slices.ContainsFunc(s.step.Thresholds, func(t verdict.Threshold) bool { return t.Window > 0 })
}

// leastToExtend is how many repetitions a step has of which more can be asked for. With
// fewer, little was to be decided.
const minToExtend = 3

// extend gives a step that has all its repetitions as many again, once, if a metric is
// undecided and none has failed.
func (s *stepRun) extend() {
	if s.repeat > s.step.Repeat || s.repeat < minToExtend || s.verdict != "" || !s.canRetry() {
		return
	}
	s.mu.Lock()
	result := s.judge()
	s.mu.Unlock()
	if why := verdict.Undecided(result.Metrics); why != "" && result.Verdict == report.Inconclusive {
		s.repeat *= 2
		s.parent.log("warn", fmt.Sprintf("%s: %d more repetitions are carried out: %s", s.step.Name, s.step.Repeat, why))
	}
}

// keepsConditions says whether a repetition meets all exact conditions that can be told of
// it by itself, whatever the machine did.
func (s *stepRun) meetsConditions(o outcome) bool {
	for name, must := range s.step.Conditions(s.parallel) {
		one := o.Results[name]
		if v, ok := report.Number(one.Value); ok && one.Estimate == nil && !must.Timed && !must.Condition.Holds(v) {
			return false
		}
	}
	return true
}

// died makes an outcome of a death and of what the repetition had said by then.
func (s *stepRun) died(o outcome, death *Death) (outcome, error) {
	died := s.parent.engine.Catalogue.Find(s.step.Measurement.Name).Died
	if died == nil {
		return o, death
	}
	env := &Env{
		Params: s.step.Params, measurement: s.parent.engine.Catalogue.Find(s.step.Measurement.Name), began: s.began,
		results: o.Results, errors: o.Errors, operations: o.Operations, inconclusive: o.Inconclusive,
	}
	if env.results == nil {
		env.results = map[string]sample{}
	}
	found, _ := env.results[report.FindingsMetric].Value.(float64)
	env.findings = int64(found) // before it died
	if err := died(env, death); err != nil {
		return o, err
	}
	return env.outcome(), nil
}

// broken notes that the step cannot be measured.
func (s *stepRun) fail(err error) {
	s.verdict = report.Broken
	s.addError(err)
}

func (s *stepRun) addError(err error) { s.report("", withoutIDs(err.Error())) }

func (s *stepRun) report(kind report.ErrorKind, message string) {
	addError(&s.errors, report.Error{Message: message, Count: 1, FirstAtSeconds: time.Since(s.began).Seconds(), Kind: kind})
}

// sample takes a sample into the step's probes.
func (s *stepRun) sample(values map[string]float64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.probes.Add(values)
}

// finish sums the repetitions up and judges them. If ctx has ended, waited says
// whether that was while others had their turn.
func (s *stepRun) finish(ctx context.Context, waited bool) report.Step {
	defer s.abort()
	reached := fmt.Sprintf("in repetition %d of %d", s.number, s.repeat)
	if waited {
		reached = fmt.Sprintf("after repetition %d of %d", s.number, s.repeat)
	}
	cause := context.Cause(ctx)
	switch {
	case cause == nil:
	case errors.Is(cause, context.Canceled):
		s.verdict = report.Interrupted
		s.addError(errors.New("interrupted " + reached))
	default:
		s.fail(fmt.Errorf("%w, %s", cause, reached))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if why := cmp.Or(s.thresholdWithoutWindow(), s.faultNeverInjected()); why != "" && s.verdict == "" {
		s.verdict, s.inconclusive = report.Inconclusive, why
		s.addError(errors.New(why))
	}
	result := s.judge()
	if s.lowered {
		result.Recommendations = append(result.Recommendations, s.step.LoweredRateNotes(result.Metrics)...)
	}
	return result
}

// judge judges what the finished repetitions said. The lock is held.
func (s *stepRun) judge() report.Step {
	metrics := s.aggregate()
	result := report.Step{
		Name: s.step.Name, Measurement: s.step.Measurement.Name, Component: s.step.Component,
		Params:  scenario.Encode(s.step.Params, s.step.Measurement.Params),
		Verdict: s.verdict, DurationSeconds: time.Since(s.began).Seconds(), Isolated: s.isolated, Steered: s.steered,
		Metrics: metrics, Operations: s.operations, Errors: s.errors, Faults: s.faults, Probes: s.probes.Probes(),
	}
	if len(s.reference) > 0 {
		result.Reference = map[string]float64{}
		for work, figure := range reference.Median(s.reference) {
			result.Reference[string(work)] = figure
		}
	}
	if len(s.done) < s.repeat {
		result.Repetitions = &report.Repetitions{Finished: len(s.done), Planned: s.repeat}
	}
	return verdict.Judge(result, verdict.Against{
		Baselines: s.parent.engine.Baselines, Tolerance: s.step.Tolerance,
		Exact: s.step.Conditions(s.parallel), Declared: s.step.DeclaredMetrics(), Floors: s.floors(),
		Thresholds: s.step.Thresholds, Series: s.series,
		Best:         s.parent.engine.Best.Of(s.parent.engine.Host, s.scenario, result),
		Inconclusive: s.inconclusive, CPUs: s.parent.engine.Host.CPUs,
		Known: s.step.Unreachable(s.parent.engine.Baselines),
	})
}

// floors is the component whose floors the step is held against. They are those of
// the measurement by itself: not beside other steps, not under faults, and not with a
// load that a hand has changed.
func (s *stepRun) floors() string {
	if s.parallel || len(s.step.Faults) > 0 || s.steered {
		return ""
	}
	return s.step.Measurement.FloorsOf()
}

// neverInjected says which of the planned faults was never injected; empty if all
// were. Without it, nothing is known of how the system takes it. The lock is held.
func (s *stepRun) faultNeverInjected() string {
	for _, planned := range s.step.Faults {
		i := slices.IndexFunc(s.faults, func(f report.Fault) bool { return f.Fault == string(planned.Kind) })
		if i < 0 || s.faults[i].Injected == 0 {
			return fmt.Sprintf("the fault %s was planned and never injected, so nothing is known of how the system takes it", planned.Kind)
		}
	}
	return ""
}
