package live

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"mabeam-top/internal/stress/fold"
	"mabeam-top/internal/stress/report"
	"mabeam-top/internal/stress/stream"
	"mabeam-top/internal/ui/theme"
	"mabeam-top/internal/ui/widget"
)

// A logEntry is one entry of the log.
type logEntry struct {
	t          float64
	kind, text string
}

// The kinds of entries. Entries that the run logged have their level as kind.
const (
	kindInfo    = "info"
	kindWarn    = "warn"
	kindError   = "error"
	kindWarning = "warning"
	kindFault   = "fault"
	kindManual  = "manual"
	kindMark    = "mark"
	kindStep    = "step"
)

// problem reports whether the entry is a problem.
func (e logEntry) problem() bool {
	switch e.kind {
	case kindWarn, kindError, kindWarning, kindFault:
		return true
	}
	return false
}

// logTable is the list of log entries.
type logTable struct {
	filter widget.Filter
	// problemsOnly hides the entries that are no problems.
	problemsOnly bool
	scroll       widget.Scroll
}

func (l *logTable) rows(entries []logEntry) []logEntry {
	var out []logEntry
	for _, e := range entries {
		if (e.problem() || !l.problemsOnly) && l.filter.Matches(e.kind, e.text) {
			out = append(out, e)
		}
	}
	return out
}

// logEntries are everything that happened in the run, in the order of time: log
// messages, faults, steps, warnings and bookmarks.
func (s *Screen) logEntries() []logEntry {
	var out []logEntry
	// At the same time, the end of a step comes before the start of the next.
	for _, step := range s.shown.Steps {
		if step.Result != nil {
			out = append(out, logEntry{step.FinishedAt, kindStep, theme.Clean(step.Step.Name) + " ends: " + strings.ToUpper(string(step.Result.Verdict))})
		}
	}
	for _, line := range s.shown.Log {
		kind := line.Level
		if line.ByHand {
			kind = kindManual
		}
		out = append(out, logEntry{line.T, kind, theme.Clean(line.Message)})
	}
	out = append(out, faultEntries(s.shown.Marks)...)
	for _, m := range s.shown.Marks {
		switch m.Type {
		case stream.StepStarted:
			out = append(out, logEntry{m.T, kindStep, theme.Clean(m.Text) + " begins"})
		case stream.RepetitionStarted:
			out = append(out, logEntry{m.T, kindStep, theme.Clean(m.Text)})
		}
	}
	for _, b := range s.bookmarks {
		out = append(out, logEntry{b.t, kindMark, "mark " + b.text()})
	}
	for _, d := range s.diagnostics.All {
		if d.Since > s.shown.T {
			continue // found after the screen was frozen
		}
		text := d.Text
		if d.Ended {
			text += ", until " + theme.ClockTenths(d.Until)
		}
		out = append(out, logEntry{d.Since, kindWarning, text})
	}
	slices.SortStableFunc(out, func(a, b logEntry) int { return cmp.Compare(a.t, b.t) })
	return out
}

// A faultSeries is faults of one kind that follow each other closely.
type faultSeries struct {
	first, last fold.Mark
	count       int
	hit         []string
}

// faultEntries has one entry for each series of faults within a repetition.
func faultEntries(marks []fold.Mark) []logEntry {
	const soon = 2 // seconds
	var all []faultSeries
	begun := 0 // earlier series belong to a repetition that is over
	for _, m := range marks {
		switch m.Type {
		case stream.StepStarted, stream.RepetitionStarted:
			begun = len(all)
			continue
		case stream.FaultInjected:
		default:
			continue
		}
		i := begun + slices.IndexFunc(all[begun:], func(f faultSeries) bool {
			return f.first.Text == m.Text && f.first.ByHand == m.ByHand && m.T-f.last.T < soon
		})
		if i < begun {
			i = len(all)
			all = append(all, faultSeries{first: m})
		}
		f := &all[i]
		f.last = m
		f.count += m.Count
		for _, name := range m.Targets {
			f.hit = report.AddTarget(f.hit, name)
		}
	}
	out := make([]logEntry, len(all))
	for i, f := range all {
		out[i] = logEntry{f.first.T, kindFault, f.text()}
	}
	return out
}

func (f faultSeries) text() string {
	text := theme.Clean(f.first.Text)
	if f.first.ByHand {
		text += " (manual)"
	}
	if f.count > 1 {
		text += fmt.Sprintf(", %d times", f.count)
	}
	if f.last.T > f.first.T {
		text += ", until " + theme.ClockTenths(f.last.T)
	}
	if hit := report.TargetsText(f.hit, f.count); hit != "" {
		text += ": " + theme.Clean(hit)
	}
	return text
}

// drawLog draws the log. The log tab wraps long entries.
func (s *Screen) drawLog(width, height int, focused bool) []string {
	t, l := s.host.Theme, &s.log
	var rows []string
	until := 0 // the rows up to the right end of the charts
	for _, e := range l.rows(s.logEntries()) {
		rows = append(rows, entryRows(t, e, width-2, s.tab == logTab)...)
		if e.t <= s.span().To {
			until = len(rows)
		}
	}
	notes := l.filter.Note(t)
	if l.problemsOnly {
		notes = strings.TrimSpace(notes + t.Muted.Render("  problems only"))
	}
	room := max(height-2, 0)
	from, to := l.scroll.Window(len(rows), room, until-room)
	if later := len(rows) - to; later > 0 {
		notes = strings.TrimSpace(notes + t.Muted.Render(fmt.Sprintf("  %s %d later", t.Below, later)))
	} else {
		l.scroll.Moved = false // at its end, the log follows the run again
	}
	p := widget.Panel{Title: t.Strong.Render("Log"), Notes: notes, Rows: rows[from:to], Focused: focused}
	if len(rows) == 0 {
		text := "nothing logged yet"
		if !l.filter.Empty() || l.problemsOnly {
			text = "nothing logged yet that matches"
		}
		p.Rows = widget.Message(t, text, width-2)
	}
	return p.Draw(t, width, height)
}

func entryRows(t *theme.Theme, e logEntry, width int, wrapped bool) []string {
	const timeWidth, kindWidth = 8, 7
	style := t.Muted
	switch e.kind {
	case kindError:
		style = t.Fail
	case kindWarn, kindWarning, kindFault:
		style = t.Warn
	case kindManual, kindMark:
		style = t.Accent
	}
	kind := e.kind
	switch kind {
	case kindInfo:
		kind = ""
	case kindWarn:
		kind = kindWarning
	}
	head := t.Muted.Render(t.PadLeft(theme.ClockTenths(e.t), timeWidth)) + "  " + style.Render(t.Pad(kind, kindWidth)) + "  "
	room := width - theme.Width(head)
	if !wrapped || room < 10 {
		return []string{head + e.text}
	}
	lines := theme.Wrap(e.text, room)
	if len(lines) == 0 {
		return []string{head}
	}
	for i, line := range lines {
		lines[i] = head + line
		head = theme.Spaces(timeWidth + 2 + kindWidth + 2)
	}
	return lines
}

// logText is a log message as the status line shows it.
func logText(t *theme.Theme, line fold.LogLine) string {
	text := theme.Clean(line.Message)
	switch line.Level {
	case kindError:
		return t.Fail.Render(kindError) + " " + text
	case kindWarn:
		return t.Warn.Render(kindWarning) + " " + text
	default:
		return text
	}
}
