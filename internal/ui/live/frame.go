package live

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/charmbracelet/x/ansi"

	"mabeam-top/internal/probes/probe"
	"mabeam-top/internal/stress/quantity"
	"mabeam-top/internal/stress/report"
	"mabeam-top/internal/ui/screen"
	"mabeam-top/internal/ui/session"
	"mabeam-top/internal/ui/theme"
	"mabeam-top/internal/ui/widget"
)

// bodyHeight is the height below the tabs.
func (s *Screen) bodyHeight() int { return max(s.host.BodyHeight()-1, 0) }

// Frame draws the screen.
func (s *Screen) Frame() screen.Frame {
	// The body comes first: it remembers where the panels are.
	body := s.body(s.host.Width, s.bodyHeight())
	return screen.Frame{Top: []string{s.header(), s.tabs()}, Body: body, Status: s.status()}
}

func (s *Screen) body(width, height int) []string {
	switch {
	case s.full():
		s.areas = s.arrange(width, height)
	case tabList[s.tab] != noPanel:
		s.areas = []area{{s.mainList(), widget.Area{Width: width, Height: height}}}
	default:
		s.areas = nil
		return s.drawSmall(width, height)
	}
	blocks := make([]widget.Block, len(s.areas))
	for i, a := range s.areas {
		blocks[i] = widget.Block{Area: a.Area, Rows: s.draw(a)}
	}
	return widget.Compose(blocks, width, height)
}

// draw draws a panel.
func (s *Screen) draw(a area) []string {
	focused := a.panel == s.focus()
	switch a.panel {
	case figuresPanel:
		return s.drawFigures(session.Figures, 2, a.Width, a.Height)
	case agentsPanel:
		// On the overview, subscriptions are of more use than a list of no agents.
		if in := s.inspected(); s.tab == overviewTab && in != nil && in.AgentsTotal == 0 && in.SubscriptionsTotal > 0 {
			return s.drawSubscriptions(a.Width, a.Height, focused)
		}
		return s.drawAgents(a.Width, a.Height, focused)
	case detailPanel:
		return s.drawAgent(a.Width, a.Height, focused)
	case busPanel:
		return s.drawSubscriptions(a.Width, a.Height, focused)
	case verdictPanel:
		return s.drawVerdicts(a.Width, a.Height, focused)
	case logPanel:
		return s.drawLog(a.Width, a.Height, focused)
	default:
		return s.drawChart(int(a.panel), a.Width, a.Height, focused)
	}
}

// header shows the place in the run and its state. In a narrow terminal, the
// least important parts are left out.
func (s *Screen) header() string {
	h, t := s.host, s.host.Theme
	left := h.Title(t.Strong.Render(s.place()))
	state := s.state()
	if s.Loading() && s.rate != 1 {
		state = t.Accent.Render("load "+session.RateText(s.rate)) + "  " + state
	}
	if s.frozen {
		state = t.Tab.Render(" FROZEN at "+quantity.Clock(s.shown.T)+" ") + "  " + state
	}
	tally, elapsed := s.tally().Text(t), s.elapsed()
	for _, right := range []string{
		state + "  " + elapsed + "  " + s.progress(20) + "  " + tally,
		state + "  " + elapsed + "  " + s.progress(10) + "  " + tally,
		state + "  " + elapsed + "  " + tally,
		state + "  " + elapsed,
	} {
		if theme.Width(left)+theme.Width(right)+3 <= h.Width {
			return t.Justify(left+" ", right+" ", h.Width)
		}
	}
	// The title is truncated, because nothing else shows the state and the time.
	right := state + "  " + quantity.Clock(s.latest.T)
	return t.Justify(t.Truncate(left, max(h.Width-theme.Width(right)-3, 0))+" ", right+" ", h.Width)
}

// tabs is the row of tabs, with the part of the run that is shown.
func (s *Screen) tabs() string {
	t := s.host.Theme
	style := t.Muted
	if s.zoom.Fixed {
		style = t.Accent
	}
	row, hits := tabBar(t, s.tab, style.Render(s.zoom.Text(s.shown.T)), s.host.Width)
	s.hits = hits
	return row
}

