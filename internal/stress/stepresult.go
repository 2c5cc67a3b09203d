package stress

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"mabeam-top/internal/stress/reference"
	"mabeam-top/internal/stress/report"
	"mabeam-top/internal/stress/scenario"
	"mabeam-top/internal/stress/verdict"
)

// finish aggregates the repetitions and judges them. If ctx has ended, waited says
// whether that was while other groups ran.
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
	if why := s.faultNeverInjected(); why != "" && s.verdict == "" {
		s.verdict, s.inconclusive = report.Inconclusive, why
		s.addError(errors.New(why))
	}
	return s.judge()
}

// judge judges the finished repetitions. The lock is held.
func (s *stepRun) judge() report.Step {
	result := report.Step{
		Name: s.step.Name, Measurement: s.step.Measurement.Name, Component: s.step.Component,
		Params:  scenario.Encode(s.step.Params, s.step.Measurement.Params),
		Verdict: s.verdict, DurationSeconds: time.Since(s.began).Seconds(), Isolated: s.isolated, Steered: s.steered,
		Metrics: s.aggregate(), Operations: s.operations, Errors: s.errors, Faults: s.faults, Probes: s.probes.Probes(),
	}
	if len(s.reference) > 0 {
		result.Reference = map[string]float64{}
		for workload, figure := range reference.Median(s.reference) {
			result.Reference[string(workload)] = figure
		}
	}
	if len(s.done) < s.repeat {
		result.Repetitions = &report.Repetitions{Finished: len(s.done), Planned: s.repeat}
	}
	engine := s.parent.engine
	return verdict.Judge(result, verdict.Criteria{
		Baselines: engine.Baselines, Tolerance: s.step.Tolerance,
		Conditions: s.step.Conditions(s.parallel), Declared: s.step.DeclaredMetrics(), FloorComponent: s.floors(),
		Thresholds: s.step.Thresholds, Series: s.series,
		Best:               engine.Best.Figures(engine.Host, s.scenario, result),
		InconclusiveReason: s.inconclusive, CPUs: engine.Host.CPUs,
		KnownCauses: s.step.Unreachable(engine.Baselines),
	})
}

// floors returns the component whose floors apply to the step. Floors are for a
// measurement by itself: not in parallel with other steps, not under faults, and not
// with a load that a viewer changed.
func (s *stepRun) floors() string {
	if s.parallel || len(s.step.Faults) > 0 || s.steered {
		return ""
	}
	return s.step.Measurement.FloorsOf()
}

// faultNeverInjected reports which of the planned faults was never injected; empty if
// there is none. Without the fault, nothing is known about its effect. The lock is
// held.
func (s *stepRun) faultNeverInjected() string {
	for _, planned := range s.step.Faults {
		i := slices.IndexFunc(s.faults, func(f report.Fault) bool { return f.Fault == string(planned.Kind) })
		if i < 0 || s.faults[i].Injected == 0 {
			return fmt.Sprintf("the planned fault %s was never injected, so its effect is not known", planned.Kind)
		}
	}
	return ""
}
