package ui

import (
	"io"
	"time"

	tea "github.com/charmbracelet/bubbletea"

	"mabeam-top/internal/ui/screen"
	"mabeam-top/internal/ui/theme"
)

const (
	// pauseTimeout is how long a suspension waits for the load to pause.
	pauseTimeout = 500 * time.Millisecond
	// pausePoll is how often it looks.
	pausePoll = 10 * time.Millisecond
)

// A suspendMsg asks to suspend the program. whole includes its process group, as a
// shell does with ctrl+z.
type suspendMsg struct{ whole bool }

// A suspension is the time during which the program is suspended. Bubble Tea
// releases the terminal for it, as for a command.
type suspension struct {
	jobs  *jobControl
	whole bool
	// paused reports whether the load is paused; nil if there is nothing to wait
	// for.
	paused func() bool
}

// Run suspends the program until it is continued.
func (s suspension) Run() error {
	if s.paused != nil {
		for range int(pauseTimeout / pausePoll) {
			if s.paused() {
				break
			}
			time.Sleep(pausePoll)
		}
	}
	s.jobs.stop(s.whole)
	return nil
}

// SetStdin implements tea.ExecCommand, as do SetStdout and SetStderr.
func (suspension) SetStdin(io.Reader) {}

// SetStdout does nothing.
func (suspension) SetStdout(io.Writer) {}

// SetStderr does nothing.
func (suspension) SetStderr(io.Writer) {}

// suspend releases the terminal and suspends the program. It pauses the load
// meanwhile: paused time is not measured, and the stream reports the gap.
func (m *model) suspend(whole bool) tea.Cmd {
	if err := m.jobs.allowed(); whole && err != nil {
		m.host.Fail(err)
		return nil
	}
	paused, resume := m.live.Pause()
	began := time.Now()
	back := screen.Result(func() tea.Cmd {
		m.host.Notify("suspended for %s", theme.Seconds(time.Since(began).Seconds()))
		resume()
		return nil
	})
	return tea.Exec(suspension{m.jobs, whole, paused}, func(error) tea.Msg {
		// Bubble Tea does not restore the mouse. The mouse comes first, so that the
		// terminal is complete when the notice appears.
		return tea.Sequence(tea.EnableMouseCellMotion, func() tea.Msg { return back })()
	})
}
