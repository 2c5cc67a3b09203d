package report

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"mabeam-top/internal/stress/quantity"
)

// An Error is what a step reports besides its metrics, and how often it happened.
type Error struct {
	Message        string    `json:"message"`
	Count          int64     `json:"count"`
	FirstAtSeconds float64   `json:"first_at_seconds"`
	Kind           ErrorKind `json:"kind,omitempty"`
}

// An ErrorKind is what an Error is about.
type ErrorKind string

// The kinds of errors.
const (
	OperationFailed ErrorKind = ""           // an operation, or the step itself, failed
	Finding         ErrorKind = "finding"    // a defect of the system, which fails the step
	Detail          ErrorKind = "detail"     // explains a metric that fails by itself
	Unmeasured      ErrorKind = "unmeasured" // a metric has no value
	Note            ErrorKind = "note"       // worth knowing, and no defect
)

// errorLabels are the kinds of errors with their labels, the most important first.
var errorLabels = []struct {
	kind  ErrorKind
	label string
}{
	{Finding, "finding"},
	{OperationFailed, "error"},
	{Detail, "detail"},
	{Unmeasured, "not measured"},
	{Note, "note"},
}

// Label returns the word that precedes the error in a report.
func (e Error) Label() string {
	if rank := e.rank(); rank < len(errorLabels) {
		return errorLabels[rank].label
	}
	return "error"
}

// rank orders errors by their kind, the most important first.
func (e Error) rank() int {
	for i, k := range errorLabels {
		if k.kind == e.Kind {
			return i
		}
	}
	return len(errorLabels)
}

// times returns how often the error happened; empty for once.
func (e Error) times() string {
	if e.Count <= 1 {
		return ""
	}
	return quantity.Count(float64(e.Count)) + "× "
}

// Text returns the error with its count and the time of its first occurrence.
func (e Error) Text() string {
	message := e.Message
	if e.Kind == Unmeasured {
		message = strings.Replace(message, wasNotMeasured, ": ", 1)
	}
	return fmt.Sprintf("%s%s (first at %s)", e.times(), message, quantity.Format(e.FirstAtSeconds, "s"))
}

// SortedErrors returns the step's errors by kind, the most important first.
func (s Step) SortedErrors() []Error {
	sorted := slices.Clone(s.Errors)
	slices.SortStableFunc(sorted, func(a, b Error) int { return cmp.Compare(a.rank(), b.rank()) })
	return sorted
}

// wasNotMeasured separates the name of a metric from the reason in the message of an
// Unmeasured error.
const wasNotMeasured = " was not measured: "

// NotMeasured returns the message of an Unmeasured error.
func NotMeasured(metric, why string) string { return metric + wasNotMeasured + why }

// Missing returns in which repetitions a metric was not measured, and why. Either is
// empty if it is not known, or would say nothing.
func (s Step) Missing(name string) (where, why string) {
	return missingIn(s.Metrics[name].MissingIn, s.RepetitionCount()), strings.Join(s.reasonsMissing(name), "; ")
}

func missingIn(repetitions []int, all int) string {
	switch {
	case len(repetitions) == 0 || all <= 1:
		return ""
	case len(repetitions) >= all:
		return "in any repetition"
	}
	texts := make([]string, len(repetitions))
	for i, n := range repetitions {
		texts[i] = strconv.Itoa(n)
	}
	last := len(texts) - 1
	if last == 0 {
		return fmt.Sprintf("in repetition %s of %d", texts[0], all)
	}
	return fmt.Sprintf("in repetitions %s and %s of %d", strings.Join(texts[:last], ", "), texts[last], all)
}

func (s Step) reasonsMissing(name string) []string {
	var reasons []string
	for _, e := range s.Errors {
		if why, ok := strings.CutPrefix(e.Message, name+wasNotMeasured); ok && e.Kind == Unmeasured {
			reasons = append(reasons, FirstLine(why))
		}
	}
	return reasons
}

// FindingsMetric is the metric that counts the findings of a measurement: defects of the
// system that no other metric shows.
const FindingsMetric = "findings"

// mostFindings is how many findings a remark names.
const mostFindings = 2

// Remark returns what a metric's value does not say: why it is undecided or was not
// measured, the findings, or the interval of an estimate. It is empty if there is nothing
// to add.
func (s Step) Remark(name string) string {
	m := s.Metrics[name]
	switch {
	case m.Undecided != "":
		return m.Undecided
	case m.Value == nil:
		where, why := s.Missing(name)
		return strings.TrimPrefix(strings.TrimSuffix(where+": "+why, ": "), ": ")
	case name == FindingsMetric:
		return s.findings()
	}
	return m.IntervalText()
}

// findings names the first findings.
func (s Step) findings() string {
	var texts []string
	for _, e := range s.Errors {
		if e.Kind == Finding {
			texts = append(texts, e.times()+FirstLine(e.Message))
		}
	}
	if more := len(texts) - mostFindings; more > 0 {
		texts = append(texts[:mostFindings], fmt.Sprintf("and %d more below", more))
	}
	return strings.Join(texts, "; ")
}
