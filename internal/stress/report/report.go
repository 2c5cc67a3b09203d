// Package report holds the records of a run's result and writes them in the
// formats that people and scripts read. It is data: nothing here measures, or
// judges a metric; it only sums up judgements.
package report

import (
	"fmt"
	"time"

	"mabeam-top/internal/probes/probe"
)

// Schema names the version of the JSON report. It changes when a reader of
// the report would have to.
const Schema = "mabeam-top/report/v1"

// A Report is the result of one run: every scenario that was asked for, with
// what was measured and how it was judged.
type Report struct {
	Schema          string    `json:"schema"`
	ID              string    `json:"id"`
	StartedAt       time.Time `json:"started_at"`
	DurationSeconds float64   `json:"duration_seconds"`
	Tool            Tool      `json:"tool"`
	Command         []string  `json:"command"`
	Seed            uint64    `json:"seed"`
	Host            Host      `json:"host"`
	// MeasurementOverheadNS is what recording one operation costs on this machine,
	// in nanoseconds; it is part of every latency. 0 if it was not measured.
	MeasurementOverheadNS float64     `json:"measurement_overhead_ns"`
	Verdict               Verdict     `json:"verdict"`
	Score                 float64     `json:"score"`
	Grade                 Grade       `json:"grade"`
	Scenarios             []Scenario  `json:"scenarios"`
	Regression            *Regression `json:"regression,omitempty"`
	Recommendations       []string    `json:"recommendations"`
}

// Tool says which build of the program measured.
type Tool struct {
	Version string `json:"version"`
	Commit  string `json:"commit"`
	Go      string `json:"go"`
}

// Host says what machine was measured on.
type Host struct {
	OS          string `json:"os"`
	Arch        string `json:"arch"`
	Kernel      string `json:"kernel"`
	CPUModel    string `json:"cpu_model"`
	CPUs        int    `json:"cpus"`
	MemoryBytes uint64 `json:"memory_bytes"`
	// CgroupMemoryBytes is the memory limit of the process's control group;
	// nil where there is none.
	CgroupMemoryBytes *uint64 `json:"cgroup_memory_bytes"`
	GOMAXPROCS        int     `json:"gomaxprocs"`
	// GOMemLimit is the Go runtime's soft limit in bytes; math.MaxInt64 when
	// none was set.
	GOMemLimit int64 `json:"gomemlimit"`
}

// A Scenario is the result of one scenario.
type Scenario struct {
	Name            string    `json:"name"`
	Title           string    `json:"title"`
	Tags            []string  `json:"tags"`
	Verdict         Verdict   `json:"verdict"`
	Score           float64   `json:"score"`
	StartedAt       time.Time `json:"started_at"`
	DurationSeconds float64   `json:"duration_seconds"`
	// File is where the scenario was read from; "builtin:NAME.yaml" for one
	// that the program carries.
	File  string `json:"file"`
	Steps []Step `json:"steps"`
}

// A Step is the result of one measurement over all its repetitions.
type Step struct {
	Name        string `json:"name"`
	Measurement string `json:"measurement"`
	// Component is the row of the baseline table that the step was held
	// against; empty when against none.
	Component string `json:"component"`
	// Params holds every parameter in the notation of a scenario file,
	// defaults included.
	Params          map[string]any `json:"params"`
	Steered         bool           `json:"steered"`
	Verdict         Verdict        `json:"verdict"`
	Score           float64        `json:"score"`
	DurationSeconds float64        `json:"duration_seconds"`
	Isolated        bool           `json:"isolated"`
	// Repetitions says how many of its repetitions the metrics are of, if they
	// are not of all; nil if they are.
	Repetitions *Repetitions         `json:"repetitions,omitempty"`
	Metrics     map[string]Metric    `json:"metrics"`
	Thresholds  []Threshold          `json:"thresholds"`
	Operations  Operations           `json:"operations"`
	Errors      []Error              `json:"errors"`
	Faults      []Fault              `json:"faults"`
	Probes      map[probe.Name]Probe `json:"probes"`
	// Reference holds what the reference works cost around the step's repetitions:
	// the median, in nanoseconds a unit or in bytes. Floors are shares of it.
	Reference       map[string]float64 `json:"reference,omitempty"`
	Recommendations []string           `json:"recommendations"`
}

// Repetitions says of how many repetitions a step's metrics are, and of how many
// they should be. One that an interruption or a death cut off is not among the
// finished ones; one that a threshold stopped is.
type Repetitions struct {
	Finished int `json:"finished"`
	Planned  int `json:"planned"`
}

// Text tells it in a line.
func (r Repetitions) Text() string {
	return fmt.Sprintf("%d of %d repetitions", r.Finished, r.Planned)
}

