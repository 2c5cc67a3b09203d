package ui

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"mabeam-top/internal/stress/fold"
	"mabeam-top/internal/stress/report"
	"mabeam-top/internal/ui/theme"
)

// toldOf is what of a run has been told, so that nothing is told twice.
type toldOf struct {
	// t is when the figures were told last, in seconds since the start of the
	// run.
	t float64
	// steps are how many have begun, and finished which of them have ended.
	steps    int
	finished map[int]bool
	log      int
	// asked is when a look inside was asked for.
	asked  float64
	faults map[string]int
	// lints are those that were told, by what they are about.
	lints map[string]*toldLint
}

// A toldLint is one that was told.
type toldLint struct {
	text string
	// told and seen are when it was told and when it held last, in seconds since
	// the start of the run.
	told, seen float64
	// over says that its end was told.
	over bool
}

// A lint that comes and goes is not told at every turn: its end only after it
// has been gone for overSeconds, and it again only after againSeconds.
const (
	overSeconds  = 2
	againSeconds = 10
)

// tellNews tells what the latest snapshot has that the one before had not: what
// happens once at once, and the figures from time to time.
func (l *lineMode) tellNews() {
	s := l.live.latest
	if s.T < l.told.t { // a replay went back
		l.told = toldOf{t: s.T}
	}
	l.tellSteps(s)
	first := max(l.told.log-s.LogDropped, 0)
	for _, line := range s.Log[min(first, len(s.Log)):] {
		l.say("%s: %s", theme.ClockTenths(line.T), line.Message)
	}
	l.told.log = s.LogDropped + len(s.Log)
	l.tellLints()
	if s.Report == nil && s.T-l.told.t >= l.every.Seconds() {
		l.tellFigures(figures[:10])
	}
	if in, ok := s.InspectedAt(s.T); ok && l.awaited != nil && in.T > l.told.asked {
		l.awaited()
	}
}

func (l *lineMode) tellSteps(s *fold.Snapshot) {
	if l.told.finished == nil {
		l.told.finished = map[int]bool{}
	}
	for i, step := range s.Steps {
		name := step.Step.Name
		if s.Run != nil && len(s.Run.Scenarios) > 1 {
			name = step.Scenario + ", " + name
		}
		if i >= l.told.steps {
			l.say("%s: step %s begins.", theme.ClockTenths(step.StartedAt), name)
			l.told.steps = i + 1
		}
		if step.Result == nil || l.told.finished[i] {
			continue
		}
		l.told.finished[i] = true
		text := fmt.Sprintf("%s: step %s ends: %s.", theme.ClockTenths(step.FinishedAt), name, strings.ToUpper(string(step.Result.Verdict)))
		for _, row := range finishedRows(step.Step, step.Result) {
			if row.word != "PASS" && row.word != "EXCEED" && row.metric != "" {
				text += " " + row.sentence()
			}
		}
		l.say("%s", text)
	}
}

// sentence tells a row of the verdict table.
func (r verdictRow) sentence() string {
	text := r.word + " " + r.step
	if r.metric != "" {
		text += " " + r.metric
	}
	if r.value != "" {
		text += ": " + r.value
	}
	if r.limit != "" {
		text += ", against " + strings.TrimPrefix(r.limit, "vs ")
	}
	if r.deviation != nil {
		text += ", " + theme.Signed(*r.deviation)
	}
	return text + "."
}

// tellLints tells those that are new, and those that hold no longer.
func (l *lineMode) tellLints() {
	if l.told.lints == nil {
		l.told.lints = map[string]*toldLint{}
	}
	t := l.live.latest.T
	for _, lint := range l.live.lints.now {
		told := l.told.lints[lint.about]
		if told == nil || told.over && t-told.told > againSeconds {
			l.say("%s: look: %s.", theme.ClockTenths(t), lint.text)
			told = &toldLint{text: lint.text, told: t}
			l.told.lints[lint.about] = told
		}
		told.seen = t
	}
	for _, about := range slices.Sorted(maps.Keys(l.told.lints)) {
		if told := l.told.lints[about]; !told.over && t-told.seen > overSeconds {
			what, _, _ := strings.Cut(told.text, ":")
			l.say("%s: over: %s.", theme.ClockTenths(t), what)
			told.over = true
		}
	}
}

// tellFigures tells where the run is, what is measured, and what was done to the
// system since this was told last.
func (l *lineMode) tellFigures(list []figure) {
	s := l.live.latest
	var parts []string
	for _, f := range list {
		if v, ok := s.Latest(f.probe); ok {
			parts = append(parts, f.name+" "+theme.Number(v, f.unit))
		}
	}
	if len(parts) == 0 {
		parts = []string{"nothing is measured so far"}
	}
	text := fmt.Sprintf("%s: %s.", l.position(), strings.Join(parts, ", "))
	for _, name := range slices.Sorted(maps.Keys(s.Faults)) {
		if n := s.Faults[name] - l.told.faults[name]; n > 0 {
			text += fmt.Sprintf(" Since the last line %s %d times.", name, n)
		}
	}
	if t := tallyOf(l.live.verdicts.all); t.judged() > 0 {
		text += fmt.Sprintf(" Verdicts so far: %d pass, %d warn, %d fail.", t.pass, t.warn, t.fail)
	}
	if l.live.paused {
		text += " The load is held."
	}
	l.told.t, l.told.faults = s.T, s.Faults
	l.say("%s", text)
}

// position tells where in its course the run is.
func (l *lineMode) position() string {
	s := l.live.latest
	text := report.Clock(s.T)
	if s.Run != nil && s.Run.EstimateSeconds > 0 {
		text += " of about " + report.Clock(s.Run.EstimateSeconds)
	}
	for _, step := range s.Active() {
		text += ", " + step.Step.Name
		switch r := step.Repetition; {
		case r == nil:
		case r.Number == 0:
			text += " warms up"
		default:
			text += fmt.Sprintf(" repetition %d of %d", r.Number, r.Of)
		}
	}
	return text
}
