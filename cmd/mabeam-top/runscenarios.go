package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"mabeam-top/internal/stress"
	"mabeam-top/internal/stress/report"
	"mabeam-top/internal/stress/stream"
	"mabeam-top/internal/ui"
)

// runScenarios is the program without a command: it runs scenarios, in the UI
// or headless.
func (a *app) runScenarios(names []string) error {
	headless := a.flags.headless || a.flags.json || a.flags.events
	settings, err := a.flags.settings()
	faults := []error{err}
	if !headless {
		faults = append(faults, a.checkTerminal())
	}
	all, err := a.load()
	var selected []stress.Scenario
	if err == nil {
		selected, err = a.selected(all, names)
		if err != nil && len(names) == 1 {
			err = commandHint(a.rootCommand(), err, names[0])
		}
	}
	if err := errors.Join(append(faults, err)...); err != nil {
		return err
	}
	if headless && selected == nil {
		if selected, err = stress.Select(all, nil, []string{defaultTag}); err != nil {
			return err
		}
	}
	// In the UI's menu any scenario may be chosen later.
	planned := selected
	if planned == nil {
		planned = all
	}
	plan, err := stress.NewPlan(planned, settings.overrides)
	if err != nil {
		return err
	}
	if headless {
		return a.headless(plan)
	}
	return a.screen(plan, selected != nil, settings)
}

// checkTerminal refuses the UI where it cannot be shown.
func (a *app) checkTerminal() error {
	_, in := terminal(a.stdin)
	_, out := terminal(a.stdout)
	if in && out {
		return nil
	}
	return errors.New("the terminal UI needs a terminal on standard input and output; add --headless to run without it")
}

// headless runs a plan and prints its report or its events.
func (a *app) headless(plan stress.Plan) error {
	source, err := a.source(a.engine(), plan, a.flags.isolate == always)
	if err != nil {
		return failure{err}
	}
	ctx, signals := watchSignals(context.Background(), func() {})
	defer signals.stop()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()

	var progress *stream.Progress
	if !a.flags.quiet {
		progress = a.progress()
	}
	var events *stream.Writer
	if a.flags.events {
		// Nobody reads the events any more: a run for nobody is stopped.
		events = stream.NewWriter(&watchedWriter{Writer: a.stdout, failed: cancel})
	}
	result, err := follow(ctx, source, func(e stream.Event) {
		if progress != nil {
			progress.Add(e)
		}
		if events != nil {
			// Also after a signal: the events of the end are what a reader
			// waits for.
			events.Emit(context.WithoutCancel(ctx), e)
		}
	})
	if progress != nil {
		progress.Close()
	}
	var failures []error
	if err != nil {
		failures = append(failures, err)
	}
	failures = append(failures, a.writeOutputs(result)...)
	if err := save(result); err != nil {
		a.warn(err)
	}
	if events != nil {
		err = events.Close()
	} else {
		err = a.writeReport(result)
	}
	if err != nil {
		failures = append(failures, err)
	}
	return a.conclude(result.Verdict, signals.interruption(), failures)
}

// conclude sets the exit code. What failed besides the run is told, and counts
// unless the run was interrupted: then whoever did that knows more.
func (a *app) conclude(v report.Verdict, interruption os.Signal, failures []error) error {
	a.code = exitCode(v, interruption)
	if len(failures) == 0 {
		return nil
	}
	if v == report.Interrupted && interruption != nil {
		a.tell(errors.Join(failures...))
		return nil
	}
	return failure{errors.Join(failures...)}
}

// follow runs a source to its end and returns its report. If the source did not
// come to its end, the report says so, and the error why.
func follow(ctx context.Context, source stream.Source, emit func(stream.Event)) (report.Report, error) {
	var collector stream.Collector
	last, finished := 0.0, false
	err := source.Run(ctx, func(e stream.Event) {
		collector.Add(e)
		last, finished = e.T, finished || e.Type == stream.RunFinished
		emit(e)
	})
	result := collector.Finish(err)
	if !finished {
		emit(stream.Event{T: last, Type: stream.RunFinished, Report: &result})
	}
	if err != nil {
		err = fmt.Errorf("run the scenarios: %w", err)
	}
	return result, err
}

// A watchedWriter calls failed when it cannot be written to.
type watchedWriter struct {
	io.Writer
	failed func()
}

func (w *watchedWriter) Write(p []byte) (int, error) {
	n, err := w.Writer.Write(p)
	if err != nil {
		w.failed()
	}
	return n, err
}

// progress tells how far the run is on standard error.
func (a *app) progress() *stream.Progress {
	p := &stream.Progress{Out: a.stderr, ASCII: a.ascii()}
	if fd, ok := terminal(a.stderr); ok {
		p.Width = func() int { return terminalWidth(fd) }
	}
	return p
}

// ascii says whether a terminal cannot be shown more than ASCII.
func (a *app) ascii() bool { return a.flags.ascii || ui.NeedsASCII(os.Getenv) }

// colored says whether the report on standard output has colours.
func (a *app) colored() bool {
	_, isTerminal := terminal(a.stdout)
	return a.flags.color == always ||
		a.flags.color == auto && isTerminal && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
}

// writeReport writes the report to standard output.
func (a *app) writeReport(r report.Report) error {
	if a.flags.json {
		return report.JSON(a.stdout, r)
	}
	options := report.TextOptions{Color: a.colored(), ASCII: a.flags.ascii}
	if fd, ok := terminal(a.stdout); ok {
		options.Width, options.ASCII = terminalWidth(fd), a.ascii()
	}
	return report.Text(a.stdout, r, options)
}

// writeOutputs writes the report to the files of --output.
func (a *app) writeOutputs(r report.Report) []error {
	var failures []error
	for _, path := range a.flags.outputs {
		err := report.WriteFile(path, func(w io.Writer) error {
			if strings.ToLower(filepath.Ext(path)) == ".json" {
				return report.JSON(w, r)
			}
			return report.Text(w, r, report.TextOptions{ASCII: a.flags.ascii})
		})
		if err != nil {
			failures = append(failures, err)
		}
	}
	return failures
}

// save puts the report to those of past runs.
func save(r report.Report) error {
	store, err := report.DefaultStore()
	if err == nil {
		_, err = store.Save(r)
	}
	if err != nil {
		return fmt.Errorf("the run is not kept among past runs: %w", err)
	}
	return nil
}
