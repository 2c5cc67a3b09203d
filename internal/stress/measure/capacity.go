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
	"mabeam-top/internal/stress/report"
	"mabeam-top/internal/stress/scenario"
)

const (
	// searchTries is how often a rate is tried that was not held, and
	// confirmTries how often the lowest of these at the search's end: a hiccup
	// of the machine makes a rate fail that is held, but nothing makes one seem
	// held, for longer than a moment, that is not.
	searchTries, confirmTries = 1, 3
	// confirmProbes is how often the rate found is offered again, and confirmHeld how
	// often of these it has to be held. If it is not, it was found by luck, and a
	// rate lower by the precision is offered in its place, maxStepsDown times: if
	// none of them is held, the machine was busy with something else, and decided
	// more than the system did. Then all is searched anew, searches times in all.
	confirmProbes, confirmHeld, maxStepsDown, maxSearches = 3, 2, 4, 2
	// maxCapacityProbes ends the searches of a repetition that a machine with many
	// hiccups keeps from ending.
	maxCapacityProbes = 40
	// minCapacity is the rate below which the search gives up, per second.
	minCapacity = 1
	// capacityWorkers is how many operations may be under way at once.
	capacityWorkers = 64
)

// A carrier is a kind of work whose capacity can be asked for.
type capacityLoad struct {
	// of is the measurement whose work it is.
	measurement string
	// open gets the system ready for it.
	open func(ctx context.Context, env *stress.Env) (probe, error)
}

// carriers are what the parameter `of` can be.
var capacityLoads = []capacityLoad{
	{measurement: "event-stress", open: openEventLoad},
	{measurement: "system-load", open: openMixedLoad},
}

// A probe offers work at a rate for a time, and returns when none of it is
// under way any more.
type probe func(ctx context.Context, stage load.Stage) (probeResult, error)

// probed is what became of the work of a probe.
type probeResult struct {
	// latency is from when work was due to when it was done.
	latency *load.Histogram
	// due and done are in whatever unit the carrier counts.
	due, done int64
	// lagged says that the generator itself could not deliver the work.
	lagged bool
	// lost, duplicates and disorder count deliveries, and mismatches is of the
	// telemetry. A rate at which there are any is not one that was not held: the
	// system does not do its job.
	lost, duplicates, disorder, mismatches int64
}

// isWrong says whether the system did something that no rate allows.
func (r probeResult) isWrong() bool { return r.lost+r.duplicates+r.disorder+r.mismatches > 0 }

var errWrong = errors.New("deliveries were lost, made twice, out of order, or counted wrongly")

