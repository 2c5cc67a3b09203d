package report

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"mabeam-top/internal/stress/quantity"
)

// A StandardKind says what kind of limit a metric is held against.
type CheckKind string

// The kinds of standards, the strictest first.
const (
	KindCondition CheckKind = "must"      // a condition that every working system meets
	KindFloor     CheckKind = "floor"     // a share of a reference work of the same run
	KindBaseline  CheckKind = "baseline"  // a row of the baseline table
	KindThreshold CheckKind = "threshold" // a threshold of the scenario
)

// A Standard is one thing that a metric is held against, and how that went.
type Check struct {
	Kind CheckKind
	// Against is the limit, such as "== 0", ">= 12.3k/s" or, of a baseline, "15k/s".
	Against string
	// Basis says what a floor is a share of, such as "5 % of hand_over".
	Basis string
	// Difference is how far the value is from the limit, such as "31 % worse".
	Difference string
	Status     Status
}

// Text writes the standard as the part of a sentence, such as "must be == 0".
func (s Check) Text() string {
	switch {
	case s.Kind == KindCondition:
		return "must be " + s.Against
	case s.Basis != "":
		return fmt.Sprintf("%s %s (%s)", s.Kind, s.Against, s.Basis)
	}
	return string(s.Kind) + " " + s.Against
}

// Standards returns everything that the metric is held against, the worst result
// first; nothing for a metric that is only information. Among equally bad results a
// condition comes before a floor and a floor before a baseline.
func (m Metric) Checks() []Check {
	var all []Check
	v, ok := Number(m.Value)
	if m.Condition != "" {
		all = append(all, Check{Kind: KindCondition, Against: quantity.Condition(m.Condition, m.Unit), Status: passIf(m.Meets(m.Condition))})
	}
	if f := m.Floor; f != nil {
		operator, met := ">=", v >= f.Value
		if m.Better == Lower {
			operator, met = "<=", v <= f.Value
		}
		s := Check{Kind: KindFloor, Against: operator + " " + quantity.Format(f.Value, m.Unit), Basis: f.basis(), Status: passIf(ok && met)}
		if share := (v - f.Value) / f.Value; ok && Finite(share) {
			if m.Better == Lower {
				share = -share
			}
			s.Difference = difference(&share)
		}
		all = append(all, s)
	}
	if m.Baseline != nil {
		all = append(all, Check{
			Kind: KindBaseline, Against: quantity.Format(*m.Baseline, m.Unit),
			Difference: difference(m.Deviation), Status: m.baselineStatus(v, ok),
		})
	}
	if len(all) == 1 {
		all[0].Status = m.Status // it was judged by nothing else
	}
	slices.SortStableFunc(all, func(a, b Check) int { return cmp.Compare(badness(a.Status), badness(b.Status)) })
	return all
}

// badness orders statuses, the worst first.
func badness(s Status) int {
	if i := slices.Index([]Status{StatusFail, StatusWarn}, s); i >= 0 {
		return i
	}
	return 2
}

// Shown returns the standard to show where there is room for one: the worst, and of a
// metric that passed the one that its status is about. It says false if there is none.
func (m Metric) MainCheck() (Check, bool) {
	all := m.Checks()
	if len(all) == 0 {
		return Check{}, false
	}
	if i := slices.IndexFunc(all, func(s Check) bool { return s.Kind == KindBaseline }); i >= 0 && badness(all[0].Status) == 2 {
		return all[i], true
	}
	return all[0], true
}

// Meets says whether the metric's value meets a condition such as "== 0"; one without
// a number does not.
func (m Metric) Meets(condition string) bool {
	v, ok := Number(m.Value)
	return ok && meets(v, condition)
}

func passIf(ok bool) Status {
	if ok {
		return StatusPass
	}
	return StatusFail
}

// Number returns a metric's value as a number, a bool being 1 or 0, and false if it is
// not one.
func Number(value any) (float64, bool) {
	switch v := value.(type) {
	case float64:
		return v, Finite(v)
	case bool:
		if v {
			return 1, true
		}
		return 0, true
	}
	return 0, false
}

// meets says whether a number meets a condition such as "== 0" or "== true". One that
// cannot be read is not met.
func meets(v float64, condition string) bool {
	operator, text, _ := strings.Cut(condition, " ")
	limit, err := strconv.ParseFloat(text, 64)
	switch text {
	case "true":
		limit, err = 1, nil
	case "false":
		limit, err = 0, nil
	}
	if err != nil {
		return false
	}
	return Holds(v, operator, limit)
}

// Holds says whether a condition such as "< 5" is true of a value. Nothing is true of
// a value that is not a number, and nothing of an unknown operator.
func Holds(v float64, operator string, limit float64) bool {
	if math.IsNaN(v) {
		return false
	}
	switch operator {
	case "<":
		return v < limit
	case "<=":
		return v <= limit
	case ">":
		return v > limit
	case ">=":
		return v >= limit
	case "==":
		return v == limit
	case "!=":
		return v != limit
	}
	return false
}

// baselineStatus is what the baseline alone makes of the value.
func (m Metric) baselineStatus(v float64, ok bool) Status {
	if !ok {
		return StatusFail
	}
	tolerance := 0.0
	if m.Tolerance != nil {
		tolerance = *m.Tolerance
	}
	deviation := v - *m.Baseline // of a baseline of 0, only its sign counts
	if m.Better == Lower {
		deviation = -deviation
	}
	if deviation != 0 {
		deviation = math.Copysign(math.Inf(1), deviation)
	}
	if m.Deviation != nil {
		deviation = *m.Deviation
	}
	return StatusOf(deviation, tolerance)
}

