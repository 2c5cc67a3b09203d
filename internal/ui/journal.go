package ui

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

// journalSize is how many of the latest lints are remembered.
const journalSize = 200

// A noted lint is one with its time, which ended unless it still holds.
type noted struct {
	lint
	until float64
	ended bool
}

// lintBook remembers the lints of a run: a lint is of one moment, but who looks
// later wants to know that there was one, and when.
type lintBook struct {
	// now are the lints that hold, and all those that held, in the order in
	// which they were seen.
	now []lint
	all []noted
}

// note takes in the lints of a snapshot that is at a time. The text of one that
// goes on is that of its latest.
func (b *lintBook) note(lints []lint, t float64) {
	b.now = lints
	all := slices.Clone(b.all)
	for i := range all {
		if !all[i].ended && !slices.ContainsFunc(lints, func(l lint) bool { return l.about == all[i].about }) {
			all[i].ended = true
		}
	}
	for _, l := range lints {
		i := slices.IndexFunc(all, func(n noted) bool { return !n.ended && n.about == l.about })
		if i < 0 {
			all = append(all, noted{lint: l, until: t})
			continue
		}
		l.since = min(l.since, all[i].since)
		all[i].lint, all[i].until = l, t
	}
	b.all = all[max(len(all)-journalSize, 0):]
}

// at returns the lints that held at a time.
func (b *lintBook) at(t float64) []lint {
	var held []lint
	for _, n := range b.all {
		if n.since <= t && (t <= n.until || !n.ended) {
			held = append(held, n.lint)
		}
	}
	return held
}

// An entry is one line of the journal.
type entry struct {
	t          float64
	kind, text string
}

// The kinds of entries that are not levels of the log.
const (
	entryLint  = "lint"
	entryFault = "fault"
	entryHand  = "hand"
	entryMark  = "mark"
	entryStep  = "step"
)

// entries are all that happened in a run, in the order of time: what was
// logged, the faults, the steps, the lints, and what the reader marked.
func (l *live) entries() []entry {
	var out []entry
	// What ends comes before what begins at the same time.
	for _, step := range l.shown.Steps {
		if step.Result != nil {
			out = append(out, entry{step.FinishedAt, entryStep, theme.Clean(step.Step.Name) + " ends: " + strings.ToUpper(string(step.Result.Verdict))})
		}
	}
	for _, line := range l.shown.Log {
		kind := line.Level
		if line.ByHand {
			kind = entryHand
		}
		out = append(out, entry{line.T, kind, theme.Clean(line.Message)})
	}
	out = append(out, faultEntries(l.shown.Marks)...)
	for _, m := range l.shown.Marks {
		switch m.Type {
		case stream.StepStarted:
			out = append(out, entry{m.T, entryStep, theme.Clean(m.Text) + " begins"})
		case stream.RepetitionStarted:
			out = append(out, entry{m.T, entryStep, theme.Clean(m.Text)})
		}
	}
	for _, m := range l.marks {
		out = append(out, entry{m.t, entryMark, "mark " + m.text()})
	}
	for _, n := range l.lints.all {
		if n.since > l.shown.T {
			continue // seen after the screen was frozen
		}
		text := n.text
		if n.ended {
			text += ", until " + theme.ClockTenths(n.until)
		}
		out = append(out, entry{n.since, entryLint, text})
	}
	slices.SortStableFunc(out, func(a, b entry) int { return cmp.Compare(a.t, b.t) })
	return out
}

