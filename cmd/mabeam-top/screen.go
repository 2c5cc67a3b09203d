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
	"mabeam-top/internal/probes/probe"
	"mabeam-top/internal/stress"
	"mabeam-top/internal/stress/fold"
	"mabeam-top/internal/stress/report"
	"mabeam-top/internal/stress/scenario"
	"mabeam-top/internal/stress/stream"
	"mabeam-top/internal/stress/verdict"
	"mabeam-top/internal/ui"
	"mabeam-top/internal/ui/session"
)

// screenGCPercent is the GOGC of a process that only shows the UI.
const screenGCPercent = 800

// leaveScreen resets the terminal: it leaves the alternate screen, shows the cursor,
// and disables the mouse.
const leaveScreen = "\x1b[?1002l\x1b[?1003l\x1b[?1006l\x1b[?1049l\x1b[?25h"

// A screen is what the UI shows first.
type screen struct {
	// plan holds the scenarios that can run.
	plan scenario.Plan
	// start names the scenarios that run at once; empty for the menu.
	start []string
	// earlier is the report that each run is compared with; nil for none.
	earlier *stress.Comparison
	// recording is replayed, under recordingName; nil for none.
	recording     *stream.Recording
	recordingName string
	fps           int
}

// show shows the UI until the user quits.
func (a *app) show(s screen) error {
	// First of all, so that a signal leaves nothing unfinished.
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
		// Otherwise the garbage collector runs every second for a few megabytes, which is a
		// quarter of the CPU time of the UI. The load is in another process.
		debug.SetGCPercent(screenGCPercent)
	}
	runner := &runner{app: a, engine: engine, plan: s.plan, earlier: s.earlier, listeners: listeners}
	config := ui.Config{
		Scenarios: a.menu(s.plan.Scenarios), Runner: runner, Compare: compareInUI, FPS: s.fps,
		Start: s.start, Replay: s.recording, ReplayName: s.recordingName, Faults: manualFaults(), CheckFault: scenario.CheckFault,
		ASCII: a.ascii(), Color: a.flags.color, Theme: a.flags.theme, JobControl: true, ScreenReader: a.flags.screenReader, Input: a.stdin, Output: a.stdout,
	}
	if store, err := report.DefaultStore(); err == nil { // otherwise save warns
		config.Store = &store
	}
	result, err := ui.Run(ctx, config)
	for _, warning := range runner.warnings {
		a.warn(warning)
	}
	if interruption := signals.interruption(); interruption != nil {
		// The error only says that the signal ended the UI.
		failures := a.outputsOf(result, listeners)
		return a.conclude(report.Report{Verdict: report.Interrupted}, interruption, failures)
	}
	var failures []error
	if err != nil {
		failures = append(failures, err)
	}
	failures = append(failures, a.outputsOf(result, listeners)...)
	if result == nil {
		a.code = exitOK // nothing ran, and nothing was requested
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

// manualFaults returns the faults that the user can inject during a run.
func manualFaults() []session.FaultKind {
	var kinds []session.FaultKind
	for _, e := range scenario.FaultExamples() {
		kinds = append(kinds, session.FaultKind{Name: e.Name, Doc: e.Doc, Example: e.Text})
	}
	return kinds
}

// outputsOf writes the output files of the last run.
func (a *app) outputsOf(r *report.Report, listeners *listeners) []error {
	var failures []error
	if err := listeners.close(); err != nil {
		failures = append(failures, err)
	}
	if r == nil {
		if len(a.flags.outputs) > 0 || a.flags.record != "" {
			failures = append(failures, errors.New("no report was written, because nothing ran"))
		}
		return failures
	}
	return append(failures, a.writeOutputs(*r, listeners.timeline.Snapshot().Timeline())...)
}

// restorer returns a function that restores the terminal to its current state, for a
// program that ends without the UI.
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
		// The program ends, so errors do not matter.
		_ = term.Restore(fd, state)
		_, _ = io.WriteString(a.stdout, leaveScreen)
	}
}

// menu returns the entries of the menu, with the previous verdicts.
func (a *app) menu(scenarios []scenario.Scenario) []session.Scenario {
	last := a.lastVerdicts()
	entries := make([]session.Scenario, len(scenarios))
	for i, s := range scenarios {
		entries[i] = session.Scenario{
			Name: s.Name, Title: s.Title, Description: s.Description, Tags: s.Tags,
			Measurements: measurementsOf(s), Steps: menuSteps(s), Fields: menuFields(s), Estimate: s.Estimate(),
			LastVerdict: last[s.Name].Verdict, LastRun: last[s.Name].StartedAt,
		}
	}
	return entries
}

// lastVerdicts returns the result of each scenario's previous run.
func (a *app) lastVerdicts() map[string]report.RunScenario {
	store, err := report.DefaultStore()
	if err != nil {
		return nil // save warns if anything runs
	}
	runs, _, err := store.List() // unreadable runs have no verdict
	if err != nil {
		a.warn(err)
	}
	return report.LatestResults(runs)
}

