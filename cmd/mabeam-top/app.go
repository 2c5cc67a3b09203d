package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/debug"
	"slices"

	"github.com/charmbracelet/x/term"

	"mabeam-top/internal/probes"
	"mabeam-top/internal/stress"
	"mabeam-top/internal/stress/measure"
	"mabeam-top/internal/stress/report"
	"mabeam-top/internal/stress/scenario"
	"mabeam-top/internal/stress/verdict"
)

// The exit codes.
const (
	exitOK          = 0
	exitFailed      = 1
	exitUnusable    = 2
	exitUnmeasured  = 3
	exitInterrupted = 130
	exitTerminated  = 143
)

// An app is one execution of the program.
type app struct {
	args   []string
	stdin  io.Reader
	stdout io.Writer
	stderr io.Writer
	flags  flags
	// given are the flags on the command line, without the names of scenarios.
	given []string
	// code is the exit code if no error occurs.
	code int
}

// A failure is an error during the run, as opposed to a wrong command line.
type failure struct{ error }

func (f failure) Unwrap() error { return f.error }

// codeOf returns the exit code of an error.
func codeOf(err error) int {
	var f failure
	if errors.As(err, &f) {
		return exitUnmeasured
	}
	return exitUnusable
}

// exitCode returns the exit code of a run, by its verdict and the signal that
// interrupted it. Without a signal, a key of the UI interrupted it.
func exitCode(v report.Verdict, interruption os.Signal) int {
	switch v {
	case report.Pass, report.Warn:
		return exitOK
	case report.Fail:
		return exitFailed
	case report.Interrupted:
		if interruption != nil {
			return signalCode(interruption)
		}
		return exitInterrupted
	default:
		return exitUnmeasured
	}
}

// reportError writes an error to standard error, one line for each joined error. Errors
// in a file begin with their position, as those of compilers do.
func (a *app) reportError(err error) {
	switch err := err.(type) { //nolint:errorlint // unwraps one layer at a time
	case failure:
		a.reportError(err.error)
	case scenario.Problems:
		for _, problem := range err {
			prefix := ""
			if problem.Line == 0 {
				prefix = "mabeam-top: "
			}
			a.writeError(prefix + problem.String())
		}
	case interface{ Unwrap() []error }:
		for _, part := range err.Unwrap() {
			a.reportError(part)
		}
	default:
		a.writeError("mabeam-top: " + err.Error())
	}
}

// writeError writes a line to standard error. Nobody could read an error of that.
func (a *app) writeError(line string) { _, _ = fmt.Fprintln(a.stderr, line) }

// warn writes a warning to standard error.
func (a *app) warn(err error) { a.writeError("mabeam-top: warning: " + err.Error()) }

// print writes to standard output.
func (a *app) print(text []byte) error {
	if _, err := a.stdout.Write(text); err != nil {
		return failure{fmt.Errorf("write to standard output: %w", err)}
	}
	return nil
}

// engine returns the engine that runs plans on this machine.
func (a *app) engine(isolate bool) (stress.Engine, error) {
	if err := stress.CheckBaselines(catalogue(), verdict.Builtin()); err != nil {
		return stress.Engine{}, err
	}
	host, err := probes.ReadHost()
	if err != nil {
		a.warn(err)
	}
	best, err := loadBest()
	if err != nil {
		a.warn(err)
	}
	e := stress.Engine{
		Catalogue: catalogue(), Tool: tool(), Host: report.Host(host), Baselines: verdict.Builtin(), Best: best,
		Command:  append([]string{"mabeam-top"}, a.args...),
		Profiles: a.flags.profiles, Isolate: isolate,
	}
	if a.flags.isolate != never {
		executable, err := os.Executable()
		if err != nil {
			return e, fmt.Errorf("find the executable to start a child process: %w", err)
		}
		e.Child = []string{executable, childCommand}
	}
	return e, nil
}

// checkIsolation returns an error if a step of the plan needs a process of its own and
// --isolate forbids that.
func (a *app) checkIsolation(plan scenario.Plan) error {
	if a.flags.isolate != never {
		return nil
	}
	var problems []error
	for _, s := range plan.Scenarios {
		for _, step := range s.Steps() {
			if step.NeedsProcess() {
				problems = append(problems, fmt.Errorf("--isolate never: the step %s of %s needs its own process, because %s limits or kills it; remove the flag or the scenario", step.Name, s.Name, step.Measurement.Name))
			}
		}
	}
	return errors.Join(problems...)
}

// catalogue returns all measurements.
func catalogue() stress.Catalogue { return measure.Catalogue() }

// tool describes this build.
func tool() report.Tool {
	t := report.Tool{Version: "devel", Commit: "unknown", Go: runtime.Version()}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return t
	}
	if info.Main.Version != "(devel)" {
		t.Version = cmp.Or(info.Main.Version, t.Version)
	}
	if i := slices.IndexFunc(info.Settings, func(s debug.BuildSetting) bool { return s.Key == "vcs.revision" }); i >= 0 {
		t.Commit = info.Settings[i].Value
	}
	return t
}

// terminal returns the file descriptor of a stream if it is a terminal.
func terminal(stream any) (fd uintptr, ok bool) {
	file, ok := stream.(*os.File)
	if !ok || !term.IsTerminal(file.Fd()) {
		return 0, false
	}
	return file.Fd(), true
}

// terminalWidth returns the columns of a terminal, or 80 if they are unknown.
func terminalWidth(fd uintptr) int {
	width, _, err := term.GetSize(fd)
	if err != nil || width <= 0 {
		return 80
	}
	return width
}
