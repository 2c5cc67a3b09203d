package ui

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/charmbracelet/bubbles/key"
	"github.com/charmbracelet/x/ansi"

	"mabeam-top/internal/stress/report"
)

// size is how much a terminal has room for.
type size int

const (
	lineSize    size = iota // one line
	figuresSize             // the figures only
	fullSize                // charts
)

func (m model) size() size {
	switch {
	case m.width < 40 || m.height < 10:
		return lineSize
	case m.width < 80 || m.height < 24:
		return figuresSize
	default:
		return fullSize
	}
}

// bodyHeight is what header, status and footer leave.
func (m model) bodyHeight() int { return max(m.height-3, 0) }

// draw makes the frame that View returns.
func (m *model) draw() {
	if m.width < 1 || m.height < 1 {
		m.frame = ""
		return
	}
	s := m.styles
	if m.size() == lineSize {
		m.frame = s.fit([]string{m.oneLine()}, m.width, m.height)
		return
	}
	body := m.body()
	for len(body) < m.bodyHeight() {
		body = append(body, "")
	}
	body = body[:m.bodyHeight()]
	switch {
	case m.question != noQuestion:
		body = s.over(body, m.dialog(), m.width)
	case m.help:
		body = m.helpPage()
	}
	rows := slices.Concat([]string{m.header()}, body, []string{m.status(), m.footer()})
	m.frame = s.fit(rows, m.width, m.height)
}

func (m *model) body() []string {
	s, height := m.styles, m.bodyHeight()
	switch m.screen {
	case menuScreen:
		return m.menu.view(s, m.width, height)
	case reportScreen:
		m.report.layOut(s, m.width, height)
		return m.report.view(height)
	}
	if m.size() == figuresSize {
		return m.live.small(s, m.width, height)
	}
	return m.live.view(s, m.width, height)
}

const program = "mabeam-top"

// header tells where one is and how the run goes. What has no room is left
// out, the least needed first.
func (m model) header() string {
	s := m.styles
	name := " " + s.accent.on(program) + "  "
	switch m.screen {
	case menuScreen:
		return s.ends(name+s.muted.on(m.menu.summary()), "", m.width)
	case reportScreen:
		return s.ends(name+s.strong.on("Report")+s.muted.on("  "+clean(strings.Join(m.run.names, ", "))), "", m.width)
	}
	left := name + s.strong.on(m.place())
	frozen := ""
	if m.live.frozen {
		frozen = s.badge.on(" FROZEN at "+report.Clock(m.live.shown.T)+" ") + "  "
	}
	state := m.state()
	tally := tallyOf(verdictRows(m.live.latest)).text(s)
	elapsed := m.elapsed()
	for _, right := range []string{
		frozen + state + "  " + elapsed + "  " + m.progress(20) + "  " + tally,
		frozen + state + "  " + elapsed + "  " + m.progress(10) + "  " + tally,
		frozen + state + "  " + elapsed + "  " + tally,
		frozen + state + "  " + elapsed,
		frozen + state + "  " + report.Clock(m.live.latest.T),
	} {
		if ansi.StringWidth(left)+ansi.StringWidth(right)+3 <= m.width {
			return s.ends(left+" ", right+" ", m.width)
		}
	}
	return s.ends(left+" ", frozen+state+" ", m.width)
}

