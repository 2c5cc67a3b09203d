package ui

import (
	"fmt"
	"path/filepath"
	"slices"

	tea "github.com/charmbracelet/bubbletea"
	"github.com/charmbracelet/x/ansi"

	"mabeam-top/internal/stress/fold"
	"mabeam-top/internal/stress/report"
	"mabeam-top/internal/stress/stream"
	"mabeam-top/internal/ui/chart"
	"mabeam-top/internal/ui/theme"
)

// speeds are those that a replay can have.
var speeds = []float64{stream.MinSpeed, 0.5, 1, 2, 4, 8, stream.MaxSpeed}

// seekBy is how far the arrows go in a replay, in seconds.
const seekBy = 5

// loadReplay reads a recording and shows it.
func (m *model) loadReplay(path string) tea.Cmd {
	m.notice = notice{text: "reading " + path}
	return work(func() result {
		r, err := stream.LoadRecording(path)
		if err != nil {
			return m.failed(err)
		}
		played := replayed(r, filepath.Base(path))
		return func() tea.Cmd { return m.play(played) }
	})
}

// play shows a recording in the live screen.
func (m *model) play(r *run) tea.Cmd {
	recording := r.recording
	cmd := m.follow(r)
	m.notice = notice{}
	if recording.Broken != nil {
		m.notice = notice{text: "the recording is incomplete: " + recording.Broken.Error(), bad: true}
	} else if recording.Thinned > 0 {
		m.notify("the recording is long: %s samples are left out, evenly", report.Quantity(float64(recording.Thinned), theme.Count))
	}
	return cmd
}

// replayActions are the keys of the live screen in a replay: some of them mean
// something else than in a run.
func (m *model) replayActions() []action {
	own, live := m.replayKeys(), m.liveActions()
	taken := map[string]bool{}
	for _, a := range own {
		for _, k := range a.key.Keys() {
			taken[k] = true
		}
	}
	escapes := false
	for _, a := range live {
		keys := a.key.Keys()
		escapes = escapes || slices.Contains(keys, "esc")
		if !slices.ContainsFunc(keys, func(k string) bool { return taken[k] }) {
			own = append(own, a)
		}
	}
	if !escapes { // else it goes back within the screen first
		own = slices.Insert(own, 1, action{keyBack, m.leaveReplay})
	}
	return own
}

func (m *model) replayKeys() []action {
	p := m.run.replay.Playback()
	hold := keyHold
	if p.Paused {
		hold = keyGoOn
	}
	return []action{
		act(hold, func() { m.steerReplay(stream.Command{Do: stream.SetSpeed, Speed: p.Speed, Paused: !p.Paused}) }),
		act(keyReplaySlower, func() { m.changeSpeed(-1) }),
		act(keyReplayFaster, func() { m.changeSpeed(1) }),
		act(keySeekBack, func() { m.seek(-seekBy) }),
		act(keySeekOn, func() { m.seek(seekBy) }),
		act(keySeekStart, func() { m.steerReplay(stream.Command{Do: stream.Seek}) }),
		act(keySeekEnd, func() { m.steerReplay(stream.Command{Do: stream.Seek, To: p.Length}) }),
		act(keyResult, func() {
			data := reportView{result: m.run.report, course: fold.CourseOf(m.run.recording), charts: true}
			m.showReport(data)
		}),
	}
}

func (m *model) seek(by float64) {
	m.steerReplay(stream.Command{Do: stream.Seek, To: m.run.replay.Playback().At + by})
}

func (m *model) changeSpeed(by int) {
	p := m.run.replay.Playback()
	at := 0
	for i, s := range speeds {
		if s <= p.Speed {
			at = i
		}
	}
	speed := speeds[min(max(at+by, 0), len(speeds)-1)]
	m.steerReplay(stream.Command{Do: stream.SetSpeed, Speed: speed, Paused: p.Paused})
}

func (m *model) steerReplay(c stream.Command) {
	if err := m.run.command(c); err != nil {
		m.notice = notice{text: err.Error(), bad: true}
	}
}

// leaveReplay ends the replay and goes back to where it was begun.
func (m *model) leaveReplay() tea.Cmd {
	m.run.stop()
	m.running = false
	m.tag++ // its ticks are of no use any more
	return m.goHome()
}

// replayState is the word for what a replay is doing.
func replayState(s *theme.Theme, p stream.Playback) string {
	speed := fmt.Sprintf("%s%g", s.Times, p.Speed)
	switch {
	case p.Paused:
		return s.Badge.Render(" HELD ") + " " + s.Muted.Render(speed)
	case p.Ended:
		return s.Muted.Render(s.Dot + " END " + speed)
	default:
		return s.Accent.Render(s.Dot+" REPLAY ") + s.Strong.Render(speed)
	}
}

// replayBar shows where in the recording one is, with its faults and steps.
func (m *model) replayBar() string {
	s, p := m.styles, m.run.replay.Playback()
	left, right := " "+report.Clock(p.At)+" ", " "+report.Clock(p.Length)+" "
	width := m.width - ansi.StringWidth(left) - ansi.StringWidth(right)
	if width < 10 || !(p.Length > 0) {
		return left + "/" + right
	}
	cells := make([]chart.Cell, width)
	done := int(p.At / p.Length * float64(width-1))
	for i := range cells {
		cells[i] = chart.Cell{Rune: []rune(s.BarEmpty)[0], Style: s.Faint}
		if i < done {
			cells[i] = chart.Cell{Rune: []rune(s.BarFull)[0], Style: s.Accent}
		}
	}
	for _, e := range m.run.recording.Events {
		c := &cells[min(max(int(e.T/p.Length*float64(width-1)), 0), width-1)]
		switch {
		case e.Type == stream.FaultInjected:
			*c = chart.Cell{Rune: s.Fault, Style: s.Warn}
		case e.Type == stream.StepStarted && c.Rune != s.Fault:
			*c = chart.Cell{Rune: []rune(s.Vertical)[0], Style: s.Muted}
		case e.Type == stream.RepetitionStarted && c.Rune != s.Fault && string(c.Rune) != s.Vertical:
			*c = chart.Cell{Rune: s.Repetition, Style: s.Muted}
		}
	}
	cells[done] = chart.Cell{Rune: []rune(s.Dot)[0], Style: s.Strong}
	return s.Muted.Render(left) + chart.Render(cells) + s.Muted.Render(right)
}
