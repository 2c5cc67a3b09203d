package stress

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"slices"
	"sync"
	"time"

	"mabeam-top/internal/stress/load"
	"mabeam-top/internal/stress/profile"
	"mabeam-top/internal/stress/report"
	"mabeam-top/internal/stress/scenario"
	"mabeam-top/internal/stress/stream"
	"mabeam-top/internal/stress/verdict"
)

// An Engine says where, by whom and for whom plans are run.
type Engine struct {
	// Catalogue has the measurements of the plans.
	Catalogue Catalogue
	Tool      report.Tool
	Host      report.Host
	// Command is the command line that the report tells.
	Command   []string
	Baselines verdict.Baselines
	// Best are the best figures kept, which the grade goes by.
	Best report.Best
	// Profiles are written of the measured parts.
	Profiles profile.Files
	// Child is the program, with its arguments, that calls ServeChild: what
	// runs in a process of its own runs there. Without it, everything runs in
	// this process, and what may not is an error.
	Child []string
	// Steerable says that somebody may disturb the loads by hand: agents and
	// subscribers are watched for that, which costs a little of each action.
	Steerable bool
	// Isolate has everything run in a child; otherwise only those steps do
	// that need a process of their own.
	Isolate bool
}

// Source returns a run of the plan.
func (e Engine) Source(plan scenario.Plan) stream.Source { return &run{engine: e, plan: plan} }

// A run is one run of a plan. It says what is carried out when, and takes in
// what comes of it; where it is carried out, in this process or in another, is
// the rigs' business. So the death of a child costs what ran in it, and
// nothing else.
type run struct {
	engine   Engine
	plan     scenario.Plan
	id       string
	start    time.Time
	profiles profile.Collection
	shared   executor // of all that need none of their own

	emitMu sync.Mutex
	emitTo func(stream.Event)
	last   float64 // T of the newest event

	clock load.Clock // stands still while the load is held
	// againUntil is when half of the running scenario's time is over.
	retryUntil time.Time
	steerMu    sync.Mutex // guards what follows
	executor   executor   // that carries out a repetition; nil if none does
	steps      []*stepRun // that it carries out
	stop       context.CancelFunc
	over       bool
	// These are the latest of their kind; without Do there was none.
	paused, rate, inspection stream.Command
}

// Run carries the plan out. It returns an error only if the probes cannot be
// read or a profile cannot be written; whatever else goes wrong with a
// measurement is told in its result.
func (r *run) Run(ctx context.Context, emit func(stream.Event)) error {
	r.emitTo, r.start, r.id = emit, time.Now(), newRunID()
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	r.steerMu.Lock()
	r.stop = stop
	r.steerMu.Unlock()
	defer r.end()
	r.profiles.Files = r.engine.Profiles
	if r.engine.Isolate {
		r.shared = r.newChildProcess(scenario.MemoryLimits{})
	} else {
		b, err := newInProcess(r.plan, r.engine.Catalogue, r.engine.Steerable)
		if err != nil {
			return err
		}
		r.shared = b
	}
	defer func() { _ = r.shared.close() }() // if emit panics; else it is closed below

	names := make([]string, len(r.plan.Scenarios))
	for i, s := range r.plan.Scenarios {
		names[i] = s.Name
	}
	var seed uint64 // each scenario may have its own; the run tells the first
	if len(r.plan.Scenarios) > 0 {
		seed = r.plan.Scenarios[0].Seed
	}
	result := report.Report{
		Schema: report.Schema, ID: r.id, StartedAt: r.start, Command: r.engine.Command,
		Seed: seed, Tool: r.engine.Tool, Host: r.engine.Host,
	}
	r.emit(stream.Event{Type: stream.RunStarted, Run: &stream.Run{
		Schema: stream.Schema, ID: r.id, StartedAt: r.start, Command: r.engine.Command, Seed: seed,
		Tool: r.engine.Tool, Host: r.engine.Host, Scenarios: names, EstimateSeconds: r.plan.Estimate().Seconds(),
	}})
	result.MeasurementOverheadNS = float64(load.RecordingCost().Nanoseconds())
	r.log("info", fmt.Sprintf("recording one operation costs %.0f ns here; it is part of every latency", result.MeasurementOverheadNS))

	for i := range r.plan.Scenarios {
		if ctx.Err() != nil {
			result.Recommendations = append(result.Recommendations, "not run: "+names[i])
			continue
		}
		s, notRun := r.scenario(ctx, i)
		result.Scenarios = append(result.Scenarios, s)
		result.Recommendations = append(result.Recommendations, notRun...)
	}
	r.close(r.shared)

	result.DurationSeconds = time.Since(r.start).Seconds()
	result.Recommendations = append(result.Recommendations, verdict.RecommendRun(result)...)
	result.Conclude()
	if ctx.Err() != nil {
		result.SetVerdict(report.Interrupted)
	}
	r.emit(stream.Event{Type: stream.RunFinished, Report: &result})
	return r.profiles.Write()
}

