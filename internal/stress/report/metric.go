package report

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"mabeam-top/internal/stress/quantity"
)

// A Metric is one measured quantity and its status.
type Metric struct {
	// Value combines the repetitions: a float64, a string or a bool. It is the median of
	// a measured value, the sum or the worst of a count of defects, or a pooled estimate.
	// For NAME.STAT it is that statistic of the merged distribution. It is nil if a
	// repetition could not measure it; the step's errors say why.
	Value any `json:"value"`
	// Unit is ms, s, bytes, MB, 1/s, ratio, count, exponent, bool or text.
	Unit   string `json:"unit"`
	Better Better `json:"better"`
	// Samples are the values of the repetitions, in their order; empty for text.
	Samples      []float64     `json:"samples"`
	Distribution *Distribution `json:"distribution,omitempty"`
	Baseline     *float64      `json:"baseline,omitempty"`
	Tolerance    *float64      `json:"tolerance,omitempty"`
	// Deviation is (value − baseline)/baseline, with a sign that makes more better.
	Deviation *float64 `json:"deviation,omitempty"`
	// Condition must be true in every correct system, such as "== 0"; empty for none.
	Condition string `json:"must,omitempty"`
	// Floor is the minimum for this machine, or the maximum if lower is better.
	Floor *Floor `json:"floor,omitempty"`
	// BestRatio compares the metric with the best value known for this kind of machine:
	// 1 is as good, 0.5 half as good. It is nil if none is known.
	BestRatio *float64 `json:"of_best,omitempty"`
	// Interval is the confidence interval of an estimate; nil for an exact value.
	Interval *Interval `json:"interval,omitempty"`
	// MissingIn lists the repetitions, counted from 1, that could not measure it.
	MissingIn []int `json:"missing_in,omitempty"`
	// Undecided says why the checks neither passed nor failed; empty if they did. Status
	// is then that of the value alone.
	Undecided string `json:"undecided,omitempty"`
	Status    Status `json:"status"`
}

// A Floor is a limit relative to reference work on the same machine in the same run.
type Floor struct {
	// Value is the limit, in the metric's unit.
	Value float64 `json:"value"`
	// Reference is the name of the reference work. Share is the share of its rate, or of
	// its time or size if lower is better, that makes Value.
	Reference string  `json:"of"`
	Share     float64 `json:"share"`
}

// ReferenceIn converts the cost of a reference work, in nanoseconds or in bytes, to the
// unit of a metric. A time becomes the rate of operations that take so long.
func ReferenceIn(unit string, cost float64) float64 {
	switch unit {
	case "1/s":
		return 1e9 / cost
	case "ms", "MB":
		return cost / 1e6
	}
	return cost
}

// An Interval is a confidence interval of 99 %.
type Interval struct {
	Low  float64 `json:"low"`
	High float64 `json:"high"`
}

// A Distribution summarizes the single operations of all repetitions, in the metric's
// unit.
type Distribution struct {
	Count  int64   `json:"count"`
	Min    float64 `json:"min"`
	Mean   float64 `json:"mean"`
	Stddev float64 `json:"stddev"`
	P50    float64 `json:"p50"`
	P90    float64 `json:"p90"`
	P95    float64 `json:"p95"`
	P99    float64 `json:"p99"`
	P999   float64 `json:"p999"`
	Max    float64 `json:"max"`
}

// needed is the number of operations that a percentile needs: ten beyond it.
var needed = map[string]int64{"p50": 20, "p90": 100, "p95": 200, "p99": 1000, "p999": 10_000}

// A Stat is a statistic by its name: min, mean, stddev, p50, p90, p95, p99, p999 or max.
type Stat struct {
	Name  string
	Value float64
}

// Stats returns all statistics.
func (d Distribution) Stats() []Stat {
	return []Stat{
		{"min", d.Min},
		{"mean", d.Mean},
		{"stddev", d.Stddev},
		{"p50", d.P50},
		{"p90", d.P90},
		{"p95", d.P95},
		{"p99", d.P99},
		{"p999", d.P999},
		{"max", d.Max},
	}
}

// Stat returns a statistic by its name. It returns false for an unknown name, and for a
// percentile with too few operations, which would only repeat max.
func (d Distribution) Stat(name string) (float64, bool) {
	for _, s := range d.Stats() {
		if s.Name == name {
			return s.Value, d.Count > 0 && d.Count >= needed[name] && Finite(s.Value)
		}
	}
	return 0, false
}

// FindMetric returns the metric that a threshold names: NAME, or for NAME.STAT the metric
// NAME and the statistic. A metric that is itself called NAME.STAT comes first.
func FindMetric(metrics map[string]Metric, name string) (m Metric, stat string, ok bool) {
	if m, ok := metrics[name]; ok {
		return m, "", true
	}
	dot := strings.LastIndexByte(name, '.')
	if dot < 0 {
		return Metric{}, "", false
	}
	m, ok = metrics[name[:dot]]
	return m, name[dot+1:], ok
}

// Text returns the value for people; "n/a" if there is none.
func (m Metric) Text() string {
	switch v := m.Value.(type) {
	case float64:
		return quantity.Format(v, m.Unit)
	case bool:
		if v {
			return "yes"
		}
		return "no"
	case string:
		return v
	}
	return "n/a"
}

// IntervalText returns the bounds of an estimate; empty for an exact value.
func (m Metric) IntervalText() string {
	if m.Interval == nil {
		return ""
	}
	return fmt.Sprintf("between %s and %s", quantity.Format(m.Interval.Low, m.Unit), quantity.Format(m.Interval.High, m.Unit))
}

// Spread returns the distance between the value and its farthest sample, as a share of
// the value. It returns false if there is none, as for a value of 0.
func (m Metric) Spread() (share float64, ok bool) {
	middle, ok := m.Value.(float64)
	if !ok || len(m.Samples) == 0 {
		return 0, false
	}
	share = max(slices.Max(m.Samples)-middle, middle-slices.Min(m.Samples)) / math.Abs(middle)
	return share, Finite(share)
}

// FloorRatio returns how many times better than its floor the metric is; false without a
// floor or a positive value.
func (m Metric) FloorRatio() (float64, bool) {
	v, ok := m.Value.(float64)
	if !ok || m.Floor == nil || v <= 0 || m.Floor.Value <= 0 {
		return 0, false
	}
	ratio := v / m.Floor.Value
	if m.Better == Lower {
		ratio = m.Floor.Value / v
	}
	return ratio, Finite(ratio)
}

// Better is the direction in which a metric improves.
type Better string

// The directions.
const (
	Higher  Better = "higher"
	Lower   Better = "lower"
	Neither Better = "none"
)
