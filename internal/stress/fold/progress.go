package fold

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/mattn/go-runewidth"

	"mabeam-top/internal/probes/probe"
	"mabeam-top/internal/stress/quantity"
	"mabeam-top/internal/stress/report"
	"mabeam-top/internal/stress/stream"
)

const (
	// lineEvery is the interval between plain lines, in seconds.
	lineEvery = 5.0
	// drawEvery is the interval between updates of the line on a terminal, in seconds.
	drawEvery = 0.25
	// barColumns is the length of the bar.
	barColumns = 20
)

// A Progress shows the progress of a run at a shell: on a terminal as one line that is
// redrawn, elsewhere as a plain line every 5 s and one for each finished step. Its time is
// that of the events. It is not safe for concurrent use.
type Progress struct {
	// Out is the output. Write errors are ignored: a run does not stop because nobody
	// watches it.
	Out io.Writer
	// Width returns the number of columns of the terminal; nil if Out is not a
	// terminal.
	Width func() int
	// ASCII restricts the bar to ASCII characters.
	ASCII bool

	now       float64 // T of the newest event, in seconds
	estimate  float64 // of the whole run, in seconds
	scenario  *stream.Scenario
	began     float64 // T of the scenario's start
	running   []StepState
	group     int     // the group that runs
	completed float64 // operations per second
	measured  bool    // completed is known

	updated float64 // T of the latest update
	drawn   int     // columns of the line on the terminal
}

// Add adds the next event.
func (p *Progress) Add(e stream.Event) {
	if report.Finite(e.T) {
		p.now = max(p.now, e.T)
	}
	switch {
	case e.Type == stream.RunStarted && e.Run != nil:
		p.estimate = e.Run.EstimateSeconds
	case e.Type == stream.ScenarioStarted && e.Scenario != nil:
		p.scenario, p.began, p.running = e.Scenario, p.now, nil
	case e.Type == stream.StepStarted && e.Step != nil:
		p.running = append(p.running, StepState{Step: e.Step})
		p.group, p.measured = e.Step.Group, false
	case e.Type == stream.RepetitionStarted && e.Repetition != nil:
		for i, r := range p.running {
			if r.Step.Name == e.Repetition.Step {
				p.running[i].Repetition = e.Repetition
				p.group = r.Step.Group
			}
		}
	case e.Type == stream.SampleTaken:
		p.completed, p.measured = e.Sample[probe.CompletedPerSecond]
		p.measured = p.measured && report.Finite(p.completed) && p.completed > 0
		p.update()
	case e.Type == stream.Logged && e.Log != nil && e.Log.Level != "info":
		first, _, _ := strings.Cut(e.Log.Message, "\n") // the report has the rest, such as a stack trace
		p.line(fmt.Sprintf("%s  %s: %s", quantity.Clock(p.now), e.Log.Level, report.Clean(first)))
	case e.Type == stream.StepFinished && e.StepResult != nil:
		if p.Width == nil {
			p.line(quantity.Clock(p.now) + "  " + p.outcome(*e.StepResult))
		}
		p.running = slices.DeleteFunc(p.running, func(r StepState) bool { return r.Step.Name == e.StepResult.Name })
	case e.Type == stream.ScenarioFinished && p.scenario != nil:
		// The actual duration of the scenario replaces its estimate.
		p.estimate += p.now - p.began - p.scenario.EstimateSeconds
		p.scenario = nil
	}
}

// Close removes the line from the terminal.
func (p *Progress) Close() { p.draw("") }

// update shows the progress, at most once per interval.
func (p *Progress) update() {
	every := lineEvery
	if p.Width != nil {
		every = drawEvery
	}
	if p.scenario == nil || p.now-p.updated < every {
		return
	}
	p.updated = p.now
	if p.Width == nil {
		p.line(p.times() + "  " + p.position())
		return
	}
	p.draw(p.bar() + "  " + p.times() + "  " + p.position())
}

// line writes a permanent line.
func (p *Progress) line(text string) {
	if p.Width == nil {
		p.write(text + "\n")
		return
	}
	p.draw("")
	p.write(p.fit(text) + "\n")
}

