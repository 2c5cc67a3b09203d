package stress

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"mabeam-top/internal/probes"
	mabeam "mabeam-top/internal/runtime"
	"mabeam-top/internal/stress/report"
	"mabeam-top/internal/stress/stream"
	"mabeam-top/internal/stress/verdict"
)

const (
	// defaultInterval is the time between two samples.
	defaultInterval = 100 * time.Millisecond
	// stopWithin is how long a system may take to stop after its repetition.
	stopWithin = 10 * time.Second
	// abandonWithin is how long it may take when the run was interrupted.
	abandonWithin = 500 * time.Millisecond
)

// An Engine says where, by whom and for whom plans are run.
type Engine struct {
	Tool report.Tool
	Host report.Host
	// Command is the command line that the report tells.
	Command   []string
	Baselines verdict.Baselines
	// Interval is the time between two samples; 0 means 100 ms.
	Interval time.Duration
	// Isolated says that this is a child process, made for the load alone.
	Isolated bool
}

// Source returns a run of the plan in this process.
func (e Engine) Source(plan Plan) stream.Source { return &run{engine: e, plan: plan} }

// A run is one run of a plan.
type run struct {
	engine Engine
	plan   Plan
	id     string
	start  time.Time

	emitMu sync.Mutex
	emitTo func(stream.Event)

	sampler *probes.Sampler
	system  atomic.Pointer[mabeam.System] // what the probes read
	load    loadSource

	stepMu sync.Mutex
	active []*stepRun // steps that are being measured now
}

// Run carries the plan out. It returns an error only if the probes cannot be
// read; whatever goes wrong with a measurement is told in its result.
func (r *run) Run(ctx context.Context, emit func(stream.Event)) error {
	process, err := probes.Process()
	if err != nil {
		return fmt.Errorf("read this process's probes: %w", err)
	}
	r.emitTo, r.start, r.id = emit, time.Now(), newRunID()
	r.sampler = probes.New(cmp.Or(r.engine.Interval, defaultInterval),
		probes.GoMetrics(), process, probes.HostLoad(), probes.System(r.system.Load), &r.load)

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
	r.log("info", fmt.Sprintf("recording one operation costs %d ns here; it is part of every latency told", RecordingCost().Nanoseconds()))

	sampling, stopSampling := context.WithCancel(context.WithoutCancel(ctx))
	var wg sync.WaitGroup
	wg.Go(func() { _ = r.sampler.Run(sampling, r.sample) }) // it ends only when told to
	for i := range r.plan.Scenarios {
		if ctx.Err() != nil {
			result.Recommendations = append(result.Recommendations, "not run: "+names[i])
			continue
		}
		s, notRun := r.scenario(ctx, &r.plan.Scenarios[i])
		result.Scenarios = append(result.Scenarios, s)
		result.Recommendations = append(result.Recommendations, notRun...)
	}
	stopSampling()
	wg.Wait()

	result.DurationSeconds = time.Since(r.start).Seconds()
	result.Conclude()
	if ctx.Err() != nil {
		result.Verdict = report.Interrupted
		result.Grade = report.GradeOf(result.Score, result.Verdict)
	}
	r.emit(stream.Event{Type: stream.RunFinished, Report: &result})
	return nil
}

func newRunID() string {
	var b [3]byte
	rand.Read(b[:]) // never fails
	return time.Now().UTC().Format("20060102-150405") + "-" + hex.EncodeToString(b[:])
}

// emit sends an event, with its time.
func (r *run) emit(e stream.Event) {
	r.emitMu.Lock()
	defer r.emitMu.Unlock()
	e.T = time.Since(r.start).Seconds()
	r.emitTo(e)
}

func (r *run) log(level, message string) {
	r.emit(stream.Event{Type: stream.Logged, Log: &stream.Log{Level: level, Message: message}})
}

// sample passes a sample on, to the stream and to the steps being measured.
func (r *run) sample(at time.Time, values map[string]float64) {
	r.stepMu.Lock()
	for _, s := range r.active {
		s.sample(at, values)
	}
	r.stepMu.Unlock()
	r.emit(stream.Event{Type: stream.SampleTaken, Sample: values})
}

