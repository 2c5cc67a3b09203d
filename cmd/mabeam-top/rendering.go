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
		Long: `Prints what a run came to. RUN is a file, written by --output as JSON or by
--record; or - for one on standard input; or the id of a past run, or as much of
its beginning as no other has; or last. A recording also knows the course of its
run, which html draws and csv lists; of the runs of the UI one is kept. One that
broke off is told as far as it goes.`,
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
	cmd.Flags().StringVar(&name, "format", string(format.Text), "print it as `F`: "+strings.Join(format.Names(), ", "))
	mustRegister(cmd.RegisterFlagCompletionFunc("format", cobra.FixedCompletions(format.Names(), cobra.ShellCompDirectiveNoFileComp)))
	return cmd
}

// completeRuns offers the past runs; files are the shell's own business.
func completeRuns(_ *cobra.Command, named []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
	if len(named) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	offered := []cobra.Completion{cobra.CompletionWithDesc(report.LastRun, "the newest of the past runs")}
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

// loadRun reads a run by what its user calls it. Of a past run withCourse asks for
// its course too, if a recording is kept.
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
			a.warn(fmt.Errorf("there are no charts over time: %w", err))
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

// pastRun returns the past run that a name means.
func pastRun(name string) (report.Run, error) {
	store, err := report.DefaultStore()
	if err != nil {
		return report.Run{}, err
	}
	runs, _, err := store.List() // one that cannot be read has no id
	if err != nil {
		return report.Run{}, err
	}
	if name == report.LastRun {
		if len(runs) == 0 {
			return report.Run{}, fmt.Errorf("there is no past run in %s", store.Dir)
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
		return report.Run{}, fmt.Errorf("there is no file %s, and no past run has that id", name)
	case len(found) > 1:
		return report.Run{}, fmt.Errorf("%d past runs have an id that begins with %s; write more of it, such as %s", len(found), name, found[0].ID)
	}
	return found[0], nil
}

// readRun reads a report or a recording. Its first line tells which: every line
// of a recording is an event of its own.
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

// readRecording reads a recording as far as it goes. If it breaks off, that is
// told, and the report says so too.
func (a *app) readRecording(name string, in io.Reader) (report.Report, report.Timeline, error) {
	recording, err := stream.ReadRecording(in)
	if err != nil {
		return report.Report{}, report.Timeline{}, fmt.Errorf("read recording %s: %w", name, err)
	}
	if recording.Broken != nil {
		a.warn(fmt.Errorf("the recording %s cannot be read to its end: %w", name, recording.Broken))
	}
	return fold.ReportOf(recording), fold.TimelineOf(recording), nil
}

// printReport prints a report on standard output.
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
		f, _ := format.Of(path) // checked with the flags
		err := atomicfile.Write(path, func(w io.Writer) error {
			return f.Write(w, r, c, format.Options{ASCII: a.flags.ascii})
		})
		if err != nil {
			failures = append(failures, err)
		}
	}
	return failures
}
