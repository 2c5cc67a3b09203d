package measure

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"time"

	mabeam "mabeam-top/internal/runtime"
	"mabeam-top/internal/runtime/agents"
	"mabeam-top/internal/stress"
	"mabeam-top/internal/stress/load"
	"mabeam-top/internal/stress/quantity"
	"mabeam-top/internal/stress/report"
	"mabeam-top/internal/stress/scenario"
)

const (
	// searchTries is how often a rate is tried before it counts as not held, and
	// confirmTries how often the lowest such rate is tried again at the end of the search. A
	// pause of the machine can make a sustainable rate fail, but hardly an unsustainable
	// rate succeed.
	searchTries, confirmTries = 1, 3
	// confirmProbes is how often the highest rate is offered again, and confirmHeld how
	// often it must hold then. If it does not, it held by luck, and lower rates follow, up
	// to maxStepsDown times. If none of them holds, the machine was too busy, and the search
	// starts again, maxSearches times in all.
	confirmProbes, confirmHeld, maxStepsDown, maxSearches = 3, 2, 4, 2
	// maxTrials limits the trials of a repetition on a machine with many pauses.
	maxTrials = 40
	// minCapacity is the rate per second below which the search gives up.
	minCapacity = 1
	// capacityWorkers is the maximum of concurrent operations.
	capacityWorkers = 64
)

// A capacityLoad is a kind of load whose capacity can be measured.
type capacityLoad struct {
	// measurement is the measurement whose load it is.
	measurement string
	// open prepares the system.
	open func(ctx context.Context, env *stress.Env) (trial, error)
}

// capacityLoads are the choices of the parameter of.
var capacityLoads = []capacityLoad{
	{measurement: "event-stress", open: openEventLoad},
	{measurement: "system-load", open: openMixedLoad},
}

// A trial offers a rate for a time, and returns when all operations have ended.
type trial func(ctx context.Context, stage load.Stage) (trialResult, error)

// A trialResult is the result of a trial.
type trialResult struct {
	// latency runs from when an operation was due until it was done.
	latency *load.Histogram
	// due and done are in the unit of the load.
	due, done int64
	// lagged reports whether the load generator could not deliver the rate.
	lagged bool
	// lost, duplicates and disorder count deliveries, and mismatches those of the telemetry.
	// If there are any, the rate does not count as too high: the system does not work.
	lost, duplicates, disorder, mismatches int64
}

// isWrong reports whether the system did what it must not do at any rate.
func (r trialResult) isWrong() bool { return r.lost+r.duplicates+r.disorder+r.mismatches > 0 }

var errWrong = errors.New("deliveries were lost, repeated, out of order or miscounted")

func capacity() *stress.Measurement {
	of := make([]string, len(capacityLoads))
	for i, c := range capacityLoads {
		of[i] = c.measurement
	}
	return &stress.Measurement{Measurement: scenario.Measurement{
		Name:    "capacity",
		Summary: "Measures the highest rate that keeps latency and success within limits.",
		Params: []scenario.Param{
			{Name: "of", Kind: scenario.Text, Default: of[0], Choices: of, Doc: "Measurement whose load is offered: " + strings.Join(of, ", ") + "."},
			{Name: "start", Kind: scenario.Rate, Default: 10000.0, Min: minCapacity, Max: 1e7, Doc: "First rate to try."},
			{Name: "step", Kind: scenario.Rate, Default: 10000.0, Min: 1, Max: 1e7, Doc: "Increase of the rate after a rate that held; it doubles each time. Between the highest rate that held and the lowest that did not, the search continues by bisection."},
			{Name: "precision", Kind: scenario.Ratio, Default: 0.05, Min: 0.005, Max: 1, Doc: "Relative difference between the highest rate that held and the lowest that did not at which the search ends."},
			{Name: "probe_duration", Kind: scenario.Duration, Default: 250 * time.Millisecond, Min: 0.02, Max: 60, Doc: "How long each rate is offered. In a short time, a rate above the capacity does not fill the queues visibly."},
			{Name: "latency_limit", Kind: scenario.Duration, Default: 10 * time.Millisecond, Min: 1e-6, Max: 60, Doc: "Limit of the 99th percentile of the latency, which runs from when an operation was due."},
			{Name: "success_rate", Kind: scenario.Ratio, Default: 0.99, Min: 0, Max: 1, Doc: "Least share of the due operations that must be done."},
			{Name: "subscribers", Kind: scenario.Int, Default: 10, Min: 1, Max: 100_000, Doc: "Subscribers, each of which receives every event."},
			{Name: "agents", Kind: scenario.Int, Default: 1000, Min: 1, Max: 10_000_000, Doc: "Agents of the load system-load."},
			mixParam(),
		},
		Metrics: append([]scenario.Metric{
			{Name: "capacity_per_second", Unit: "1/s", Better: report.Higher, Doc: "Highest rate that held, and held again in two of three more tries: the 99th percentile of the latency was within latency_limit and the share of success at least success_rate. If capacity_limited_by is generator, the capacity is at least that. The load generator uses the same processors, so the system alone may do more."},
			{Name: "capacity_found", Unit: "bool", Better: report.Higher, Must: "== true", Doc: "Whether any rate held."},
			{Name: "capacity_limited_by", Unit: "text", Better: report.Neither, Doc: "Why no higher rate held: system, or generator if the load generator was late."},
			{Name: "knee_latency_ms", Unit: "ms", Better: report.Neither, Distribution: true, Doc: "Latency at capacity_per_second. Above that rate it grows without bound. A lower value is not better: a system with a higher capacity may show more."},
			{Name: "probes_tried", Unit: "count", Better: report.Neither, Doc: "Number of probes."},
		}, deliveryMetrics()...),
		Estimate: func(p scenario.Params) time.Duration {
			return 20 * (p.Duration("probe_duration") + 100*time.Millisecond)
		},
		Check: func(p scenario.Params) error {
			if events := p.Float("start") * p.Duration("probe_duration").Seconds(); events > maxStressEvents {
				return fmt.Errorf("%.0f events in the first probe exceed the maximum of %d; lower start or probe_duration", events, maxStressEvents)
			}
			return checkMix(p)
		},
		Targets: []scenario.Target{scenario.TargetComponents},
	}, Run: func(ctx context.Context, env *stress.Env) error {
		for _, c := range capacityLoads {
			if c.measurement == env.Params.Text("of") {
				return measureCapacity(ctx, env, c)
			}
		}
		panic("stress: of is not one of its choices")
	}}
}

