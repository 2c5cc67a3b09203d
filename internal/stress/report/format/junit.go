package format

import (
	"encoding/xml"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/jstemmer/go-junit-report/v2/junit"

	"mabeam-top/internal/stress/report"
)

// writeJUnit writes the XML that CI systems read. A scenario is a suite. A step has a
// test case "measured", which is an error if the step is inconclusive or could not be
// measured, and a test case for each metric or threshold with a check. Inconclusive
// checks are skipped. A warning passes, with a text in its output.
func writeJUnit(w io.Writer, r report.Report, _ report.Timeline, _ Options) error {
	all := junit.Testsuites{Name: "mabeam-top", Time: seconds(r.DurationSeconds)}
	for _, s := range r.Scenarios {
		all.AddSuite(scenarioSuite(r, s))
	}
	if r.Regression != nil {
		all.AddSuite(regressionSuite(r))
	}
	if len(r.Scenarios) == 0 || worseThanScenarios(r) {
		text := append([]string{"run verdict: " + string(r.Verdict)}, r.Recommendations...)
		suite := junit.Testsuite{Name: "run", Time: seconds(0)}
		suite.AddTestcase(junit.Testcase{Classname: "mabeam-top", Name: "run", Error: problem(string(r.Verdict), text...)})
		all.AddSuite(suite)
	}
	for i := range all.Suites {
		all.Suites[i].ID = i
	}
	if _, err := io.WriteString(w, xml.Header); err != nil {
		return err
	}
	return all.WriteXML(w)
}

// worseThanScenarios reports whether the verdicts of the scenarios do not explain that
// of the run.
func worseThanScenarios(r report.Report) bool {
	var verdicts []report.Verdict
	for _, s := range r.Scenarios {
		verdicts = append(verdicts, s.Verdict)
	}
	return r.Verdict.WorseThan(report.Worst(verdicts...))
}

func scenarioSuite(r report.Report, s report.Scenario) junit.Testsuite {
	suite := junit.Testsuite{Name: xmlLine(s.Name), Time: seconds(s.DurationSeconds)}
	for _, p := range []fact{
		{"title", s.Title},
		{"file", s.File},
		{"verdict", string(s.Verdict)},
		{"run", r.ID},
		{"seed", strconv.FormatUint(r.Seed, 10)},
		{"host", machine(r.Host)},
		{"version", join(" ", r.Tool.Version, r.Tool.Go)},
	} {
		suite.AddProperty(p.Name, xmlLine(p.Text))
	}
	if !s.StartedAt.IsZero() {
		suite.Timestamp = s.StartedAt.UTC().Format("2006-01-02T15:04:05")
	}
	var verdicts []report.Verdict
	for _, step := range s.Steps {
		verdicts = append(verdicts, step.Verdict)
		for _, c := range stepCases(s, step) {
			suite.AddTestcase(c)
		}
	}
	if len(s.Steps) == 0 || s.Verdict.WorseThan(report.Worst(verdicts...)) {
		// For example: a timeout before the last step began.
		text := append([]string{fmt.Sprintf("scenario verdict: %s; not all steps ran", s.Verdict)}, r.Recommendations...)
		suite.AddTestcase(junit.Testcase{Classname: suite.Name, Name: "scenario", Time: seconds(0), Error: problem(string(s.Verdict), text...)})
	}
	return suite
}

func stepCases(s report.Scenario, step report.Step) []junit.Testcase {
	class := xmlLine(s.Name) + "." + xmlLine(step.Name)
	texts := stepTexts(step)
	measured := junit.Testcase{Classname: class, Name: "measured", Time: seconds(step.DurationSeconds)}
	if step.Verdict.Conclusive() {
		measured.SystemOut = output(texts...)
	} else {
		measured.Error = problem(string(step.Verdict), append([]string{step.Reason()}, texts...)...)
	}
	cases := []junit.Testcase{measured}
	failed := false
	for _, r := range rowsOf(step) {
		if r.status == report.StatusInfo {
			continue
		}
		c := rowCase(r, step)
		c.Classname = class
		failed = failed || c.Failure != nil
		cases = append(cases, c)
	}
	if step.Verdict == report.Fail && !failed {
		cases[0].Failure = problem(string(report.Fail), append([]string{"the step failed"}, texts...)...)
	}
	return cases
}

