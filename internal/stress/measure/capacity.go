package measure

import (
	"context"
	"fmt"
	"math"
	"runtime"
	"strings"
	"sync/atomic"
	"time"

	mabeam "mabeam-top/internal/runtime"
	"mabeam-top/internal/stress"
	"mabeam-top/internal/stress/report"
)

const (
	// capacityTries is how often a rate is tried that was not held, and
	// confirmTries how often the lowest of these at the search's end: a hiccup
	// of the machine makes a rate fail that is held, but nothing makes one seem
	// held, for longer than a moment, that is not.
	capacityTries, confirmTries = 2, 4
	// againTries is how often the rate found is offered again, and againHeld how
	// often of these it has to be held. If it is not, it was found by luck, and a
	// rate lower by the precision is offered in its place, stepsDown times: if
	// none of them is held, the machine was busy with something else, and decided
	// more than the system did. Then all is searched anew, searches times in all.
	againTries, againHeld, stepsDown, searches = 5, 3, 4, 2
	// maxCapacityProbes ends a search that a machine with many hiccups keeps
	// from ending.
	maxCapacityProbes = 60
	// leastCapacity is the rate below which the search gives up, per second.
	leastCapacity = 1
	// capacityWorkers is how many operations may be under way at once.
	capacityWorkers = 64
)

// A carrier is a kind of work whose capacity can be asked for.
type carrier struct {
	// of is the measurement whose work it is.
	of string
	// open gets the system ready for it.
	open func(ctx context.Context, env *stress.Env) (probe, error)
}

// carriers are what the parameter `of` can be.
var carriers = []carrier{
	{of: "event-stress", open: carryEvents},
	{of: "system-load", open: carryLoad},
}

// A probe offers work at a rate for a time, and returns when none of it is
// under way any more.
type probe func(ctx context.Context, stage stress.Stage) (probed, error)

// probed is what became of the work of a probe.
type probed struct {
	// latency is from when work was due to when it was done.
	latency *stress.Histogram
	// due and done are in whatever unit the carrier counts.
	due, done int64
	// lagged says that the generator itself could not deliver the work.
	lagged bool
}

func capacity() *stress.Measurement {
	of := make([]string, len(carriers))
	for i, c := range carriers {
		of[i] = c.of
	}
	return &stress.Measurement{
		Name:    "capacity",
		Summary: "What is the highest rate that is held within limits of latency and success?",
		Params: []stress.Param{
			{Name: "of", Kind: stress.Text, Default: of[0], Choices: of, Doc: "The measurement whose work it is: " + strings.Join(of, ", ") + "."},
			{Name: "start", Kind: stress.Rate, Default: 10000.0, Min: leastCapacity, Max: 1e7, Doc: "The rate to try first."},
			{Name: "step", Kind: stress.Rate, Default: 10000.0, Min: 1, Max: 1e7, Doc: "By how much the rate is raised when it is held, and by twice as much each further time; between the last that was held and the first that was not, the search goes on by halves."},
			{Name: "precision", Kind: stress.Ratio, Default: 0.05, Min: 0.005, Max: 1, Doc: "The share by which the lowest rate not held may be above the highest held, when the search ends."},
			{Name: "probe_duration", Kind: stress.Duration, Default: 250 * time.Millisecond, Min: 0.02, Max: 60, Doc: "How long each rate is offered. In a short time a rate above the capacity does not fill the queues enough to be seen."},
			{Name: "latency_limit", Kind: stress.Duration, Default: 10 * time.Millisecond, Min: 1e-6, Max: 60, Doc: "What the 99th percentile of the latency, from when work was due, has to stay within."},
			{Name: "success_rate", Kind: stress.Ratio, Default: 0.99, Min: 0, Max: 1, Doc: "Share of the work that was due that has to be done."},
			{Name: "subscribers", Kind: stress.Int, Default: 10, Min: 1, Max: 100_000, Doc: "Subscribers, each of which gets every event."},
			{Name: "agents", Kind: stress.Int, Default: 1000, Min: 1, Max: 10_000_000, Doc: "Of system-load: the agents that the work is for."},
			mixParam(),
		},
		Metrics: []stress.Metric{
			{Name: "capacity_per_second", Unit: "1/s", Better: report.Higher, Doc: "The highest rate that was held, and held again in three of five more tries: the 99th percentile of the latency was within latency_limit and the share of success at least success_rate. The load's generator takes its part of the processors, and if it is late that counts as latency, so the system by itself can do more rather than less."},
			{Name: "knee_latency_ms", Unit: "ms", Better: report.Neither, Distribution: true, Doc: "Latency at that rate: beyond it, it grows without bound. It says where the limit bites, and is no better where it is lower: a system that holds a higher rate may show more."},
			{Name: "probes_tried", Unit: "count", Better: report.Neither, Doc: "How often a rate was offered; one that was not held twice, the lowest of these up to four times more, because a hiccup of the machine looks the same, and the one told up to five times more."},
		},
		Estimate: func(p stress.Params) time.Duration { return 25 * (p.Duration("probe_duration") + 100*time.Millisecond) },
		Check: func(p stress.Params) error {
			if events := p.Float("start") * p.Duration("probe_duration").Seconds(); events > maxStressEvents {
				return fmt.Errorf("%.0f events in the first probe are more than %d; lower start or probe_duration", events, maxStressEvents)
			}
			return checkMix(p)
		},
		Targets: []stress.Target{stress.Components},
		Run: func(ctx context.Context, env *stress.Env) error {
			for _, c := range carriers {
				if c.of == env.Params.Text("of") {
					return measureCapacity(ctx, env, c)
				}
			}
			panic("stress: of is none of its choices")
		},
	}
}