// Partial says that the step has metrics, and not of all its repetitions. One
// without any says by itself that there are none.
func (s Step) Partial() bool { return s.Repetitions != nil && s.Repetitions.Finished > 0 }

// A Metric is one measured quantity and its judgement.
type Metric struct {
	// Value is what the repetitions come to together: a float64, a string (text)
	// or a bool. Figures are the median of the samples, counts of what went wrong
	// their sum or the worst of them, and estimates are pooled. It is nil when it
	// could not be measured in every repetition, and then the step's errors say
	// why. For NAME.STAT it is that statistic of the merged distribution.
	Value any `json:"value"`
	// Unit is one of ms, s, bytes, MB, 1/s, ratio, count, exponent, bool, text.
	Unit   string `json:"unit"`
	Better Better `json:"better"`
	// Samples are the values of the repetitions, in their order; empty for
	// text.
	Samples      []float64     `json:"samples"`
	Distribution *Distribution `json:"distribution,omitempty"`
	Baseline     *float64      `json:"baseline,omitempty"`
	Tolerance    *float64      `json:"tolerance,omitempty"`
	// Deviation is (value − baseline)/baseline, its sign turned so that more
	// is better.
	Deviation *float64 `json:"deviation,omitempty"`
	// Must is the condition that the metric meets in every system that does its
	// job; empty for none.
	Must string `json:"must,omitempty"`
	// Floor is the least, or where lower is better the most, that this machine
	// allows for; nil for none.
	Floor *Floor `json:"floor,omitempty"`
	// OfBest is how near the metric comes to the best figure that was kept for this
	// kind of machine: 1 is as good, 0.5 half as good; nil if none was kept.
	OfBest *float64 `json:"of_best,omitempty"`
	// Interval holds an estimate between two bounds; nil for what is counted or
	// timed exactly.
	Interval *Interval `json:"interval,omitempty"`
	// MissingIn are the repetitions, counted from 1, in which it was not measured.
	MissingIn []int `json:"missing_in,omitempty"`
	// Undecided says why the metric neither passed nor failed what it is held
	// against; empty if it did. Its status is then that of the value alone.
	Undecided string `json:"undecided,omitempty"`
	Status    Status `json:"status"`
}

// A Floor is a limit relative to a reference work on the same machine in the same
// run.
type Floor struct {
	// Value is the limit, in the metric's unit.
	Value float64 `json:"value"`
	// Of names the reference work, and Share is the share of its rate, or of its
	// time or size where lower is better, that makes Value.
	Of    string  `json:"of"`
	Share float64 `json:"share"`
}

// ReferenceIn returns the figure of a reference work, which is in nanoseconds or in
// bytes, in the unit of a metric: a share of it is a Floor. A time becomes the rate of
// operations that take as long.
func ReferenceIn(unit string, figure float64) float64 {
	switch unit {
	case "1/s":
		return 1e9 / figure
	case "ms", "MB":
		return figure / 1e6
	}
	return figure
}

// An Interval is where an estimate lies with a confidence of 99 %.
type Interval struct {
	Low  float64 `json:"low"`
	High float64 `json:"high"`
}

// A Distribution summarises the single operations of all repetitions, in the
// metric's unit.
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

// needed is how many operations a percentile takes: ten beyond it.
var needed = map[string]int64{"p50": 20, "p90": 100, "p95": 200, "p99": 1000, "p999": 10_000}

// Stat returns a statistic by its name (min, mean, stddev, p50, p90, p95, p99, p999,
// max). It says false for another name, and for a percentile that there are too few
// operations for: of those the worst is told, which is max.
func (d Distribution) Stat(name string) (float64, bool) {
	v, ok := map[string]float64{
		"min": d.Min, "mean": d.Mean, "stddev": d.Stddev, "p50": d.P50, "p90": d.P90,
		"p95": d.P95, "p99": d.P99, "p999": d.P999, "max": d.Max,
	}[name]
	return v, ok && d.Count > 0 && d.Count >= needed[name] && Finite(v)
}

// A Threshold is a condition that the scenario set on a metric.
type Threshold struct {
	// Metric is a metric's name, or NAME.STAT for a statistic of its
	// distribution.
	Metric    string `json:"metric"`
	Condition string `json:"condition"`
	// Actual is the value the condition was held against, the worst window's
	// if it had to hold in every window; nil when nothing was measured, which
	// fails.
	Actual         *float64 `json:"actual"`
	OK             bool     `json:"ok"`
	WindowSeconds  *float64 `json:"window_seconds,omitempty"`
	WorstAtSeconds *float64 `json:"worst_at_seconds,omitempty"`
}

