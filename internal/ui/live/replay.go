package live

import (
	"fmt"
	"slices"

	"mabeam-top/internal/stress/quantity"
	"mabeam-top/internal/stress/stream"
	"mabeam-top/internal/ui/chart"
	"mabeam-top/internal/ui/screen"
	"mabeam-top/internal/ui/theme"
)

// speeds are the speeds of a replay.
var speeds = []float64{stream.MinSpeed, 0.5, 1, 2, 4, 8, stream.MaxSpeed}

// seekSeconds is how far a key seeks in a replay.
const seekSeconds = 5

var (
	pauseReplayKey  = screen.Bind("p", "pause", "p", " ").Help("Pause the replay")
	resumeReplayKey = screen.Bind("p", "resume", "p", " ").Help("Resume the replay")
	slowerReplayKey = screen.Bind("[ ]", "speed", "[").Help("Decrease / increase the speed")
	fasterReplayKey = screen.Also("]")
	seekBackKey     = screen.Bind("←→", "seek", "left").Help("Seek 5 s back / forward")
	seekOnKey       = screen.Also("right")
	seekStartKey    = screen.Bind("g", "start", "g", "home").Help("Seek to the start").Hide()
	seekEndKey      = screen.Bind("G", "end", "G", "end").Help("Seek to the end").Hide()
	recordedKey     = screen.Bind("r", "report", "r").Help("Show the report of the recorded run")
)

// replayActions are the keys during a replay. They replace those of a run that
// have the same key.
func (s *Screen) replayActions() []screen.Action {
	p := s.run.Replay.Playback()
	pause := pauseReplayKey
	if p.Paused {
		pause = resumeReplayKey
	}
	seek := func(to float64) func() {
		return func() { s.commandReplay(stream.Command{Do: stream.Seek, To: to}) }
	}
	out := []screen.Action{
		screen.Act(pause, func() { s.commandReplay(stream.Command{Do: stream.SetSpeed, Speed: p.Speed, Paused: !p.Paused}) }),
		screen.Act(slowerReplayKey, func() { s.changeSpeed(-1) }),
		screen.Act(fasterReplayKey, func() { s.changeSpeed(1) }),
		screen.Act(seekBackKey, seek(p.At-seekSeconds)),
		screen.Act(seekOnKey, seek(p.At+seekSeconds)),
		screen.Act(seekStartKey, seek(0)),
		screen.Act(seekEndKey, seek(p.Length)),
		screen.Act(recordedKey, func() { s.links.Recorded(s.run.Outcome()) }),
	}
	taken := map[string]bool{}
	for _, a := range out {
		for _, k := range a.Key.Keys() {
			taken[k] = true
		}
	}
	back := true
	for _, a := range s.liveActions() {
		keys := a.Key.Keys()
		back = back && !slices.Contains(keys, "esc") // escape goes back within the screen first
		if !slices.ContainsFunc(keys, func(k string) bool { return taken[k] }) {
			out = append(out, a)
		}
	}
	if back {
		out = slices.Insert(out, 1, screen.Action{Key: screen.Back, Do: s.links.LeaveReplay})
	}
	return out
}

// LeaveReplay ends the replay.
func (s *Screen) LeaveReplay() {
	s.run.Stop()
	s.running = false
}

func (s *Screen) changeSpeed(by int) {
	p := s.run.Replay.Playback()
	at := 0
	for i, speed := range speeds {
		if speed <= p.Speed {
			at = i
		}
	}
	speed := speeds[min(max(at+by, 0), len(speeds)-1)]
	s.commandReplay(stream.Command{Do: stream.SetSpeed, Speed: speed, Paused: p.Paused})
}

func (s *Screen) commandReplay(c stream.Command) {
	if err := s.run.Command(c); err != nil {
		s.host.Fail(err)
	}
}

// replayState is the state of a replay in the header.
func replayState(t *theme.Theme, p stream.Playback) string {
	speed := fmt.Sprintf("%s%g", t.Times, p.Speed)
	switch {
	case p.Paused:
		return t.Badge.Render(" "+t.Paused+" PAUSED ") + " " + t.Muted.Render(speed)
	case p.Ended:
		return t.Muted.Render(t.Dot + " END " + speed)
	default:
		return t.Accent.Render(t.Dot+" REPLAY ") + t.Strong.Render(speed)
	}
}

// replayBar shows the position in the recording, with its faults and steps.
func (s *Screen) replayBar() string {
	t, p := s.host.Theme, s.run.Replay.Playback()
	left, right := " "+quantity.Clock(p.At)+" ", " "+quantity.Clock(p.Length)+" "
	width := s.host.Width - theme.Width(left) - theme.Width(right)
	if width < 10 || !(p.Length > 0) {
		return left + "/" + right
	}
	column := func(at float64) int { return min(max(int(at/p.Length*float64(width-1)), 0), width-1) }
	done := column(p.At)
	cells := make([]chart.Cell, width)
	for i := range cells {
		cells[i] = chart.Cell{Rune: []rune(t.BarEmpty)[0], Style: t.Faint}
		if i < done {
			cells[i] = chart.Cell{Rune: []rune(t.BarFull)[0], Style: t.Accent}
		}
	}
	step := []rune(t.Vertical)[0]
	for _, e := range s.run.Recording.Events {
		c := &cells[column(e.T)]
		switch {
		case e.Type == stream.FaultInjected:
			*c = chart.Cell{Rune: t.Fault, Style: t.Warn}
		case e.Type == stream.StepStarted && c.Rune != t.Fault:
			*c = chart.Cell{Rune: step, Style: t.Muted}
		case e.Type == stream.RepetitionStarted && c.Rune != t.Fault && c.Rune != step:
			*c = chart.Cell{Rune: t.Repetition, Style: t.Muted}
		}
	}
	cells[done] = chart.Cell{Rune: []rune(t.Dot)[0], Style: t.Strong}
	return t.Muted.Render(left) + chart.Render(cells) + t.Muted.Render(right)
}
