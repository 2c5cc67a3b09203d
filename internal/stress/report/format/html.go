package format

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"slices"
	"strings"
	"sync"

	"mabeam-top/internal/stress/quantity"
	"mabeam-top/internal/stress/report"
)

//go:embed page.html
var pageHTML string

// pageTemplate is parsed when it is first needed: most runs of the program need no HTML.
var pageTemplate = sync.OnceValue(func() *template.Template {
	return template.Must(template.New("page").Funcs(template.FuncMap{
		"line":       xmlLine,
		"lines":      xmlLines,
		"upper":      func(v any) string { return strings.ToUpper(xmlLine(fmt.Sprint(v))) },
		"class":      class,
		"quantity":   quantity.Format,
		"join":       func(texts []string) string { return strings.Join(texts, ", ") },
		"summary":    summary,
		"score":      scoreLine,
		"highlights": highlights,
		"titled":     titled,
		"operations": operations,
		"peaks":      peaks,
		"params":     params,
	}).Parse(pageHTML))
})

// classes are the verdicts and statuses that the style sheet knows.
var classes = []string{"pass", "exceed", "warn", "inconclusive", "fail", "error", "interrupted", "info"}

// class is the class of a verdict or status. It lets no other text into the page.
func class(v any) string {
	if s := fmt.Sprint(v); slices.Contains(classes, s) {
		return s
	}
	return "error"
}

// writeHTML writes one page without scripts, other files or requests. It follows the
// reader's choice of light or dark and fits a phone. With a timeline it has charts of
// each step.
func writeHTML(w io.Writer, r report.Report, t report.Timeline, _ Options) error {
	p := htmlPage{Report: r, Notes: timelineNotes(r, t), Environment: environment(r)}
	if len(r.Command) > 0 {
		p.Environment = append(p.Environment, fact{"re-run", shellLine(r.Command)})
	}
	if r.Regression != nil {
		p.Comparison = &htmlComparison{
			Summary: comparisonSummary(*r.Regression), Detected: r.Regression.Detected,
			Metrics: comparedMetrics(r), Unchanged: unchanged(*r.Regression),
		}
	}
	for i, s := range r.Scenarios {
		p.Scenarios = append(p.Scenarios, htmlScenarioOf(s, t, fmt.Sprintf("s%d", i+1)))
	}
	var page strings.Builder
	if err := pageTemplate().Execute(&page, p); err != nil {
		return err
	}
	_, err := io.WriteString(w, page.String())
	return err
}

// timelineNotes say what the charts do not show.
func timelineNotes(r report.Report, t report.Timeline) []string {
	var notes []string
	if t.Thinned > 0 {
		notes = append(notes, fmt.Sprintf("The charts omit %s samples of this long run, evenly.", quantity.Count(float64(t.Thinned))))
	}
	if t.FaultsLeftOut > 0 {
		notes = append(notes, fmt.Sprintf("The charts omit %s faults; the counts include them.", quantity.Count(float64(t.FaultsLeftOut))))
	}
	if len(t.Times) == 0 && len(r.Scenarios) > 0 {
		notes = append(notes, "A stored report has no charts over time; a recording (--record) has.")
	}
	return notes
}

// An htmlPage and the records below are what the template shows.
type htmlPage struct {
	Report      report.Report
	Comparison  *htmlComparison
	Scenarios   []htmlScenario
	Notes       []string
	Environment []fact
}

type htmlComparison struct {
	Summary   string
	Detected  bool
	Metrics   []comparedMetric
	Unchanged string
}

type htmlScenario struct {
	report.Scenario
	ID    string
	Steps []htmlStep
}

func htmlScenarioOf(s report.Scenario, t report.Timeline, id string) htmlScenario {
	one := htmlScenario{Scenario: s, ID: id}
	for i, step := range s.Steps {
		one.Steps = append(one.Steps, htmlStepOf(step, t.ForStep(s.Name, step.Name), fmt.Sprintf("%s-%d", id, i+1)))
	}
	return one
}

type htmlStep struct {
	report.Step
	ID        string
	Checked   []htmlRow
	Met       []htmlRow // conditions that are met
	Unchecked []htmlRow
	Charts    []chart
	// FaultMarks explain the fault marks in the charts.
	FaultMarks string
}

