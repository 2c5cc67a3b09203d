package ui

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/charmbracelet/bubbles/key"
	"github.com/charmbracelet/x/ansi"

	"mabeam-top/internal/probes/probe"
	"mabeam-top/internal/stress/report"
	"mabeam-top/internal/ui/theme"
	"mabeam-top/internal/ui/widget"
)

// size is how much a terminal has room for.
type size int

const (
	lineSize    size = iota // one line
	figuresSize             // the figures only
	fullSize                // charts
)

func (m *model) size() size {
	switch {
	case m.width < 40 || m.height < 10:
		return lineSize
	case m.width < 80 || m.height < 24:
		return figuresSize
	default:
		return fullSize
	}
}

// bodyHeight is what header, status and footer leave, and the tabs of the live
// screen.
func (m *model) bodyHeight() int {
	if m.screen == liveScreen {
		return max(m.height-4, 0)
	}
	return max(m.height-3, 0)
}

// draw makes the frame that View returns.
func (m *model) draw() {
	if m.width < 1 || m.height < 1 {
		m.frame = ""
		return
	}
	s := m.styles
	if m.size() == lineSize {
		m.frame = widget.Frame(s, []string{m.oneLine()}, m.width, m.height)
		return
	}
	body := m.body()
	for len(body) < m.bodyHeight() {
		body = append(body, "")
	}
	body = body[:m.bodyHeight()]
	switch {
	case m.dialog != nil:
		body = widget.Overlay(s, body, m.dialog.view(s, m.width, m.bodyHeight()), m.width)
	case m.help:
		body = m.helpPage()
	}
	top := []string{m.header()}
	if m.screen == liveScreen {
		top = append(top, m.tabs())
	}
	rows := slices.Concat(top, body, []string{m.status(), m.footer()})
	m.frame = widget.Frame(s, rows, m.width, m.height)
}

func (m *model) body() []string {
	s, height := m.styles, m.bodyHeight()
	switch m.screen {
	case menuScreen:
		return m.menu.view(s, m.width, height)
	case formScreen:
		return m.form.view(s, m.width, height)
	case compareScreen:
		m.comparison.Layout(m.width, height, func() []string { return m.comparison.write(s, m.width) })
		return m.comparison.Shown(height)
	case runsScreen:
		return m.runs.view(s, m.width, height)
	case reportScreen:
		m.report.Layout(m.width, height, func() []string { return m.report.write(s, m.width) })
		return m.report.Shown(height)
	}
	return m.live.view(s, m.width, height, m.size() == fullSize)
}

const program = "mabeam-top"

// header tells where one is and how the run goes. What has no room is left
// out, the least needed first.
func (m *model) header() string {
	s := m.styles
	name := " " + s.Accent.Render(program) + "  "
	switch m.screen {
	case menuScreen:
		return s.Justify(name+s.Muted.Render(m.menu.summary()), "", m.width)
	case formScreen:
		return s.Justify(name+s.Strong.Render(theme.Clean(m.form.scenario.Title))+s.Muted.Render("  parameters"), s.Muted.Render(m.form.summary())+" ", m.width)
	case compareScreen:
		return s.Justify(name+s.Strong.Render("Comparison")+s.Muted.Render("  with "+theme.Clean(m.comparison.held.Regression.Baseline)), "", m.width)
	case runsScreen:
		return s.Justify(name+s.Muted.Render(m.runs.summary()), "", m.width)
	case reportScreen:
		right := ""
		if at := m.report.result.StartedAt; !at.IsZero() {
			right = s.Muted.Render(theme.Timestamp(at)) + " "
		}
		return s.Justify(name+s.Strong.Render("Report")+s.Muted.Render("  "+titleOf(m.report.result)), right, m.width)
	}
	left := name + s.Strong.Render(m.place())
	frozen := ""
	if m.live.frozen {
		frozen = s.Tab.Render(" FROZEN at "+report.Clock(m.live.shown.T)+" ") + "  "
	}
	if m.loading() && m.live.rate != 1 {
		frozen += s.Accent.Render("load "+factor(m.live.rate)) + "  "
	}
	state := m.state()
	tally := m.live.tally().text(s)
	elapsed := m.elapsed()
	for _, right := range []string{
		frozen + state + "  " + elapsed + "  " + m.progress(20) + "  " + tally,
		frozen + state + "  " + elapsed + "  " + m.progress(10) + "  " + tally,
		frozen + state + "  " + elapsed + "  " + tally,
		frozen + state + "  " + elapsed,
	} {
		if theme.Width(left)+theme.Width(right)+3 <= m.width {
			return s.Justify(left+" ", right+" ", m.width)
		}
	}
	// The title is what may be cut: where one is and how long it has taken is not
	// said elsewhere.
	right := frozen + state + "  " + report.Clock(m.live.latest.T)
	return s.Justify(s.Truncate(left, max(m.width-theme.Width(right)-3, 0))+" ", right+" ", m.width)
}

