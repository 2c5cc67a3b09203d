// Package scenario is the language of scenario files. It turns files and
// overrides into a plan, in which every default is filled in, and reports
// everything that is wrong with them at once. A measurement here is what files
// can say about it: its parameters, its metrics and what faults can hit.
package scenario

import (
	"slices"
	"time"

	"mabeam-top/internal/stress/verdict"
)

// A Plan is everything that a run does, with every default filled in and every override
// applied. It has been checked.
type Plan struct {
	Scenarios []Scenario `json:"scenarios"`
}

// A Scenario is a list of measurements with one result.
type Scenario struct {
	Name        string   `json:"name"`
	Title       string   `json:"title"`
	Description string   `json:"description"`
	Tags        []string `json:"tags"`
	// File is the file that it was read from; "builtin:NAME.yaml" for a built-in one.
	File string `json:"file"`
	// Timeout limits the whole scenario.
	Timeout time.Duration `json:"timeout"`
	// Seed determines all random choices of the scenario.
	Seed   uint64  `json:"seed"`
	System System  `json:"system"`
	Groups []Group `json:"groups"`
}

// A System says how the runtime is started for each repetition.
type System struct {
	// MaxAgents is the limit on live agents; 0 means none.
	MaxAgents int `json:"max_agents"`
	// Mailbox is the capacity of each agent's mailbox and of each subscription's
	// queue.
	Mailbox int `json:"mailbox"`
	// BusPolicy is what a subscription does when its queue is full: block,
	// drop-oldest, drop-newest or disconnect.
	BusPolicy string `json:"bus_policy"`
}

// A Group is a list of steps that run in parallel on the same system. Most groups have one
// step.
type Group []Step

// A Step is a measurement with its parameters and what it is checked against.
type Step struct {
	Name        string       `json:"name"`
	Measurement *Measurement `json:"measurement"`
	Params      Params       `json:"params"`
	Warmup      Warmup       `json:"warmup"`
	// Repeat is the number of repetitions, each on a fresh system.
	Repeat int `json:"repeat"`
	// Component is a component of the baseline table; empty for none.
	Component string `json:"component"`
	// Tolerance is the share by which a baseline can be missed.
	Tolerance  float64             `json:"tolerance"`
	Thresholds []verdict.Threshold `json:"thresholds"`
	// Faults are injected while the load of each repetition runs, except in the
	// warm-up.
	Faults []Fault `json:"faults"`
}

// NeedsProcess reports whether each repetition of the step needs its own process.
func (s Step) NeedsProcess() bool {
	_, needed := s.OwnProcess()
	return needed
}

// OwnProcess reports whether each repetition of the step needs its own process, and returns
// the limits on the memory of that process.
func (s Step) OwnProcess() (MemoryLimits, bool) {
	if s.Measurement.OwnProcess == nil {
		return MemoryLimits{}, false
	}
	return s.Measurement.OwnProcess(s.Params)
}

// A Warmup is a repetition whose results are discarded, before the measured ones. At most
// one of its fields is set; the zero value is no warm-up.
type Warmup struct {
	For time.Duration `json:"for"`
	// Operations is the length of the warm-up in operations.
	Operations int `json:"operations"`
}

// Estimate returns roughly how long the step takes on a small machine: its repetitions, and
// its warm-up if that has a duration.
func (s Step) Estimate() time.Duration {
	estimate := s.Warmup.For
	if s.Measurement.Estimate != nil {
		estimate += time.Duration(s.Repeat) * s.Measurement.Estimate(s.Params)
	}
	return estimate
}

// Steps returns the steps of all groups, in order.
func (s Scenario) Steps() []Step { return slices.Concat(s.Groups...) }

// Estimate returns roughly how long the scenario takes: its groups one after the other, each
// as long as its longest step.
func (s Scenario) Estimate() time.Duration {
	var estimate time.Duration
	for _, group := range s.Groups {
		var longest time.Duration
		for _, step := range group {
			longest = max(longest, step.Estimate())
		}
		estimate += longest
	}
	return estimate
}

// Estimate returns roughly how long the run takes.
func (p Plan) Estimate() time.Duration {
	var estimate time.Duration
	for _, s := range p.Scenarios {
		estimate += s.Estimate()
	}
	return estimate
}
