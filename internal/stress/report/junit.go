package report

import (
	"encoding/xml"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"
)

// JUnit writes the report as the XML that CI systems read. Each scenario is a
// suite. Each step is a case called "measured", which is an error if the step
// could not be measured, was interrupted, or did not get the load that was
// asked for; and each of its metrics that is held against anything and each of
// its thresholds is a case, which fails with the figures, and with the reason if
// it was not measured. What an inconclusive step found is skipped, because it is
// not about the system, and so is what is undecided. A warning passes, and is
// told in the case's output, as notes are in that of the step's case. Metrics
// that are held against nothing are no cases.
func JUnit(w io.Writer, r Report) error {
	all := junitSuites{Name: "mabeam-top", Time: seconds(r.DurationSeconds)}
	for _, s := range r.Scenarios {
		all.Suites = append(all.Suites, scenarioSuite(r, s))
	}
	if r.Regression != nil {
		all.Suites = append(all.Suites, regressionSuite(r))
	}
	if len(r.Scenarios) == 0 || worseThanParts(r) {
		text := strings.Join(append([]string{"the verdict of the run is " + string(r.Verdict)}, r.Recommendations...), "\n")
		c := junitCase{Class: "mabeam-top", Name: "run", Error: problem(string(r.Verdict), text)}
		all.Suites = append(all.Suites, junitSuite{Name: "run", Cases: []junitCase{c}})
	}
	for i := range all.Suites {
		all.Suites[i].count()
		all.Tests += all.Suites[i].Tests
		all.Failures += all.Suites[i].Failures
		all.Errors += all.Suites[i].Errors
		all.Skipped += all.Suites[i].Skipped
	}
	text, err := xml.MarshalIndent(all, "", "  ")
	if err == nil {
		_, err = io.WriteString(w, xml.Header+string(text)+"\n")
	}
	if err != nil {
		return fmt.Errorf("write report as JUnit XML: %w", err)
	}
	return nil
}

type junitSuites struct {
	XMLName  xml.Name     `xml:"testsuites"`
	Name     string       `xml:"name,attr"`
	Tests    int          `xml:"tests,attr"`
	Failures int          `xml:"failures,attr"`
	Errors   int          `xml:"errors,attr"`
	Skipped  int          `xml:"skipped,attr"`
	Time     string       `xml:"time,attr"`
	Suites   []junitSuite `xml:"testsuite"`
}

type junitSuite struct {
	Name       string          `xml:"name,attr"`
	Tests      int             `xml:"tests,attr"`
	Failures   int             `xml:"failures,attr"`
	Errors     int             `xml:"errors,attr"`
	Skipped    int             `xml:"skipped,attr"`
	Time       string          `xml:"time,attr,omitempty"`
	Timestamp  string          `xml:"timestamp,attr,omitempty"`
	Properties *[]junitKeyword `xml:"properties>property"`
	Cases      []junitCase     `xml:"testcase"`
	Output     *junitText      `xml:"system-out"`
}

type junitKeyword struct {
	Name  string `xml:"name,attr"`
	Value string `xml:"value,attr"`
}

type junitCase struct {
	Class   string        `xml:"classname,attr"`
	Name    string        `xml:"name,attr"`
	Time    string        `xml:"time,attr,omitempty"`
	Skipped *junitProblem `xml:"skipped"`
	Error   *junitProblem `xml:"error"`
	Failure *junitProblem `xml:"failure"`
	Output  *junitText    `xml:"system-out"`
}

type junitProblem struct {
	Message string `xml:"message,attr"`
	Type    string `xml:"type,attr,omitempty"`
	Text    string `xml:",cdata"`
}

type junitText struct {
	Text string `xml:",cdata"`
}

// count sums up the suite's cases.
func (s *junitSuite) count() {
	s.Tests = len(s.Cases)
	for _, c := range s.Cases {
		switch {
		case c.Failure != nil:
			s.Failures++
		case c.Error != nil:
			s.Errors++
		case c.Skipped != nil:
			s.Skipped++
		}
	}
}

// problem is what is wrong with a case: the message is its first line, because
// that is all that many readers show.
func problem(kind, text string) *junitProblem {
	text = xmlLines(text)
	return &junitProblem{Message: FirstLine(text), Type: kind, Text: text}
}

func output(lines ...string) *junitText {
	if len(lines) == 0 {
		return nil
	}
	return &junitText{Text: xmlLines(strings.Join(lines, "\n"))}
}

// seconds writes a duration for attributes, which know nothing but decimals.
func seconds(v float64) string {
	if !Finite(v) {
		v = 0
	}
	return strconv.FormatFloat(max(v, 0), 'f', 3, 64)
}

// xmlLines makes a text from outside fit to stand in a document, with its line
// breaks: each line is clean, and there is no character that XML does not have.
func xmlLines(s string) string {
	lines := strings.Split(strings.TrimSpace(s), "\n")
	for i, line := range lines {
		lines[i] = strings.TrimRight(xmlLine(line), " ")
	}
	return strings.Join(lines, "\n")
}

// xmlLine is xmlLines for a text that is to stand in one line.
func xmlLine(s string) string {
	return strings.Map(func(r rune) rune {
		if r == 0xFFFE || r == 0xFFFF {
			return utf8.RuneError
		}
		return r
	}, Clean(s))
}

