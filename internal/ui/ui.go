// Package ui is the terminal UI: a menu of scenarios, a live screen of the run,
// its report, and past runs. It knows a run only as a stream of events, so a run
// in this process, a child process and a recording look the same.
package ui

import (
	"context"
	"errors"
	"fmt"

	tea "github.com/charmbracelet/bubbletea"

	"mabeam-top/internal/stress/report"
	"mabeam-top/internal/ui/plain"
	"mabeam-top/internal/ui/session"
	"mabeam-top/internal/ui/theme"
)

// Config configures the UI.
type Config = session.Config

// Run shows the UI until the user quits or ctx ends. It stops and waits for a load
// that still runs, and restores the terminal.
//
// Run returns the report of the last run, which may be incomplete; nil if there
// was none. The error says why the run broke off or why the screen could not be
// shown. If ctx has ended, it is the cause.
func Run(ctx context.Context, cfg Config) (*report.Report, error) {
	return show(ctx, cfg, tea.WindowSizeMsg{})
}

// show is Run with the size of the terminal until the terminal reports it.
func show(ctx context.Context, cfg Config, size tea.WindowSizeMsg) (*report.Report, error) {
	var last, lastLoad *session.Run
	start := func(r *session.Run) {
		if last != nil {
			last.Wait() // it has ended, or is a replay, which ends at once
		}
		last = r
		if r.Replay == nil {
			lastLoad = r
		}
		r.Start(ctx)
	}
	var err error
	if cfg.ScreenReader {
		err = plain.Run(ctx, cfg, start)
	} else {
		err = draw(ctx, cfg, size, start)
	}
	if err == nil && ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	if last != nil && last != lastLoad {
		last.Wait() // a replay
	}
	if lastLoad == nil {
		return nil, err
	}
	outcome := lastLoad.Wait()
	return outcome.Report, errors.Join(err, outcome.Err)
}

// pollRate is how often a second Bubble Tea looks for something to write. It
// decides how soon a key has an effect.
const pollRate = 30

// draw shows the screens. It returns when the user quits or ctx ends.
func draw(ctx context.Context, cfg Config, size tea.WindowSizeMsg, start func(*session.Run)) error {
	options := []tea.ProgramOption{
		tea.WithAltScreen(), tea.WithMouseCellMotion(), tea.WithFPS(pollRate),
		// The caller handles signals: they end ctx.
		tea.WithoutSignalHandler(),
	}
	if cfg.Input != nil {
		options = append(options, tea.WithInput(cfg.Input))
	}
	if cfg.Output != nil {
		options = append(options, tea.WithOutput(cfg.Output))
	}
	m := newModel(cfg, theme.All(cfg.Output, cfg.Color, cfg.ASCII), start)
	if cfg.JobControl {
		m.jobs = newJobControl()
	}
	sized, _ := m.Update(size)
	var died error
	program := tea.NewProgram(guard{sized, &died}, options...)
	// With tea.WithContext, the program would close its input while it reads it.
	defer context.AfterFunc(ctx, program.Quit)()
	if m.jobs != nil {
		end := m.jobs.watch(func() { program.Send(suspendMsg{}) })
		defer end()
	}
	_, err := program.Run()
	switch {
	case died != nil:
		return died
	case err != nil && ctx.Err() == nil:
		return fmt.Errorf("show the terminal UI: %w", err)
	}
	return nil
}