func newRunID() string {
	var b [3]byte
	rand.Read(b[:]) // never fails
	return time.Now().UTC().Format("20060102-150405") + "-" + hex.EncodeToString(b[:])
}

// emit sends an event that happens now.
func (r *run) emit(e stream.Event) { r.emitAt(time.Now(), e) }

// emitAt sends an event that happened at that time, or as soon after it as the
// order of events allows.
func (r *run) emitAt(at time.Time, e stream.Event) {
	r.emitMu.Lock()
	defer r.emitMu.Unlock()
	r.last = max(r.last, at.Sub(r.start).Seconds())
	e.T = r.last
	r.emitTo(e)
}

// close ends a rig.
func (r *run) close(where executor) {
	if err := where.close(); err != nil {
		r.log("warn", err.Error())
	}
}

func (r *run) log(level, message string) {
	r.emit(stream.Event{Type: stream.Logged, Log: &stream.Log{Level: level, Message: message}})
}

// scenario carries out one scenario. It also tells what of it was not run.
func (r *run) scenario(ctx context.Context, number int) (result report.Scenario, notRun []string) {
	s, began := &r.plan.Scenarios[number], time.Now()
	result = report.Scenario{Name: s.Name, Title: s.Title, Tags: s.Tags, StartedAt: began, File: s.File}
	var names []string
	for _, step := range s.Steps() {
		names = append(names, step.Name)
	}
	r.emit(stream.Event{Type: stream.ScenarioStarted, Scenario: &stream.Scenario{
		Name: s.Name, Title: s.Title, Description: s.Description, Tags: s.Tags, File: s.File,
		StartedAt: began, Steps: names, EstimateSeconds: s.Estimate().Seconds(),
	}})
	r.retryUntil = r.clock.Now().Add(s.Timeout / 2)
	limited, cancel := r.withTimeout(ctx, s.Timeout, fmt.Errorf("scenario timeout of %v", s.Timeout))
	defer cancel()
	result.Steps = r.groups(limited, number)
	if cause := context.Cause(limited); cause != nil {
		for _, name := range names[len(result.Steps):] {
			notRun = append(notRun, fmt.Sprintf("not run: step %s of %s (%v)", name, s.Name, cause))
		}
	}
	result.DurationSeconds = time.Since(began).Seconds()
	result.Conclude()
	switch {
	case ctx.Err() != nil:
		result.Verdict = report.Interrupted
	case len(notRun) > 0:
		result.Verdict = report.Worst(result.Verdict, report.Broken)
	}
	r.emit(stream.Event{Type: stream.ScenarioFinished, ScenarioResult: &result})
	return result, notRun
}

// groups carries out the groups of a scenario, repetition by repetition: the
// first of each group, then the second of each, and so on. What the machine
// does besides changes by the minute, and this way it comes to all steps
// alike, and to each step's spread, instead of making one step slower than
// the others. It returns the results of the steps that were begun.
func (r *run) groups(ctx context.Context, scenario int) []report.Step {
	var begun []*groupRun
	for i := range r.plan.Scenarios[scenario].Groups {
		if ctx.Err() != nil {
			break
		}
		group := newGroupRun(r, scenario, i)
		begun = append(begun, group)
		group.next(ctx)
	}
	for ctx.Err() == nil && slices.ContainsFunc(begun, func(g *groupRun) bool { return !g.finished }) {
		for _, group := range begun {
			group.next(ctx)
		}
	}
	var results []report.Step
	for _, group := range begun {
		group.finish(ctx)
		results = append(results, group.results...)
	}
	return results
}