func measureCapacity(ctx context.Context, env *stress.Env, c capacityLoad) error {
	p := env.Params
	offer, err := c.open(ctx, env)
	if err != nil {
		return fmt.Errorf("prepare %s: %w", c.measurement, err)
	}
	trials := 0
	var best, failed trialResult // the latest that held, and the latest that did not
	var wrong trialResult        // of the trial that ended the search
	try := func(rate float64) (held bool, err error) {
		runtime.GC() // remove the garbage of the previous trial
		trials++
		one, err := offer(ctx, load.Stage{Rate: rate, For: p.Duration("probe_duration")})
		if err != nil {
			return false, err
		}
		if one.isWrong() {
			wrong = one
			return false, errWrong
		}
		if held = one.withinLimits(p); held {
			best = one
		} else {
			failed = one
		}
		return held, nil
	}
	s := search{
		start: p.Float("start"), step: p.Float("step"), precision: p.Float("precision"),
		maxRate: min(1e7, maxStressEvents/p.Duration("probe_duration").Seconds()),
	}
	highest, settled := 0.0, false
	for range maxSearches {
		if trials >= maxTrials {
			break
		}
		if highest, err = s.run(try, func() bool { return trials >= maxTrials }); err != nil || highest == 0 {
			break
		}
		if highest, settled, err = s.confirm(highest, try); err != nil || settled {
			break
		}
	}
	if err != nil && !errors.Is(err, errWrong) {
		return err
	}
	env.Value("probes_tried", float64(trials))
	env.Value("lost", float64(wrong.lost))
	env.Value("duplicates", float64(wrong.duplicates))
	env.Value("ordering_violations", float64(wrong.disorder))
	env.Value("telemetry_mismatches", float64(wrong.mismatches))
	switch {
	case err != nil:
		env.Bool("capacity_found", false)
		env.Unmeasured("capacity_per_second", err.Error())
		return nil
	case highest == 0 && failed.lagged:
		env.Inconclusive("not even a low rate was delivered because the load generator was late; the machine is too slow or too busy for this measurement")
		return nil
	case highest == 0:
		env.Bool("capacity_found", false)
		env.Unmeasured("capacity_per_second", fmt.Sprintf("not even %d/s held", minCapacity))
		return nil
	case !settled:
		env.Inconclusive("no rate near the highest one held again; the machine is too busy for this measurement")
		return nil
	}
	env.Bool("capacity_found", true)
	env.Value("capacity_per_second", highest)
	env.Latency("knee_latency_ms", best.latency)
	env.Text("capacity_limited_by", "system")
	if failed.lagged || failed.latency == nil {
		env.Text("capacity_limited_by", "generator")
		env.Note(fmt.Sprintf("the capacity is at least %s: at a higher rate the load generator was late", quantity.Format(highest, "1/s")), 1)
	}
	return nil
}