// StatusOf says what a deviation from a baseline, more being better, means within the
// tolerance t: above t exceed, below −t fail, below −t/2 warn, else pass.
func StatusOf(deviation, tolerance float64) Status {
	switch {
	case deviation > tolerance:
		return StatusExceed
	case deviation < -tolerance:
		return StatusFail
	case deviation < -tolerance/2:
		return StatusWarn
	}
	return StatusPass
}

// basis says what share of what the floor is.
func (f Floor) basis() string {
	if f.Share >= 2 {
		return quantity.Number(f.Share) + " × " + f.Reference
	}
	return quantity.Percent(f.Share) + " of " + f.Reference
}

// difference writes a deviation, more being better.
func difference(deviation *float64) string {
	switch {
	case deviation == nil:
		return ""
	case *deviation > 0:
		return quantity.Percent(*deviation) + " better"
	case *deviation < 0:
		return quantity.Percent(*deviation) + " worse"
	}
	return "the same"
}

// IntervalText writes between what bounds an estimate lies; empty for what is no
// estimate.
func (m Metric) IntervalText() string {
	if m.Interval == nil {
		return ""
	}
	return fmt.Sprintf("between %s and %s", quantity.Format(m.Interval.Low, m.Unit), quantity.Format(m.Interval.High, m.Unit))
}

// FindingsMetric is the metric that counts what a measurement found wrong with the
// system besides what its other metrics say. Errors of the kind Finding name it.
const FindingsMetric = "findings"

// mostFindings is how many findings a row names.
const mostFindings = 2

// Remark says of a metric what its number does not: what was found, in which
// repetitions it was not measured and why, why it is undecided, or between what
// bounds an estimate lies. It is empty where there is nothing to say.
func (s Step) Remark(name string) string {
	m := s.Metrics[name]
	switch {
	case m.Undecided != "":
		return m.Undecided
	case m.Value == nil:
		return s.missing(name)
	case name == FindingsMetric:
		return s.found()
	}
	return m.IntervalText()
}

// missing says in which repetitions a metric was not measured, and why.
func (s Step) missing(name string) string {
	numbers := s.Metrics[name].MissingIn
	where := ""
	switch all := s.RepetitionCount(); {
	case len(numbers) == 0 || all <= 1:
	case len(numbers) >= all:
		where = "in any repetition"
	default:
		texts := make([]string, len(numbers))
		for i, n := range numbers {
			texts[i] = strconv.Itoa(n)
		}
		last := len(texts) - 1
		where = fmt.Sprintf("in repetition %s of %d", texts[last], all)
		if last > 0 {
			where = fmt.Sprintf("in repetitions %s and %s of %d", strings.Join(texts[:last], ", "), texts[last], all)
		}
	}
	reasons := s.unmeasured(name)
	if len(reasons) == 0 {
		return where
	}
	return strings.TrimPrefix(where+": "+strings.Join(reasons, "; "), ": ")
}

// wasNot is between the name of a metric and why it has no value, in the message of
// an error of the kind Unmeasured.
const wasNot = " was not measured: "

// NotMeasured is the message of an error of the kind Unmeasured: a metric has no value,
// and why.
func NotMeasured(metric, why string) string { return metric + wasNot + why }

// unmeasured are the reasons why a metric has no value.
func (s Step) unmeasured(name string) []string {
	var reasons []string
	for _, e := range s.Errors {
		if why, ok := strings.CutPrefix(e.Message, name+wasNot); ok && e.Kind == Unmeasured {
			reasons = append(reasons, FirstLine(why))
		}
	}
	return reasons
}

// found names the findings.
func (s Step) found() string {
	var texts []string
	for _, e := range s.Errors {
		if e.Kind == Finding {
			texts = append(texts, e.Times()+FirstLine(e.Message))
		}
	}
	if more := len(texts) - mostFindings; more > 0 {
		texts = append(texts[:mostFindings], fmt.Sprintf("and %d more below", more))
	}
	return strings.Join(texts, "; ")
}

// RepetitionCount is of how many repetitions the step's metrics are, as far as they
// tell.
func (s Step) RepetitionCount() int {
	n := 0
	for _, m := range s.Metrics {
		n = max(n, len(m.Samples)+len(m.MissingIn))
	}
	return n
}

// errorKinds are the kinds of errors with their labels, the most important first.
var errorLabels = []struct {
	kind  ErrorKind
	label string
}{
	{Finding, "wrong"},
	{OperationFailed, "error"},
	{Detail, "detail"},
	{Unmeasured, "not measured"},
	{Note, "note"},
}

// Label is the word that stands before the error in a report.
func (e Error) Label() string {
	for _, k := range errorLabels {
		if k.kind == e.Kind {
			return k.label
		}
	}
	return "error"
}

// times is how often the error happened, to stand before its message; empty for what
// happened once and for what has no use for a number.
func (e Error) Times() string {
	if e.Count <= 1 {
		return ""
	}
	return quantity.Count(float64(e.Count)) + "× "
}

// Text writes the error with its number and the time of its first occurrence, to
// stand behind its label.
func (e Error) Text() string {
	message := e.Message
	if e.Kind == Unmeasured {
		message = strings.Replace(message, wasNot, ": ", 1)
	}
	return fmt.Sprintf("%s%s (first at %s)", e.Times(), message, quantity.Format(e.FirstAtSeconds, "s"))
}

// SortedErrors returns the step's errors grouped by kind, the most important first.
func (s Step) SortedErrors() []Error {
	sorted := slices.Clone(s.Errors)
	slices.SortStableFunc(sorted, func(a, b Error) int { return cmp.Compare(a.rank(), b.rank()) })
	return sorted
}

func (e Error) rank() int {
	for i, k := range errorLabels {
		if k.kind == e.Kind {
			return i
		}
	}
	return len(errorLabels)
}