// faultEntries tells of faults, those of one kind that follow each other soon, in
// the same repetition, in one entry.
func faultEntries(marks []fold.Mark) []entry {
	const soon = 2 // seconds
	type run struct {
		first, last fold.Mark
		count       int
		hit         []string
	}
	var runs []run
	begun := 0 // the runs before this one are of a repetition that is over
	for _, m := range marks {
		switch m.Type {
		case stream.StepStarted, stream.RepetitionStarted:
			begun = len(runs)
			continue
		case stream.FaultInjected:
		default:
			continue
		}
		i := begun + slices.IndexFunc(runs[begun:], func(r run) bool {
			return r.first.Text == m.Text && r.first.ByHand == m.ByHand && m.T-r.last.T < soon
		})
		if i < begun {
			i = len(runs)
			runs = append(runs, run{first: m})
		}
		r := &runs[i]
		r.last = m
		r.count += m.Count
		for _, name := range m.Hit {
			r.hit = report.AddHit(r.hit, name)
		}
	}
	out := make([]entry, len(runs))
	for i, r := range runs {
		text := theme.Clean(r.first.Text)
		if r.first.ByHand {
			text += " by hand"
		}
		if r.count > 1 {
			text += fmt.Sprintf(", %d times", r.count)
		}
		if r.last.T > r.first.T {
			text += ", until " + theme.ClockTenths(r.last.T)
		}
		if hit := report.HitText(r.hit, r.count); hit != "" {
			text += ": " + theme.Clean(hit)
		}
		out[i] = entry{r.first.T, entryFault, text}
	}
	return out
}

// journal is what is shown of the entries.
type journal struct {
	filter widget.Filter
	// troubleOnly leaves out what is no trouble.
	troubleOnly bool
	scroll      widget.Scroll
}

func (j *journal) rows(entries []entry) []entry {
	var out []entry
	for _, e := range entries {
		trouble := e.kind == "warn" || e.kind == "error" || e.kind == entryLint || e.kind == entryFault
		if (trouble || !j.troubleOnly) && j.filter.Matches(e.kind, e.text) {
			out = append(out, e)
		}
	}
	return out
}

// drawLog draws what happened, the newest last. Where it is all that is on the
// screen, long lines are wrapped.
func (l *live) drawLog(s *theme.Theme, width, height int, focused bool) []string {
	entries := l.log.rows(l.entries())
	var rows []string
	by := 0 // the rows of what had happened by the newest moment that the charts show
	for _, e := range entries {
		rows = append(rows, entryRows(s, e, width-2, l.tab == logTab)...)
		if e.t <= l.span().To {
			by = len(rows)
		}
	}
	notes := l.log.filter.Note(s)
	if l.log.troubleOnly {
		notes = strings.TrimSpace(notes + s.Muted.Render("  trouble only"))
	}
	room := max(height-2, 0)
	from, to := l.log.scroll.Window(len(rows), room, by-room)
	if below := len(rows) - to; below > 0 {
		notes = strings.TrimSpace(notes + s.Muted.Render(fmt.Sprintf("  %s %d later", s.Below, below)))
	} else {
		l.log.scroll.Moved = false // at its end it follows the run again
	}
	if len(rows) == 0 {
		text := "nothing has happened so far"
		if !l.log.filter.Empty() || l.log.troubleOnly {
			text = "nothing of that kind has happened so far"
		}
		return widget.Panel{Title: s.Strong.Render("Log"), Notes: notes, Rows: widget.Message(s, text, width-2), Focused: focused}.Draw(s, width, height)
	}
	return widget.Panel{Title: s.Strong.Render("Log"), Notes: notes, Rows: rows[from:to], Focused: focused}.Draw(s, width, height)
}

func entryRows(s *theme.Theme, e entry, width int, wrapped bool) []string {
	const timeWidth, kindWidth = 8, 5
	paint := s.Muted
	switch e.kind {
	case "error":
		paint = s.Fail
	case "warn", entryFault, entryLint:
		paint = s.Warn
	case entryHand, entryMark:
		paint = s.Accent
	}
	kind := e.kind
	if kind == "info" {
		kind = ""
	}
	head := s.Muted.Render(s.PadLeft(theme.ClockTenths(e.t), timeWidth)) + "  " + paint.Render(s.Pad(kind, kindWidth)) + "  "
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

func logText(s *theme.Theme, line fold.LogLine) string {
	text := theme.Clean(line.Message)
	switch line.Level {
	case "error":
		return s.Fail.Render("error") + " " + text
	case "warn":
		return s.Warn.Render("warn") + " " + text
	default:
		return text
	}
}
