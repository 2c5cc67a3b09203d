package plain

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"mabeam-top/internal/stress/fold"
	"mabeam-top/internal/stress/quantity"
	"mabeam-top/internal/ui/check"
	"mabeam-top/internal/ui/session"
	"mabeam-top/internal/ui/theme"
)

// reported is the part of a run that was written, to write nothing twice.
type reported struct {
	// t is when the figures were written last, in seconds since the start of the
	// run.
	t float64
	// steps is the number of steps that have begun, and finished those that have
	// ended.
	steps    int
	finished map[int]bool
	log      int
	// requested is when an inspection was requested.
	requested float64
	faults    map[string]int
	// warnings are by their IDs.
	warnings map[string]*warning
}

// A warning is one that was written.
type warning struct {
	subject string
	// reported and seen are when it was written, and when it held last, in seconds
	// since the start of the run.
	reported, seen float64
	resolved       bool
}

// A warning that comes and goes is not written each time: its end only after
// resolvedSeconds, and it again only after repeatSeconds.
const (
	resolvedSeconds = 2
	repeatSeconds   = 10
)

// figuresPerLine is the number of figures in the regular lines.
const figuresPerLine = 10

// reportNews writes what is new in the newest snapshot: events at once, figures
// from time to time.
func (c *console) reportNews() {
	s := c.latest
	if s.T < c.reported.t { // a replay went back
		c.reported = reported{t: s.T}
	}
	c.reportSteps(s)
	first := max(c.reported.log-s.LogDropped, 0)
	for _, line := range s.Log[min(first, len(s.Log)):] {
		c.print("%s: %s", theme.ClockTenths(line.T), line.Message)
	}
	c.reported.log = s.LogDropped + len(s.Log)
	c.reportWarnings()
	if s.Report == nil && s.T-c.reported.t >= c.interval.Seconds() {
		c.reportFigures(session.Figures[:figuresPerLine])
	}
	if in, ok := s.InspectedAt(s.T); ok && c.awaiting != nil && in.T > c.reported.requested {
		c.awaiting()
	}
}

func (c *console) reportSteps(s *fold.Snapshot) {
	if c.reported.finished == nil {
		c.reported.finished = map[int]bool{}
	}
	for i, step := range s.Steps {
		name := step.Step.Name
		if s.Run != nil && len(s.Run.Scenarios) > 1 {
			name = step.Scenario + ", " + name
		}
		if i >= c.reported.steps {
			c.print("%s: step %s begins.", theme.ClockTenths(step.StartedAt), name)
			c.reported.steps = i + 1
		}
		if step.Result == nil || c.reported.finished[i] {
			continue
		}
		c.reported.finished[i] = true
		text := fmt.Sprintf("%s: step %s ends: %s.", theme.ClockTenths(step.FinishedAt), name, strings.ToUpper(string(step.Result.Verdict)))
		for _, row := range check.Finished(step.Step, step.Result) {
			if row.Word != "PASS" && row.Word != "EXCEED" && row.Metric != "" {
				text += " " + sentence(row)
			}
		}
		c.print("%s", text)
	}
}

// sentence writes a check as a sentence.
func sentence(r check.Row) string {
	text := r.Word + " " + r.Step
	if r.Metric != "" {
		text += " " + r.Metric
	}
	if r.Value != "" {
		text += ": " + r.Value
	}
	if r.Limit != "" {
		text += ", against " + strings.TrimPrefix(r.Limit, "vs ")
	}
	if r.Deviation != nil {
		text += ", " + theme.Signed(*r.Deviation)
	}
	return text + "."
}

// reportWarnings writes the new warnings, and the end of earlier ones.
func (c *console) reportWarnings() {
	if c.reported.warnings == nil {
		c.reported.warnings = map[string]*warning{}
	}
	t := c.latest.T
	for _, d := range c.diagnostics.Now {
		w := c.reported.warnings[d.ID]
		if w == nil || w.resolved && t-w.reported > repeatSeconds {
			c.print("%s: warning: %s.", theme.ClockTenths(t), d.Text)
			w = &warning{subject: d.Subject(), reported: t}
			c.reported.warnings[d.ID] = w
		}
		w.seen = t
	}
	for _, id := range slices.Sorted(maps.Keys(c.reported.warnings)) {
		if w := c.reported.warnings[id]; !w.resolved && t-w.seen > resolvedSeconds {
			c.print("%s: resolved: %s.", theme.ClockTenths(t), w.subject)
			w.resolved = true
		}
	}
}

// reportFigures writes the position in the run, its figures, and what has happened
// since the last such line.
func (c *console) reportFigures(list []session.Figure) {
	s := c.latest
	var parts []string
	for _, f := range list {
		if v, ok := s.Latest(f.Probe); ok {
			parts = append(parts, f.Name+" "+theme.Number(v, f.Unit))
		}
	}
	if len(parts) == 0 {
		parts = []string{"no measurements yet"}
	}
	text := fmt.Sprintf("%s: %s.", c.position(), strings.Join(parts, ", "))
	for _, name := range slices.Sorted(maps.Keys(s.Faults)) {
		if n := s.Faults[name] - c.reported.faults[name]; n > 0 {
			text += fmt.Sprintf(" %s %d times since the last line.", name, n)
		}
	}
	if t := check.Count(c.rows); t.Judged() > 0 {
		text += fmt.Sprintf(" Verdicts so far: %d pass, %d warn, %d fail.", t.Passed, t.Warned, t.Failed)
	}
	if c.paused {
		text += " The load is paused."
	}
	c.reported.t, c.reported.faults = s.T, s.Faults
	c.print("%s", text)
}

// position is where the run is.
func (c *console) position() string {
	s := c.latest
	text := quantity.Clock(s.T)
	if s.Run != nil && s.Run.EstimateSeconds > 0 {
		text += " of about " + quantity.Clock(s.Run.EstimateSeconds)
	}
	for _, step := range s.Active() {
		text += ", " + step.Step.Name
		switch r := step.Repetition; {
		case r == nil:
		case r.Number == 0:
			text += " warm-up"
		default:
			text += fmt.Sprintf(" repetition %d of %d", r.Number, r.Of)
		}
	}
	return text
}
