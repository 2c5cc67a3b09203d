package report

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode"

	"mabeam-top/internal/stress/quantity"
)

// Markdown writes the report for a pull request (GitHub's and GitLab's kind of
// Markdown): the verdict and what is wrong first, then a table of what was
// judged, and the rest folded away. Nothing in it mentions a person or an
// issue, whatever the names say.
func Markdown(w io.Writer, r Report) error {
	m := markdown{}
	m.answer(r)
	if r.Regression != nil {
		m.regression(r)
	}
	for _, s := range r.Scenarios {
		m.scenario(s)
	}
	m.origin(r)
	if _, err := io.WriteString(w, m.out.String()); err != nil {
		return fmt.Errorf("write report as Markdown: %w", err)
	}
	return nil
}

type markdown struct{ out strings.Builder }

// line writes a line of Markdown.
func (m *markdown) line(format string, args ...any) { fmt.Fprintf(&m.out, format+"\n", args...) }

// md makes a text from outside a text in Markdown, in one line and fit for a
// cell of a table.
func md(s string) string {
	runes := []rune(xmlLine(s))
	var b strings.Builder
	start := true // nothing but digits so far, which may begin a list
	for i, r := range runes {
		insideWord := i > 0 && i+1 < len(runes) && isWord(runes[i-1]) && isWord(runes[i+1])
		switch {
		case r == '@' || r == '#' || r == '/' && i > 0 && runes[i-1] == '/' || r == '.' && i >= 3 && strings.EqualFold(string(runes[i-3:i]), "www"):
			// An empty comment keeps it from being a mention or a link.
			fmt.Fprintf(&b, "%c<!-- -->", r)
		case r == '_' && insideWord:
			b.WriteRune(r) // as in most names; it means nothing there
		case strings.ContainsRune("\\`*_{}[]<>|~$&", r),
			i == 0 && strings.ContainsRune("-+=", r),
			start && i > 0 && (r == '.' || r == ')') && (i+1 == len(runes) || runes[i+1] == ' '):
			b.WriteString(`\` + string(r))
		default:
			b.WriteRune(r)
		}
		start = start && unicode.IsDigit(r)
	}
	return b.String()
}

func isWord(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }

// mdCode writes a text as code, which nothing in it can end, also in a table.
func mdCode(s string) string {
	var b strings.Builder
	for _, r := range xmlLine(s) {
		if r < unicode.MaxASCII && !isWord(r) && !strings.ContainsRune(" -=,.%", r) {
			fmt.Fprintf(&b, "&#%d;", r)
			continue
		}
		b.WriteRune(r)
	}
	return "<code>" + b.String() + "</code>"
}

// mdVerdict shows a verdict so that it is found while scrolling.
func mdVerdict(v string) string {
	sign := map[string]string{
		"pass": "✅", "exceed": "✅", "warn": "⚠️", "fail": "❌", "inconclusive": "❓", "undecided": "❓", "error": "💥", "interrupted": "✋",
	}[v]
	return strings.TrimSpace(sign + " " + strings.ToUpper(md(v)))
}

func (m *markdown) answer(r Report) {
	word := mdVerdict(string(r.Verdict))
	if r.Regressed() {
		word += ", ❌ REGRESSED"
	}
	m.line("### %s: %s\n", word, md(summary(r)))
	m.line("score %s, grade %s, took %s\n", md(quantity.Number(r.Score)), md(string(r.Grade)), md(quantity.Format(r.DurationSeconds, "s")))
	problems := problemsOf(r)
	for _, line := range problems[:min(len(problems), mostProblems)] {
		m.line("- %s", md(line))
	}
	if more := len(problems) - mostProblems; more > 0 {
		m.line("- … and %d more below", more)
	}
	for _, line := range r.Recommendations {
		m.line("- %s", md(line))
	}
	m.line("")
}

// details folds away what write writes; the blank line makes that Markdown.
func (m *markdown) details(title string, write func()) {
	m.line("<details><summary>%s</summary>\n", title)
	write()
	m.line("\n</details>\n")
}

// scenario folds away one that passed: what is to be read is what did not.
func (m *markdown) scenario(s Scenario) {
	title := fmt.Sprintf("%s: %s", mdVerdict(string(s.Verdict)), md(named(s.Title, s.Name)))
	if s.Verdict == Pass {
		m.details(title, func() { m.steps(s) })
		return
	}
	m.line("#### %s\n", title)
	m.steps(s)
}

func (m *markdown) steps(s Scenario) {
	rest := 0
	if len(s.Steps) > 0 {
		m.line("| | step | metric | value | against | difference | spread |")
		m.line("| --- | --- | --- | ---: | ---: | --- | --- |")
	}
	for _, step := range s.Steps {
		checks := checksOf(step)
		collapsed := collapse(checks)
		judged := slices.DeleteFunc(slices.Clone(collapsed), func(c check) bool { return c.word() == string(StatusInfo) })
		rest += len(collapsed) - len(judged)
		if step.Verdict == Inconclusive {
			m.line("| %s | %s | %s | | | | |", mdVerdict(string(step.Verdict)), md(step.Name), md(step.Reason()))
		} else if measured := step.Verdict == Pass || step.Verdict == Warn || step.Verdict == Fail; !measured || len(judged) == 0 {
			m.line("| %s | %s | | | | | |", mdVerdict(string(step.Verdict)), md(step.Name))
		}
		for _, c := range judged {
			difference := c.difference
			if c.note != "" {
				difference = strings.TrimPrefix(difference+", "+c.note, ", ")
			}
			if more := c.moreAgainst(); more != "" {
				difference = strings.TrimPrefix(difference+"; "+more, "; ")
			}
			status := mdVerdict(c.word())
			if step.Verdict == Inconclusive {
				status = "(" + c.word() + ")" // it is not about the system
			}
			against := c.against
			if c.kind == KindCondition {
				against = c.standard()
			}
			m.line("| %s | %s | %s | %s | %s | %s | %s |", status, md(step.Name), md(c.name), md(c.value), md(against), md(difference), md(c.spread))
		}
	}
	m.line("")
	for _, step := range s.Steps {
		if step.Steered {
			m.line("%s was %s while it was measured.\n", md(step.Name), steeredByHand)
		}
		if step.Partial() {
			m.line("The metrics of %s are of %s.\n", md(step.Name), step.Repetitions.Text())
		}
	}
	if rest > 0 {
		m.details(fmt.Sprintf("%d more metrics, held against nothing", rest), func() {
			m.line("| step | metric | value | spread | distribution |")
			m.line("| --- | --- | ---: | --- | --- |")
			for _, step := range s.Steps {
				for _, c := range collapse(checksOf(step)) {
					if c.word() == string(StatusInfo) {
						m.line("| %s | %s | %s | %s | %s |", md(step.Name), md(c.name), md(c.value), md(c.spread), md(c.detail))
					}
				}
			}
		})
	}
	m.remarks(s)
}

// remarks tell what of a scenario is no figure.
func (m *markdown) remarks(s Scenario) {
	var lines []string
	for _, step := range s.Steps {
		for _, e := range step.SortedErrors() {
			e.Message = FirstLine(e.Message)
			lines = append(lines, fmt.Sprintf("%s: %s: %s", md(step.Name), e.Label(), md(e.Text())))
		}
		for _, f := range step.Faults {
			lines = append(lines, fmt.Sprintf("%s: injected %s", md(step.Name), md(f.Text())))
		}
		for _, line := range step.Advice() {
			lines = append(lines, md(step.Name)+": "+md(line))
		}
	}
	if len(lines) == 0 {
		return
	}
	m.details("errors, faults and where to look", func() {
		for _, line := range lines {
			m.line("- %s", line)
		}
	})
}

func (m *markdown) regression(whole Report) {
	r, units := *whole.Regression, unitsOf(whole)
	m.line("#### %s\n", md(regressionSummary(r)))
	same := 0
	for _, verdict := range NotableChanges {
		for _, one := range r.Metrics {
			if one.Verdict == verdict {
				m.line("- %s", md(regressionLine(one, units[metricKey(one)])))
			}
		}
	}
	for _, one := range r.Metrics {
		if one.Verdict == Same {
			same++
		}
	}
	if same > 0 {
		m.line("- %d of %d metrics the same within %s", same, len(r.Metrics), md(quantity.Percent(r.Threshold)))
	}
	m.line("")
}

func (m *markdown) origin(r Report) {
	m.details("where and how it was measured", func() {
		if r.Host != (Host{}) {
			m.line("- host: %s", md(machine(r.Host)))
		}
		if !r.StartedAt.IsZero() {
			m.line("- run: %s at %s, seed %d", md(r.ID), r.StartedAt.UTC().Format("2006-01-02 15:04:05 UTC"), r.Seed)
		}
		if r.Tool != (Tool{}) {
			m.line("- program: mabeam-top %s (%s), %s", md(r.Tool.Version), md(r.Tool.Commit), md(r.Tool.Go))
		}
		if len(r.Command) > 0 {
			m.line("- again: %s", mdCode(shellLine(r.Command)))
		}
	})
}

// shellLine is a command line that can be copied to a shell.
func shellLine(arguments []string) string {
	words := make([]string, len(arguments))
	for i, a := range arguments {
		words[i] = ShellWord(Clean(a))
	}
	return strings.Join(words, " ")
}