// menuSteps returns the steps of a scenario for the menu.
func menuSteps(s scenario.Scenario) []session.Step {
	var steps []session.Step
	for _, group := range s.Groups {
		for i, step := range group {
			one := session.Step{Name: step.Name, Measurement: step.Measurement.Name, Limits: stress.Limits(&step, verdict.Builtin())}
			if step.Repeat > 1 {
				one.Notes = append(one.Notes, fmt.Sprintf("×%d", step.Repeat))
			}
			if step.Warmup != (scenario.Warmup{}) {
				one.Notes = append(one.Notes, "with a warm-up")
			}
			if i > 0 {
				one.Notes = append(one.Notes, "in parallel with "+group[0].Name)
			}
			for _, fault := range step.Faults {
				one.Notes = append(one.Notes, string(fault.Kind))
			}
			steps = append(steps, one)
		}
	}
	return steps
}

// menuFields returns the fields of a scenario's form.
func menuFields(s scenario.Scenario) []session.Field {
	var fields []session.Field
	for _, setting := range scenario.Settings(s) {
		fields = append(fields, session.Field{
			Name: setting.Key(), Step: setting.Step, Param: setting.Name,
			Value: setting.Value, Choices: setting.Choices, Doc: setting.Doc,
		})
	}
	return fields
}

// scenarioFlags are the settings of a whole scenario, which have flags of their own.
var scenarioFlags = []string{"repeat", "seed", "timeout", "tolerance"}

// A runner starts runs for the UI.
type runner struct {
	app    *app
	engine stress.Engine
	plan   scenario.Plan
	// earlier is the report that each run is compared with; nil for none.
	earlier *stress.Comparison
	// listeners receive the events of every run.
	listeners *listeners
	// warnings are printed after the UI has ended. One run at a time appends to them.
	warnings []error
}

// Check implements session.Runner.
func (r *runner) Check(name string, settings session.Settings) map[string]error {
	_, err := r.planOf(session.Order{Scenarios: []string{name}, Settings: map[string]session.Settings{name: settings}})
	var problems scenario.Problems
	switch {
	case errors.As(err, &problems):
		return problems.ByKey()
	case err != nil:
		return map[string]error{"": err}
	}
	return nil
}

// planOf returns the plan of an order with its settings.
func (r *runner) planOf(o session.Order) (scenario.Plan, error) {
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
				flags[name] = " " // an invalid value rather than none
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

// commandOf returns the command line that starts the run of an order, with the flags of
// this process and the settings of the form.
func (r *runner) commandOf(o session.Order) []string {
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

// Start implements session.Runner.
func (r *runner) Start(o session.Order) (stream.Source, error) {
	plan, err := r.planOf(o)
	if err != nil {
		return nil, err
	}
	if err := r.app.checkIsolation(plan); err != nil {
		return nil, err
	}
	if r.earlier != nil {
		if err := r.earlier.Check(plan); err != nil {
			return nil, withForceHint(err)
		}
	}
	engine := r.engine
	engine.Command = r.commandOf(o)
	if best, err := loadBest(); err == nil { // otherwise loadBest has warned already
		engine.Best = best
	}
	source := engine.Source(plan)
	if engine.Isolate {
		// In one process, the CPU time of the UI and the load cannot be separated.
		if share, err := probes.CPUShare(); err == nil { // otherwise the platform does not support it
			source = fold.WithProbe(source, probe.UIOverhead, share)
		}
	}
	source = fold.WithReport(source)
	if r.earlier != nil {
		source = stress.WithComparison(source, *r.earlier)
	}
	return savedSource{source: source, runner: r}, nil
}

// A savedSource is a source whose report and recording are saved among the past runs.
type savedSource struct {
	source stream.Source
	runner *runner
}

// Run implements stream.Source.
func (s savedSource) Run(ctx context.Context, emit func(stream.Event)) error {
	var recording storedRecording
	result, err := follow(ctx, s.source, func(e stream.Event) {
		s.runner.listeners.add(e)
		recording.add(e)
		emit(e)
	})
	if warning := errors.Join(save(result), recording.close()); warning != nil {
		s.runner.warnings = append(s.runner.warnings, warning)
	}
	return err
}

// Command implements stream.Steerable.
func (s savedSource) Command(c stream.Command) error { return stream.Steer(s.source, c) }

// compareInUI compares two reports for the UI.
func compareInUI(now, before report.Report, name string, force bool) (report.Report, error) {
	result, err := verdict.WithRegression(now, before, name, verdict.Rule{Force: force})
	if errors.Is(err, verdict.ErrDifferentParameters) {
		return result, fmt.Errorf("%w: %w", session.ErrDifferent, err)
	}
	return result, err
}
