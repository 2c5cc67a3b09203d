package format

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"mabeam-top/internal/stress/report"
)

// Options say how a text report looks. The zero value is 80 columns of UTF-8 without
// colors.
type Options struct {
	// Width is the number of columns; 0 means 80. Only the command to re-run may be
	// wider.
	Width int
	// Color adds terminal colors. No color has a meaning that the text lacks.
	Color bool
	// ASCII replaces other characters by similar ASCII characters or question marks.
	ASCII bool
}

// writeText writes the verdict and the problems first, then a table for each step, and
// last how to repeat the run.
func writeText(w io.Writer, r report.Report, _ report.Timeline, o Options) error {
	p := newPage(o)
	p.headline(r)
	columns := columnsOf(r, p)
	for _, s := range r.Scenarios {
		p.blank()
		p.heading(bold, titled(s.Title, s.Name), s.Verdict, s.Score, s.DurationSeconds)
		for _, step := range s.Steps {
			p.step(step, columns)
		}
	}
	if r.Regression != nil {
		p.blank()
		p.wrap(bold, "", comparisonSummary(*r.Regression))
		p.comparison(r)
	}
	p.blank()
	for _, f := range environment(r) {
		p.field(f.Name, f.Text)
	}
	if len(r.Command) > 0 {
		p.command("re-run", r.Command)
	}
	_, err := io.WriteString(w, p.out.String())
	return err
}

// headline writes the verdict, the problems and the recommendations of a run.
func (p *page) headline(r report.Report) {
	word := strings.ToUpper(string(r.Verdict))
	if r.Regressed() {
		word += ", " + report.WordRegressed // it may be what the exit code is about
	}
	p.hang(span{styleOf(string(r.Verdict)), word + "  "}, bold, summary(r))
	p.wrap(dim, "", scoreLine(r))
	for _, line := range highlights(r) {
		p.bullet(plain, line)
	}
}

// step writes the table of a step, and below it what the table does not show.
func (p *page) step(s report.Step, columns columns) {
	p.heading(plain, "  "+titled(s.Name, strings.Join(stepFacts(s), ", ")), s.Verdict, s.Score, s.DurationSeconds)
	if s.Partial() { // not in the heading, which narrow pages cut
		p.field("partial", partialMetrics(s))
	}
	if s.Verdict == report.Inconclusive {
		p.field("reason", s.Reason())
	}
	rows := collapse(rowsOf(s))
	for i, r := range rows {
		if r.inconclusive && s.Reason() == r.name+" "+r.note {
			rows[i].note = "" // the reason above says it
		}
	}
	if len(rows) > 0 {
		p.table(rows, columns)
	}
	if o := s.Operations; o.Attempted > 0 {
		p.field("operations", operations(o))
	}
	if text := peaks(s.Probes); text != "" {
		p.field("peaks", text)
	}
	for _, f := range s.Faults {
		p.field("fault", f.Text())
	}
	for _, e := range s.SortedErrors() {
		p.field(e.Label(), e.Text())
	}
	for _, line := range s.Advice() {
		p.field("hint", line)
	}
}

// comparison lists the metrics that changed, and counts those that did not.
func (p *page) comparison(r report.Report) {
	for _, m := range comparedMetrics(r) {
		p.bullet(plain, m.Text)
	}
	if text := unchanged(*r.Regression); text != "" {
		p.bullet(dim, text)
	}
}

// WriteComparison writes what the report's comparison with an earlier report found, the
// regressions first, as text.
func WriteComparison(w io.Writer, r report.Report, o Options) error {
	if r.Regression == nil {
		return errors.New("write comparison: the report has none")
	}
	p := newPage(o)
	word := r.Regression.Word()
	style := map[string]style{report.WordSame: green, report.WordRegressed: red, report.WordInconclusive: yellow}[word]
	p.hang(span{style, word + "  "}, bold, comparisonSummary(*r.Regression))
	for _, line := range r.Recommendations {
		p.bullet(plain, line)
	}
	p.blank()
	p.comparison(r)
	for _, s := range r.Scenarios {
		for _, step := range s.Steps {
			if !hasRegressed(*r.Regression, s.Name, step.Name) {
				continue
			}
			p.blank()
			p.wrap(bold, "", s.Name+" › "+step.Name)
			for _, line := range step.Recommendations {
				p.field("hint", line)
			}
		}
	}
	if _, err := io.WriteString(w, p.out.String()); err != nil {
		return fmt.Errorf("write comparison: %w", err)
	}
	return nil
}
