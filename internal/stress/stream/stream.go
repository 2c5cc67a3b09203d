// Package stream defines the event stream of a run, and reads, writes, records and
// replays it. Producers (the engine in this process, a child process, a recording)
// and consumers (screen, progress line, report, recording) know the stream and not
// each other.
package stream

import (
	"context"
	"time"

	"mabeam-top/internal/probes/probe"
	"mabeam-top/internal/stress/report"
)

// Schema names the version of the event stream.
const Schema = "mabeam-top/events/v1"

// A Type names a kind of event.
type Type string

// The kinds of events, in the order in which a run sends them. Each carries the
// payload of the same name. Samples, faults and logs occur at any time between
// run_started and run_finished.
const (
	RunStarted        Type = "run_started"
	ScenarioStarted   Type = "scenario_started"
	StepStarted       Type = "step_started"
	RepetitionStarted Type = "repetition_started"
	SampleTaken       Type = "sample"
	FaultInjected     Type = "fault"
	Logged            Type = "log"
	StepFinished      Type = "step_finished"
	ScenarioFinished  Type = "scenario_finished"
	RunFinished       Type = "run_finished"
)

// Types are the kinds of events, in the order in which a run sends them.
func Types() []Type {
	return []Type{
		RunStarted, ScenarioStarted, StepStarted, RepetitionStarted, SampleTaken,
		FaultInjected, Logged, StepFinished, ScenarioFinished, RunFinished,
	}
}

// An Event is one line of the stream. Only the payload of its type is set.
// Consumers share events and must not modify them.
type Event struct {
	// T is in seconds since the start of the run.
	T    float64 `json:"t"`
	Type Type    `json:"type"`

	Run        *Run         `json:"run,omitempty"`
	Scenario   *Scenario    `json:"scenario,omitempty"`
	Step       *Step        `json:"step,omitempty"`
	Repetition *Repetition  `json:"repetition,omitempty"`
	Sample     probe.Sample `json:"sample,omitempty"`
	// Inspection accompanies some samples while a viewer requests it; nil
	// otherwise.
	Inspection *Inspection `json:"inspection,omitempty"`
	Fault      *Fault      `json:"fault,omitempty"`
	Log        *Log        `json:"log,omitempty"`

	StepResult     *report.Step     `json:"step_result,omitempty"`
	ScenarioResult *report.Scenario `json:"scenario_result,omitempty"`
	Report         *report.Report   `json:"report,omitempty"`

	// End comes from an engine in place of ScenarioResult and Report. fold.WithReport
	// replaces it by them, so no written stream has it.
	End *End `json:"-"`
}

// An End says how a scenario or a run ended.
type End struct {
	// Cause is why it ended early, context.Canceled if it was interrupted. Nil means
	// that it did not.
	Cause error
}

// maxTime bounds the time of an event, in seconds: no run lasts thirty years, so
// a later time is an error of the producer.
const maxTime = 1e9

// Advance returns the time of a stream after the event, where now is its time
// before the event. Time never goes back, and a time that no run can have is
// ignored.
func (e Event) Advance(now float64) float64 {
	if report.Finite(e.T) && e.T <= maxTime {
		return max(now, e.T)
	}
	return now
}

// Run describes a run that starts.
type Run struct {
	Schema    string      `json:"schema"`
	ID        string      `json:"id"`
	StartedAt time.Time   `json:"started_at"`
	Command   []string    `json:"command"`
	Seed      uint64      `json:"seed"`
	Tool      report.Tool `json:"tool"`
	Host      report.Host `json:"host"`
	// Scenarios are the names of all scenarios that will run, in order.
	Scenarios []string `json:"scenarios"`
	// EstimateSeconds is the expected duration of the run.
	EstimateSeconds float64 `json:"estimate_seconds"`
	// MeasurementOverheadNS is what recording one operation costs on this machine, in
	// nanoseconds; 0 if unknown.
	MeasurementOverheadNS float64 `json:"measurement_overhead_ns,omitempty"`
}

// Scenario describes a scenario that starts.
type Scenario struct {
	Name            string    `json:"name"`
	Title           string    `json:"title"`
	Description     string    `json:"description"`
	Tags            []string  `json:"tags"`
	File            string    `json:"file"`
	StartedAt       time.Time `json:"started_at"`
	Steps           []string  `json:"steps"`
	EstimateSeconds float64   `json:"estimate_seconds"`
}

// Step describes a step that starts, including the limits that a screen draws
// before anything is measured.
type Step struct {
	Name        string `json:"name"`
	Measurement string `json:"measurement"`
	Component   string `json:"component"`
	// Group is the number, from 1, of the group of steps that run in parallel; the
	// repetitions of a scenario's groups are interleaved. 0 if unknown.
	Group           int            `json:"group,omitempty"`
	Params          map[string]any `json:"params"`
	Repeat          int            `json:"repeat"`
	EstimateSeconds float64        `json:"estimate_seconds"`
	Isolated        bool           `json:"isolated"`
	// Limits are the limits that the step will be checked against, as far as they are
	// known in advance: floors depend on reference work that is measured with the step.
	Limits []Limit `json:"limits"`
}

// A Limit is a limit on one metric.
type Limit struct {
	// Metric is a metric's name, or NAME.STAT.
	Metric string `json:"metric"`
	// Source is KindBaseline, KindThreshold or KindCondition.
	Source report.CheckKind `json:"source"`
	// Op is one of < <= > >= == !=. The limit is met if "metric Op Value" is true.
	Op    string  `json:"op"`
	Value float64 `json:"value"`
	Unit  string  `json:"unit"`
	// Tolerance is the fraction of Value by which a baseline may be missed; 0 for
	// any other limit.
	Tolerance float64 `json:"tolerance,omitempty"`
	// Probe is the probe that shows the metric live; empty if there is none.
	// Value times ProbeScale is in the probe's unit.
	Probe      probe.Name `json:"probe,omitempty"`
	ProbeScale float64    `json:"probe_scale,omitempty"`
}

// Repetition describes a repetition that starts.
type Repetition struct {
	Step string `json:"step"`
	// Number counts from 1 to Of; 0 is the warm-up.
	Number int    `json:"number"`
	Of     int    `json:"of"`
	Seed   uint64 `json:"seed"`
}

// Fault describes an injected fault.
type Fault struct {
	Step  string `json:"step"`
	Fault string `json:"fault"`
	// Target is the target, such as an agent's id; empty for the process.
	Target string `json:"target"`
	// ByHand reports whether a person injected it, not the scenario.
	ByHand bool `json:"by_hand"`
}

// Log is a message to the reader.
type Log struct {
	// Level is "info", "warn" or "error".
	Level   string `json:"level"`
	Message string `json:"message"`
	// ByHand reports whether the message is about a manual action, such as a
	// changed rate.
	ByHand bool `json:"by_hand,omitempty"`
}

// A Source produces the events of one run. Run calls emit for each event in
// order, from one goroutine at a time, and returns at the end of the stream. The
// last event of a complete stream is run_finished. When ctx ends, Run stops the
// load, emits the partial report, and returns. A source that can seek backwards
// starts again with run_started; consumers then discard what they have.
type Source interface {
	Run(ctx context.Context, emit func(Event)) error
}
