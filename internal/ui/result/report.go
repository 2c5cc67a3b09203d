package result

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"mabeam-top/internal/stress/quantity"
	"mabeam-top/internal/stress/report"
	"mabeam-top/internal/stress/report/format"
	"mabeam-top/internal/ui/check"
	"mabeam-top/internal/ui/session"
	"mabeam-top/internal/ui/theme"
)

// write returns the rows of a report.
func write(t *theme.Theme, o session.Outcome, width int) []string {
	w := writer{Theme: t, outcome: o, width: width}
	w.summary()
	for _, sc := range o.Report.Scenarios {
		for _, step := range sc.Steps {
			w.step(sc, step)
		}
	}
	return w.rows
}

// A writer collects the rows of a report.
type writer struct {
	*theme.Theme
	outcome session.Outcome
	width   int
	rows    []string
}

func (w *writer) add(row string) { w.rows = append(w.rows, w.Truncate(row, w.width)) }

func (w *writer) paragraph(bullet, text string) {
	for _, row := range theme.Bulleted(bullet, text, w.width-4) {
		w.add("   " + row)
	}
}

// summary writes the verdict, the reasons, and what to do next.
func (w *writer) summary() {
	r := w.outcome.Report
	w.add("")
	left := " " + w.Verdict(strings.ToUpper(string(r.Verdict))) + "  " + w.Strong.Render(title(r))
	right := w.counts()
	if r.Grade != "" {
		right += fmt.Sprintf("   score %.2f   grade %s", r.Score, r.Grade)
	}
	right += "   " + quantity.Clock(r.DurationSeconds) + " "
	if theme.Width(left)+theme.Width(right)+2 <= w.width {
		w.add(w.Justify(left, w.Muted.Render(right), w.width))
	} else {
		w.add(left)
		for _, line := range theme.Wrap(right, w.width-2) {
			w.add(" " + w.Muted.Render(strings.TrimSpace(line)))
		}
	}
	if err := w.outcome.Err; err != nil {
		w.add("")
		w.paragraph(w.Fail.Render("!"), theme.Clean(theme.FirstLine(err)))
	}
	if c := r.Regression; c != nil {
		w.add("")
		w.paragraph(w.Verdict(c.Word()), regressionText(*c)+w.Muted.Render("  (press c for details)"))
	}
	w.problems()
	if len(r.Recommendations) > 0 || r.Verdict != report.Pass {
		w.add("")
		for _, text := range r.Recommendations {
			w.paragraph(w.Accent.Render("Look at:"), theme.Clean(text))
		}
		if command := w.profileCommand(); command != "" {
			w.paragraph(w.Muted.Render("Re-run with a CPU profile:"), theme.Clean(command))
		}
	}
	if len(r.Scenarios) > 1 {
		w.add("")
		for _, sc := range r.Scenarios {
			w.add("   " + w.Pad(w.Verdict(strings.ToUpper(string(sc.Verdict))), 12) + " " + theme.Clean(cmp.Or(sc.Title, sc.Name)))
		}
	}
}

// mostProblems is the number of problems listed before the steps.
const mostProblems = 10

// problems lists what is wrong in all steps, unless there is only one step.
func (w *writer) problems() {
	var rows []metricRow
	var broken, inconclusive []string
	steps := 0
	for _, sc := range w.outcome.Report.Scenarios {
		for _, step := range sc.Steps {
			steps++
			name := theme.Clean(step.Name)
			if len(w.outcome.Report.Scenarios) > 1 {
				name = theme.Clean(sc.Name) + " " + w.Chevron + " " + name
			}
			switch {
			case step.Verdict == report.Inconclusive:
				inconclusive = append(inconclusive, w.reason(name, step))
			case !step.Verdict.Conclusive():
				broken = append(broken, w.reason(name, step))
			}
			for _, row := range w.metricRows(sc, step) {
				if row.word == "FAIL" {
					row.name = name + " " + w.Chevron + " " + row.name
					rows = append(rows, row)
				}
			}
		}
	}
	if steps < 2 || len(rows)+len(broken)+len(inconclusive) == 0 {
		return
	}
	w.add("")
	for _, text := range broken[:min(len(broken), mostProblems)] {
		w.paragraph(w.Fail.Render("!"), text)
	}
	left := len(broken) + len(rows) + len(inconclusive) - mostProblems
	rows = rows[:min(len(rows), max(mostProblems-len(broken), 0))]
	for _, row := range w.table(rows, w.width) {
		w.add(row)
	}
	for _, text := range inconclusive[:min(len(inconclusive), max(mostProblems-len(broken)-len(rows), 0))] {
		w.paragraph(w.Warn.Render("!"), text)
	}
	if left > 0 {
		w.add("   " + w.Muted.Render(fmt.Sprintf("%s and %d more below", w.Ellipsis, left)))
	}
}

