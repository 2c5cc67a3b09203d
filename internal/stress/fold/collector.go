package fold

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"mabeam-top/internal/stress/report"
	"mabeam-top/internal/stress/stream"
)

// A Collector folds the events of one run into its report. After any number
// of events it can tell the report as far as it is known, so that a run whose
// producer died still ends in one. The zero value is ready. It is not safe for
// several goroutines.
type Collector struct {
	run      *stream.Run
	now      float64 // T of the newest event
	done     []report.Scenario
	scenario *openScenario
	finished *report.Report
}

// openScenario is a scenario that has begun and not finished.
type openScenario struct {
	stream.Scenario
	began float64
	steps []report.Step // finished
	open  []*openStep   // running, in the order in which they began
}

// openStep is a step that has begun and not finished.
type openStep struct {
	stream.Step
	began      float64
	repetition stream.Repetition
	measuring  bool // false before the first repetition, in the warm-up, and while others have their turn
	probes     Probes
	faults     []report.Fault
	steered    bool
}

// Add takes the next event in. An event that does not fit what came before,
// such as the result of a step that never began, is taken for what it says;
// one without its payload is ignored. After run_finished nothing is taken but a
// run that begins anew.
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
		c.closeScenario()
		c.scenario = &openScenario{Scenario: *e.Scenario, began: c.now}
	case e.Type == stream.ScenarioFinished && e.ScenarioResult != nil:
		c.scenario = nil
		c.done = append(c.done, *e.ScenarioResult)
	case e.Type == stream.RunFinished && e.Report != nil:
		c.finished = e.Report
	case c.scenario != nil:
		c.scenario.add(e, c.now)
	}
}

// add takes an event of a scenario's course in.
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
		// What was done to the load was done to all that was measured then.
		for _, o := range s.open {
			o.steered = o.steered || o.measuring
		}
	case e.Type == stream.SampleTaken:
		// Steps that run at the same time share the process that is sampled.
		for _, o := range s.open {
			if o.measuring {
				o.probes.Add(e.Sample)
			}
		}
	}
}

// pauseOthers notes that a group has its turn.
func (s *openScenario) pauseOthers(group int) {
	for _, o := range s.open {
		if o.Group != group {
			o.measuring = false
		}
	}
}

// named returns the running steps of that name: one, or none.
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

// closeScenario puts away a scenario whose end was never told.
func (c *Collector) closeScenario() {
	if c.scenario != nil {
		c.done = append(c.done, c.scenario.result(c.now, cause{report.Broken, "the next scenario began before this one had finished"}))
		c.scenario = nil
	}
}

// Report returns the run as it would stand if it were interrupted now: what
// has finished as it was judged, what is running as interrupted. After
// run_finished it is the report that the run itself ended with.
func (c *Collector) Report() report.Report {
	return c.conclude(cause{report.Interrupted, "the run was still going on"})
}

// Finish returns the report of a run whose stream has ended, err being the
// reason (nil if none is known). If it ended without run_finished, each step
// that was running becomes an error, or interrupted if err is
// context.Canceled, and its errors say what happened and how far it had got;
// what was never begun is listed in the recommendations as not run.
func (c *Collector) Finish(err error) report.Report {
	switch {
	case err == context.Canceled: //nolint:errorlint // as it is: one with more to say is told below
		return c.conclude(cause{report.Interrupted, "interrupted"})
	case errors.Is(err, context.Canceled):
		return c.conclude(cause{report.Interrupted, err.Error()})
	case err != nil:
		return c.conclude(cause{report.Broken, err.Error()})
	}
	return c.conclude(cause{report.Broken, "the event stream ended before the run had finished"})
}

// A cause is why a run ended early, and the verdict of what it cut off.
type cause struct {
	verdict report.Verdict
	text    string
}

// conclude builds the report of a run that was cut off now.
func (c *Collector) conclude(why cause) report.Report {
	if c.finished != nil {
		return *c.finished
	}
	r := report.Report{Schema: report.Schema, DurationSeconds: c.now, Scenarios: slices.Clone(c.done)}
	var planned []string
	if c.run != nil {
		r.ID, r.StartedAt, r.Command, r.Seed = c.run.ID, c.run.StartedAt, c.run.Command, c.run.Seed
		r.Tool, r.Host = c.run.Tool, c.run.Host
		planned = c.run.Scenarios
	}
	if c.scenario != nil {
		r.Scenarios = append(r.Scenarios, c.scenario.result(c.now, why))
		if rest := c.scenario.notRun(); len(rest) > 0 {
			r.Recommendations = append(r.Recommendations, fmt.Sprintf("not run of scenario %s: %s", c.scenario.Name, strings.Join(rest, ", ")))
		}
	}
	begun := map[string]bool{}
	for _, s := range r.Scenarios {
		begun[s.Name] = true
	}
	if rest := slices.DeleteFunc(slices.Clone(planned), func(name string) bool { return begun[name] }); len(rest) > 0 {
		r.Recommendations = append(r.Recommendations, "not run: "+strings.Join(rest, ", "))
	}
	if c.scenario == nil || len(c.scenario.open) == 0 {
		// No step's errors can say it, so the run does.
		r.Recommendations = append([]string{fmt.Sprintf("the run ended early, %.1f s after its start: %s", c.now, why.text)}, r.Recommendations...)
	}
	r.Conclude()
	if len(r.Scenarios) == 0 {
		r.SetVerdict(why.verdict)
	} else {
		r.SetVerdict(report.Worst(r.Verdict, why.verdict))
	}
	return r
}

// result is the scenario as far as it got.
func (s *openScenario) result(now float64, why cause) report.Scenario {
	result := report.Scenario{
		Name: s.Name, Title: s.Title, Tags: s.Tags, StartedAt: s.StartedAt,
		DurationSeconds: now - s.began, File: s.File, Steps: slices.Clone(s.steps),
	}
	for _, o := range s.open {
		result.Steps = append(result.Steps, o.result(now, why))
	}
	result.Conclude()
	if len(result.Steps) == 0 {
		result.Verdict = why.verdict
	}
	result.Verdict = report.Worst(result.Verdict, why.verdict)
	return result
}

// notRun returns the names of the steps that never began.
func (s *openScenario) notRun() []string {
	begun := map[string]bool{}
	for _, step := range s.steps {
		begun[step.Name] = true
	}
	for _, o := range s.open {
		begun[o.Name] = true
	}
	return slices.DeleteFunc(slices.Clone(s.Steps), func(name string) bool { return begun[name] })
}

// result is the step as far as it got: no metrics, because a repetition that
// did not end has none, but what the probes showed.
func (o *openStep) result(now float64, why cause) report.Step {
	message := fmt.Sprintf("%s, %.1f s after the step began, %s", why.text, now-o.began, o.progress())
	return report.Step{
		Name: o.Name, Measurement: o.Measurement, Component: o.Component, Params: o.Params,
		Steered: o.steered, Verdict: why.verdict, Score: report.ScoreOf(nil, why.verdict),
		DurationSeconds: now - o.began, Isolated: o.Isolated,
		Errors: []report.Error{{Message: message, Count: 1, FirstAtSeconds: now - o.began}},
		Faults: slices.Clone(o.faults), Probes: o.probes.Summary(),
	}
}

// progress says where in the step it was.
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

// ReportOf returns the report of a recorded run, as far as the recording goes.
func ReportOf(r *stream.Recording) report.Report {
	var c Collector
	for _, e := range r.Events {
		c.Add(e)
	}
	why := r.Broken
	if why != nil {
		why = fmt.Errorf("the recording breaks off: %w", why)
	}
	return c.Finish(why)
}