// draw replaces the line on the terminal.
func (p *Progress) draw(text string) {
	if p.Width == nil || text == "" && p.drawn == 0 {
		return
	}
	text = p.fit(text)
	// Spaces instead of an escape sequence, which not every terminal supports, and no
	// more than fit, because the line would wrap.
	columns := runes.StringWidth(text)
	gap := max(0, min(p.drawn, p.columns())-columns)
	p.write("\r" + text + strings.Repeat(" ", gap))
	if text == "" {
		p.write("\r")
	}
	p.drawn = columns
}

func (p *Progress) write(text string) { _, _ = io.WriteString(p.Out, text) }

// runes measures text independently of the locale.
var runes = &runewidth.Condition{StrictEmojiNeutral: true}

// columns is the maximum length of a line. The last column stays empty, because some
// terminals wrap as soon as it is written.
func (p *Progress) columns() int { return max(p.Width()-1, 0) }

func (p *Progress) fit(text string) string { return runes.Truncate(text, p.columns(), "") }

// bar draws the elapsed share of the estimate. It is never full before the run ends.
func (p *Progress) bar() string {
	share := 0.0
	if end := p.end(); end > 0 {
		share = p.now / end
	}
	done := min(int(share*barColumns), barColumns-1)
	full, empty := "━", "─"
	if p.ASCII {
		full, empty = "#", "-"
	}
	return strings.Repeat(full, done) + strings.Repeat(empty, barColumns-done)
}

// end is the expected end of the run, and not before now; 0 if unknown.
func (p *Progress) end() float64 {
	if p.estimate <= 0 || !report.Finite(p.estimate) {
		return 0
	}
	return max(p.estimate, p.now)
}

// times are the elapsed time and the expected total.
func (p *Progress) times() string {
	text := quantity.Clock(p.now)
	if end := p.end(); end > 0 {
		text += " of ~" + quantity.Clock(end)
	}
	return text
}

// position is the running steps, their repetition, and the completed rate.
func (p *Progress) position() string {
	var steps []string
	var latest *stream.Repetition
	for _, r := range p.running {
		if r.Step.Group != p.group {
			continue
		}
		steps = append(steps, r.Step.Name)
		if r.Repetition != nil {
			latest = r.Repetition
		}
	}
	parts := []string{p.name(strings.Join(steps, "+"))}
	switch {
	case latest == nil:
	case latest.Number == 0:
		parts = append(parts, "warm-up")
	case latest.Of > 1:
		parts = append(parts, fmt.Sprintf("repetition %d of %d", latest.Number, latest.Of))
	}
	if p.measured {
		parts = append(parts, strings.TrimSuffix(quantity.Format(p.completed, "1/s"), "/s")+" ops/s")
	}
	return strings.Join(parts, "  ")
}

// name is scenario/step, or the scenario alone if the step has the same name.
func (p *Progress) name(step string) string {
	if p.scenario == nil {
		return step
	}
	if step == "" || step == p.scenario.Name {
		return p.scenario.Name
	}
	return p.scenario.Name + "/" + step
}

// outcome is a finished step on one line: its verdict, and the reasons for a bad one.
func (p *Progress) outcome(s report.Step) string {
	text := fmt.Sprintf("%s  %s  in %s", strings.ToUpper(string(s.Verdict)), p.name(s.Name), quantity.Format(s.DurationSeconds, "s"))
	var reasons []string
	switch s.Verdict {
	case report.Fail:
		for _, t := range s.Thresholds {
			if !t.OK {
				reasons = append(reasons, "not "+t.Metric+" "+t.Condition)
			}
		}
		for _, name := range slices.Sorted(maps.Keys(s.Metrics)) {
			if s.Metrics[name].Status == report.StatusFail {
				reasons = append(reasons, name+" "+s.Metrics[name].Text())
			}
		}
	case report.Broken, report.Inconclusive:
		// The first error may be older than the reason.
		first, _, _ := strings.Cut(s.Reason(), "\n")
		reasons = append(reasons, report.Clean(first))
	}
	if len(reasons) > 0 {
		text += ": " + strings.Join(reasons, ", ")
	}
	return text
}
