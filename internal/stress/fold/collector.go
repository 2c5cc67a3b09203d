// Package fold turns the event stream of a run into what consumers need: its report, its
// history for screens and charts, and a line of progress.
package fold

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"mabeam-top/internal/stress/report"
	"mabeam-top/internal/stress/stream"
	"mabeam-top/internal/stress/verdict"
)

// A Collector builds the report of a run from its events. It has a report after any
// number of events, so that a run whose producer dies still ends in one. The zero value is
// ready to use. It is not safe for concurrent use.
type Collector struct {
	run      *stream.Run
	now      float64 // T of the newest event
	done     []report.Scenario
	notRun   []string // which steps of the scenarios in done did not run
	scenario *openScenario
	finished *report.Report
}

// openScenario is a scenario that has not finished.
type openScenario struct {
	stream.Scenario
	began float64
	steps []report.Step // finished
	open  []*openStep   // in start order
}

// openStep is a step that has not finished.
type openStep struct {
	stream.Step
	began      float64
	repetition stream.Repetition
	measuring  bool // false before the first repetition, in the warm-up, and while another group runs
	probes     Summary
	faults     []report.Fault
	steered    bool
}

// Add adds the next event. An event that does not match the previous ones, such as the
// result of a step that never started, counts as it is; an event without its payload is
// ignored. After run_finished, only the start of another run is accepted.
func (c *Collector) Add(e stream.Event) {
	if e.Type == stream.RunStarted && e.Run != nil && c.run != nil {
		*c = Collector{}
	}
	if c.finished != nil {
		return
	}
	c.now = e.Advance(c.now)
	switch {
	case e.Type == stream.RunStarted && e.Run != nil:
		c.run = e.Run
	case e.Type == stream.ScenarioStarted && e.Scenario != nil:
		if c.scenario != nil { // its scenario_finished is missing
			c.finishScenario(&cause{report.Broken, "the next scenario started before this one finished"})
		}
		c.scenario = &openScenario{Scenario: *e.Scenario, began: c.now}
	case e.Type == stream.ScenarioFinished && e.ScenarioResult != nil:
		c.scenario = nil
		c.done = append(c.done, *e.ScenarioResult)
	case e.Type == stream.ScenarioFinished && e.End != nil && c.scenario != nil:
		c.finishScenario(causeOf(e.End.Cause))
	case e.Type == stream.RunFinished && e.Report != nil:
		c.finished = e.Report
	case e.Type == stream.RunFinished && e.End != nil:
		c.finished = new(c.conclude(causeOf(e.End.Cause)))
	case c.scenario != nil:
		c.scenario.add(e, c.now)
	}
}

// add adds an event that belongs to the scenario.
func (s *openScenario) add(e stream.Event, now float64) {
	switch {
	case e.Type == stream.StepStarted && e.Step != nil:
		s.open = append(s.open, &openStep{Step: *e.Step, began: now})
	case e.Type == stream.StepFinished && e.StepResult != nil:
		s.steps = append(s.steps, *e.StepResult)
		s.open = slices.DeleteFunc(s.open, func(o *openStep) bool { return o.Name == e.StepResult.Name })
	case e.Type == stream.RepetitionStarted && e.Repetition != nil:
		for _, o := range s.named(e.Repetition.Step) {
			o.repetition = *e.Repetition
			o.measuring = e.Repetition.Number > 0
			s.pauseOthers(o.Group)
		}
	case e.Type == stream.FaultInjected && e.Fault != nil:
		for _, o := range s.named(e.Fault.Step) {
			o.fault(now, *e.Fault)
		}
	case e.Type == stream.Logged && e.Log != nil && e.Log.ByHand:
		// A manual change of the load affects every step that is being measured.
		for _, o := range s.open {
			o.steered = o.steered || o.measuring
		}
	case e.Type == stream.SampleTaken:
		// Parallel steps share the process that is sampled.
		for _, o := range s.open {
			if o.measuring {
				o.probes.Add(e.Sample)
			}
		}
	}
}

// pauseOthers records that a group runs, and no other.
func (s *openScenario) pauseOthers(group int) {
	for _, o := range s.open {
		if o.Group != group {
			o.measuring = false
		}
	}
}

// named returns the open steps of that name: one or none.
func (s *openScenario) named(name string) []*openStep {
	for _, o := range s.open {
		if o.Name == name {
			return []*openStep{o}
		}
	}
	return nil
}

func (o *openStep) fault(now float64, f stream.Fault) {
	o.steered = o.steered || f.ByHand
	o.faults = report.AddFault(o.faults, f.Fault, now-o.began, f.Target)
}

// finishScenario sums up the open scenario. Why says why it ended early; nil if it did not.
func (c *Collector) finishScenario(why *cause) {
	c.done = append(c.done, c.scenario.result(c.now, why))
	if text := c.scenario.notRun(); text != "" && why != nil {
		c.notRun = append(c.notRun, fmt.Sprintf("%s (%s)", text, why.text))
	}
	c.scenario = nil
}

// Report returns the report as if the run were interrupted now: finished steps with their
// verdicts, open ones as interrupted. After run_finished it is the report of the run.
func (c *Collector) Report() report.Report {
	return c.cutOff(cause{report.Interrupted, "the run was still in progress"})
}

// Finish returns the report of a run whose stream has ended; err is the reason, if known.
// If run_finished is missing, each open step gets the verdict error, or interrupted if err
// is context.Canceled, and its errors describe what happened and its progress. The
// recommendations list what was not run.
func (c *Collector) Finish(err error) report.Report {
	if err == nil {
		err = errors.New("the event stream ended before the run finished")
	}
	return c.cutOff(*causeOf(err))
}

