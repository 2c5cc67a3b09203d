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
		Short: "Replay a recorded run in the UI",
		Long: `Replays a run in the UI. RECORDING is a file written by --record or --events, the
id of a past run with a recording or an unambiguous prefix of it, or last. Keys
pause, slow down or speed up the replay, and the arrow keys seek.

An incomplete recording is replayed as far as it goes, with a warning.`,
		Example: `  mabeam-top replay run.jsonl
  mabeam-top replay last`,
		Args:              exactly(1, "one recording"),
		ValidArgsFunction: completeRuns,
		RunE:              func(_ *cobra.Command, args []string) error { return a.replay(args[0]) },
	}
	set := cmd.Flags()
	set.SortFlags = false
	a.addAppearanceFlags(set)
	return cmd
}

// replay replays a recording in the UI.
func (a *app) replay(name string) error {
	fps, err := a.flags.appearance()
	errs := []error{err, a.checkTerminal("use mabeam-top report to read a recording without it")}
	path, err := recordingOf(name)
	var recording *stream.Recording
	if err == nil {
		recording, err = readRecordingFile(path)
	}
	all, loadErr := parse(builtin())
	if err := errors.Join(append(errs, err, loadErr)...); err != nil {
		return err
	}
	plan, err := scenario.NewPlan(all, scenario.Overrides{})
	if err != nil {
		return err
	}
	if err := a.show(screen{plan: plan, recording: recording, recordingName: filepath.Base(path), fps: fps}); err != nil {
		return err
	}
	if recording.Broken != nil {
		a.warn(fmt.Errorf("recording %s is incomplete: %w", path, recording.Broken))
	}
	return nil
}

// recordingOf returns the file of a recording by its name on the command line.
func recordingOf(name string) (string, error) {
	if _, err := os.Stat(name); err == nil && name != report.LastRun {
		return name, nil
	}
	run, err := pastRun(name)
	if err != nil || run.Recording != "" {
		return run.Recording, err
	}
	return "", fmt.Errorf("run %s has no recording; use --record FILE to record a run", name)
}

// readRecordingFile reads a recording. Its error says so if the file is a report.
func readRecordingFile(path string) (*stream.Recording, error) {
	r, err := stream.LoadRecording(path)
	if err != nil {
		if _, other := report.Load(path); other == nil {
			return nil, fmt.Errorf("read recording %s: the file is a report; use mabeam-top report %s", path, format.ShellWord(path))
		}
	}
	return r, err
}
