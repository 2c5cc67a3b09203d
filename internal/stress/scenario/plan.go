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

// A Plan is everything that a run will do, resolved and checked: every
// default is filled in and every override applied.
type Plan struct {
	Scenarios []Scenario
}

// A Scenario is a list of measurements that are told as one.
type Scenario struct {
	Name        string
	Title       string
	Description string
	Tags        []string
	// File is where it was read from; "builtin:NAME.yaml" for one that the
	// program carries.
	File string
	// Timeout bounds the whole scenario.
	Timeout time.Duration
	// Seed is what all randomness of the scenario is drawn from.
	Seed   uint64
	System System
	Groups []Group
}

// SystemSpec says how the runtime is started for each repetition.
type System struct {
	// MaxAgents is the limit on live agents; 0 means none.
	MaxAgents int
	// Mailbox is the capacity of an agent's mailbox and of a subscription's
	// queue.
	Mailbox int
	// BusPolicy is what a full queue does: block, drop-oldest, drop-newest or
	// disconnect.
	BusPolicy string
}

// A Group is the steps that run at the same time on the same system; most
// groups are of one step.
type Group []Step

// A Step is one measurement with its parameters and what it is held against.
type Step struct {
	Name        string
	Measurement *Measurement
	Params      Params
	Warmup      Warmup
	// Repeat is how many times the step is measured, each on a fresh system.
	Repeat int
	// Component is the row of the baseline table; empty for none.
	Component string
	// Tolerance is the share by which a baseline may be missed.
	Tolerance  float64
	Thresholds []verdict.Threshold
	// Faults are injected while the load of each repetition runs; not while it
	// is warmed up.
	Faults []Fault
}

// NeedsProcess says whether each repetition of the step needs a process of its
// own.
func (s Step) NeedsProcess() bool {
	_, needed := s.OwnProcess()
	return needed
}

// ownProcess is that and what the memory of the process is limited to.
func (s Step) OwnProcess() (MemoryLimits, bool) {
	if s.Measurement.OwnProcess == nil {
		return MemoryLimits{}, false
	}
	return s.Measurement.OwnProcess(s.Params)
}

// A Warmup is what runs before the measurement and is thrown away. At most
// one of its fields is set; the zero value is no warm-up.
type Warmup struct {
	For time.Duration
	// Operations counts the warm-up in operations instead of time.
	Operations int
}

// Estimate is how long the step takes, roughly, on a small machine: its
// repetitions and its warm-up, as far as that is given as a duration.
func (s Step) Estimate() time.Duration {
	estimate := s.Warmup.For
	if s.Measurement.Estimate != nil {
		estimate += time.Duration(s.Repeat) * s.Measurement.Estimate(s.Params)
	}
	return estimate
}

// Steps are the steps of all groups, in their order.
func (s Scenario) Steps() []Step { return slices.Concat(s.Groups...) }

// Estimate is how long the scenario takes, roughly: its groups one after the
// other, each as long as its longest step.
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

// Estimate is how long the run takes, roughly.
func (p Plan) Estimate() time.Duration {
	var estimate time.Duration
	for _, s := range p.Scenarios {
		estimate += s.Estimate()
	}
	return estimate
}
