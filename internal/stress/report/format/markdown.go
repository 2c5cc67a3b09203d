package format

import (
	"fmt"
	"io"
	"strings"

	"mabeam-top/internal/stress/report"
)

// writeMarkdown writes the report for a comment of a pull request, in the dialect of
// GitHub and GitLab: the verdict and the problems, then a table of checks for each
// scenario, and the rest in folded sections.
func writeMarkdown(w io.Writer, r report.Report, _ report.Timeline, _ Options) error {
	m := markdown{}
	m.headline(r)
	if r.Regression != nil {
		m.regression(r)
	}
	for _, s := range r.Scenarios {
		m.scenario(s)
	}
	m.environment(r)
	_, err := io.WriteString(w, m.out.String())
	return err
}

type markdown struct{ out strings.Builder }

// line writes a line of Markdown.
func (m *markdown) line(format string, args ...any) { fmt.Fprintf(&m.out, format+"\n", args...) }

// item writes a text as an item of a list.
func (m *markdown) item(text string) { m.line("- %s", md(text)) }

// tableRow writes the cells of a table, which are Markdown.
func (m *markdown) tableRow(cells ...string) { m.line("| %s |", strings.Join(cells, " | ")) }

// details writes a folded section. The blank line lets its content be Markdown.
func (m *markdown) details(title string, write func()) {
	m.line("<details><summary>%s</summary>\n", title)
	write()
	m.line("\n</details>\n")
}

func (m *markdown) headline(r report.Report) {
	word := mdVerdict(string(r.Verdict))
	if r.Regressed() {
		word += ", ❌ " + report.WordRegressed
	}
	m.line("### %s: %s\n", word, md(summary(r)))
	m.line("%s\n", md(scoreLine(r)))
	for _, line := range highlights(r) {
		m.item(line)
	}
	m.line("")
}

// scenario folds a scenario that passed.
func (m *markdown) scenario(s report.Scenario) {
	title := fmt.Sprintf("%s: %s", mdVerdict(string(s.Verdict)), md(titled(s.Title, s.Name)))
	if s.Verdict == report.Pass {
		m.details(title, func() { m.steps(s) })
		return
	}
	m.line("#### %s\n", title)
	m.steps(s)
}

func (m *markdown) steps(s report.Scenario) {
	if len(s.Steps) > 0 {
		m.tableRow("", "step", "metric", "value", "limit", "difference", "spread")
		m.line("| --- | --- | --- | ---: | ---: | --- | --- |")
	}
	for _, step := range s.Steps {
		m.checks(step)
	}
	m.line("")
	for _, step := range s.Steps {
		if step.Steered {
			m.line("%s: %s\n", md(step.Name), steeredManually)
		}
		if step.Partial() {
			m.line("%s: %s\n", md(step.Name), partialMetrics(step))
		}
	}
	m.unchecked(s)
	m.notes(s)
}

// checks writes the table rows of a step's checks.
func (m *markdown) checks(step report.Step) {
	verdict, name := mdVerdict(string(step.Verdict)), md(step.Name)
	var rows []row
	for _, r := range collapse(rowsOf(step)) {
		if !r.informs() {
			rows = append(rows, r)
		}
	}
	if step.Verdict == report.Inconclusive {
		m.tableRow(verdict, name, md(step.Reason()), "", "", "", "")
	} else if !step.Verdict.Conclusive() || len(rows) == 0 {
		m.tableRow(verdict, name, "", "", "", "", "")
	}
	for _, r := range rows {
		status := mdVerdict(r.word())
		if step.Verdict == report.Inconclusive {
			status = "(" + r.word() + ")" // it says nothing about the system
		}
		limit := r.check.Limit
		if r.check.Kind == report.KindCondition {
			limit = r.check.Text()
		}
		more := join("; ", join(", ", r.check.Difference, r.remark()), r.background())
		m.tableRow(status, name, md(r.name), md(r.value), md(limit), md(more), md(r.spread))
	}
}

// unchecked folds the metrics of a scenario that have no check.
func (m *markdown) unchecked(s report.Scenario) {
	var lines [][]string
	for _, step := range s.Steps {
		for _, r := range collapse(rowsOf(step)) {
			if r.informs() {
				lines = append(lines, []string{md(step.Name), md(r.name), md(r.value), md(r.spread), md(r.distribution)})
			}
		}
	}
	if len(lines) == 0 {
		return
	}
	m.details(metricsWithoutCheck(len(lines)), func() {
		m.tableRow("step", "metric", "value", "spread", "distribution")
		m.line("| --- | --- | ---: | --- | --- |")
		for _, cells := range lines {
			m.tableRow(cells...)
		}
	})
}

// notes folds the errors, faults and hints of a scenario.
func (m *markdown) notes(s report.Scenario) {
	var lines []string
	for _, step := range s.Steps {
		for _, e := range step.SortedErrors() {
			e.Message = report.FirstLine(e.Message)
			lines = append(lines, fmt.Sprintf("%s: %s: %s", step.Name, e.Label(), e.Text()))
		}
		for _, f := range step.Faults {
			lines = append(lines, fmt.Sprintf("%s: fault: %s", step.Name, f.Text()))
		}
		for _, line := range step.Advice() {
			lines = append(lines, fmt.Sprintf("%s: hint: %s", step.Name, line))
		}
	}
	if len(lines) == 0 {
		return
	}
	m.details("errors, faults and hints", func() {
		for _, line := range lines {
			m.item(line)
		}
	})
}

func (m *markdown) regression(r report.Report) {
	m.line("#### %s\n", md(comparisonSummary(*r.Regression)))
	for _, one := range comparedMetrics(r) {
		m.item(one.Text)
	}
	if text := unchanged(*r.Regression); text != "" {
		m.item(text)
	}
	m.line("")
}

func (m *markdown) environment(r report.Report) {
	m.details("environment", func() {
		for _, f := range environment(r) {
			m.item(f.Name + ": " + f.Text)
		}
		if len(r.Command) > 0 {
			m.line("- re-run: %s", mdCode(shellLine(r.Command)))
		}
	})
}