// place tells the scenario, the step and the repetition.
func (m model) place() string {
	latest := m.live.latest
	if latest.Scenario == nil {
		return clean(strings.Join(m.run.names, ", "))
	}
	text := clean(cmp.Or(latest.Scenario.Title, latest.Scenario.Name))
	if latest.Run != nil && len(latest.Run.Scenarios) > 1 {
		text = fmt.Sprintf("%d/%d ", latest.ScenarioNumber, len(latest.Run.Scenarios)) + text
	}
	active := latest.Active()
	if len(active) == 0 || latest.Report != nil {
		return text
	}
	step := active[len(active)-1]
	text += " " + m.styles.chevron + " " + clean(step.Step.Name)
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
func (m model) state() string {
	s := m.styles
	switch {
	case !m.running:
		return s.word(m.verdict())
	case m.run.stopped:
		return s.warn.on(s.dot + " STOPPING")
	case m.live.latest.Events == 0:
		return s.muted.on(s.dot + " START")
	default:
		return s.accent.on(s.dot + " RUN")
	}
}

func (m model) verdict() string {
	if r := m.report.result; r != nil {
		return strings.ToUpper(string(r.Verdict))
	}
	return strings.ToUpper(string(report.Broken))
}

func (m model) elapsed() string {
	text := report.Clock(m.live.latest.T)
	if r := m.live.latest.Run; r != nil && r.EstimateSeconds > 0 && m.running {
		text += m.styles.muted.on(" / ~" + report.Clock(r.EstimateSeconds))
	}
	return text
}

func (m model) progress(width int) string {
	s, r := m.styles, m.live.latest.Run
	if r == nil || !(r.EstimateSeconds > 0) {
		return s.faint.on(strings.Repeat(s.barEmpty, width))
	}
	done := int(min(m.live.latest.T/r.EstimateSeconds, 1) * float64(width))
	if !m.running {
		done = width
	}
	return s.accent.on(strings.Repeat(s.barFull, done)) + s.faint.on(strings.Repeat(s.barEmpty, width-done))
}

// status is the line above the footer: the latest trouble, or else what the
// charts show.
func (m model) status() string {
	s := m.styles
	switch m.screen {
	case menuScreen:
		if m.size() == figuresSize && (m.menu.typing || m.menu.filter != "") {
			return " " + s.accent.on("/"+clean(m.menu.filter))
		}
		return ""
	case reportScreen:
		if below := len(m.report.rows) - m.report.offset - m.bodyHeight(); below > 0 {
			return " " + s.muted.on(fmt.Sprintf("%s %d more rows", s.below, below))
		}
		return ""
	}
	for _, line := range slices.Backward(m.live.latest.Log) {
		if line.Level != "info" {
			return s.cut(" "+s.muted.on(report.Clock(line.T))+" "+s.logText(line), m.width)
		}
	}
	return ""
}

func (m model) footer() string {
	h := newHelp(m.styles)
	h.Width = m.width - 1
	return " " + h.ShortHelpView(hints(m.actions()))
}

// helpPage tells every key that works on the screen, and how to read it.
func (m model) helpPage() []string {
	s := m.styles
	m.help = false
	var keys []key.Binding
	for _, a := range m.actions() {
		keys = append(keys, a.key)
	}
	h := newHelp(s)
	half := (len(keys) + 1) / 2
	rows := []string{""}
	for _, row := range strings.Split(h.FullHelpView([][]key.Binding{keys[:half], keys[half:]}), "\n") {
		rows = append(rows, "  "+row)
	}
	if m.screen == liveScreen {
		rows = append(rows, "",
			"  "+s.limit.on(strings.Repeat(string(s.limitDash), 3))+"  a threshold or baseline, with its name on it",
			"  "+s.warn.on(string(s.fault))+"    a fault was injected",
			"  "+s.faint.on(string(s.timeDash))+"    a step or a repetition began",
			"",
			"  "+s.muted.on("Freezing holds the screen only: the load goes on."))
	}
	return s.panel(s.strong.on("Help"), "", rows, m.width, m.bodyHeight(), true)
}

func (m model) dialog() []string {
	s := m.styles
	lines := s.wrap(m.question.text(), min(m.width-8, 60))
	width := 0
	for _, line := range lines {
		width = max(width, ansi.StringWidth(line))
	}
	rows := []string{""}
	for _, line := range lines {
		rows = append(rows, "  "+s.strong.on(line))
	}
	rows = append(rows, "", "  "+s.accent.on("y")+" yes   "+s.accent.on("n")+" no", "")
	return s.panel("", "", rows, width+6, len(rows)+2, true)
}

// oneLine is all that very small terminals show.
func (m model) oneLine() string {
	s := m.styles
	switch {
	case m.question != noQuestion:
		return "stop? y/n"
	case m.screen == menuScreen && len(m.menu.chosen()) > 0:
		return "MENU " + clean(strings.Join(m.menu.chosen(), " "))
	case m.screen == menuScreen:
		return "MENU nothing matches"
	}
	l := m.live
	tally := tallyOf(verdictRows(l.latest))
	verdicts := fmt.Sprintf("%d/%d ok", tally.pass+tally.warn, tally.judged()+tally.open)
	if m.screen == reportScreen {
		return s.word(m.verdict()) + " " + verdicts
	}
	word := strings.TrimPrefix(ansi.Strip(m.state()), s.dot+" ")
	if l.frozen {
		word = "FROZEN"
	}
	return fmt.Sprintf("%s %s ops/s %s p99 %s %s", word, report.Clock(l.latest.T),
		strings.TrimSuffix(l.value(figures[0]), "/s"), l.value(figures[1]), verdicts)
}