// Open reports whether to show the charts without a click.
func (s htmlStep) Open() bool { return s.Verdict != report.Pass || len(s.Faults) > 0 }

// ConditionsMet counts the conditions that are met.
func (s htmlStep) ConditionsMet() string { return ConditionsMet(len(s.Met)) }

// WithoutCheck counts the metrics without a check.
func (s htmlStep) WithoutCheck() string { return metricsWithoutCheck(len(s.Unchecked)) }

func metricsWithoutCheck(n int) string {
	if n == 1 {
		return "1 metric without a check"
	}
	return fmt.Sprintf("%d metrics without a check", n)
}

func htmlStepOf(step report.Step, t report.StepTimeline, id string) htmlStep {
	one := htmlStep{Step: step, ID: id}
	if t.Known {
		one.Charts, one.FaultMarks = charts(t), faultMarks(t)
	}
	for _, r := range rowsOf(step) {
		shown := htmlRowOf(r, step, t)
		switch {
		case r.informs():
			one.Unchecked = append(one.Unchecked, shown)
		case r.isMetCondition():
			one.Met = append(one.Met, shown)
		default:
			one.Checked = append(one.Checked, shown)
		}
	}
	return one
}

// Facts say what the step measured, and how.
func (s htmlStep) Facts() []string {
	facts := stepFacts(s.Step)
	if s.Partial() {
		facts = append(facts, partialMetrics(s.Step))
	}
	return append(facts, "took "+quantity.Format(s.DurationSeconds, "s"))
}

type htmlRow struct {
	Status, Name, Value, Limit, Difference, Spread, Notes string
	Dots                                                  *dots
	// Void means that the row says nothing about the system.
	Void bool
}

func htmlRowOf(r row, step report.Step, t report.StepTimeline) htmlRow {
	shown := htmlRow{
		Status: r.word(), Name: r.name, Value: r.value, Limit: r.check.Limit, Difference: r.check.Difference, Spread: r.spread,
		Notes: join("; ", r.remark(), r.background(), worst(r, step, t), r.distribution), Void: step.Verdict == report.Inconclusive,
	}
	if r.threshold == nil {
		shown.Dots = dotsOf(step.Metrics[r.name])
	}
	return shown
}

// background says what a floor is relative to, and lists the metric's other checks.
func (r row) background() string {
	others := ""
	if r.others != "" {
		others = "other checks: " + r.others
	}
	return join("; ", r.check.Basis, others)
}

// worst says when a row that failed was at its worst, and which faults came before.
func worst(r row, step report.Step, t report.StepTimeline) string {
	switch {
	case !t.Known || r.status != report.StatusFail:
		return ""
	case r.threshold != nil && r.threshold.Actual != nil:
		return t.WorstOfThreshold(*r.threshold)
	case r.threshold == nil && step.Metrics[r.name].Value != nil:
		return t.WorstOfBaseline(r.name)
	}
	return ""
}

// mostFaultMarks is how many fault marks are explained.
const mostFaultMarks = 8

func faultMarks(t report.StepTimeline) string {
	var texts []string
	for _, f := range t.Faults() {
		texts = append(texts, fmt.Sprintf("%s at %s", f.Text(), quantity.Format(f.At-t.From, "s")))
	}
	if more := len(texts) - mostFaultMarks; more > 0 {
		texts = append(texts[:mostFaultMarks], fmt.Sprintf("and %d more", more))
	}
	return strings.Join(texts, "; ")
}

// params lists a step's parameters as in a scenario file.
func params(step report.Step) []fact {
	var facts []fact
	for name, v := range step.Params {
		text, isText := v.(string)
		if !isText {
			encoded, err := report.MarshalUnescaped(v)
			if err != nil {
				encoded = []byte(fmt.Sprint(v))
			}
			text = strings.TrimSpace(string(encoded))
		}
		facts = append(facts, fact{name, text})
	}
	slices.SortFunc(facts, func(a, b fact) int { return strings.Compare(a.Name, b.Name) })
	return facts
}
