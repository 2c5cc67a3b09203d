package report

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"slices"
	"strings"
	"sync"
	"time"
)

//go:embed page.html
var pageHTML string

// pageTemplate parses the template when a page is first written, because parsing takes a
// millisecond of every start otherwise.
var pageTemplate = sync.OnceValue(func() *template.Template {
	return template.Must(template.New("page").Funcs(template.FuncMap{
		"line":     xmlLine,
		"lines":    xmlLines,
		"upper":    func(v any) string { return strings.ToUpper(xmlLine(fmt.Sprint(v))) },
		"class":    class,
		"quantity": Quantity,
		"count":    func(n int64) string { return count(float64(n)) },
	}).Parse(pageHTML))
})

// class is a name that the style sheet knows a verdict or status by, so that
// nothing from outside gets there.
func class(v any) string {
	s := fmt.Sprint(v)
	if slices.Contains([]string{"pass", "exceed", "warn", "inconclusive", "fail", "error", "interrupted", "info", "undecided"}, s) {
		return s
	}
	return "error"
}

// HTML writes the report as one page that needs nothing else: no script, no
// other file and no network, whatever is in it. It follows the reader's choice
// of light or dark, and fits a phone. With a course it has charts of each step:
// probes with the limits that they show, the repetitions and the faults.
func HTML(w io.Writer, r Report, c Course) error {
	p := htmlPage{Report: r, Summary: summary(r), Score: digits(r.Score, 3), Took: Quantity(r.DurationSeconds, "s"), Origin: originOf(r)}
	problems := problemsOf(r)
	p.Problems = problems[:min(len(problems), mostProblems)]
	p.MoreProblems = len(problems) - len(p.Problems)
	if r.Regression != nil {
		p.Regression = regressionOf(r)
	}
	for i, s := range r.Scenarios {
		one := htmlScenario{Scenario: s, Name: named(s.Title, s.Name), ID: fmt.Sprintf("s%d", i+1), Took: Quantity(s.DurationSeconds, "s")}
		for j, step := range s.Steps {
			one.Steps = append(one.Steps, stepOf(s, step, c, fmt.Sprintf("s%d-%d", i+1, j+1)))
		}
		p.Scenarios = append(p.Scenarios, one)
	}
	if c.Thinned > 0 {
		p.Notes = append(p.Notes, fmt.Sprintf("The run was long: %s of its samples are not in the charts, evenly left out.", count(float64(c.Thinned))))
	}
	if c.FaultsLeftOut > 0 {
		p.Notes = append(p.Notes, fmt.Sprintf("%s of the faults are not marked in the charts; all are counted.", count(float64(c.FaultsLeftOut))))
	}
	if len(c.Times) == 0 && len(r.Scenarios) > 0 {
		p.Notes = append(p.Notes, "A stored report does not know the course of its run, so that there are no charts over time: a recording (--record) does.")
	}
	var page strings.Builder
	err := pageTemplate().Execute(&page, p)
	if err == nil {
		_, err = io.WriteString(w, page.String())
	}
	if err != nil {
		return fmt.Errorf("write report as HTML: %w", err)
	}
	return nil
}

// An htmlPage is what the template shows; so are the records below.
type htmlPage struct {
	Report       Report
	Summary      string
	Score, Took  string
	Problems     []string
	MoreProblems int
	Regression   *htmlRegression
	Scenarios    []htmlScenario
	Notes        []string
	Origin       []htmlFact
}

type htmlScenario struct {
	Scenario
	ID    string
	Name  string
	Took  string
	Steps []htmlStep
}

type htmlStep struct {
	Step
	ID      string
	Took    string
	Facts   []string
	Judged  []htmlCheck
	Exact   []htmlCheck // conditions that hold
	Rest    []htmlCheck
	Charts  []chart
	Counted string
	Peaks   string
	Params  []htmlFact
	// Why says why the step is inconclusive; empty if it is not.
	Why string
	// Advice is what else to look at.
	Advice []string
	// Marks tell what the fault marks in the charts are.
	Marks string
	// Open says whether the charts are shown at once: there is something to see.
	Open bool
}

// ExactConditions says how many of them hold.
func (s htmlStep) ExactConditions() string { return ExactConditions(len(s.Exact)) }

type htmlCheck struct {
	Status, Name, Value, Kind, Against, Difference, Spread, Remarks string
	Dots                                                            *dots
	// Void says that it is not about the system.
	Void bool
}

type htmlFact struct{ Name, Text string }

type htmlRegression struct {
	Summary  string
	Detected bool
	Lines    []htmlFact
	Same     int
}