func capacity() *stress.Measurement {
	of := make([]string, len(capacityLoads))
	for i, c := range capacityLoads {
		of[i] = c.measurement
	}
	return &stress.Measurement{Measurement: scenario.Measurement{
		Name:    "capacity",
		Summary: "What is the highest rate that is held within limits of latency and success?",
		Params: []scenario.Param{
			{Name: "of", Kind: scenario.Text, Default: of[0], Choices: of, Doc: "The measurement whose work it is: " + strings.Join(of, ", ") + "."},
			{Name: "start", Kind: scenario.Rate, Default: 10000.0, Min: minCapacity, Max: 1e7, Doc: "The rate to try first."},
			{Name: "step", Kind: scenario.Rate, Default: 10000.0, Min: 1, Max: 1e7, Doc: "By how much the rate is raised when it is held, and by twice as much each further time; between the last that was held and the first that was not, the search goes on by halves."},
			{Name: "precision", Kind: scenario.Ratio, Default: 0.05, Min: 0.005, Max: 1, Doc: "The share by which the lowest rate not held may be above the highest held, when the search ends."},
			{Name: "probe_duration", Kind: scenario.Duration, Default: 250 * time.Millisecond, Min: 0.02, Max: 60, Doc: "How long each rate is offered. In a short time a rate above the capacity does not fill the queues enough to be seen."},
			{Name: "latency_limit", Kind: scenario.Duration, Default: 10 * time.Millisecond, Min: 1e-6, Max: 60, Doc: "What the 99th percentile of the latency, from when work was due, has to stay within."},
			{Name: "success_rate", Kind: scenario.Ratio, Default: 0.99, Min: 0, Max: 1, Doc: "Share of the work that was due that has to be done."},
			{Name: "subscribers", Kind: scenario.Int, Default: 10, Min: 1, Max: 100_000, Doc: "Subscribers, each of which gets every event."},
			{Name: "agents", Kind: scenario.Int, Default: 1000, Min: 1, Max: 10_000_000, Doc: "Of system-load: the agents that the work is for."},
			mixParam(),
		},
		Metrics: append([]scenario.Metric{
			{Name: "capacity_per_second", Unit: "1/s", Better: report.Higher, Doc: "The highest rate that was held, and held again in two of three more tries: the 99th percentile of the latency was within latency_limit and the share of success at least success_rate. If capacity_limited_by is generator, it is at least that. The load generator takes its part of the processors, so the system by itself can do more rather than less."},
			{Name: "capacity_found", Unit: "bool", Better: report.Higher, Must: "== true", Doc: "Whether any rate was held."},
			{Name: "capacity_limited_by", Unit: "text", Better: report.Neither, Doc: "What kept a higher rate from being held: system, or generator if the load generator was late."},
			{Name: "knee_latency_ms", Unit: "ms", Better: report.Neither, Distribution: true, Doc: "Latency at that rate: beyond it, it grows without bound. It shows where the limit bites, and is no better where it is lower: a system that holds a higher rate may show more."},
			{Name: "probes_tried", Unit: "count", Better: report.Neither, Doc: "How often a rate was offered."},
		}, deliveryMetrics()...),
		Estimate: func(p scenario.Params) time.Duration {
			return 20 * (p.Duration("probe_duration") + 100*time.Millisecond)
		},
		Check: func(p scenario.Params) error {
			if events := p.Float("start") * p.Duration("probe_duration").Seconds(); events > maxStressEvents {
				return fmt.Errorf("%.0f events in the first probe are more than %d; lower start or probe_duration", events, maxStressEvents)
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
		panic("stress: of is none of its choices")
	}}
}

func measureCapacity(ctx context.Context, env *stress.Env, c capacityLoad) error {
	p := env.Params
	offer, err := c.open(ctx, env)
	if err != nil {
		return fmt.Errorf("get ready for %s: %w", c.measurement, err)
	}
	probes := 0
	var best, failed probeResult // the latest that was held, and that was not
	var wrong probeResult        // ends the search
	try := func(rate float64) (held bool, err error) {
		runtime.GC() // what the last probe left behind is not this one's
		probes++
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
		if probes >= maxCapacityProbes {
			break
		}
		if highest, err = s.run(try, func() bool { return probes >= maxCapacityProbes }); err != nil || highest == 0 {
			break
		}
		if highest, settled, err = s.confirm(highest, try); err != nil || settled {
			break
		}
	}
	if err != nil && !errors.Is(err, errWrong) {
		return err
	}
	env.Value("probes_tried", float64(probes))
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
		env.Inconclusive("not even a small rate was delivered: the generator itself was late; the machine is too slow, or too busy, to ask this question")
		return nil
	case highest == 0:
		env.Bool("capacity_found", false)
		env.Unmeasured("capacity_per_second", fmt.Sprintf("not even %d/s was held", minCapacity))
		return nil
	case !settled:
		env.Inconclusive("no rate near the highest that was held once was held again; the machine is too busy with other things to ask this question")
		return nil
	}
	env.Bool("capacity_found", true)
	env.Value("capacity_per_second", highest)
	env.Latency("knee_latency_ms", best.latency)
	env.Text("capacity_limited_by", "system")
	if failed.lagged || failed.latency == nil {
		env.Text("capacity_limited_by", "generator")
		env.Note(fmt.Sprintf("the capacity is at least %s: at a higher rate the load generator was late", report.Quantity(highest, "1/s")), 1)
	}
	return nil
}

// within says whether a probe kept to the limits.
func (r probeResult) withinLimits(p scenario.Params) bool {
	return r.latency.Count() > 0 && r.latency.Quantile(0.99) <= p.Duration("latency_limit") &&
		float64(r.done) >= p.Float("success_rate")*float64(r.due)
}

// openEventLoad offers events to publish, as event-stress does. They are done
// when every subscriber has handled them.
func openEventLoad(_ context.Context, env *stress.Env) (probe, error) {
	return func(ctx context.Context, stage load.Stage) (probeResult, error) {
		recorder := load.NewRecorder()
		group, err := openProbeSubscribers(env, recorder)
		if err != nil {
			return probeResult{}, err
		}
		room := payloadsOf(stage)
		driven, err := env.RunLoad(ctx, load.Load{
			Workers: capacityWorkers, Stages: []load.Stage{stage}, Recorder: recorder, FixedRate: true, MayLag: true,
		}, func(ctx context.Context, op load.Op) error {
			one := room.of(op.N)
			*one = group.from.payload(op)
			return env.System().Bus().Publish(ctx, mabeam.Event{Type: group.eventType, Data: one, Timestamp: op.Due})
		})
		if err != nil {
			return probeResult{}, err
		}
		result, err := group.close(ctx, env, publishCounts{driven.Succeeded, driven.Failed}, 0)
		result.latency, result.lagged = recorder.Total(), driven.Undelivered()
		result.due, result.done = driven.Attempted*int64(len(group.all)), group.all.distinct()
		return result, err
	}, nil
}

// A probeSubscribers is the subscribers of a probe and who publishes to them.
type probeSubscribers struct {
	all       subscriberSet
	from      publishers
	eventType string
	witness   *telemetryCheck
}

// openProbeSubscribers subscribes the subscribers of a probe.
func openProbeSubscribers(env *stress.Env, recorder *load.Recorder) (*probeSubscribers, error) {
	g := &probeSubscribers{from: make(publishers, capacityWorkers), eventType: loadEvent}
	var err error
	g.all, err = subscriberGroup{
		subscribers: env.Params.Int("subscribers"), publishers: capacityWorkers, topic: g.eventType, recorder: recorder,
	}.subscribe(env.System())
	g.witness = newTelemetryCheck(env, env.System())
	return g, err
}

// close waits for the deliveries, unsubscribes and says what was wrong with them.
// Other is how many events agents published besides.
func (g *probeSubscribers) close(ctx context.Context, env *stress.Env, sent publishCounts, other int64) (probeResult, error) {
	if _, _, err := g.all.awaitDeliveries(ctx, sent.accepted); err != nil {
		return probeResult{}, err
	}
	g.all.checkTelemetry(ctx, g.witness, sent, other)
	if _, err := g.all.unsubscribeAll(ctx, env, g.witness, g.from, g.eventType); err != nil {
		return probeResult{}, err
	}
	return probeResult{
		lost: g.all.lost(sent.accepted, sent.failed), duplicates: g.all.duplicates(), disorder: g.all.outOfOrder(),
		mismatches: int64(g.witness.mismatches),
	}, nil
}

// openMixedLoad offers the mixed work of system-load. It is done when it has its
// answer, an event when the bus has taken it.
func openMixedLoad(ctx context.Context, env *stress.Env) (probe, error) {
	w := &mixedLoad{system: env.System(), seed: env.Rand.Uint64()}
	w.weights, w.total = mixWeights(env.Params)
	if err := w.populate(ctx, env, agents.Demo); err != nil {
		return nil, err
	}
	return func(ctx context.Context, stage load.Stage) (probeResult, error) {
		group, err := openProbeSubscribers(env, load.NewRecorder())
		if err != nil {
			return probeResult{}, err
		}
		w.from = group.from
		sent, unsent, actions := w.sent.Load(), w.unsent.Load(), w.actions.Load()
		driven, err := env.RunLoad(ctx, load.Load{Workers: capacityWorkers, Stages: []load.Stage{stage}, FixedRate: true, MayLag: true}, w.operate)
		if err != nil {
			return probeResult{}, err
		}
		result, err := group.close(ctx, env, publishCounts{w.sent.Load() - sent, w.unsent.Load() - unsent}, w.actions.Load()-actions)
		result.latency, result.lagged, result.due, result.done = driven.Latency, driven.Undelivered(), driven.Attempted, driven.Succeeded
		return result, err
	}, nil
}
