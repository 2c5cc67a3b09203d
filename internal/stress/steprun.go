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

	"mabeam-top/internal/probes/probe"
	"mabeam-top/internal/stress/fold"
	"mabeam-top/internal/stress/reference"
	"mabeam-top/internal/stress/report"
	"mabeam-top/internal/stress/scenario"
	"mabeam-top/internal/stress/stream"
	"mabeam-top/internal/stress/verdict"
)

// A stepRun is a step that runs, with the outcomes of its repetitions so far.
type stepRun struct {
	parent   *run
	scenario string
	step     *scenario.Step
	// began is when the step began, moved on by the time of other groups: the time
	// since then is the step's own.
	began time.Time

	isolated bool
	warm     time.Time // end of a warm-up by time
	number   int       // of the current repetition
	repeat   int       // planned repetitions
	aborted  context.Context
	abort    context.CancelFunc // ends aborted

	retries      int  // repetitions that ran again
	steered      bool // by a viewer
	parallel     bool // other steps run at the same time
	samples      map[string]metricSamples
	done         []int // the repetitions that finished
	reference    []reference.Figures
	operations   report.Operations
	errors       []report.Error
	verdict      report.Verdict // inconclusive or error, as soon as that is known
	inconclusive string         // why it is inconclusive

	mu     sync.Mutex // guards what follows
	probes fold.Summary
	faults []report.Fault
	windows
}

func newStepRun(r *run, step *scenario.Step, group int, isolated, parallel bool) *stepRun {
	aborted, abort := context.WithCancel(context.Background())
	s := &stepRun{
		parent: r, step: step, began: time.Now(), isolated: isolated, parallel: parallel,
		aborted: aborted, abort: abort, repeat: step.Repeat, samples: map[string]metricSamples{},
		windows: windows{rate: 1, series: map[string][]verdict.Series{}},
	}
	for _, planned := range step.Faults {
		// A planned fault that is never injected is reported as 0.
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

// hasRepetition reports whether the step has a repetition of that number; 0 is its
// warm-up.
func (s *stepRun) hasRepetition(n int) bool {
	if n == 0 {
		return s.step.Warmup != scenario.Warmup{} && (s.warm.IsZero() || s.isWarmingUp())
	}
	return n <= s.repeat && s.verdict != report.Broken && !s.isAborted()
}

// isWarmingUp reports whether its warm-up by time is not over. A load that is shorter
// than the warm-up runs again.
func (s *stepRun) isWarmingUp() bool {
	return s.step.Warmup.For > 0 && s.verdict != report.Broken && time.Now().Before(s.warm)
}

// isAborted reports whether a threshold has stopped the step.
func (s *stepRun) isAborted() bool { return s.aborted.Err() != nil }

// begin begins a repetition and returns the step's part of it. At is the index of the
// step in its group.
func (s *stepRun) begin(n, at int, seed uint64) part {
	s.number = n
	s.mu.Lock()
	s.windows.steered = false
	s.mu.Unlock()
	p := part{Step: at, Elapsed: time.Since(s.began), aborted: s.aborted}
	if n == 0 && s.step.Warmup.For > 0 {
		if s.warm.IsZero() {
			s.warm = time.Now().Add(s.step.Warmup.For)
		}
		p.Limit = max(time.Until(s.warm), 1)
	}
	s.parent.emit(stream.Event{Type: stream.RepetitionStarted, Repetition: &stream.Repetition{
		Step: s.step.Name, Number: n, Of: s.repeat, Seed: repetitionSeed(seed, s.step.Name, n),
	}})
	return p
}

// repetitionSeed returns a seed for each repetition of each step that is the same in
// every run.
func repetitionSeed(seed uint64, step string, n int) uint64 {
	h := fnv.New64a()
	fmt.Fprintf(h, "%d/%s/%d", seed, step, n)
	return h.Sum64()
}

// sample adds a sample to the step's probes.
func (s *stepRun) sample(values probe.Sample) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.probes.Add(values)
}

// injected counts a fault.
func (s *stepRun) injected(at time.Time, f stream.Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.steered = s.steered || f.ByHand
	s.faults = report.AddFault(s.faults, f.Fault, at.Sub(s.began).Seconds(), f.Target)
}

// addOutcome adds the outcome of the current repetition. Err says why it did not
// complete.
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
	if o.Steered {
		s.mu.Lock()
		s.steered = true
		s.mu.Unlock()
		o.Inconclusive = cmp.Or(o.Inconclusive, loadSteered)
	}
	var death *Death
	if errors.As(err, &death) && ctx.Err() == nil {
		o, err = s.died(o, death)
	}
	s.operations.Add(o.Operations)
	for _, e := range o.Errors {
		addError(&s.errors, e)
	}
	if s.isAborted() {
		s.addError(errors.New("stopped early: a threshold did not hold"))
	}
	switch {
	case ctx.Err() != nil: // an interrupted repetition has no result, and finish reports the interruption
		if err != nil {
			s.addError(err)
		}
	case err != nil:
		if s.repeat > 1 { // the figures are those of the repetitions before
			err = fmt.Errorf("%w, in repetition %d of %d", err, s.number, s.repeat)
		}
		s.fail(err)
	default:
		s.addResults(o)
	}
}

