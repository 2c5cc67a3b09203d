package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"mabeam-top/internal/stress/report"
	"mabeam-top/internal/stress/report/format"
	"mabeam-top/internal/stress/scenario"
	"mabeam-top/internal/stress/stream"
)

func (a *app) replayCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "replay RECORDING",
		Short: "Play a recorded run in the UI",
		Long: `Plays a run in the UI as it went: RECORDING is a file that was written by --record
or --events, or the id of a past run of which a recording is kept, or as much of
its beginning as no other has, or last. It can be held, played slower or faster,
and sought in with the arrow keys.

A recording that breaks off, because its program died or because it cannot be
read any further, is played as far as it goes, and that is told. One of which
nothing can be read is refused.`,
		Example: `  mabeam-top replay run.jsonl
  mabeam-top replay last`,
		Args:              exactly(1, "one recording"),
		ValidArgsFunction: completeRuns,
		RunE:              func(_ *cobra.Command, args []string) error { return a.replay(args[0]) },
	}
	set := cmd.Flags()
	set.SortFlags = false
	a.addLooksFlags(set)
	return cmd
}

// replay shows a recording.
func (a *app) replay(name string) error {
	fps, err := a.flags.looks()
	faults := []error{err, a.checkTerminal("mabeam-top report reads a recording without it")}
	path, err := recordingOf(name)
	var recording *stream.Recording
	if err == nil {
		recording, err = readRecordingFile(path)
	}
	all, loadErr := parse(builtin())
	if err := errors.Join(append(faults, err, loadErr)...); err != nil {
		return err
	}
	plan, err := scenario.NewPlan(all, scenario.Overrides{})
	if err != nil {
		return err
	}
	if err := a.show(showing{plan: plan, recording: recording, recordingName: filepath.Base(path), fps: fps}); err != nil {
		return err
	}
	if recording.Broken != nil {
		a.warn(fmt.Errorf("the recording %s cannot be read to its end: %w", path, recording.Broken))
	}
	return nil
}

// recordingOf returns the file that a recording's name means.
func recordingOf(name string) (string, error) {
	if _, err := os.Stat(name); err == nil && name != report.LastRun {
		return name, nil
	}
	run, err := pastRun(name)
	if err != nil || run.Recording != "" {
		return run.Recording, err
	}
	return "", fmt.Errorf("of the run %s no recording is kept; --record FILE makes one of any run", name)
}

// readRecordingFile reads a recording, and says so of a file that is something else
// of ours.
func readRecordingFile(path string) (*stream.Recording, error) {
	r, err := stream.LoadRecording(path)
	if err != nil {
		if _, other := report.Load(path); other == nil {
			return nil, fmt.Errorf("read recording %s: it is a report, which mabeam-top report %s reads", path, format.ShellWord(path))
		}
	}
	return r, err
}
