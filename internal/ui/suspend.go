package ui

import (
	"io"
	"time"

	tea "github.com/charmbracelet/bubbletea"

	"mabeam-top/internal/stress/report"
	"mabeam-top/internal/stress/stream"
)

const (
	// heldWithin is how long is waited for a load to be held before the program
	// is suspended all the same.
	heldWithin = 500 * time.Millisecond
	// heldLook is how often is looked whether it is.
	heldLook = 10 * time.Millisecond
)

// A suspendMsg asks to be suspended. Whole says that all of the program's
// process group is to be, as the shell does it with ctrl+z.
type suspendMsg struct{ whole bool }

// A suspension is the time in which the program is suspended, for which Bubble
// Tea gives the terminal back.
type suspension struct {
	stops *stops
	whole bool
	// held says whether the load is held by now; nil if there is none to hold.
	held func() bool
}

// Run stops the program until it is told to go on.
func (s suspension) Run() error {
	if s.held != nil {
		for range int(heldWithin / heldLook) {
			if s.held() {
				break
			}
			time.Sleep(heldLook)
		}
	}
	s.stops.stop(s.whole)
	return nil
}

// SetStdin implements tea.ExecCommand, as do the other two.
func (suspension) SetStdin(io.Reader) {}

// SetStdout does nothing.
func (suspension) SetStdout(io.Writer) {}

// SetStderr does nothing.
func (suspension) SetStderr(io.Writer) {}

// suspend gives the terminal back and stops the program. What runs is held
// meanwhile: what the load did not do then is part of no measurement, and the
// stream tells of the gap.
func (m *model) suspend(whole bool) tea.Cmd {
	if err := m.stops.allowed(); whole && err != nil {
		m.notice = notice{text: err.Error(), bad: true}
		return nil
	}
	held, resume := m.hold()
	began := time.Now()
	back := result(func() tea.Cmd {
		m.notify("was suspended for %s", report.Quantity(time.Since(began).Seconds(), "s"))
		resume()
		return nil
	})
	return tea.Exec(suspension{m.stops, whole, held}, func(error) tea.Msg {
		// Bubble Tea forgets the mouse when it takes the terminal back. It comes
		// first, so that the terminal is as it was once the screen says so.
		return tea.Sequence(tea.EnableMouseCellMotion, func() tea.Msg { return back })()
	})
}

// hold holds the load or the replay. It returns how to see that it is held, nil
// if there is nothing to wait for, and how to let it go on.
func (m *model) hold() (held func() bool, resume func()) {
	resume = func() {}
	switch {
	case m.running && m.run.replay != nil:
		p := m.run.replay.Playback()
		m.steerReplay(stream.Command{Do: stream.SetSpeed, Speed: p.Speed, Paused: true})
		return nil, func() {
			m.steerReplay(stream.Command{Do: stream.SetSpeed, Speed: p.Speed, Paused: p.Paused})
		}
	case m.loading() && !m.live.paused:
		run, before := m.run, m.run.timeline.Snapshot().ByHand
		if err := run.command(stream.Command{Do: stream.SetPaused, Paused: true}); err != nil {
			return nil, func() {
				m.notice = notice{text: "the load could not be held while the program was suspended: " + err.Error(), bad: true}
			}
		}
		return func() bool { return run.timeline.Snapshot().ByHand > before }, func() {
			_ = run.command(stream.Command{Do: stream.SetPaused}) // one that is over does not go on
		}
	}
	return nil, resume
}
