package stress

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"slices"
	"sync"
	"time"

	"mabeam-top/internal/stress/load"
	"mabeam-top/internal/stress/profile"
	"mabeam-top/internal/stress/scenario"
	"mabeam-top/internal/stress/stream"
)

// A run is one run of a plan. It decides which repetition is next and judges the
// outcomes; executors carry the repetitions out. So the death of a child process
// costs only what ran in it.
type run struct {
	engine   Engine
	plan     scenario.Plan
	id       string
	start    time.Time
	profiles profile.Collection
	shared   executor // of all steps that do not need their own process

	emitMu sync.Mutex
	emitTo func(stream.Event)
	last   float64 // T of the newest event

	// retryUntil is when half of the time of the current scenario is over.
	retryUntil time.Time

	steerMu  sync.Mutex // guards what follows
	executor executor   // of the current repetition; nil if there is none
	steps    []*stepRun // that take part in it
	stop     context.CancelFunc
	limit    *timeLimit // of the current scenario; nil if there is none
	over     bool
	// These are the latest commands of their kind; without Do there was none.
	paused, rate, inspection stream.Command
}

// Run implements stream.Source. It returns an error only if the probes cannot be
// read or a profile cannot be written; any other failure of a measurement is in its
// result.
func (r *run) Run(ctx context.Context, emit func(stream.Event)) error {
	overhead := float64(load.RecordingCost().Nanoseconds())
	r.emitTo, r.start, r.id = emit, time.Now(), newRunID()
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	r.steerMu.Lock()
	r.stop = stop
	r.steerMu.Unlock()
	defer r.end()
	r.profiles.Files = r.engine.Profiles
	if err := r.openShared(); err != nil {
		return err
	}
	defer func() { _ = r.shared.close() }() // if emit panics; otherwise it is closed below

	r.begin(overhead)
	for i := range r.plan.Scenarios {
		if ctx.Err() == nil {
			r.scenario(ctx, i)
		}
	}
	r.close(r.shared)
	r.emit(stream.Event{Type: stream.RunFinished, End: &stream.End{Cause: interruption(ctx)}})
	return r.profiles.Write()
}

// interruption returns context.Canceled if a run with that context was interrupted.
func interruption(ctx context.Context) error {
	if ctx.Err() != nil {
		return context.Canceled
	}
	return nil
}

// openShared makes the executor of all steps that do not need their own process.
func (r *run) openShared() error {
	if r.engine.Isolate {
		r.shared = r.newChildProcess(scenario.MemoryLimits{})
		return nil
	}
	e, err := newInProcess(r.plan, r.engine.Catalogue, r.engine.Steerable)
	if err != nil {
		return err
	}
	r.shared = e
	return nil
}

// begin emits that the run has started.
func (r *run) begin(overheadNS float64) {
	names := make([]string, len(r.plan.Scenarios))
	for i, s := range r.plan.Scenarios {
		names[i] = s.Name
	}
	var seed uint64 // each scenario can have its own; the report has the first
	if len(r.plan.Scenarios) > 0 {
		seed = r.plan.Scenarios[0].Seed
	}
	r.emit(stream.Event{Type: stream.RunStarted, Run: &stream.Run{
		Schema: stream.Schema, ID: r.id, StartedAt: r.start, Command: r.engine.Command, Seed: seed,
		Tool: r.engine.Tool, Host: r.engine.Host, Scenarios: names, EstimateSeconds: r.plan.Estimate().Seconds(),
		MeasurementOverheadNS: overheadNS,
	}})
	r.log("info", fmt.Sprintf("recording one operation takes %.0f ns on this machine; every latency includes it", overheadNS))
}

func newRunID() string {
	var b [3]byte
	rand.Read(b[:]) // never fails
	return time.Now().UTC().Format("20060102-150405") + "-" + hex.EncodeToString(b[:])
}

// emit emits an event that happens now.
func (r *run) emit(e stream.Event) { r.emitAt(time.Now(), e) }

// emitAt emits an event that happened at that time, or as soon after it as the order
// of events allows.
func (r *run) emitAt(at time.Time, e stream.Event) {
	r.emitMu.Lock()
	defer r.emitMu.Unlock()
	r.last = max(r.last, at.Sub(r.start).Seconds())
	e.T = r.last
	r.emitTo(e)
}

// close closes an executor.
func (r *run) close(e executor) {
	if err := e.close(); err != nil {
		r.log("warn", err.Error())
	}
}

func (r *run) log(level, message string) {
	r.emit(stream.Event{Type: stream.Logged, Log: &stream.Log{Level: level, Message: message}})
}

// scenario runs one scenario.
func (r *run) scenario(ctx context.Context, number int) {
	s, began := &r.plan.Scenarios[number], time.Now()
	var names []string
	for _, step := range s.Steps() {
		names = append(names, step.Name)
	}
	r.emit(stream.Event{Type: stream.ScenarioStarted, Scenario: &stream.Scenario{
		Name: s.Name, Title: s.Title, Description: s.Description, Tags: s.Tags, File: s.File,
		StartedAt: began, Steps: names, EstimateSeconds: s.Estimate().Seconds(),
	}})
	r.retryUntil = began.Add(s.Timeout / 2)
	limited := r.limitTime(ctx, s.Timeout)
	defer limited.end()
	end := &stream.End{}
	if r.groups(limited, number) < len(s.Groups) {
		end.Cause = context.Cause(limited)
	}
	end.Cause = cmp.Or(interruption(ctx), end.Cause)
	r.emit(stream.Event{Type: stream.ScenarioFinished, End: end})
}

// groups runs the groups of a scenario, repetition by repetition: the first of each
// group, then the second of each, and so on. The other load of the machine changes
// by the minute. This way it affects all steps alike, and the spread of each step,
// instead of making one step slower than the others. It returns how many groups
// began.
func (r *run) groups(ctx context.Context, number int) int {
	var groups []*groupRun
	for i := range r.plan.Scenarios[number].Groups {
		if ctx.Err() != nil {
			break
		}
		g := newGroupRun(r, number, i)
		groups = append(groups, g)
		g.next(ctx)
	}
	for ctx.Err() == nil && slices.ContainsFunc(groups, func(g *groupRun) bool { return !g.finished }) {
		for _, g := range groups {
			g.next(ctx)
		}
	}
	for _, g := range groups {
		g.finish(ctx)
	}
	return len(groups)
}