func measureCapacity(ctx context.Context, env *stress.Env, c carrier) error {
	p := env.Params
	offer, err := c.open(ctx, env)
	if err != nil {
		return fmt.Errorf("get ready for %s: %w", c.of, err)
	}
	probes := 0
	var best, failed probed // the latest that was held, and that was not
	try := func(rate float64) (held bool, err error) {
		runtime.GC() // what the last probe left behind is not this one's
		probes++
		one, err := offer(ctx, stress.Stage{Rate: rate, For: p.Duration("probe_duration")})
		if held = err == nil && one.within(p); held {
			best = one
		} else {
			failed = one
		}
		return held, err
	}
	s := search{
		start: p.Float("start"), step: p.Float("step"), precision: p.Float("precision"),
		most: min(1e7, maxStressEvents/p.Duration("probe_duration").Seconds()),
	}
	highest, settled := 0.0, false
	for range searches {
		last := probes + maxCapacityProbes
		if highest, err = s.run(try, func() bool { return probes >= last }); err != nil {
			return err
		}
		if highest == 0 {
			break
		}
		if highest, settled, err = s.settle(highest, try); err != nil {
			return err
		}
		if settled {
			break
		}
	}
	env.Value("probes_tried", float64(probes))
	switch {
	case highest == 0 && failed.lagged:
		env.Inconclusive("not even a small rate was delivered: the generator itself was late; the machine is too slow, or too busy, to ask this question")
		return nil
	case highest == 0:
		env.Unmeasured("capacity_per_second", fmt.Sprintf("not even %d/s was held", leastCapacity))
		return nil
	case !settled:
		env.Inconclusive("no rate near the highest that was held once was held again; the machine is too busy with other things to ask this question")
		return nil
	}
	env.Value("capacity_per_second", highest)
	env.Latency("knee_latency_ms", best.latency)
	return nil
}

// settle offers a rate again and again, and lower ones if it was held by luck. It
// says whether one was held again.
func (s search) settle(rate float64, try func(rate float64) (bool, error)) (settledAt float64, settled bool, err error) {
	for range 1 + stepsDown {
		if settled, err = heldAgain(func() (bool, error) { return try(rate) }); settled || err != nil {
			return rate, settled, err
		}
		rate *= 1 - s.precision
	}
	return rate, false, nil
}

// heldAgain says whether a rate is held againHeld times of againTries. It tries
// no more often than that takes.
func heldAgain(try func() (bool, error)) (bool, error) {
	held, missed := 0, 0
	for held < againHeld && missed <= againTries-againHeld {
		ok, err := try()
		switch {
		case err != nil:
			return false, err
		case ok:
			held++
		default:
			missed++
		}
	}
	return held == againHeld, nil
}

// within says whether a probe kept to the limits.
func (r probed) within(p stress.Params) bool {
	return r.latency.Count() > 0 && r.latency.Quantile(0.99) <= p.Duration("latency_limit") &&
		float64(r.done) >= p.Float("success_rate")*float64(r.due)
}