// Operations counts what the load asked for and what became of it:
// Attempted = Succeeded + Failed + Dropped.
type Operations struct {
	Attempted int64 `json:"attempted"`
	Succeeded int64 `json:"succeeded"`
	Failed    int64 `json:"failed"`
	// Dropped were refused or thrown away before they were carried out.
	Dropped int64 `json:"dropped"`
}

// Add adds the operations of another part of the load.
func (o *Operations) Add(more Operations) {
	o.Attempted += more.Attempted
	o.Succeeded += more.Succeeded
	o.Failed += more.Failed
	o.Dropped += more.Dropped
}

// An Error is one thing that the step has to tell besides its metrics, and how
// often it happened.
type Error struct {
	Message        string    `json:"message"`
	Count          int64     `json:"count"`
	FirstAtSeconds float64   `json:"first_at_seconds"`
	Kind           ErrorKind `json:"kind,omitempty"`
}

// An ErrorKind says what an Error is about.
type ErrorKind string

// The kinds of errors.
const (
	OperationFailed ErrorKind = ""           // of the load, or the step itself
	Finding         ErrorKind = "finding"    // wrong with the system under test, which fails by it
	Detail          ErrorKind = "detail"     // what is behind a metric that fails by itself
	Unmeasured      ErrorKind = "unmeasured" // a metric has no value, and why
	Note            ErrorKind = "note"       // worth knowing, and not wrong
)

// A Probe summarises one probe over the measured part of a step.
type Probe struct {
	Min  float64 `json:"min"`
	Mean float64 `json:"mean"`
	Max  float64 `json:"max"`
	Last float64 `json:"last"`
}

// Regression is the comparison with an earlier report.
type Regression struct {
	// Baseline is the earlier report's name or file.
	Baseline string `json:"baseline"`
	// Threshold is by which share of the old value the new one has to differ
	// (0.1 is 10 %), and Alpha how likely by chance the difference may be at
	// most, from 0 to 1.
	Threshold float64 `json:"threshold"`
	Alpha     float64 `json:"alpha"`
	// Detected says that a metric regressed. Percentage is by how much the
	// worst of them got worse, in percent of its old value; 0 if none did.
	Detected   bool               `json:"detected"`
	Percentage float64            `json:"percentage"`
	Metrics    []RegressionMetric `json:"metrics"`
}

// A RegressionMetric compares one metric of two reports.
type RegressionMetric struct {
	Scenario string `json:"scenario"`
	Step     string `json:"step"`
	Metric   string `json:"metric"`
	// Old and New are the medians over the repetitions, in the metric's unit;
	// nil if there is none, or the metric is no number.
	Old *float64 `json:"old"`
	New *float64 `json:"new"`
	// DeltaPercent is New against Old, in percent of Old; nil if either is
	// missing, or Old is 0.
	DeltaPercent *float64 `json:"delta_percent"`
	// PValue is how likely by chance the difference is (Mann–Whitney U, from 0
	// to 1); nil if there are too few samples to tell.
	PValue  *float64 `json:"p_value"`
	Verdict Change   `json:"verdict"`
	// Note says what the verdict rests on, or why there is none.
	Note string `json:"note"`
}

// A Change is the verdict on one metric of two reports.
type Change string

// The changes.
const (
	Regressed Change = "regressed"
	Improved  Change = "improved"
	Same      Change = "same"
	Unknown   Change = "unknown" // it cannot be told; the note says why
)

// worthTelling are the changes to tell one by one, in that order.
var worthTelling = []Change{Regressed, Improved, Unknown}

// A Verdict is the outcome of a step, a scenario or a run.
type Verdict string

// The verdicts, from best to worst.
const (
	Pass         Verdict = "pass"
	Warn         Verdict = "warn"
	Inconclusive Verdict = "inconclusive" // the load could not be delivered
	Fail         Verdict = "fail"
	Broken       Verdict = "error" // could not be measured
	Interrupted  Verdict = "interrupted"
)

// A Status is the judgement of one metric.
type Status string

// The statuses. Info is a metric without a baseline.
const (
	StatusExceed Status = "exceed"
	StatusPass   Status = "pass"
	StatusWarn   Status = "warn"
	StatusFail   Status = "fail"
	StatusInfo   Status = "info"
)

// A Grade puts a score in words.
type Grade string

// The grades.
const (
	Excellent  Grade = "excellent"
	Good       Grade = "good"
	Acceptable Grade = "acceptable"
	Poor       Grade = "poor"
	Critical   Grade = "critical"
)

// Better says which direction of a metric is the better one.
type Better string

// The directions.
const (
	Higher  Better = "higher"
	Lower   Better = "lower"
	Neither Better = "none"
)
