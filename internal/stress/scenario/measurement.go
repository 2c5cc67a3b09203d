package scenario

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"mabeam-top/internal/stress/report"
)

// A Measurement describes an entry of the catalogue: a question about the runtime, its
// parameters, and the metrics that answer it.
type Measurement struct {
	// Name is the kebab-case name that scenario files use.
	Name string
	// Summary is the question, in one sentence.
	Summary string
	// Component is the component of the baseline table that it is compared with by
	// default; empty for none.
	Component string
	Params    []Param
	// Metrics are all metrics that it can report. A threshold on any other name is
	// an error in the scenario file.
	Metrics []Metric
	// Estimate returns roughly how long one repetition takes on a small machine.
	Estimate func(Params) time.Duration
	// Alone says that it cannot run in parallel with other steps, because it counts
	// what the whole system or process holds.
	Alone bool
	// OwnProcess reports whether each repetition needs its own process, because with
	// these parameters it limits its process or can end it, and returns the limits on
	// the memory of that process. It is nil if this is never the case. If it is not
	// nil, the measurement is Alone.
	OwnProcess func(Params) (MemoryLimits, bool)
	// Targets are what faults can hit while its load runs, besides the process.
	Targets []Target
	// LoadLength returns the total length of the loads that faults are injected into,
	// or 0 if the parameters do not determine it. It is nil if they never do.
	LoadLength func(Params) time.Duration
	// Check returns an error for parameters that are valid each but do not fit
	// together. It is nil if all combinations are valid.
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

// FloorsOf returns the component of the baseline table whose floors apply to the
// measurement.
func (m *Measurement) FloorsOf() string {
	if m.Component != "" {
		return m.Component
	}
	return strings.ReplaceAll(m.Name, "-", "_")
}

// Metric returns the metric for a name NAME or NAME.KEY of a result.
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

// ThresholdMetric returns the metric for a name NAME, NAME.STAT or NAME.KEY of a
// threshold.
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
		return Metric{}, fmt.Errorf("%s is a text; a threshold needs a numeric metric", base)
	case !dotted, metric.Keyed && part != "":
		return metric, nil
	case !metric.Distribution:
		return Metric{}, fmt.Errorf("%s is a single number and has no %q; set the threshold on %s", base, part, base)
	case !slices.Contains(statistics, part):
		return Metric{}, fmt.Errorf("unknown statistic %q of %s; expected one of %s", part, base, strings.Join(statistics, ", "))
	}
	return metric, nil
}

// A Catalogue is a list of measurements.
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