// withinLimits reports whether the latency and the success of a trial are within their
// limits.
func (r trialResult) withinLimits(p scenario.Params) bool {
	return r.latency.Count() > 0 && r.latency.Quantile(0.99) <= p.Duration("latency_limit") &&
		float64(r.done) >= p.Float("success_rate")*float64(r.due)
}

// openEventLoad offers events as event-stress does. An event is done when every subscriber
// has handled it.
func openEventLoad(_ context.Context, env *stress.Env) (trial, error) {
	return func(ctx context.Context, stage load.Stage) (trialResult, error) {
		recorder := load.NewRecorder()
		group, err := openTrialSubscribers(env, recorder)
		if err != nil {
			return trialResult{}, err
		}
		room := payloadsOf(stage)
		loadResult, err := env.RunLoad(ctx, load.Load{
			Workers: capacityWorkers, Stages: []load.Stage{stage}, Recorder: recorder, FixedRate: true, MayLag: true,
		}, func(ctx context.Context, op load.Op) error {
			one := room.of(op.N)
			*one = group.from.payload(op)
			return env.System().Bus().Publish(ctx, mabeam.Event{Type: group.eventType, Data: one, Timestamp: op.Due})
		})
		if err != nil {
			return trialResult{}, err
		}
		result, err := group.close(ctx, env, publishCounts{loadResult.Succeeded, loadResult.Failed}, 0)
		result.latency, result.lagged = recorder.Total(), loadResult.Undelivered()
		result.due, result.done = loadResult.Attempted*int64(len(group.all)), group.all.distinct()
		return result, err
	}, nil
}

// trialSubscribers are the subscribers of a trial and its publishers.
type trialSubscribers struct {
	all       subscriberSet
	from      publishers
	eventType string
	witness   *telemetryCheck
}

// openTrialSubscribers subscribes the subscribers of a trial.
func openTrialSubscribers(env *stress.Env, recorder *load.Recorder) (*trialSubscribers, error) {
	g := &trialSubscribers{from: make(publishers, capacityWorkers), eventType: loadEvent}
	var err error
	g.all, err = subscriberGroup{
		subscribers: env.Params.Int("subscribers"), publishers: capacityWorkers, topic: g.eventType, recorder: recorder,
	}.subscribe(env.System())
	g.witness = newTelemetryCheck(env, env.System())
	return g, err
}

// close waits for the deliveries, unsubscribes and returns what was wrong with them; other
// is how many events agents published besides.
func (g *trialSubscribers) close(ctx context.Context, env *stress.Env, sent publishCounts, other int64) (trialResult, error) {
	if _, _, err := g.all.awaitDeliveries(ctx, sent.accepted); err != nil {
		return trialResult{}, err
	}
	g.all.checkTelemetry(ctx, g.witness, sent, other)
	if _, err := g.all.unsubscribeAll(ctx, env, g.witness, g.from, g.eventType); err != nil {
		return trialResult{}, err
	}
	return trialResult{
		lost: g.all.lost(sent.accepted, sent.failed), duplicates: g.all.duplicates(), disorder: g.all.outOfOrder(),
		mismatches: int64(g.witness.mismatches),
	}, nil
}

// openMixedLoad offers the mixed load of system-load. An action is done when it has its
// answer, an event when the bus has accepted it.
func openMixedLoad(ctx context.Context, env *stress.Env) (trial, error) {
	w := &mixedLoad{system: env.System(), seed: env.Rand.Uint64()}
	w.weights, w.total = mixWeights(env.Params)
	if err := w.populate(ctx, env, agents.Demo); err != nil {
		return nil, err
	}
	return func(ctx context.Context, stage load.Stage) (trialResult, error) {
		group, err := openTrialSubscribers(env, load.NewRecorder())
		if err != nil {
			return trialResult{}, err
		}
		w.from = group.from
		sent, unsent, actions := w.sent.Load(), w.unsent.Load(), w.actions.Load()
		loadResult, err := env.RunLoad(ctx, load.Load{Workers: capacityWorkers, Stages: []load.Stage{stage}, FixedRate: true, MayLag: true}, w.operate)
		if err != nil {
			return trialResult{}, err
		}
		result, err := group.close(ctx, env, publishCounts{w.sent.Load() - sent, w.unsent.Load() - unsent}, w.actions.Load()-actions)
		result.latency, result.lagged, result.due, result.done = loadResult.Latency, loadResult.Undelivered(), loadResult.Attempted, loadResult.Succeeded
		return result, err
	}, nil
}
