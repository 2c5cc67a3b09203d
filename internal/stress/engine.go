// Package stress is the engine that runs plans. For each repetition it starts a
// fresh runtime, runs the loads of a measurement on it while the probes are
// sampled, and reports everything that happens as one stream of events.
package stress

import (
	"mabeam-top/internal/stress/profile"
	"mabeam-top/internal/stress/report"
	"mabeam-top/internal/stress/scenario"
	"mabeam-top/internal/stress/stream"
	"mabeam-top/internal/stress/verdict"
)

// An Engine has what runs of plans need.
type Engine struct {
	// Catalogue has the measurements of the plans.
	Catalogue Catalogue
	Tool      report.Tool
	Host      report.Host
	// Command is the command line that reports show.
	Command   []string
	Baselines verdict.Baselines
	// Best has the best figures of past runs, which grades depend on.
	Best report.Best
	// Profiles says which profiles of the measured parts are written.
	Profiles profile.Files
	// Child is the command line that starts a child process: a program that calls
	// ServeChild. Without it everything runs in this process, and a step that
	// needs its own process is an error.
	Child []string
	// Steerable says that a viewer can disturb the loads: agents and subscribers
	// are prepared for faults, which makes each action a little slower.
	Steerable bool
	// Isolate says that everything runs in a child process. Otherwise only the
	// steps do that need their own process.
	Isolate bool
}

// Source returns a run of the plan. Its events have results of steps only;
// fold.WithReport adds those of scenarios and of the run.
func (e Engine) Source(plan scenario.Plan) stream.Source { return &run{engine: e, plan: plan} }
