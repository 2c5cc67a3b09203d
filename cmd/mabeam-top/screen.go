package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"runtime/debug"
	"slices"

	"github.com/charmbracelet/x/term"

	"mabeam-top/internal/probes"
	"mabeam-top/internal/stress"
	"mabeam-top/internal/stress/fold"
	"mabeam-top/internal/stress/report"
	"mabeam-top/internal/stress/scenario"
	"mabeam-top/internal/stress/stream"
	"mabeam-top/internal/stress/verdict"
	"mabeam-top/internal/ui"
)

// uiOverhead is the probe that tells the share of the machine's processors that
// the screen took while the load ran in its own process: a load that takes all
// there is loses that much of its throughput, and another less.
const uiOverhead = "ui_overhead"

// screenGCPercent is the GOGC of a process that only shows.
const screenGCPercent = 800

// leaveScreen makes a terminal as it was: it leaves the alternate screen, shows
// the cursor, and takes no mouse.
const leaveScreen = "\x1b[?1002l\x1b[?1003l\x1b[?1006l\x1b[?1049l\x1b[?25h"

// A showing is what the UI begins with.
type showing struct {
	// plan is what can be run.
	plan scenario.Plan
	// start names the scenarios that run at once; none for a menu.
	start []string
	// earlier is what each run is compared with; nil if with nothing.
	earlier *stress.Comparison
	// recording is played, under that name; nil for none.
	recording     *stream.Recording
	recordingName string
	fps           int
}

// show shows the UI until its user quits.
func (a *app) show(s showing) error {
	// Before anything is begun that a signal would leave half done.
	ctx, signals := watchSignals(context.Background(), a.restorer())
	defer signals.stop()
	listeners, err := a.listen()
	if err != nil {
		return err
	}
	engine, err := a.engine(a.flags.isolate != never)
	if err != nil {
		return failure{errors.Join(err, listeners.close())}
	}
	engine.Steerable = true
	if engine.Isolate {
		// The screen's few megabytes would be collected every second, which is a
		// quarter of what it takes of the processors. The load is not in here.
		debug.SetGCPercent(screenGCPercent)
	}
	runner := &runner{app: a, engine: engine, plan: s.plan, earlier: s.earlier, listeners: listeners}
	config := ui.Config{
		Scenarios: a.menu(s.plan.Scenarios), Runner: runner, Compare: compareInUI, FPS: s.fps,
		Start: s.start, Replay: s.recording, ReplayName: s.recordingName, Faults: faultsByHand(), CheckFault: scenario.CheckFault,
		ASCII: a.ascii(), Color: a.flags.color, Theme: a.flags.theme, JobControl: true, ScreenReader: a.flags.screenReader, Input: a.stdin, Output: a.stdout,
	}
	if store, err := report.DefaultStore(); err == nil { // if not, save will tell
		config.Store = &store
	}
	result, err := ui.Run(ctx, config)
	for _, warning := range runner.warnings {
		a.warn(warning)
	}
	if interruption := signals.interruption(); interruption != nil {
		// The error only says that somebody wanted the end.
		failures := a.outputsOf(result, listeners)
		return a.conclude(report.Report{Verdict: report.Interrupted}, interruption, failures)
	}
	var failures []error
	if err != nil {
		failures = append(failures, err)
	}
	failures = append(failures, a.outputsOf(result, listeners)...)
	if result == nil {
		a.code = exitOK // nothing was run, and nobody asked for it
		if len(failures) > 0 {
			return failure{errors.Join(failures...)}
		}
		return nil
	}
	if err := a.saveBaseline(*result); err != nil {
		failures = append(failures, err)
	}
	return a.conclude(*result, nil, failures)
}

// faultsByHand are what can be injected while a load runs.
func faultsByHand() []ui.FaultKind {
	var kinds []ui.FaultKind
	for _, e := range scenario.FaultExamples() {
		kinds = append(kinds, ui.FaultKind{Name: e.Name, Doc: e.Doc, Example: e.Text})
	}
	return kinds
}

