package scenario

import (
	"fmt"
	"math"
	"slices"

	"mabeam-top/internal/stress/report"
	"mabeam-top/internal/stress/verdict"
)

// A Metric describes one quantity that a measurement reports.
type Metric struct {
	Name string
	// Unit is one of ms, s, bytes, MB, 1/s, ratio, count, exponent, bool, text.
	Unit   string
	Better report.Better
	// Distribution says that it has one, so that NAME.p99 and the like exist.
	Distribution bool
	// Keyed says that NAME.KEY exist besides, one for each part, type or the
	// like.
	Keyed bool
	// Probe is the probe that shows the metric while it is measured; empty if
	// none does. Of a distribution it is the one of the median.
	Probe string
	// ProbePer is the parameter of kind Int that the metric has to be
	// multiplied with to be in the probe's unit, such as the subscribers of
	// each event; empty for none.
	ProbePer string
	// CappedBy is the parameter above which the metric cannot come, whatever the
	// system does: a rate, a number, or the greatest of numbers. Empty for none.
	CappedBy string
	// Must is the condition that the metric meets in every system that does its job,
	// in the notation of a threshold ("== 0"); empty for none. It is always judged,
	// a metric without a value fails it, and only a threshold of the scenario on the
	// same metric takes its place.
	Must string
	// Expected says whether Must is asked with these parameters, where that depends
	// on them: a failure that was asked for is no fault. Nil is always.
	Expected func(Params) bool
	// Timed says that time decides whether Must is met, because something is given up
	// after some time: where other programs took the processors it is undecided.
	Timed bool
	// Given says whether the metric is reported with these parameters; nil if it
	// always is. One that is not reported although it is given has no value.
	Given func(Params) bool
	// OfProcess says that the metric counts what the whole process holds, so that Must
	// is not asked beside other steps.
	OfProcess bool
	// Fold says what the repetitions come to together.
	Aggregation Aggregation
	// Unclipped says that an estimate may be below 0 though lower is better; others
	// are told as 0 then.
	Unclipped bool
	// Bound makes a bool of an estimate besides what the repetitions say of it.
	Bound *Bound
	// Late says that the load which it is of comes after others of the same
	// repetition, so that its limits are drawn and told of only in the end: the
	// probe would be held against them before it begins.
	Late bool
	// Doc says in one sentence what it means and how it is measured.
	Doc string
}

// A Fold says what the numbers of the repetitions come to together. Yes and no come
// to the worse, texts to the most frequent one, and estimates are pooled.
type Aggregation int

// The folds.
const (
	// Median is for figures of speed and size, of which each repetition has one.
	Median Aggregation = iota
	// Sum is for counts of what went wrong.
	Sum
	// Worst is for what has to hold in every repetition, such as a share of success.
	Worst
)

// A Bound says that a bool is yes only while an estimate is within Limit of 0, as far
// as its interval tells, or, if Least is given, at least that. One below Least whose
// interval reaches it is undecided.
type Bound struct {
	Metric       string
	Limit, Least float64
}

// findings is a metric of every measurement.
var findings = Metric{
	Name: report.FindingsMetric, Unit: "count", Better: report.Lower, Must: "== 0", Aggregation: Sum,
	Doc: "How often the measurement found something wrong with the system that no other metric tells; each is named in the errors.",
}

// declared are the metrics that the step has to report with its parameters, without
// values.
func (s *Step) DeclaredMetrics() map[string]report.Metric {
	metrics := map[string]report.Metric{}
	for _, m := range s.ReportedMetrics() {
		metrics[m.Name] = report.Metric{Unit: m.Unit, Better: m.Better}
	}
	return metrics
}

// given are the metrics that the step has with its parameters.
func (s *Step) ReportedMetrics() []Metric {
	all := append([]Metric{findings}, s.Measurement.Metrics...)
	return slices.DeleteFunc(all, func(m Metric) bool { return m.Given != nil && !m.Given(s.Params) })
}

// exact are the conditions that the step's metrics have to meet, by name. Beside says
// that other steps run at the same time.
func (s *Step) Conditions(beside bool) map[string]verdict.Exact {
	conditions := map[string]verdict.Exact{}
	for _, m := range s.ReportedMetrics() {
		if m.Must == "" || m.Expected != nil && !m.Expected(s.Params) || m.OfProcess && beside {
			continue
		}
		c, err := verdict.ParseCondition(m.Must)
		if err != nil {
			panic(err) // the catalogue is part of the program, and a test reads it
		}
		conditions[m.Name] = verdict.Exact{Condition: c, Timed: m.Timed || m.Bound != nil && m.Bound.Least > 0}
	}
	return conditions
}

// scale is what to multiply the metric with to be in its probe's unit.
func (m Metric) ProbeScale(p Params) float64 {
	if m.ProbePer == "" {
		return 1
	}
	return float64(p.Int(m.ProbePer))
}

// shares are the metrics in the unit ratio that are a part of a whole by their
// definition, and so never more than 1. Other ratios compare two things that were
// measured apart, and may be anything.
var shares = []string{"success_rate", "stability_score", "load_balance", "graceful_degradation_score", "gc_reclaimed_ratio", "fragmentation_ratio"}

// never says why a condition on the metric, or on a statistic of it, cannot hold
// whatever is measured. It returns "" if it can.
func (m Metric) never(c verdict.Condition) string {
	switch {
	case m.Unit == "bool":
		if !c.Holds(0) && !c.Holds(1) {
			return fmt.Sprintf("%s is true (1) or false (0)", m.Name)
		}
	case m.Unit == "ratio" && slices.Contains(shares, m.Name):
		if !c.Possible(0, 1) {
			return fmt.Sprintf("%s is a share, which is from 0 to 1 (0%% to 100%%)", m.Name)
		}
	case slices.Contains([]string{"count", "1/s", "ms", "s"}, m.Unit):
		if !c.Possible(0, math.Inf(1)) {
			return fmt.Sprintf("%s is never less than 0", m.Name)
		}
	}
	return ""
}
