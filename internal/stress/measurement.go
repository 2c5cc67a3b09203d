package stress

import (
	"context"
	"strings"
	"time"

	"mabeam-top/internal/stress/confine"
	"mabeam-top/internal/stress/report"
)

// A Measurement is one entry of the catalogue: a question to the runtime, the
// parameters it can be asked with, and the metrics that answer it.
type Measurement struct {
	// Name is the kebab-case name that scenario files use.
	Name string
	// Summary says in one sentence what question it answers.
	Summary string
	// Component is the row of the baseline table that it is held against by
	// default; empty for none.
	Component string
	Params    []Param
	// Metrics are all that it can report. A threshold on any other name is an
	// error of the scenario file.
	Metrics []Metric
	// Estimate is how long one repetition takes, roughly, on a small machine.
	Estimate func(Params) time.Duration
	// Alone says that it counts what the whole system or process holds, so
	// that it cannot run beside other steps.
	Alone bool
	// OwnProcess says whether with these parameters it limits the process that
	// it runs in, or can end it, so that each repetition needs one of its own,
	// and what the memory of that is limited to; nil if it never does. It is
	// Alone then.
	OwnProcess func(Params) (Limits, bool)
	// Died makes results of the death of the process that it ran in, besides
	// those that it had told by then. If it is nil, or returns an error, the
	// repetition could not be measured.
	Died func(*Env, *Death) error
	// Targets are what faults can hit of it while its load runs, besides the
	// process: those that it passes through Env.Agent and Env.Subscriber, and
	// Components if the load is for a system that faults can find.
	Targets []Target
	// LoadLength is how long the loads last that faults are injected into, all
	// together, where the parameters say that; 0, or nil, if they do not.
	LoadLength func(Params) time.Duration
	// Check tells what is wrong with parameters that are each valid but do
	// not fit together; nil if nothing can be.
	Check func(Params) error
	// Run carries out one repetition on the fresh system of env and hands its
	// results to env.
	Run func(ctx context.Context, env *Env) error
}

// Limits bound the memory of a process, in bytes; 0 is no limit.
type Limits = confine.Limits

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
	Fold Fold
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

// A Catalogue is a set of measurements, in the order in which they are told.
type Catalogue []*Measurement

// Find returns the measurement of that name, or nil.
func (c Catalogue) Find(name string) *Measurement {
	for _, m := range c {
		if m.Name == name {
			return m
		}
	}
	return nil
}

// medianLatency is the probe of the median latency of the load's operations.
const medianLatency = "action_p50_ms"

// latencyProbes show the statistics of a distribution whose median
// medianLatency shows.
var latencyProbes = map[string]string{
	"p50": medianLatency, "p95": "action_p95_ms", "p99": "action_p99_ms",
}

// shownBy returns the probe that shows the metric, or the statistic of it that
// the name NAME.STAT asks for; empty if none does.
func (m Metric) shownBy(name string) string {
	stat, dotted := strings.CutPrefix(name, m.Name+".")
	switch {
	case !dotted:
		return m.Probe
	case m.Probe == medianLatency:
		return latencyProbes[stat]
	}
	return ""
}

// FloorsOf is the component of the baseline table whose floors the measurement is held
// against.
func (m *Measurement) FloorsOf() string {
	if m.Component != "" {
		return m.Component
	}
	return strings.ReplaceAll(m.Name, "-", "_")
}