// outputsOf writes what the flags ask for of the last run.
func (a *app) outputsOf(r *report.Report, listeners *listeners) []error {
	var failures []error
	if err := listeners.close(); err != nil {
		failures = append(failures, err)
	}
	if r == nil {
		if len(a.flags.outputs) > 0 || a.flags.record != "" {
			failures = append(failures, errors.New("nothing was run, so that there is no report to write"))
		}
		return failures
	}
	return append(failures, a.writeOutputs(*r, listeners.timeline.Snapshot().Course())...)
}

// restorer returns what makes the terminal as it is now, for when the program
// ends before the UI could.
func (a *app) restorer() func() {
	fd, ok := terminal(a.stdin)
	if !ok {
		return func() {}
	}
	state, err := term.GetState(fd)
	if err != nil {
		return func() {}
	}
	return func() {
		// The program is about to end: nobody is left to be told.
		_ = term.Restore(fd, state)
		_, _ = io.WriteString(a.stdout, leaveScreen)
	}
}

// menu tells the UI what there is to choose from, with how it went last time.
func (a *app) menu(scenarios []scenario.Scenario) []ui.Scenario {
	last := a.lastVerdicts()
	entries := make([]ui.Scenario, len(scenarios))
	for i, s := range scenarios {
		entries[i] = ui.Scenario{
			Name: s.Name, Title: s.Title, Description: s.Description, Tags: s.Tags,
			Measurements: measurementsOf(s), Steps: menuSteps(s), Fields: menuFields(s), Estimate: s.Estimate(),
			LastVerdict: last[s.Name].Verdict, LastRun: last[s.Name].StartedAt,
		}
	}
	return entries
}

// lastVerdicts returns how each scenario went when it ran last.
func (a *app) lastVerdicts() map[string]report.RunScenario {
	store, err := report.DefaultStore()
	if err != nil {
		return nil // save will tell, if anything is run
	}
	runs, _, err := store.List() // a run that cannot be read has no verdict
	if err != nil {
		a.warn(err)
	}
	return report.Last(runs)
}

// menuSteps tell the steps of a scenario.
func menuSteps(s scenario.Scenario) []ui.Step {
	var steps []ui.Step
	for _, group := range s.Groups {
		for i, step := range group {
			told := ui.Step{Name: step.Name, Measurement: step.Measurement.Name, Limits: stress.Limits(&step, verdict.Builtin())}
			if step.Repeat > 1 {
				told.Notes = append(told.Notes, fmt.Sprintf("×%d", step.Repeat))
			}
			if step.Warmup != (scenario.Warmup{}) {
				told.Notes = append(told.Notes, "after a warm-up")
			}
			if i > 0 {
				told.Notes = append(told.Notes, "beside "+group[0].Name)
			}
			for _, fault := range step.Faults {
				told.Notes = append(told.Notes, string(fault.Kind))
			}
			steps = append(steps, told)
		}
	}
	return steps
}

// menuFields are what the form of a scenario asks for.
func menuFields(s scenario.Scenario) []ui.Field {
	var fields []ui.Field
	for _, setting := range scenario.Settings(s) {
		fields = append(fields, ui.Field{
			Name: setting.Key(), Step: setting.Step, Param: setting.Name,
			Value: setting.Value, Choices: setting.Choices, Doc: setting.Doc,
		})
	}
	return fields
}

// scenarioFlags are the settings that all of a scenario has: flags of their own.
var scenarioFlags = []string{"repeat", "seed", "timeout", "tolerance"}

// A runner starts runs for the UI.
type runner struct {
	app    *app
	engine stress.Engine
	plan   scenario.Plan
	// earlier is what each run is compared with; nil if with nothing.
	earlier *stress.Comparison
	// listeners hear every run.
	listeners *listeners
	// warnings are what could not be told while the screen was in use. They
	// are appended to by one run at a time, and read after the last.
	warnings []error
}