// loadSteered is why a step is inconclusive whose load was steered.
const loadSteered = "the load was paused or its rate was changed manually, so there is no verdict"

// addResults adds the results of a repetition that completed.
func (s *stepRun) addResults(o outcome) {
	if o.Inconclusive != "" {
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

// maxRetries is how many repetitions of a step run again, at most: on a machine that
// is always busy there is no answer.
const maxRetries = 3

// shouldRetry reports whether a repetition has to run again, and logs it: the machine
// was busy with other programs, and nothing was wrong that is wrong on any machine.
// Nothing else of the repetition is kept.
func (s *stepRun) shouldRetry(o outcome) bool {
	if !o.Disturbed || s.retries >= maxRetries || s.number == 0 || !s.canRetry() || o.Failure != "" || o.Steered ||
		o.Operations.Succeeded < o.Operations.Attempted || !s.meetsConditions(o) {
		return false
	}
	s.retries++
	s.parent.log("warn", fmt.Sprintf("%s: repetition %d of %d runs again: %s", s.step.Name, s.number, s.repeat, o.Inconclusive))
	s.report(report.Note, "repetitions ran again because the machine was busy with other programs")
	return true
}

// canRetry reports whether there is time for another repetition, and whether a
// repetition can be left out altogether: no other step has figures from it, no fault
// was counted, and no window is judged by itself.
func (s *stepRun) canRetry() bool {
	return time.Now().Before(s.parent.retryUntil) && !s.parallel && !s.steered && len(s.step.Faults) == 0 && !s.isAborted() &&
		!slices.ContainsFunc(s.step.Thresholds, func(t verdict.Threshold) bool { return t.Window > 0 })
}

// minToExtend is how many repetitions a step needs to get more of them. With fewer,
// little was to be decided.
const minToExtend = 3

// extend doubles the repetitions of a step that has finished them, once, if a metric
// is undecided and none has failed.
func (s *stepRun) extend() {
	if s.repeat > s.step.Repeat || s.repeat < minToExtend || s.verdict != "" || !s.canRetry() {
		return
	}
	s.mu.Lock()
	result := s.judge()
	s.mu.Unlock()
	if why := verdict.Undecided(result.Metrics); why != "" && result.Verdict == report.Inconclusive {
		s.repeat *= 2
		s.parent.log("warn", fmt.Sprintf("%s: %d more repetitions follow: %s", s.step.Name, s.step.Repeat, why))
	}
}

// meetsConditions reports whether a repetition meets all exact conditions that apply
// to one repetition, whatever the machine did.
func (s *stepRun) meetsConditions(o outcome) bool {
	for name, must := range s.step.Conditions(s.parallel) {
		one := o.Results[name]
		if v, ok := report.Number(one.Value); ok && one.Estimate == nil && !must.TimeDependent && !must.Holds(v) {
			return false
		}
	}
	return true
}

// died returns the outcome of a repetition whose process died, from what it had
// reported by then.
func (s *stepRun) died(o outcome, death *Death) (outcome, error) {
	m := s.parent.engine.Catalogue.Find(s.step.Measurement.Name)
	if m.Died == nil {
		return o, death
	}
	env := &Env{
		Params: s.step.Params, measurement: m, began: s.began,
		results: o.Results, errors: o.Errors, operations: o.Operations, inconclusive: o.Inconclusive,
	}
	if env.results == nil {
		env.results = map[string]sample{}
	}
	found, _ := env.results[report.FindingsMetric].Value.(float64)
	env.findings = int64(found) // before it died
	if err := m.Died(env, death); err != nil {
		return o, err
	}
	return env.outcome(), nil
}

// fail notes that the step cannot be measured.
func (s *stepRun) fail(err error) {
	s.verdict = report.Broken
	s.addError(err)
}

func (s *stepRun) addError(err error) { s.report("", withoutIDs(err.Error())) }

func (s *stepRun) report(kind report.ErrorKind, message string) {
	addError(&s.errors, report.Error{Message: message, Count: 1, FirstAtSeconds: time.Since(s.began).Seconds(), Kind: kind})
}
