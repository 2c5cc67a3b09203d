package scenario

import (
	"fmt"
	"slices"
	"strings"
	"time"

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
	OwnProcess func(Params) (MemoryLimits, bool)
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
}

// MemoryLimits limit the memory of a process, in bytes; 0 is no limit.
type MemoryLimits struct {
	// Soft is the limit that the Go runtime tries to keep. The closer it is, the
	// more often the runtime collects garbage; it exceeds the limit rather than
	// stop.
	Soft int64
	// Hard is the limit at which the operating system ends the process.
	Hard int64
}

// FloorsOf is the component of the baseline table whose floors the measurement is held
// against.
func (m *Measurement) FloorsOf() string {
	if m.Component != "" {
		return m.Component
	}
	return strings.ReplaceAll(m.Name, "-", "_")
}

// described returns the metric that a name NAME or NAME.KEY is of.
func (m *Measurement) Metric(name string) (Metric, bool) {
	base, _, _ := strings.Cut(name, ".")
	if base == report.FindingsMetric {
		return findings, true
	}
	i := slices.IndexFunc(m.Metrics, func(metric Metric) bool { return metric.Name == base })
	if i < 0 {
		return Metric{}, false
	}
	return m.Metrics[i], true
}

// metric finds what NAME, NAME.STAT or NAME.KEY means.
func (m *Measurement) ThresholdMetric(name string) (Metric, error) {
	known := make([]string, len(m.Metrics))
	for i, metric := range m.Metrics {
		known[i] = metric.Name
	}
	base, part, dotted := strings.Cut(name, ".")
	i := slices.Index(known, base)
	if i < 0 {
		return Metric{}, fmt.Errorf("unknown metric %q of %s%s", shorten(name), m.Name, didYouMean(base, known))
	}
	metric := m.Metrics[i]
	switch {
	case metric.Unit == "text":
		return Metric{}, fmt.Errorf("%s is a text; a threshold needs a number", base)
	case !dotted, metric.Keyed && part != "":
		return metric, nil
	case !metric.Distribution:
		return Metric{}, fmt.Errorf("%s is one number and has no %q; set the threshold on %s itself", base, part, base)
	case !slices.Contains(statistics, part):
		return Metric{}, fmt.Errorf("unknown statistic %q of %s; expected one of %s", part, base, strings.Join(statistics, ", "))
	}
	return metric, nil
}