// place is the scenario, the step and the repetition.
func (s *Screen) place() string {
	latest := s.latest
	if latest.Scenario == nil {
		return theme.Clean(s.run.Name())
	}
	text := theme.Clean(cmp.Or(latest.Scenario.Title, latest.Scenario.Name))
	if latest.Run != nil && len(latest.Run.Scenarios) > 1 {
		text = fmt.Sprintf("%d/%d ", latest.ScenarioNumber, len(latest.Run.Scenarios)) + text
	}
	active := latest.Active()
	if len(active) == 0 || latest.Report != nil {
		return text
	}
	step := active[len(active)-1]
	text += " " + s.host.Theme.Chevron + " " + theme.Clean(step.Step.Name)
	if r := step.Repetition; r != nil && r.Number == 0 {
		text += "  warm-up"
	} else if r != nil {
		text += fmt.Sprintf("  %d/%d", r.Number, r.Of)
	}
	if len(active) > 1 {
		text += fmt.Sprintf("  +%d in parallel", len(active)-1)
	}
	return text
}

// state is the state of the run.
func (s *Screen) state() string {
	t := s.host.Theme
	switch {
	case s.replaying():
		return replayState(t, s.run.Replay.Playback())
	case !s.running:
		return t.Verdict(s.verdict())
	case s.run.Stopped():
		return t.Warn.Render(t.Dot + " STOPPING")
	case s.paused:
		return t.Badge.Render(" " + t.Paused + " PAUSED ")
	case s.latest.Events == 0:
		return t.Muted.Render(t.Dot + " START")
	default:
		return t.Accent.Render(t.Dot + " RUN")
	}
}

// verdict is the verdict of the run that has ended.
func (s *Screen) verdict() string {
	verdict := report.Broken
	if r := s.run.Outcome().Report; r != nil {
		verdict = r.Verdict
	}
	return strings.ToUpper(string(verdict))
}

func (s *Screen) elapsed() string {
	t, text := s.host.Theme, quantity.Clock(s.latest.T)
	if s.run.Replay != nil {
		return text + t.Muted.Render(" / "+quantity.Clock(s.run.Recording.Length()))
	}
	if r := s.latest.Run; r != nil && r.EstimateSeconds > 0 && s.running {
		text += t.Muted.Render(" / ~" + quantity.Clock(r.EstimateSeconds))
	}
	return text
}

func (s *Screen) progress(width int) string {
	t, r := s.host.Theme, s.latest.Run
	done := 0
	switch {
	case r == nil || !(r.EstimateSeconds > 0):
	case !s.running:
		done = width
	default:
		done = int(min(s.latest.T/r.EstimateSeconds, 1) * float64(width))
	}
	return t.Accent.Render(strings.Repeat(t.BarFull, done)) + t.Faint.Render(strings.Repeat(t.BarEmpty, width-done))
}

// status is the status line: the position in a replay, or the most important
// message.
func (s *Screen) status() string {
	if s.replaying() {
		return s.replayBar()
	}
	return s.host.Theme.Truncate(s.message(), s.host.Width)
}

// message is the first warning at the right end of the charts, or else the newest
// log message that is a problem or reports a manual action.
func (s *Screen) message() string {
	t, at := s.host.Theme, s.span().To
	warnings := s.diagnostics.At(at)
	if s.following() {
		warnings = s.diagnostics.Now
	}
	if len(warnings) > 0 && (s.running || s.zoom.Fixed) {
		text := " " + t.Warn.Render(kindWarning) + " " + warnings[0].Text
		if len(warnings) > 1 {
			more := t.Muted.Render(fmt.Sprintf("  +%d in tab 6", len(warnings)-1))
			text = t.Truncate(text, s.host.Width-theme.Width(more)) + more
		}
		return text
	}
	for _, line := range slices.Backward(s.shown.Log) {
		if line.T <= at && (line.Level != kindInfo || line.ByHand) {
			return " " + t.Muted.Render(quantity.Clock(line.T)) + " " + logText(t, line)
		}
	}
	return ""
}

// Line is the screen on a terminal of one line.
func (s *Screen) Line() string {
	t := s.host.Theme
	word := strings.Trim(ansi.Strip(s.state()), t.Dot+t.Paused+" ")
	if s.frozen {
		word = "FROZEN"
	}
	what, rate := "ops/s", s.value(session.Figures[0])
	if v, ok := s.latest.Latest(probe.EventsPublishedPerSecond); ok && v > 0 {
		what, rate = "evt/s", theme.Number(v, theme.PerSecond)
	}
	return screen.WholeWords(s.host.Width, word, quantity.Clock(s.latest.T), what+" "+strings.TrimSuffix(rate, "/s"),
		"p99 "+strings.ReplaceAll(s.value(session.Figures[1]), " ", ""), s.Checks())
}

// Checks summarizes the checks in one word and a number.
func (s *Screen) Checks() string {
	t := s.tally()
	if t.Judged() == 0 {
		return fmt.Sprintf("%d pending", t.Pending)
	}
	return fmt.Sprintf("%d/%d ok", t.Passed+t.Warned, t.Judged()+t.Pending)
}