// reason is why a step broke off or is inconclusive.
func (w *writer) reason(name string, step report.Step) string {
	text := w.Verdict(strings.ToUpper(string(step.Verdict))) + " " + name
	if why := step.Reason(); why != string(step.Verdict) {
		line, _, _ := strings.Cut(why, "\n")
		text += ": " + theme.Clean(line)
	}
	return text
}

// title names what was run.
func title(r *report.Report) string {
	switch len(r.Scenarios) {
	case 0:
		return "run"
	case 1:
		return theme.Clean(cmp.Or(r.Scenarios[0].Title, r.Scenarios[0].Name))
	}
	return fmt.Sprintf("%d scenarios", len(r.Scenarios))
}

// counts summarizes the checks.
func (w *writer) counts() string {
	all, t := judged(w.outcome.Report)
	switch {
	case all == 0 && w.outcome.Report.Verdict == report.Inconclusive:
		return "inconclusive"
	case all == 0:
		return "no checks"
	}
	noun := "checks"
	if all == 1 {
		noun = "check"
	}
	text := fmt.Sprintf("%d of %d %s failed", t.Failed, all, noun)
	switch {
	case t.Failed == 0 && t.Undecided > 0:
		text = fmt.Sprintf("%d of %d %s undecided", t.Undecided, all, noun)
	case t.Failed == 0 && all == 1:
		text = "the only check passed"
	case t.Failed == 0:
		text = fmt.Sprintf("all %d checks passed", all)
	}
	if t.Failed > 0 && t.Undecided > 0 {
		text += fmt.Sprintf(", %d undecided", t.Undecided)
	}
	if t.Warned > 0 {
		text += fmt.Sprintf(", %d close", t.Warned)
	}
	return text
}

// judged counts the checks of a report, except those of inconclusive steps, which
// are not about the system.
func judged(r *report.Report) (all int, t check.Tally) {
	for _, sc := range r.Scenarios {
		for _, step := range sc.Steps {
			if step.Verdict == report.Inconclusive {
				continue
			}
			for _, m := range step.Metrics {
				switch {
				case m.Undecided != "":
					t.Undecided++
				case m.Status == report.StatusFail:
					t.Failed++
				case m.Status == report.StatusWarn:
					t.Warned++
				case m.Status == report.StatusInfo:
					continue
				}
				all++
			}
			for _, threshold := range step.Thresholds {
				all++
				if !threshold.OK {
					t.Failed++
				}
			}
		}
	}
	return all, t
}

// profileCommand is the command that runs the same with a CPU profile; empty if
// the run has no command.
func (w *writer) profileCommand() string {
	r := w.outcome.Report
	if len(r.Command) == 0 || len(r.Scenarios) == 0 {
		return ""
	}
	words := slices.Clone(r.Command)
	add := func(more ...string) {
		if !slices.Contains(words, more[0]) || len(more) > 1 {
			words = append(words, more...)
		}
	}
	add("--headless")
	for _, sc := range r.Scenarios {
		add(sc.Name)
	}
	add("--cpuprofile", "cpu.pprof")
	for i := range words {
		words[i] = format.ShellWord(words[i])
	}
	return strings.Join(words, " ")
}
