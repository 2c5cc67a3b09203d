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

// An app is one call of the program.
type app struct {
	args   []string
	stdin  io.Reader
	stdout io.Writer
	stderr io.Writer
	flags  flags
	// given are the flags as they were given, without the names of scenarios.
	given []string
	// code is the exit code if there is no error.
	code int
}

// A failure is an error of the program's work, and not of what it was asked.
type failure struct{ error }

func (f failure) Unwrap() error { return f.error }

// codeOf is the exit code of an error.
func codeOf(err error) int {
	var f failure
	if errors.As(err, &f) {
		return exitUnmeasured
	}
	return exitUnusable
}

// exitCode is that of a run: of its verdict, or of the signal that interrupted
// it. One that was interrupted without a signal was so by a key.
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

// tell writes an error, one line for each that it consists of. Those of a file
// begin with where they are, as compilers and editors have it.
func (a *app) tell(err error) {
	switch err := err.(type) { //nolint:errorlint // it is taken apart, layer by layer
	case failure:
		a.tell(err.error)
	case scenario.Problems:
		for _, fault := range err {
			prefix := ""
			if fault.Line == 0 {
				prefix = "mabeam-top: "
			}
			a.writeError(prefix + fault.String())
		}
	case interface{ Unwrap() []error }:
		for _, part := range err.Unwrap() {
			a.tell(part)
		}
	default:
		a.writeError("mabeam-top: " + err.Error())
	}
}

// writeError writes a line to standard error. If that fails, there is nobody
// to tell.
func (a *app) writeError(line string) { _, _ = fmt.Fprintln(a.stderr, line) }

// warn tells what is wrong and does not keep anything from working.
func (a *app) warn(err error) { a.writeError("mabeam-top: warning: " + err.Error()) }

// print writes to standard output.
func (a *app) print(text []byte) error {
	if _, err := a.stdout.Write(text); err != nil {
		return failure{fmt.Errorf("write to standard output: %w", err)}
	}
	return nil
}

// engine is what runs plans on this machine, for this command line.
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
			return e, fmt.Errorf("find this program, to run it as a child: %w", err)
		}
		e.Child = []string{executable, childCommand}
	}
	return e, nil
}

// checkIsolation refuses a plan of which a step needs a process of its own, if
// there may be none.
func (a *app) checkIsolation(plan scenario.Plan) error {
	if a.flags.isolate != never {
		return nil
	}
	var problems []error
	for _, s := range plan.Scenarios {
		for _, step := range s.Steps() {
			if step.NeedsProcess() {
				problems = append(problems, fmt.Errorf("--isolate never: the step %s of %s needs a process of its own, as %s limits it, or may end it; leave the scenario out, or the flag", step.Name, s.Name, step.Measurement.Name))
			}
		}
	}
	return errors.Join(problems...)
}

// catalogue is all that can be measured.
func catalogue() stress.Catalogue { return measure.Catalogue() }

// tool says what build this is.
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

// terminal returns the file descriptor of a stream that is a terminal.
func terminal(stream any) (fd uintptr, ok bool) {
	file, ok := stream.(*os.File)
	if !ok || !term.IsTerminal(file.Fd()) {
		return 0, false
	}
	return file.Fd(), true
}

// terminalWidth returns the columns of a terminal; 80 if it does not tell.
func terminalWidth(fd uintptr) int {
	width, _, err := term.GetSize(fd)
	if err != nil || width <= 0 {
		return 80
	}
	return width
}