// Check implements ui.Runner.
func (r *runner) Check(name string, settings ui.Settings) map[string]error {
	_, err := r.planOf(ui.Order{Scenarios: []string{name}, Settings: map[string]ui.Settings{name: settings}})
	var problems scenario.Problems
	switch {
	case errors.As(err, &problems):
		return problems.ByKey()
	case err != nil:
		return map[string]error{"": err}
	}
	return nil
}

// planOf returns the scenarios of an order with its settings.
func (r *runner) planOf(o ui.Order) (scenario.Plan, error) {
	selected, err := scenario.Select(r.plan.Scenarios, o.Scenarios, nil)
	if err != nil {
		return scenario.Plan{}, err
	}
	var plan scenario.Plan
	for _, one := range selected {
		var sets []string
		flags := map[string]string{}
		for name, value := range o.Settings[one.Name] {
			switch {
			case !slices.Contains(scenarioFlags, name):
				sets = append(sets, name+"="+value)
			case value == "":
				flags[name] = " " // which is no value, instead of none given
			default:
				flags[name] = value
			}
		}
		slices.Sort(sets)
		changes, err := overrides(sets, flags)
		if err != nil {
			return scenario.Plan{}, err
		}
		changed, err := scenario.NewPlan([]scenario.Scenario{one}, changes)
		if err != nil {
			return scenario.Plan{}, err
		}
		plan.Scenarios = append(plan.Scenarios, changed.Scenarios...)
	}
	return plan, nil
}

// commandOf is the command line that would have begun the run that was chosen
// in the UI: with the program's own flags, and what was changed in the form.
func (r *runner) commandOf(o ui.Order) []string {
	words := append([]string{"mabeam-top"}, r.app.given...)
	words = append(words, o.Scenarios...)
	for _, scenario := range o.Scenarios {
		settings := o.Settings[scenario]
		for _, name := range slices.Sorted(maps.Keys(settings)) {
			if slices.Contains(scenarioFlags, name) {
				words = append(words, "--"+name, settings[name])
			} else {
				words = append(words, "--set", name+"="+settings[name])
			}
		}
	}
	return words
}

// Start implements ui.Runner.
func (r *runner) Start(o ui.Order) (stream.Source, error) {
	plan, err := r.planOf(o)
	if err != nil {
		return nil, err
	}
	if err := r.app.checkIsolation(plan); err != nil {
		return nil, err
	}
	if r.earlier != nil {
		if err := r.earlier.Check(plan); err != nil {
			return nil, refused(err)
		}
	}
	engine := r.engine
	engine.Command = r.commandOf(o)
	if best, err := loadBest(); err == nil { // else it was told in the beginning
		engine.Best = best
	}
	source := engine.Source(plan)
	if engine.Isolate {
		// In one process the screen's part cannot be told from the load's.
		if share, err := probes.CPUShare(); err == nil { // else it cannot be told here
			source = fold.WithProbe(source, uiOverhead, share)
		}
	}
	if r.earlier != nil {
		source = stress.WithComparison(source, *r.earlier)
	}
	return kept{source: source, runner: r}, nil
}

// kept is a source whose report and recording are put to those of past runs.
type kept struct {
	source stream.Source
	runner *runner
}

// Run implements stream.Source.
func (k kept) Run(ctx context.Context, emit func(stream.Event)) error {
	var recording storedRecording
	result, err := follow(ctx, k.source, func(e stream.Event) {
		k.runner.listeners.add(e)
		recording.add(e)
		emit(e)
	})
	if warning := errors.Join(save(result), recording.close()); warning != nil {
		k.runner.warnings = append(k.runner.warnings, warning)
	}
	return err
}

// Command implements stream.Steerable.
func (k kept) Command(c stream.Command) error { return stream.Steer(k.source, c) }

// compareInUI compares two reports for the UI.
func compareInUI(now, before report.Report, name string, force bool) (report.Report, error) {
	held, err := verdict.WithRegression(now, before, name, verdict.Rule{Force: force})
	if errors.Is(err, verdict.ErrDifferentParameters) {
		return held, fmt.Errorf("%w: %w", ui.ErrDifferent, err)
	}
	return held, err
}
