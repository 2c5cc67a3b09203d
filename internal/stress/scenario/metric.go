package scenario

import (
	"fmt"
	"math"
	"slices"

	"mabeam-top/internal/probes/probe"
	"mabeam-top/internal/stress/report"
	"mabeam-top/internal/stress/verdict"
)

// A Metric describes one quantity that a measurement reports.
type Metric struct {
	Name string
	// Unit is one of ms, s, bytes, MB, 1/s, ratio, count, exponent, bool, text.
	Unit   string
	Better report.Better
	// Distribution says that the metric has a distribution, with statistics such as
	// NAME.p99.
	Distribution bool
	// Keyed says that there are also metrics NAME.KEY, for each part, type or the
	// like.
	Keyed bool
	// Probe is the probe that shows the metric while it is measured; empty for none.
	// For a distribution it is the probe of the median.
	Probe probe.Name
	// ProbePer is the parameter of kind Int that the metric is multiplied with to get
	// the unit of the probe, such as the subscribers of each event; empty for none.
	ProbePer string
	// CappedBy is the parameter that the metric cannot exceed, whatever the system
	// does: a rate, a number, or the largest of several numbers. Empty for none.
	CappedBy string
	// Must is the condition that the metric meets in every working system, in the
	// notation of a threshold ("== 0"); empty for none. It always applies, a metric
	// without a value fails it, and only a threshold on the same metric replaces it.
	Must string
	// Expected reports whether Must applies with these parameters: failures that the
	// parameters ask for are not wrong. Nil means always.
	Expected func(Params) bool
	// Timed says that Must depends on time, because something is given up after some
	// time. It is undecided if other programs used the processors.
	Timed bool
	// Given reports whether the metric is reported with these parameters; nil means
	// always. A metric that is given and not reported has no value.
	Given func(Params) bool
	// OfProcess says that the metric counts what the whole process holds, so Must does
	// not apply in parallel with other steps.
	OfProcess bool
	// Aggregation says how the repetitions are combined.
	Aggregation Aggregation
	// Unclipped says that an estimate can be below 0 although lower is better; other
	// metrics are 0 then.
	Unclipped bool
	// Bound makes a bool depend on an estimate too.
	Bound *Bound
	// Late says that the load of the metric runs after other loads of the repetition.
	// Its limits are not shown with the probe, which shows the other loads first.
	Late bool
	// Doc says in one sentence what the metric means and how it is measured.
	Doc string
}

// An Aggregation says how the numbers of the repetitions are combined. A bool is true if
// all are, a text is the most frequent one, and estimates are pooled.
type Aggregation int

// The aggregations.
const (
	// Median is for figures of speed and size, of which each repetition has one.
	Median Aggregation = iota
	// Sum is for counts of what went wrong.
	Sum
	// Worst is for what has to hold in every repetition, such as a success rate.
	Worst
)

// A Bound says that a bool is true only if an estimate is within Limit of 0 or, if Least
// is set, at least Least. It is undecided if the interval of the estimate includes the
// bound.
type Bound struct {
	Metric       string
	Limit, Least float64
}

// findings is a metric of every measurement.
var findings = Metric{
	Name: report.FindingsMetric, Unit: "count", Better: report.Lower, Must: "== 0", Aggregation: Sum,
	Doc: "Number of things that the measurement found wrong with the system and that no other metric covers; the errors name each.",
}

// DeclaredMetrics returns the metrics that the step has to report with its parameters,
// without values.
func (s *Step) DeclaredMetrics() map[string]report.Metric {
	metrics := map[string]report.Metric{}
	for _, m := range s.ReportedMetrics() {
		metrics[m.Name] = report.Metric{Unit: m.Unit, Better: m.Better}
	}
	return metrics
}

// ReportedMetrics returns the metrics that the step reports with its parameters.
func (s *Step) ReportedMetrics() []Metric {
	all := append([]Metric{findings}, s.Measurement.Metrics...)
	return slices.DeleteFunc(all, func(m Metric) bool { return m.Given != nil && !m.Given(s.Params) })
}

// Conditions returns the exact conditions on the step's metrics, by name. Parallel says
// that other steps run at the same time.
func (s *Step) Conditions(parallel bool) map[string]verdict.MetricCondition {
	conditions := map[string]verdict.MetricCondition{}
	for _, m := range s.ReportedMetrics() {
		if m.Must == "" || m.Expected != nil && !m.Expected(s.Params) || m.OfProcess && parallel {
			continue
		}
		c, err := verdict.ParseCondition(m.Must)
		if err != nil {
			panic(err) // the catalogue is part of the program, and a test reads it
		}
		conditions[m.Name] = verdict.MetricCondition{Condition: c, TimeDependent: m.Timed || m.Bound != nil && m.Bound.Least > 0}
	}
	return conditions
}

// ProbeScale returns the factor from the metric to the unit of its probe.
func (m Metric) ProbeScale(p Params) float64 {
	if m.ProbePer == "" {
		return 1
	}
	return float64(p.Int(m.ProbePer))
}

// shares are the metrics with the unit ratio that are by definition a part of a whole,
// and so never more than 1. Other ratios compare two things that were measured
// separately, and can be anything.
var shares = []string{"success_rate", "stability_score", "load_balance", "graceful_degradation_score", "gc_reclaimed_ratio", "fragmentation_ratio"}

// never returns why a condition on the metric, or on a statistic of it, cannot hold,
// whatever is measured. It returns "" if it can.
func (m Metric) never(c verdict.Condition) string {
	switch {
	case m.Unit == "bool":
		if !c.Holds(0) && !c.Holds(1) {
			return fmt.Sprintf("%s is true (1) or false (0)", m.Name)
		}
	case m.Unit == "ratio" && slices.Contains(shares, m.Name):
		if !c.Possible(0, 1) {
			return fmt.Sprintf("%s is a share from 0 to 1 (0%% to 100%%)", m.Name)
		}
	case slices.Contains([]string{"count", "1/s", "ms", "s"}, m.Unit):
		if !c.Possible(0, math.Inf(1)) {
			return fmt.Sprintf("%s is never less than 0", m.Name)
		}
	}
	return ""
}