// scenario carries out one scenario. It also tells what of it was not run.
func (r *run) scenario(ctx context.Context, s *Scenario) (result report.Scenario, notRun []string) {
	began := time.Now()
	result = report.Scenario{Name: s.Name, Title: s.Title, Tags: s.Tags, StartedAt: began, File: s.File}
	var names []string
	for _, g := range s.Groups {
		for _, step := range g {
			names = append(names, step.Name)
		}
	}
	r.emit(stream.Event{Type: stream.ScenarioStarted, Scenario: &stream.Scenario{
		Name: s.Name, Title: s.Title, Description: s.Description, Tags: s.Tags, File: s.File,
		StartedAt: began, Steps: names, EstimateSeconds: s.Estimate().Seconds(),
	}})
	limited, cancel := context.WithTimeoutCause(ctx, s.Timeout, fmt.Errorf("scenario timeout of %v", s.Timeout))
	defer cancel()
	for _, g := range s.Groups {
		if limited.Err() != nil {
			for _, step := range g {
				notRun = append(notRun, fmt.Sprintf("not run: step %s of %s (%v)", step.Name, s.Name, context.Cause(limited)))
			}
			continue
		}
		result.Steps = append(result.Steps, r.group(limited, s, g)...)
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

// group carries out the steps of one group, side by side on the same system,
// repetition by repetition.
func (r *run) group(ctx context.Context, s *Scenario, g Group) []report.Step {
	steps := make([]*stepRun, len(g))
	repeat := 0
	warm := false
	for i := range g {
		steps[i] = newStepRun(r, &g[i])
		repeat = max(repeat, g[i].Repeat)
		warm = warm || g[i].Warmup != Warmup{}
	}
	first := 1
	if warm {
		first = 0
	}
	for n := first; n <= repeat && ctx.Err() == nil; n++ {
		if !slices.ContainsFunc(steps, func(s *stepRun) bool { return s.takes(n) }) {
			break // all are broken or stopped
		}
		r.repetition(ctx, s, steps, n)
		for n == 0 && ctx.Err() == nil && slices.ContainsFunc(steps, (*stepRun).isCold) {
			r.repetition(ctx, s, steps, 0)
		}
	}
	results := make([]report.Step, len(steps))
	for i, step := range steps {
		results[i] = step.finish(ctx)
		r.emit(stream.Event{Type: stream.StepFinished, StepResult: &results[i]})
	}
	return results
}

// repetition runs each step once on a fresh system.
func (r *run) repetition(ctx context.Context, s *Scenario, steps []*stepRun, n int) {
	// What the last repetition left behind is not this one's.
	runtime.GC()
	options, err := s.System.options()
	var system *mabeam.System
	if err == nil {
		system, err = mabeam.Start(options)
	}
	if err != nil {
		for _, step := range steps {
			step.broken(fmt.Errorf("start the system: %w", err))
		}
		return
	}
	r.system.Store(system)
	var taking []*stepRun
	for _, step := range steps {
		if step.takes(n) {
			step.begin(n, s.Seed, system, options)
			taking = append(taking, step)
		}
	}
	r.load.watch(taking)
	if n > 0 {
		r.measuring(taking)
	}
	r.sample(r.sampler.Sample())
	var wg sync.WaitGroup
	for _, step := range taking {
		wg.Go(func() { step.run(ctx) })
	}
	wg.Wait()
	r.sample(r.sampler.Sample())
	r.measuring(nil)
	r.load.watch(nil)
	r.system.Store(nil)

	within := stopWithin
	if ctx.Err() != nil {
		within = abandonWithin
	}
	stopping, cancel := context.WithTimeout(context.WithoutCancel(ctx), within)
	defer cancel()
	if err := system.Stop(stopping); err != nil && ctx.Err() == nil {
		for _, step := range taking {
			step.broken(fmt.Errorf("stop the system: %w", err))
		}
	}
}

// measuring says which steps take part in the samples from now on.
func (r *run) measuring(steps []*stepRun) {
	r.stepMu.Lock()
	defer r.stepMu.Unlock()
	r.active = steps
}

// options are the runtime's options for a system of this kind.
func (s SystemSpec) options() (mabeam.Options, error) {
	policy, err := mabeam.ParseQueuePolicy(s.BusPolicy)
	return mabeam.Options{MaxAgents: s.MaxAgents, Mailbox: s.Mailbox, BusQueue: s.Mailbox, BusPolicy: policy}, err
}

// A loadSource supplies the probes that the loads of the running steps feed.
type loadSource struct {
	mu   sync.Mutex
	envs []*Env
	last report.Operations
	at   time.Time
}

// watch says which steps' loads are told from now on.
func (l *loadSource) watch(steps []*stepRun) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.envs = nil
	for _, s := range steps {
		l.envs = append(l.envs, s.env)
	}
	l.at = time.Time{}
}

// Read tells what the loads did since the last reading. Between repetitions
// there is nothing to tell.
func (l *loadSource) Read(now time.Time, put func(string, float64)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.envs) == 0 {
		return
	}
	var total report.Operations
	var inflight int64
	var lag time.Duration
	recent := NewHistogram()
	for _, e := range l.envs {
		t := e.counters.totals()
		total.Attempted += t.Attempted
		total.Succeeded += t.Succeeded
		total.Failed += t.Failed
		inflight += e.counters.inflight.Load()
		lag = max(lag, time.Duration(e.counters.lag.Swap(0)))
		e.mu.Lock()
		recorders := slices.Clone(e.recorders)
		e.mu.Unlock()
		for _, rec := range recorders {
			rec.Recent(recent.Merge)
		}
	}
	put("inflight", float64(inflight))
	put("generator_lag_ms", Milliseconds(lag))
	if recent.Count() > 0 {
		put("action_p50_ms", Milliseconds(recent.Quantile(0.5)))
		put("action_p95_ms", Milliseconds(recent.Quantile(0.95)))
		put("action_p99_ms", Milliseconds(recent.Quantile(0.99)))
	}
	if since := now.Sub(l.at); !l.at.IsZero() {
		if since < time.Millisecond {
			return // too short for a rate; the next reading covers it
		}
		put("offered_per_second", PerSecond(total.Attempted-l.last.Attempted, since))
		put("completed_per_second", PerSecond(total.Succeeded-l.last.Succeeded, since))
		put("failed_per_second", PerSecond(total.Failed-l.last.Failed, since))
	}
	l.last, l.at = total, now
}
