package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"mabeam-top/internal/atomicfile"
	"mabeam-top/internal/stress/fold"
	"mabeam-top/internal/stress/report"
	"mabeam-top/internal/stress/report/format"
	"mabeam-top/internal/stress/stream"
)

func (a *app) reportCommand() *cobra.Command {
	var name string
	cmd := &cobra.Command{
		Use:   "report RUN",
		Short: "Print a stored report or a recording in any format",
		Long: `Prints the report of a run. RUN is a JSON report, a recording, - for standard
input, the id of a past run or an unambiguous prefix of it, or last. With a
recording, html and csv also contain the samples over time; runs in the UI are
recorded. An incomplete recording is printed as far as it goes.`,
		Example: `  mabeam-top report last
  mabeam-top report run.jsonl --format html > run.html
  mabeam-top --json --tag smoke | mabeam-top report - --format junit > smoke.xml`,
		Args: exactly(1, "one run"),
		RunE: func(_ *cobra.Command, args []string) error {
			if !slices.Contains(format.Names(), name) {
				return fmt.Errorf("--format: expected one of %s, not %q", strings.Join(format.Names(), ", "), name)
			}
			r, c, err := a.loadRun(args[0], format.Format(name).NeedsTimeline())
			if err != nil {
				return err
			}
			return a.printReport(format.Format(name), r, c)
		},
		ValidArgsFunction: completeRuns,
	}
	cmd.Flags().StringVar(&name, "format", string(format.Text), "print the report as `F`: "+strings.Join(format.Names(), ", "))
	mustRegister(cmd.RegisterFlagCompletionFunc("format", cobra.FixedCompletions(format.Names(), cobra.ShellCompDirectiveNoFileComp)))
	return cmd
}

// completeRuns completes past runs; the shell completes files.
func completeRuns(_ *cobra.Command, named []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
	if len(named) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	offered := []cobra.Completion{cobra.CompletionWithDesc(report.LastRun, "the newest run")}
	store, err := report.DefaultStore()
	if err != nil {
		return offered, cobra.ShellCompDirectiveDefault
	}
	runs, _, err := store.List()
	if err != nil {
		return offered, cobra.ShellCompDirectiveDefault
	}
	for _, run := range runs {
		var names []string
		for _, s := range run.Scenarios {
			names = append(names, s.Name)
		}
		offered = append(offered, cobra.CompletionWithDesc(run.ID, fmt.Sprintf("%s: %s", run.Verdict, strings.Join(names, ", "))))
	}
	return offered, cobra.ShellCompDirectiveDefault
}

// loadRun loads a run by its name on the command line. For a past run, withCourse also
// loads the samples over time, if it has a recording.
func (a *app) loadRun(name string, withCourse bool) (report.Report, report.Timeline, error) {
	if name == "-" {
		return a.readRun(stdinName, a.stdin)
	}
	if _, err := os.Stat(name); name != report.LastRun && !errors.Is(err, os.ErrNotExist) {
		return a.readRunFile(name)
	}
	run, err := pastRun(name)
	if err != nil {
		return report.Report{}, report.Timeline{}, err
	}
	r, c, err := a.readRunFile(run.Path)
	if err == nil && withCourse && run.Recording != "" {
		recording, err := stream.LoadRecording(run.Recording)
		if err != nil {
			a.warn(fmt.Errorf("no charts over time: %w", err))
			return r, c, nil
		}
		c = fold.TimelineOf(recording)
	}
	return r, c, err
}

func (a *app) readRunFile(path string) (report.Report, report.Timeline, error) {
	file, err := os.Open(path)
	if err != nil {
		return report.Report{}, report.Timeline{}, fmt.Errorf("read run: %w", err)
	}
	r, c, err := a.readRun(path, file)
	return r, c, errors.Join(err, file.Close())
}

// pastRun returns the past run with that id or prefix, or the newest run.
func pastRun(name string) (report.Run, error) {
	store, err := report.DefaultStore()
	if err != nil {
		return report.Run{}, err
	}
	runs, _, err := store.List() // unreadable runs have no id
	if err != nil {
		return report.Run{}, err
	}
	if name == report.LastRun {
		if len(runs) == 0 {
			return report.Run{}, fmt.Errorf("no past run in %s", store.Dir)
		}
		return runs[0], nil
	}
	var found []report.Run
	for _, run := range runs {
		if run.ID == name {
			return run, nil
		}
		if strings.HasPrefix(run.ID, name) {
			found = append(found, run)
		}
	}
	switch {
	case len(found) == 0:
		return report.Run{}, fmt.Errorf("unknown run %s: no such file, and no past run with that id", name)
	case len(found) > 1:
		return report.Run{}, fmt.Errorf("ambiguous run %s: %d past runs have that prefix; use a longer one, such as %s", name, len(found), found[0].ID)
	}
	return found[0], nil
}

// readRun reads a report or a recording. It is a recording if its first line is an
// event.
func (a *app) readRun(name string, in io.Reader) (report.Report, report.Timeline, error) {
	lines := bufio.NewReader(in)
	first, err := lines.ReadBytes('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return report.Report{}, report.Timeline{}, fmt.Errorf("read run %s: %w", name, err)
	}
	whole := io.MultiReader(strings.NewReader(string(first)), lines)
	var head struct {
		Type string `json:"type"`
	}
	if err := json.Unmarshal(first, &head); err != nil || head.Type == "" {
		r, err := report.Read(whole)
		if err != nil {
			return report.Report{}, report.Timeline{}, fmt.Errorf("%s is neither a report nor a recording: %w", name, err)
		}
		return r, report.Timeline{}, nil
	}
	return a.readRecording(name, whole)
}

// readRecording reads a recording as far as it goes. It warns if the recording is
// incomplete; the report says so too.
func (a *app) readRecording(name string, in io.Reader) (report.Report, report.Timeline, error) {
	recording, err := stream.ReadRecording(in)
	if err != nil {
		return report.Report{}, report.Timeline{}, fmt.Errorf("read recording %s: %w", name, err)
	}
	if recording.Broken != nil {
		a.warn(fmt.Errorf("recording %s is incomplete: %w", name, recording.Broken))
	}
	return fold.ReportOf(recording), fold.TimelineOf(recording), nil
}

// printReport prints a report to standard output.
func (a *app) printReport(f format.Format, r report.Report, c report.Timeline) error {
	options := a.textOptions()
	out := bufio.NewWriter(a.stdout)
	err := f.Write(out, r, c, options)
	if err == nil {
		err = out.Flush()
	}
	if err != nil {
		return failure{fmt.Errorf("write to standard output: %w", err)}
	}
	return nil
}

// writeOutputs writes the report to the files of --output.
func (a *app) writeOutputs(r report.Report, c report.Timeline) []error {
	var failures []error
	for _, path := range a.flags.outputs {
		f, _ := format.Of(path) // the flags are checked
		err := atomicfile.Write(path, func(w io.Writer) error {
			return f.Write(w, r, c, format.Options{ASCII: a.flags.ascii})
		})
		if err != nil {
			failures = append(failures, err)
		}
	}
	return failures
}