// A search finds the highest rate that is held.
type search struct {
	start, step float64 // per second
	most        float64 // the highest rate to try
	precision   float64
}

// run tries one rate after the other, each several times before it counts as not
// held, until enough says that it has to end. It returns 0 if no rate was held.
func (s search) run(try func(rate float64) (held bool, err error), enough func() bool) (highest float64, err error) {
	low, high := 0.0, math.Inf(1) // the highest rate held, and the lowest that is not
	rate, step, tries := s.start, s.step, capacityTries
	for !enough() {
		var ok bool
		for range tries {
			if ok, err = try(rate); ok || err != nil {
				break
			}
		}
		switch {
		case err != nil:
			return 0, err
		case ok && rate >= high: // what was not held at first: a hiccup
			low, high, step, tries = rate, math.Inf(1), 2*s.precision*rate, capacityTries
		case ok:
			low = rate
		case tries == confirmTries:
			return low, nil
		default:
			high = rate
		}
		switch {
		case low >= s.most:
			return low, nil
		case math.IsInf(high, 1):
			rate = min(low+step, s.most)
			step *= 2
		case low == 0 && high <= leastCapacity:
			return 0, nil
		case low == 0:
			rate = max(high/2, leastCapacity)
		case high <= low*(1+s.precision):
			rate, tries = high, confirmTries
		default:
			rate = (low + high) / 2
		}
	}
	return low, nil
}

// carryEvents offers events to publish, as event-stress does. They are done
// when every subscriber has handled them.
func carryEvents(_ context.Context, env *stress.Env) (probe, error) {
	system, subscribers := env.System(), env.Params.Int("subscribers")
	return func(ctx context.Context, stage stress.Stage) (probed, error) {
		recorder := stress.NewRecorder()
		all, err := audience{
			subscribers: subscribers, publishers: capacityWorkers, topic: "capacity.event", recorder: recorder,
		}.subscribe(system)
		if err != nil {
			return probed{}, err
		}
		room := parcelsOf(stage)
		driven, err := env.Drive(ctx, stress.Load{
			Workers: capacityWorkers, Stages: []stress.Stage{stage}, Recorder: recorder, Steady: true, MayLag: true,
		}, func(ctx context.Context, op stress.Op) error {
			parcel := room.of(op.N)
			*parcel = publisherParcel(op)
			return system.Bus().Publish(ctx, mabeam.Event{Type: "capacity.event", Data: parcel, Timestamp: op.Due})
		})
		if err != nil {
			return probed{}, err
		}
		if _, err := all.await(ctx, driven.Succeeded*int64(len(all))); err != nil {
			return probed{}, err
		}
		all.unsubscribe()
		return probed{
			latency: recorder.Total(), lagged: driven.Lagged(),
			due: driven.Attempted * int64(len(all)), done: all.delivered(),
		}, nil
	}, nil
}

// carryLoad offers the mixed work of system-load. It is done when it has its
// answer, an event when the bus has taken it.
func carryLoad(ctx context.Context, env *stress.Env) (probe, error) {
	w := &workload{system: env.System(), seed: env.Rand.Uint64()}
	w.weights, w.total = mixWeights(env.Params)
	if err := w.populate(ctx, env, mabeam.DemoSpec); err != nil {
		return nil, err
	}
	return func(ctx context.Context, stage stress.Stage) (probed, error) {
		all, err := audience{
			subscribers: env.Params.Int("subscribers"), publishers: capacityWorkers, topic: "load.event", recorder: stress.NewRecorder(),
		}.subscribe(w.system)
		if err != nil {
			return probed{}, err
		}
		var published atomic.Int64
		driven, err := env.Drive(ctx, stress.Load{Workers: capacityWorkers, Stages: []stress.Stage{stage}, Steady: true, MayLag: true},
			func(ctx context.Context, op stress.Op) error {
				kind, err := w.carryOut(ctx, op)
				if kind == "publish" && err == nil {
					published.Add(1)
				}
				return err
			})
		if err != nil {
			return probed{}, err
		}
		if _, err := all.await(ctx, published.Load()*int64(len(all))); err != nil {
			return probed{}, err
		}
		all.unsubscribe()
		return probed{latency: driven.Latency, lagged: driven.Lagged(), due: driven.Attempted, done: driven.Succeeded}, nil
	}, nil
}