func stepOf(s Scenario, step Step, c Course, id string) htmlStep {
	one := htmlStep{Step: step, ID: id, Took: Quantity(step.DurationSeconds, "s"), Peaks: peaks(step.Probes), Params: paramsOf(step)}
	one.Facts, one.Advice = stepFacts(step), step.advice()
	if step.Verdict == Inconclusive {
		one.Why = step.Reason()
	}
	if step.Partial() {
		one.Facts = append(one.Facts, "metrics of "+step.Repetitions.Text())
	}
	went := c.StepCourse(s.Name, step.Name)
	for _, k := range checksOf(step) {
		row := htmlCheck{
			Status: k.word(), Name: k.name, Value: k.value, Kind: string(k.kind), Against: k.against, Difference: k.difference, Spread: k.spread,
			Remarks: joined(k.note, k.moreAgainst(), k.worst(step, went), k.detail), Void: step.Verdict == Inconclusive,
		}
		if k.kind != KindLimit {
			row.Dots = dotsOf(step.Metrics[k.name])
		}
		switch {
		case k.word() == string(StatusInfo):
			one.Rest = append(one.Rest, row)
		case k.exact():
			one.Exact = append(one.Exact, row)
		default:
			one.Judged = append(one.Judged, row)
		}
	}
	if o := step.Operations; o.Attempted > 0 {
		one.Counted = operations(o)
	}
	if went.known {
		one.Charts = chartsOf(c, went.CourseStep)
		one.Marks = marksOf(c, went.CourseStep)
	}
	one.Open = step.Verdict != Pass || len(step.Faults) > 0
	return one
}

// moreAgainst says what the check is held against besides what its row tells, and what
// a floor is a share of.
func (k check) moreAgainst() string {
	others := ""
	if k.others != "" {
		others = "also held against " + k.others
	}
	return joined(k.basis, others)
}

// worst says when a failed check was at its worst, and what was done to the system
// then.
func (k check) worst(step Step, course StepCourse) string {
	switch {
	case !course.known || k.status != StatusFail:
		return ""
	case k.threshold != nil && k.threshold.Actual != nil:
		return course.Worst(*k.threshold)
	case k.threshold == nil && step.Metrics[k.name].Value != nil:
		return course.WorstOfBaseline(k.name)
	}
	return ""
}

// joined are the texts that say something.
func joined(texts ...string) string {
	return strings.Join(slices.DeleteFunc(texts, func(text string) bool { return text == "" }), "; ")
}

// mostMarks is how many fault marks are told in words.
const mostMarks = 8

func marksOf(c Course, step CourseStep) string {
	var told []string
	for _, f := range c.Faults {
		if f.in(step) {
			told = append(told, fmt.Sprintf("%s at %s", f.Text(), Quantity(f.At-step.From, "s")))
		}
	}
	if more := len(told) - mostMarks; more > 0 {
		told = append(told[:mostMarks], fmt.Sprintf("and %d marks more", more))
	}
	return strings.Join(told, "; ")
}

// paramsOf lists a step's parameters as a scenario file has them.
func paramsOf(step Step) []htmlFact {
	var facts []htmlFact
	for name, v := range step.Params {
		text, isText := v.(string)
		if !isText {
			encoded, err := MarshalReadable(v)
			if err != nil {
				encoded = []byte(fmt.Sprint(v))
			}
			text = strings.TrimSpace(string(encoded))
		}
		facts = append(facts, htmlFact{name, text})
	}
	slices.SortFunc(facts, func(a, b htmlFact) int { return strings.Compare(a.Name, b.Name) })
	return facts
}

func regressionOf(whole Report) *htmlRegression {
	r, units := *whole.Regression, unitsOf(whole)
	one := &htmlRegression{Summary: regressionSummary(r), Detected: r.Detected}
	for _, change := range worthTelling {
		for _, m := range r.Metrics {
			if m.Verdict == change {
				one.Lines = append(one.Lines, htmlFact{string(change), regressionLine(m, units[metricKey(m)])})
			}
		}
	}
	one.Same = len(r.Metrics) - len(one.Lines)
	return one
}

func originOf(r Report) []htmlFact {
	var facts []htmlFact
	add := func(name, text string) {
		if text != "" {
			facts = append(facts, htmlFact{name, text})
		}
	}
	if r.Host != (Host{}) {
		add("host", machine(r.Host))
	}
	add("run", r.ID)
	if !r.StartedAt.IsZero() {
		add("started", r.StartedAt.UTC().Format(time.RFC3339))
	}
	add("seed", fmt.Sprint(r.Seed))
	if r.Tool != (Tool{}) {
		add("program", fmt.Sprintf("mabeam-top %s (%s), %s", r.Tool.Version, r.Tool.Commit, r.Tool.Go))
	}
	add("again", shellLine(r.Command))
	return facts
}