func scenarioSuite(r Report, s Scenario) junitSuite {
	suite := junitSuite{
		Name: xmlLine(s.Name), Time: seconds(s.DurationSeconds),
		Properties: &[]junitKeyword{
			{"title", xmlLine(s.Title)},
			{"file", xmlLine(s.File)},
			{"verdict", xmlLine(string(s.Verdict))},
			{"run", xmlLine(r.ID)},
			{"seed", strconv.FormatUint(r.Seed, 10)},
			{"host", xmlLine(machine(r.Host))},
			{"version", xmlLine(strings.TrimSpace(r.Tool.Version + " " + r.Tool.Go))},
		},
	}
	if !s.StartedAt.IsZero() {
		suite.Timestamp = s.StartedAt.UTC().Format("2006-01-02T15:04:05")
	}
	var verdicts []Verdict
	for _, step := range s.Steps {
		verdicts = append(verdicts, step.Verdict)
		suite.Cases = append(suite.Cases, stepCases(s, step)...)
	}
	if len(s.Steps) == 0 || severity[s.Verdict] > severity[Worst(verdicts...)] {
		// Such as a timeout before the last step began.
		suite.Cases = append(suite.Cases, junitCase{
			Class: suite.Name, Name: "scenario",
			Error: problem(string(s.Verdict), fmt.Sprintf("the verdict of the scenario is %s: not all of it was run\n%s", s.Verdict, strings.Join(r.Recommendations, "\n"))),
		})
	}
	return suite
}

func stepCases(s Scenario, step Step) []junitCase {
	class := xmlLine(s.Name) + "." + xmlLine(step.Name)
	measured := junitCase{Class: class, Name: "measured", Time: seconds(step.DurationSeconds)}
	var told []string
	if step.Steered {
		told = append(told, steeredByHand)
	}
	if step.Partial() {
		told = append(told, "metrics of "+step.Repetitions.Text())
	}
	for _, e := range step.SortedErrors() {
		told = append(told, e.Label()+": "+e.Text())
	}
	told = append(told, step.Advice()...)
	switch step.Verdict {
	case Inconclusive, Broken, Interrupted:
		measured.Error = problem(string(step.Verdict), strings.Join(append([]string{step.Reason()}, told...), "\n"))
	default:
		measured.Output = output(told...)
	}
	cases := []junitCase{measured}
	failed := false
	for _, c := range checksOf(step) {
		if c.status == StatusInfo {
			continue
		}
		one := junitCase{Class: class, Name: xmlLine(c.name)}
		if c.kind == KindThreshold {
			one.Name = xmlLine(c.name + " " + c.against)
		}
		text := c.figures()
		if c.name == FindingsMetric && c.status == StatusFail {
			for _, e := range step.Errors {
				if e.Kind == Finding {
					text += "\n" + e.Text()
				}
			}
		}
		if c.detail != "" {
			text += "\n" + c.detail
		}
		switch {
		case step.Verdict == Inconclusive:
			one.Skipped = problem("", "inconclusive: "+text)
		case c.undecided:
			one.Skipped = problem("", "undecided: "+text)
		case c.status == StatusFail:
			failed = true
			one.Failure = problem(string(c.kind), text)
		case c.status == StatusWarn:
			one.Output = output("WARN " + text)
		}
		cases = append(cases, one)
	}
	if step.Verdict == Fail && !failed {
		cases[0].Failure = problem(string(Fail), strings.Join(append([]string{"the step failed"}, told...), "\n"))
	}
	return cases
}

// figures tell a check in one line.
func (c check) figures() string {
	if c.value == (Metric{}).Text() {
		return c.name + " was " + strings.TrimPrefix(c.problem(), c.name+" ")
	}
	text := c.name + " is " + c.value
	if c.against != "" {
		text += ", " + c.standard()
	}
	if c.others != "" {
		text += ", " + c.others
	}
	if c.difference != "" {
		text += ", " + c.difference
	}
	if c.note != "" {
		text += ", " + c.note
	}
	if c.spread != "" {
		text += " (repetitions " + c.spread + ")"
	}
	return text
}

func regressionSuite(whole Report) junitSuite {
	r, units := *whole.Regression, unitsOf(whole)
	suite := junitSuite{Name: "regression", Output: output(regressionSummary(r))}
	for _, m := range r.Metrics {
		c := junitCase{Class: "regression." + xmlLine(m.Scenario) + "." + xmlLine(m.Step), Name: xmlLine(m.Metric)}
		switch m.Verdict {
		case Regressed:
			c.Failure = problem("regression", regressionLine(m, units[metricKey(m)]))
		case Unknown:
			c.Skipped = problem("", regressionLine(m, units[metricKey(m)]))
		default:
			c.Output = output(regressionLine(m, units[metricKey(m)]))
		}
		suite.Cases = append(suite.Cases, c)
	}
	return suite
}

// worseThanParts says whether the run's verdict cannot be understood from those
// of its scenarios.
func worseThanParts(r Report) bool {
	var verdicts []Verdict
	for _, s := range r.Scenarios {
		verdicts = append(verdicts, s.Verdict)
	}
	return severity[r.Verdict] > severity[Worst(verdicts...)]
}