// A cause is why a run ended early, and the verdict of what was cut off.
type cause struct {
	verdict report.Verdict
	text    string
}

// causeOf returns the cause for an error; nil for none.
func causeOf(err error) *cause {
	switch {
	case err == nil:
		return nil
	case err == context.Canceled: //nolint:errorlint // a wrapping error is reported below
		return &cause{report.Interrupted, "interrupted"}
	case errors.Is(err, context.Canceled):
		return &cause{report.Interrupted, err.Error()}
	}
	return &cause{report.Broken, err.Error()}
}

// cutOff returns the report of a run that is cut off now.
func (c *Collector) cutOff(why cause) report.Report {
	if c.finished != nil {
		return *c.finished
	}
	r := c.conclude(&why)
	if c.scenario == nil || len(c.scenario.open) == 0 {
		// There is no step whose errors could report it.
		r.Recommendations = append([]string{fmt.Sprintf("the run ended early, %.1f s after its start: %s", c.now, why.text)}, r.Recommendations...)
	}
	return r
}

// conclude builds the report of a run that ends now. Why says why it ends early; nil if it
// does not.
func (c *Collector) conclude(why *cause) report.Report {
	r := report.Report{
		Schema: report.Schema, DurationSeconds: c.now,
		Scenarios: slices.Clone(c.done), Recommendations: slices.Clone(c.notRun),
	}
	var planned []string
	if c.run != nil {
		r.ID, r.StartedAt, r.Command, r.Seed = c.run.ID, c.run.StartedAt, c.run.Command, c.run.Seed
		r.Tool, r.Host, r.MeasurementOverheadNS = c.run.Tool, c.run.Host, c.run.MeasurementOverheadNS
		planned = c.run.Scenarios
	}
	if c.scenario != nil {
		r.Scenarios = append(r.Scenarios, c.scenario.result(c.now, why))
		if text := c.scenario.notRun(); text != "" {
			r.Recommendations = append(r.Recommendations, text)
		}
	}
	begun := map[string]bool{}
	for _, s := range r.Scenarios {
		begun[s.Name] = true
	}
	if rest := slices.DeleteFunc(slices.Clone(planned), func(name string) bool { return begun[name] }); len(rest) > 0 {
		r.Recommendations = append(r.Recommendations, "not run: "+strings.Join(rest, ", "))
	}
	r.Recommendations = append(r.Recommendations, verdict.RecommendRun(r)...)
	r.Conclude()
	if why != nil {
		r.SetVerdict(report.Worst(r.Verdict, why.verdict))
	}
	return r
}

// result is the result of the scenario so far, with its steps in the order of the scenario.
func (s *openScenario) result(now float64, why *cause) report.Scenario {
	result := report.Scenario{
		Name: s.Name, Title: s.Title, Tags: s.Tags, StartedAt: s.StartedAt,
		DurationSeconds: now - s.began, File: s.File, Steps: slices.Clone(s.steps),
	}
	for _, o := range s.open {
		result.Steps = append(result.Steps, o.result(now, cmp.Or(why, &unfinished)))
	}
	slices.SortStableFunc(result.Steps, func(a, b report.Step) int {
		return cmp.Compare(slices.Index(s.Steps, a.Name), slices.Index(s.Steps, b.Name))
	})
	result.Conclude()
	if why != nil {
		result.Verdict = report.Worst(result.Verdict, why.verdict)
	}
	return result
}

// unfinished is why a step has no result although its scenario finished.
var unfinished = cause{report.Broken, "the scenario finished before this step"}

// notRun names the steps that never started; empty if there are none.
func (s *openScenario) notRun() string {
	begun := map[string]bool{}
	for _, step := range s.steps {
		begun[step.Name] = true
	}
	for _, o := range s.open {
		begun[o.Name] = true
	}
	rest := slices.DeleteFunc(slices.Clone(s.Steps), func(name string) bool { return begun[name] })
	if len(rest) == 0 {
		return ""
	}
	return fmt.Sprintf("not run of scenario %s: %s", s.Name, strings.Join(rest, ", "))
}

// result is the result of the step so far. It has probes and no metrics, because an
// incomplete repetition has none.
func (o *openStep) result(now float64, why *cause) report.Step {
	message := fmt.Sprintf("%s, %.1f s after the step started, %s", why.text, now-o.began, o.progress())
	return report.Step{
		Name: o.Name, Measurement: o.Measurement, Component: o.Component, Params: o.Params,
		Steered: o.steered, Verdict: why.verdict, Score: report.ScoreOf(nil, why.verdict),
		DurationSeconds: now - o.began, Isolated: o.Isolated,
		Errors: []report.Error{{Message: message, Count: 1, FirstAtSeconds: now - o.began}},
		Faults: slices.Clone(o.faults), Probes: o.probes.Probes(),
	}
}

// progress describes how far the step is.
func (o *openStep) progress() string {
	switch {
	case o.measuring:
		return fmt.Sprintf("in repetition %d of %d", o.repetition.Number, o.repetition.Of)
	case o.repetition.Number > 0:
		return fmt.Sprintf("after repetition %d of %d", o.repetition.Number, o.repetition.Of)
	case o.repetition.Step != "":
		return "in the warm-up"
	}
	return "before its first repetition"
}

// ReportOf returns the report of a recorded run.
func ReportOf(r *stream.Recording) report.Report {
	var c Collector
	for _, e := range r.Events {
		c.Add(e)
	}
	why := r.Broken
	if why != nil {
		why = fmt.Errorf("the recording is incomplete: %w", why)
	}
	return c.Finish(why)
}