// tabs is the row of the live screen's tabs, with the time that is shown.
func (m *model) tabs() string {
	l, s := &m.live, m.styles
	right := l.zoom.Text(l.shown.T)
	if l.zoom.Fixed {
		right = s.Accent.Render(right)
	} else {
		right = s.Muted.Render(right)
	}
	row, hits := drawTabs(s, l.tab, right, m.width)
	l.hits = hits
	return row
}

// place tells the scenario, the step and the repetition.
func (m *model) place() string {
	latest := m.live.latest
	if latest.Scenario == nil {
		return theme.Clean(m.run.name())
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
	text += " " + m.styles.Chevron + " " + theme.Clean(step.Step.Name)
	if r := step.Repetition; r != nil && r.Number == 0 {
		text += "  warm-up"
	} else if r != nil {
		text += fmt.Sprintf("  %d/%d", r.Number, r.Of)
	}
	if len(active) > 1 {
		text += fmt.Sprintf("  +%d beside", len(active)-1)
	}
	return text
}

// state is the word for what the run is doing.
func (m *model) state() string {
	s := m.styles
	switch {
	case m.running && m.run.replay != nil:
		return replayState(s, m.run.replay.Playback())
	case !m.running:
		return s.Verdict(m.verdict())
	case m.run.stopped:
		return s.Warn.Render(s.Dot + " STOPPING")
	case m.live.paused:
		return s.Badge.Render(" " + s.Paused + " PAUSED ")
	case m.live.latest.Events == 0:
		return s.Muted.Render(s.Dot + " START")
	default:
		return s.Accent.Render(s.Dot + " RUN")
	}
}

func (m *model) verdict() string {
	if r := m.report.result; r != nil {
		return strings.ToUpper(string(r.Verdict))
	}
	return strings.ToUpper(string(report.Broken))
}

func (m *model) elapsed() string {
	text := report.Clock(m.live.latest.T)
	if m.run.replay != nil {
		return text + m.styles.Muted.Render(" / "+report.Clock(m.run.recording.Length()))
	}
	if r := m.live.latest.Run; r != nil && r.EstimateSeconds > 0 && m.running {
		text += m.styles.Muted.Render(" / ~" + report.Clock(r.EstimateSeconds))
	}
	return text
}

func (m *model) progress(width int) string {
	s, r := m.styles, m.live.latest.Run
	if r == nil || !(r.EstimateSeconds > 0) {
		return s.Faint.Render(strings.Repeat(s.BarEmpty, width))
	}
	done := int(min(m.live.latest.T/r.EstimateSeconds, 1) * float64(width))
	if !m.running {
		done = width
	}
	return s.Accent.Render(strings.Repeat(s.BarFull, done)) + s.Faint.Render(strings.Repeat(s.BarEmpty, width-done))
}

// status is the line above the footer: the latest trouble, or else what the
// charts show.
func (m *model) status() string {
	s := m.styles
	if m.notice.text != "" {
		return " " + noticeText(s, m.notice)
	}
	switch m.screen {
	case menuScreen:
		return m.filterLine(m.menu.filter)
	case runsScreen:
		return m.filterLine(m.runs.filter)
	case formScreen:
		return " " + s.Muted.Render(m.form.doc())
	case reportScreen:
		return m.moreRows(m.report.Below(m.bodyHeight()))
	case compareScreen:
		return m.moreRows(m.comparison.Below(m.bodyHeight()))
	}
	if m.running && m.run.replay != nil {
		return m.replayBar()
	}
	return s.Truncate(m.trouble(), m.width)
}

// trouble is the most urgent of what is to be told of the run at the newest moment on
// the screen: a lint that held then, or else the latest that was logged of trouble
// or of what was done by hand.
func (m *model) trouble() string {
	s, l := m.styles, &m.live
	at := l.span().To
	now := l.lints.at(at)
	if !l.zoom.Fixed && !l.frozen {
		now = l.lints.now
	}
	if len(now) > 0 && (m.running || l.zoom.Fixed) {
		text := " " + s.Warn.Render("lint") + " " + now[0].text
		if len(now) > 1 {
			more := s.Muted.Render(fmt.Sprintf("  +%d in tab 6", len(now)-1))
			text = s.Truncate(text, m.width-theme.Width(more)) + more
		}
		return text
	}
	for _, line := range slices.Backward(l.shown.Log) {
		if line.T <= at && (line.Level != "info" || line.ByHand) {
			return " " + s.Muted.Render(report.Clock(line.T)) + " " + logText(s, line)
		}
	}
	return ""
}

// filterLine shows a filter where the list has no frame to show it in.
func (m *model) filterLine(f widget.Filter) string {
	s := m.styles
	switch {
	case m.size() != figuresSize:
		return ""
	case f.Typing:
		return " " + s.Accent.Render("/") + f.Text.View(s, max(m.width-3, 1))
	}
	return " " + f.Note(s)
}

// moreRows tells how much is below what is shown.
func (m *model) moreRows(below int) string {
	if below > 0 {
		return " " + m.styles.Muted.Render(fmt.Sprintf("%s %d more rows", m.styles.Below, below))
	}
	return ""
}

func (m *model) footer() string {
	if m.screen == liveScreen && m.live.typing() != nil {
		return " " + m.styles.Muted.Render("type to filter") + "   " + keyHint(m.styles, keyAccept) + "   " + keyHint(m.styles, keyClear)
	}
	h := newHelp(m.styles)
	h.Width = m.width - 1
	keys := hints(m.actions())
	if m.screen == liveScreen {
		// It has more keys than a small terminal shows: what tells them all
		// comes first.
		if i := slices.IndexFunc(keys, func(k key.Binding) bool { return k.Help() == keyHelp.Help() }); i > 0 {
			keys = slices.Insert(slices.Delete(keys, i, i+1), 0, keyHelp)
		}
	}
	return " " + h.ShortHelpView(keys)
}

// oneLine is all that very small terminals show.
func (m *model) oneLine() string {
	s := m.styles
	switch {
	case m.dialog != nil:
		return m.dialog.line(s, m.width)
	case m.screen == menuScreen && len(m.menu.chosen()) > 0:
		return "MENU " + theme.Clean(strings.Join(m.menu.chosen(), " "))
	case m.screen == menuScreen:
		return "MENU nothing matches"
	case m.screen == formScreen:
		p := m.form.scenario.Fields[m.form.cursor]
		return theme.Clean(p.Param) + ": " + m.form.fields[m.form.cursor].View(s, max(m.width-len(p.Param)-2, 4))
	case m.screen == compareScreen:
		return s.Verdict(m.comparison.held.Regression.Word()) + " " + regressionText(*m.comparison.held.Regression)
	case m.screen == runsScreen && len(m.runs.shown) > 0:
		p := m.runs.under()
		return "RUNS " + p.StartedAt.Local().Format("01-02 15:04") + " " + s.Verdict(strings.ToUpper(string(p.Verdict))) + " " + theme.Clean(p.names)
	case m.screen == runsScreen:
		return "RUNS none"
	}
	l := m.live
	tally := l.tally()
	verdicts := fmt.Sprintf("%d/%d ok", tally.pass+tally.warn, tally.judged()+tally.open)
	if tally.judged() == 0 {
		verdicts = fmt.Sprintf("%d open", tally.open)
	}
	if m.screen == reportScreen {
		return wholeWords(m.width, s.Verdict(m.verdict()), verdicts)
	}
	word := strings.Trim(ansi.Strip(m.state()), s.Dot+s.Paused+" ")
	if l.frozen {
		word = "FROZEN"
	}
	what, rate := "ops/s", l.value(figures[0])
	if v, ok := l.latest.Latest(probe.EventsPublishedPerSecond); ok && v > 0 {
		what, rate = "evt/s", theme.Number(v, theme.PerSecond)
	}
	return wholeWords(m.width, word, report.Clock(l.latest.T), what+" "+strings.TrimSuffix(rate, "/s"),
		"p99 "+strings.ReplaceAll(l.value(figures[1]), " ", ""), verdicts)
}

// wholeWords joins the texts that have room, in their order: a figure that is cut
// reads as another one.
func wholeWords(width int, texts ...string) string {
	line := ""
	for _, text := range texts {
		longer := strings.TrimLeft(line+" "+text, " ")
		if line != "" && theme.Width(longer) > width {
			break
		}
		line = longer
	}
	return line
}

// noticeText paints what is told in the status line.
func noticeText(s *theme.Theme, n notice) string {
	if n.bad {
		return s.Fail.Render("! " + theme.Clean(n.text))
	}
	return s.Accent.Render(theme.Clean(n.text))
}