// stepTexts are the lines of a step's output.
func stepTexts(step report.Step) []string {
	var texts []string
	if step.Steered {
		texts = append(texts, steeredManually)
	}
	if step.Partial() {
		texts = append(texts, partialMetrics(step))
	}
	for _, e := range step.SortedErrors() {
		texts = append(texts, e.Label()+": "+e.Text())
	}
	return append(texts, step.Advice()...)
}

// rowCase is the test case of a metric or threshold with a check.
func rowCase(r row, step report.Step) junit.Testcase {
	c := junit.Testcase{Name: xmlLine(r.name)}
	if r.threshold != nil {
		c.Name = xmlLine(r.name + " " + r.check.Limit)
	}
	texts := rowTexts(r, step)
	switch {
	case step.Verdict == report.Inconclusive, r.inconclusive:
		texts[0] = "inconclusive: " + texts[0]
		c.Skipped = problem("", texts...)
	case r.status == report.StatusFail:
		c.Failure = problem(string(r.check.Kind), texts...)
	case r.status == report.StatusWarn:
		texts[0] = "warning: " + texts[0]
		c.SystemOut = output(texts...)
	}
	return c
}

// rowTexts describe a row; the first line stands alone in many readers.
func rowTexts(r row, step report.Step) []string {
	texts := []string{r.sentence()}
	if r.others != "" {
		texts = append(texts, "other checks: "+r.others)
	}
	if r.spread != "" {
		texts = append(texts, "spread of the repetitions: "+r.spread)
	}
	if r.name == report.FindingsMetric && r.status == report.StatusFail {
		for _, e := range step.Errors {
			if e.Kind == report.Finding {
				texts = append(texts, e.Text())
			}
		}
	}
	if r.distribution != "" {
		texts = append(texts, r.distribution)
	}
	return texts
}

func regressionSuite(r report.Report) junit.Testsuite {
	suite := junit.Testsuite{Name: "regression", Time: seconds(0), SystemOut: output(comparisonSummary(*r.Regression))}
	units := unitsOf(r)
	for _, m := range r.Regression.Metrics {
		c := junit.Testcase{Classname: "regression." + xmlLine(m.Scenario) + "." + xmlLine(m.Step), Name: xmlLine(m.Metric)}
		text := comparison(m, units[keyOf(m)])
		switch m.Verdict {
		case report.Regressed:
			c.Failure = problem("regression", text)
		case report.Unknown:
			c.Skipped = problem("", text)
		default:
			c.SystemOut = output(text)
		}
		suite.AddTestcase(c)
	}
	return suite
}

// problem is the result of a test case that did not pass. Its message is the first line:
// many readers show nothing else.
func problem(kind string, lines ...string) *junit.Result {
	text := xmlLines(strings.Join(lines, "\n"))
	return &junit.Result{Message: report.FirstLine(text), Type: kind, Data: text}
}

func output(lines ...string) *junit.Output {
	if len(lines) == 0 {
		return nil
	}
	return &junit.Output{Data: xmlLines(strings.Join(lines, "\n"))}
}

// seconds writes a duration for attributes, which have no exponents.
func seconds(v float64) string {
	if !report.Finite(v) {
		v = 0
	}
	return strconv.FormatFloat(max(v, 0), 'f', 3, 64)
}

// xmlLines makes a text of several lines safe for an XML document.
func xmlLines(s string) string {
	lines := strings.Split(strings.TrimSpace(s), "\n")
	for i, line := range lines {
		lines[i] = strings.TrimRight(xmlLine(line), " ")
	}
	return strings.Join(lines, "\n")
}

// xmlLine makes a text of one line safe for an XML document. XML has no U+FFFE and U+FFFF.
func xmlLine(s string) string {
	return strings.Map(func(r rune) rune {
		if r == 0xFFFE || r == 0xFFFF {
			return utf8.RuneError
		}
		return r
	}, report.Clean(s))
}
