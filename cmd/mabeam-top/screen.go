package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/charmbracelet/x/term"

	"mabeam-top/internal/stress"
	"mabeam-top/internal/stress/report"
	"mabeam-top/internal/stress/stream"
	"mabeam-top/internal/ui"
)

// leaveScreen makes a terminal as it was: it leaves the alternate screen, shows
// the cursor, and takes no mouse.
const leaveScreen = "\x1b[?1002l\x1b[?1003l\x1b[?1006l\x1b[?1049l\x1b[?25h"

// screen shows the UI. It starts the plan at once, or lets its user choose from
// it.
func (a *app) screen(plan stress.Plan, atOnce bool, settings settings) error {
	runner := &runner{app: a, engine: a.engine(), plan: plan}
	config := ui.Config{
		Scenarios: a.menu(plan.Scenarios), Runner: runner, FPS: settings.fps,
		ASCII: a.ascii(), Color: a.flags.color, Input: a.stdin, Output: a.stdout,
	}
	if atOnce {
		for _, s := range plan.Scenarios {
			config.Start = append(config.Start, s.Name)
		}
	}
	ctx, signals := watchSignals(context.Background(), a.restorer())
	defer signals.stop()
	result, err := ui.Run(ctx, config)
	for _, warning := range runner.warnings {
		a.warn(warning)
	}
	if interruption := signals.interruption(); interruption != nil {
		// The error only says that somebody wanted the end.
		failures := a.outputsOf(result)
		return a.conclude(report.Interrupted, interruption, failures)
	}
	var failures []error
	if err != nil {
		failures = append(failures, err)
	}
	failures = append(failures, a.outputsOf(result)...)
	if result == nil {
		return a.conclude(report.Pass, nil, failures)
	}
	return a.conclude(result.Verdict, nil, failures)
}

func (a *app) outputsOf(r *report.Report) []error {
	if r == nil {
		if len(a.flags.outputs) == 0 {
			return nil
		}
		return []error{errors.New("nothing was run, so that there is no report to write")}
	}
	return a.writeOutputs(*r)
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
func (a *app) menu(scenarios []stress.Scenario) []ui.Scenario {
	last := a.lastVerdicts()
	entries := make([]ui.Scenario, len(scenarios))
	for i, s := range scenarios {
		entries[i] = ui.Scenario{
			Name: s.Name, Title: s.Title, Description: s.Description, Tags: s.Tags,
			Measurements: measurementsOf(s), Steps: stepLines(s), Estimate: s.Estimate(),
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

// stepLines describe the steps of a scenario, those that run at the same time
// on one line.
func stepLines(s stress.Scenario) []string {
	lines := make([]string, len(s.Groups))
	for i, group := range s.Groups {
		steps := make([]string, len(group))
		for j, step := range group {
			steps[j] = stepLine(step)
		}
		lines[i] = strings.Join(steps, " + ")
	}
	return lines
}

func stepLine(step stress.Step) string {
	text := step.Name
	if step.Repeat > 1 {
		text += fmt.Sprintf(" ×%d", step.Repeat)
	}
	values := stress.Encode(step.Params, step.Measurement.Params)
	for _, p := range step.Measurement.Params {
		value, ok := values[p.Name]
		if !ok {
			continue
		}
		shown := fmt.Sprint(value)
		if _, isText := value.(string); !isText {
			if encoded, err := json.Marshal(value); err == nil {
				shown = string(encoded)
			}
		}
		text += fmt.Sprintf(", %s %s", p.Name, shown)
	}
	return text
}

// A runner starts runs for the UI.
type runner struct {
	app    *app
	engine stress.Engine
	plan   stress.Plan
	// warnings are what could not be told while the screen was in use. They
	// are appended to by one run at a time, and read after the last.
	warnings []error
}

// Start implements ui.Runner.
func (r *runner) Start(names []string) (stream.Source, error) {
	selected, err := stress.Select(r.plan.Scenarios, names, nil)
	if err != nil {
		return nil, err
	}
	source, err := r.app.source(r.engine, stress.Plan{Scenarios: selected}, r.app.flags.isolate != never)
	if err != nil {
		return nil, err
	}
	return kept{source: source, runner: r}, nil
}

// kept is a source whose report is put to those of past runs.
type kept struct {
	source stream.Source
	runner *runner
}

// Run implements stream.Source.
func (k kept) Run(ctx context.Context, emit func(stream.Event)) error {
	result, err := follow(ctx, k.source, emit)
	if warning := save(result); warning != nil {
		k.runner.warnings = append(k.runner.warnings, warning)
	}
	return err
}
