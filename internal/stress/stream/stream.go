// Package stream is the one stream of events that a run consists of. Whoever
// runs the load (the engine in this process, a child process, a recording)
// produces it; whoever looks (screen, progress line, report, recording) folds
// it; and neither knows the other.
package stream

import (
	"context"
	"time"

	"mabeam-top/internal/stress/report"
)

// Schema names the version of the event stream.
const Schema = "mabeam-top/events/v1"

// A Type names a kind of event.
type Type string

// The kinds of events, in the order in which a run sends them. Each carries
// the payload of the same name; samples, faults and logs come at any time
// between run_started and run_finished.
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
// Events are shared between consumers: nobody changes one.
type Event struct {
	// T is in seconds since the start of the run.
	T    float64 `json:"t"`
	Type Type    `json:"type"`

	Run        *Run        `json:"run,omitempty"`
	Scenario   *Scenario   `json:"scenario,omitempty"`
	Step       *Step       `json:"step,omitempty"`
	Repetition *Repetition `json:"repetition,omitempty"`
	// Sample holds every probe that could be read, by name. What a platform
	// cannot tell is absent.
	Sample map[string]float64 `json:"sample,omitempty"`
	// Inspection comes with some samples while a viewer asked for it; nil
	// otherwise.
	Inspection *Inspection `json:"inspection,omitempty"`
	Fault      *Fault      `json:"fault,omitempty"`
	Log        *Log        `json:"log,omitempty"`

	StepResult     *report.Step     `json:"step_result,omitempty"`
	ScenarioResult *report.Scenario `json:"scenario_result,omitempty"`
	Report         *report.Report   `json:"report,omitempty"`
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

// Run opens a run.
type Run struct {
	Schema    string      `json:"schema"`
	ID        string      `json:"id"`
	StartedAt time.Time   `json:"started_at"`
	Command   []string    `json:"command"`
	Seed      uint64      `json:"seed"`
	Tool      report.Tool `json:"tool"`
	Host      report.Host `json:"host"`
	// Scenarios are the names of all that will run, in their order.
	Scenarios []string `json:"scenarios"`
	// EstimateSeconds is how long the run is expected to take.
	EstimateSeconds float64 `json:"estimate_seconds"`
}

// Scenario opens a scenario.
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

// Step opens a step. It says all that a screen needs to draw the limits
// before anything was measured.
type Step struct {
	Name        string `json:"name"`
	Measurement string `json:"measurement"`
	Component   string `json:"component"`
	// Group numbers what of the scenario runs at the same time, from 1: the
	// repetitions of its groups take turns. 0 if that is not known.
	Group           int            `json:"group,omitempty"`
	Params          map[string]any `json:"params"`
	Repeat          int            `json:"repeat"`
	EstimateSeconds float64        `json:"estimate_seconds"`
	Isolated        bool           `json:"isolated"`
	// Limits are what the step will be held against, as far as that is known before:
	// a floor depends on reference works that are measured with the step.
	Limits []Limit `json:"limits"`
}

// The sources of limits.
const (
	SourceBaseline  = "baseline"
	SourceThreshold = "threshold"
	SourceMust      = "must" // a condition that every working system meets
)

// A Limit is what one metric is held against.
type Limit struct {
	// Metric is a metric's name, or NAME.STAT.
	Metric string `json:"metric"`
	// Source is "baseline", "threshold" or "must".
	Source string `json:"source"`
	// Op is one of < <= > >= == !=: the metric should be Op Value.
	Op    string  `json:"op"`
	Value float64 `json:"value"`
	Unit  string  `json:"unit"`
	// Tolerance is the share of Value by which a baseline may be missed; 0
	// for any other limit.
	Tolerance float64 `json:"tolerance,omitempty"`
	// Probe names the probe that shows the metric live, with ProbeScale
	// telling by what to multiply Value to be in the probe's unit; empty if
	// none does.
	Probe      string  `json:"probe,omitempty"`
	ProbeScale float64 `json:"probe_scale,omitempty"`
}

// Repetition opens one repetition of the step.
type Repetition struct {
	Step string `json:"step"`
	// Number counts from 1 to Of; 0 is the warm-up.
	Number int    `json:"number"`
	Of     int    `json:"of"`
	Seed   uint64 `json:"seed"`
}

// Fault is one disturbance injected on purpose.
type Fault struct {
	Step  string `json:"step"`
	Fault string `json:"fault"`
	// Target is what it hit, such as an agent's id; empty for the process.
	Target string `json:"target"`
	// ByHand is true if a person asked for it, false if the scenario did.
	ByHand bool `json:"by_hand"`
}

// Log is a message to the reader.
type Log struct {
	// Level is "info", "warn" or "error".
	Level   string `json:"level"`
	Message string `json:"message"`
	// ByHand says that it tells what a person asked for, as a changed rate.
	ByHand bool `json:"by_hand,omitempty"`
}

// A Source produces the events of one run. Run calls emit for each event in
// order, from one goroutine at a time, and returns when the stream has ended;
// the last event of a stream that was not broken is run_finished. When ctx
// ends, the load is stopped, the partial report is still emitted, and Run
// returns. A source that can go back begins anew with run_started: whoever folds
// the stream then forgets what came before.
type Source interface {
	Run(ctx context.Context, emit func(Event)) error
}
