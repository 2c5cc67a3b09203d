package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"mabeam-top/internal/stress"
	"mabeam-top/internal/stress/fold"
	"mabeam-top/internal/stress/report"
	"mabeam-top/internal/stress/report/format"
	"mabeam-top/internal/stress/scenario"
	"mabeam-top/internal/stress/stream"
	"mabeam-top/internal/ui/theme"
)

// runScenarios runs scenarios, in the UI or headless. It is the root command.
func (a *app) runScenarios(names []string) error {
	headless := a.flags.headless || a.flags.json || a.flags.events
	settings, err := a.flags.settings()
	errs := []error{err}
	if !headless {
		errs = append(errs, a.checkTerminal("add --headless to run without it"))
	}
	all, err := a.load()
	var selected []scenario.Scenario
	if err == nil {
		selected, err = a.selected(all, names)
		if err != nil && len(names) == 1 {
			err = commandHint(a.rootCommand(), err, names[0])
		}
	}
	if err := errors.Join(append(errs, err)...); err != nil {
		return err
	}
	if headless && selected == nil {
		if selected, err = scenario.Select(all, nil, []string{defaultTag}); err != nil {
			return err
		}
	}
	// The menu of the UI offers all scenarios.
	planned := selected
	if planned == nil {
		planned = all
	}
	plan, err := scenario.NewPlan(planned, settings.overrides)
	if err != nil {
		return err
	}
	earlier, err := a.earlier(plan)
	if err != nil {
		return err
	}
	// A run that starts from the menu is checked then.
	if headless || selected != nil {
		errs := []error{a.checkIsolation(plan)}
		if earlier != nil {
			errs = append(errs, withForceHint(earlier.Check(plan)))
		}
		if err := errors.Join(errs...); err != nil {
			return err
		}
	}
	if headless {
		return a.headless(plan, earlier)
	}
	s := screen{plan: plan, earlier: earlier, fps: settings.fps}
	for _, scenario := range selected {
		s.start = append(s.start, scenario.Name)
	}
	// The menu offers all scenarios later, unless the overrides do not apply to them.
	if whole, err := scenario.NewPlan(all, settings.overrides); err == nil {
		s.plan = whole
	}
	return a.show(s)
}

// checkTerminal returns an error if the UI has no terminal. The hint says what to do
// instead.
func (a *app) checkTerminal(hint string) error {
	_, in := terminal(a.stdin)
	_, out := terminal(a.stdout)
	if in && out {
		return nil
	}
	return fmt.Errorf("the terminal UI needs a terminal on standard input and output; %s", hint)
}

// headless runs a plan and prints its report or its events.
func (a *app) headless(plan scenario.Plan, earlier *stress.Comparison) error {
	engine, err := a.engine(a.flags.isolate == always)
	if err != nil {
		return failure{err}
	}
	source := fold.WithReport(engine.Source(plan))
	if earlier != nil {
		source = stress.WithComparison(source, *earlier)
	}
	// First of all, so that a signal leaves nothing unfinished.
	ctx, signals := watchSignals(context.Background(), nil)
	defer signals.stop()
	listeners, err := a.listen()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()

	var progress *fold.Progress
	if !a.flags.quiet {
		progress = a.progress()
	}
	var events *stream.Writer
	if a.flags.events {
		// A run stops when nobody reads its events anymore.
		events = stream.NewWriter(&watchedWriter{Writer: a.stdout, failed: cancel})
	}
	result, err := follow(ctx, source, func(e stream.Event) {
		listeners.add(e)
		if progress != nil {
			progress.Add(e)
		}
		if events != nil {
			// Also after a signal, because the reader waits for the last events.
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
	if err := listeners.close(); err != nil {
		failures = append(failures, err)
	}
	failures = append(failures, a.writeOutputs(result, listeners.timeline.Snapshot().Timeline())...)
	if err := save(result); err != nil {
		a.warn(err)
	}
	if err := a.saveBaseline(result); err != nil {
		failures = append(failures, err)
	}
	if events != nil {
		err = events.Close()
	} else {
		err = a.writeReport(result)
	}
	if err != nil {
		failures = append(failures, err)
	}
	return a.conclude(result, signals.interruption(), failures)
}

// conclude sets the exit code. Failures besides the run are reported. They set the exit
// code unless a signal interrupted the run.
func (a *app) conclude(r report.Report, interruption os.Signal, failures []error) error {
	if a.code = exitCode(r.Verdict, interruption); a.code == exitOK {
		a.code = a.regressionCode(r)
	}
	if len(failures) == 0 {
		return nil
	}
	if r.Verdict == report.Interrupted && interruption != nil {
		a.reportError(errors.Join(failures...))
		return nil
	}
	return failure{errors.Join(failures...)}
}

// follow runs a source with a report to its end and returns the report. If the source
// fails, the report says so, and the error says why.
func follow(ctx context.Context, source stream.Source, emit func(stream.Event)) (result report.Report, err error) {
	err = source.Run(ctx, func(e stream.Event) {
		if e.Report != nil {
			result = *e.Report
		}
		emit(e)
	})
	if err != nil {
		err = fmt.Errorf("run scenarios: %w", err)
	}
	return result, err
}

// A watchedWriter calls failed when a write fails.
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

// progress prints the progress of the run to standard error.
func (a *app) progress() *fold.Progress {
	p := &fold.Progress{Out: a.stderr, ASCII: a.ascii()}
	if fd, ok := terminal(a.stderr); ok {
		p.Width = func() int { return terminalWidth(fd) }
	}
	return p
}

// ascii reports whether the terminal shows only ASCII.
func (a *app) ascii() bool { return a.flags.ascii || theme.NeedsASCII(os.Getenv) }

// colored reports whether the report on standard output has colors.
func (a *app) colored() bool {
	_, isTerminal := terminal(a.stdout)
	return a.flags.color == always ||
		a.flags.color == auto && isTerminal && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
}

// writeReport writes the report to standard output.
func (a *app) writeReport(r report.Report) error {
	f := format.Text
	if a.flags.json {
		f = format.JSON
	}
	return a.printReport(f, r, report.Timeline{})
}

// textOptions returns the options of a text report on standard output.
func (a *app) textOptions() format.Options {
	options := format.Options{Color: a.colored(), ASCII: a.flags.ascii}
	if fd, ok := terminal(a.stdout); ok {
		options.Width, options.ASCII = terminalWidth(fd), a.ascii()
	}
	return options
}

// save saves the report among the past runs, and updates the best results.
func save(r report.Report) error {
	store, err := report.DefaultStore()
	if err == nil {
		_, err = store.Save(r)
	}
	if err != nil {
		err = fmt.Errorf("save the run: %w", err)
	}
	return errors.Join(err, keepBest(r))
}

// loadBest loads the best results on record. Its error is only a warning.
func loadBest() (report.Best, error) {
	path, err := report.DefaultBestFile()
	if err != nil {
		return report.Best{}, err
	}
	return report.LoadBest(path)
}

// keepBest saves the metrics of a passed run that are better than the best on record. It
// loads the file again, because other runs may have changed it, and replaces a broken
// one.
func keepBest(r report.Report) error {
	path, err := report.DefaultBestFile()
	if err != nil || r.Verdict != report.Pass {
		return nil //nolint:nilerr // without a directory the run is not saved either, with a warning
	}
	best, _ := report.LoadBest(path) // loadBest has warned about a broken file
	best, better := best.With(r)
	if !better {
		return nil
	}
	if err := best.Save(path); err != nil {
		return fmt.Errorf("save the best results: %w", err)
	}
	return nil
}
