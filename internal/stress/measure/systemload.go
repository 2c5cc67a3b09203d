package measure

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync/atomic"
	"time"

	mabeam "mabeam-top/internal/runtime"
	"mabeam-top/internal/stress"
	"mabeam-top/internal/stress/report"
)

// loadWorkers is how many operations of system-load may be under way at once.
const loadWorkers = 64

// operationsPerWindow is how many operations are due in a window of
// system-load at least: of fewer, one that ends just beyond the border would
// decide.
const operationsPerWindow = 10

// mixKinds are the kinds of operations of system-load.
var mixKinds = []string{"ping", "increment", "publish"}

func systemLoad() *stress.Measurement {
	return &stress.Measurement{
		Name:      "system-load",
		Summary:   "Does a whole system of agents hold a given rate of mixed work, evenly, and as well at the end as at first?",
		Component: "system_load",
		Params: []stress.Param{
			{Name: "agents", Kind: stress.Int, Default: 1000, Min: 1, Max: 10_000_000, Doc: "Agents that the work is for, in turn, so that the same is due to each."},
			{Name: "rate", Kind: stress.Rate, Default: 5000.0, Min: 1, Max: 1e7, Doc: "Operations that are due per second, whatever the answers."},
			{Name: "duration", Kind: stress.Duration, Default: 5 * time.Second, Min: 0.1, Max: 3600, Doc: "How long that rate lasts."},
			mixParam(),
			{Name: "subscribers", Kind: stress.Int, Default: 10, Min: 1, Max: 100_000, Doc: "Subscribers, each of which gets every event that is published."},
		},
		Metrics: []stress.Metric{
			{Name: "offered_rate", Unit: "1/s", Better: report.Neither, Probe: "offered_per_second", Doc: "Operations that were due / length of the load."},
			{Name: "load_capacity_operations_per_sec", Unit: "1/s", Better: report.Higher, Probe: "completed_per_second", CappedBy: "rate", Doc: "Operations that succeeded / time until the last of them had ended; of a system that keeps up it is offered_rate, and what it could do beyond that is what the measurement capacity asks."},
			{Name: "performance_degradation", Unit: "ratio", Better: report.Lower, Doc: "1 − operations that succeeded in the last quarter of the load / in the first; not below 0. A system that keeps up has none, even if it gets slower: see latency_ms."},
			{Name: "stability_score", Unit: "ratio", Better: report.Higher, Doc: "Share of the windows of 100 ms (longer if fewer than 10 operations are due in that) in which at least 90 % of the operations due succeeded and errors were under 1 %."},
			{Name: "max_concurrent_agents", Unit: "count", Better: report.Higher, Probe: "agents", CappedBy: "agents", Doc: "Agents alive side by side when the load began: those asked for, unless a limit refused some."},
			{Name: "load_balance", Unit: "ratio", Better: report.Higher, Doc: "Jain's fairness index of operations that succeeded per agent: 1 is the same for each, 1 / agents all for one."},
			{Name: "latency_ms", Unit: "ms", Better: report.Lower, Distribution: true, Probe: "action_p50_ms", Doc: "Time from when an operation was due to its answer; of an event, to when the bus had taken it."},
			telemetryMismatches(),
		},
		Estimate: func(p stress.Params) time.Duration {
			return 100*time.Millisecond + p.Duration("duration") + time.Duration(p.Int("agents"))*5*time.Microsecond
		},
		Check: func(p stress.Params) error {
			if err := checkMix(p); err != nil {
				return err
			}
			if wanted := 4 * loadWindow(p.Float("rate")); p.Duration("duration") < wanted {
				return fmt.Errorf("at this rate the load has to last %v: its first quarter is compared with its last, in windows of at least %d operations", wanted, operationsPerWindow)
			}
			return nil
		},
		LoadLength: func(p stress.Params) time.Duration { return p.Duration("duration") },
		Targets:    []stress.Target{stress.Agents, stress.Subscribers, stress.Components},
		Run:        func(ctx context.Context, env *stress.Env) error { return measureLoad(ctx, env, mabeam.DemoSpec) },
	}
}

// mixParam is the parameter that says what the operations of system-load are.
func mixParam() stress.Param {
	mix := make([]stress.Param, len(mixKinds))
	for i, doc := range []string{
		"Weight of requests that change nothing.",
		"Weight of actions that change the agent's state.",
		"Weight of events that an agent publishes to all subscribers.",
	} {
		mix[i] = stress.Param{Name: mixKinds[i], Kind: stress.Int, Default: 0, Min: 0, Max: 1_000_000, Doc: doc}
	}
	return stress.Param{
		Name: "mix", Kind: stress.Table, Default: stress.Params{"ping": 70, "increment": 20, "publish": 10}, Fields: mix,
		Doc: "What the operations are, as weights; in a random order that the seed decides.",
	}
}

// checkMix says that a mix has to have something in it.
func checkMix(p stress.Params) error {
	if _, total := mixWeights(p); total == 0 {
		return errors.New("mix has no weight above 0: nothing would be done")
	}
	return nil
}

// mixWeights are the weights of mixKinds, and their sum.
func mixWeights(p stress.Params) (weights []int, total int) {
	for _, kind := range mixKinds {
		weights = append(weights, p.Table("mix").Int(kind))
		total += weights[len(weights)-1]
	}
	return weights, total
}

// loadWindow is the length of a window at a rate.
func loadWindow(rate float64) time.Duration {
	return max(windowFor, time.Duration(math.Ceil(operationsPerWindow/rate*float64(time.Second))))
}

// A workload is what the operations of system-load share.
type workload struct {
	system  *mabeam.System
	ids     []string
	weights []int
	total   int
	seed    uint64

	done    []atomic.Int64   // operations that succeeded, by agent
	now     func() time.Time // while the load is held it stands still
	start   time.Time
	window  time.Duration
	windows []windowCount
}

// A windowCount counts the operations that ended in a window.
type windowCount struct{ succeeded, failed atomic.Int64 }

func measureLoad(ctx context.Context, env *stress.Env, spec func() mabeam.Spec) error {
	p := env.Params
	rate, length := p.Float("rate"), p.Duration("duration")
	w := &workload{system: env.System(), seed: env.Rand.Uint64(), window: loadWindow(rate)}
	w.weights, w.total = mixWeights(p)
	w.windows = make([]windowCount, int(length/w.window))
	if err := w.populate(ctx, env, spec); err != nil {
		return err
	}
	w.done = make([]atomic.Int64, len(w.ids))
	subscribers, err := audience{
		subscribers: p.Int("subscribers"), publishers: loadWorkers, topic: "load.event", recorder: stress.NewRecorder(), wrap: env.Subscriber,
	}.subscribe(w.system)
	if err != nil {
		return err
	}
	var published atomic.Int64
	load := env.Prepare(stress.Load{Workers: loadWorkers, Stages: []stress.Stage{{Rate: rate, For: length}}})
	w.now = env.Now
	w.start = w.now()
	driven, err := load.Drive(ctx, func(ctx context.Context, op stress.Op) error {
		kind, err := w.carryOut(ctx, op)
		w.count(op, err)
		if kind == "publish" && err == nil {
			published.Add(1)
		}
		return err
	})
	if err != nil {
		return err
	}
	due := published.Load() * int64(len(subscribers))
	if _, err := subscribers.await(ctx, due); err != nil {
		return err
	}
	subscribers.lost(env)
	subscribers.tellLost(env, due)
	w.tellEnded(env)
	offeredFor := length
	if env.Aborted() {
		offeredFor = min(driven.Took, length)
	}
	w.evaluate(env, driven, offeredFor)
	env.Value("offered_rate", stress.PerSecond(driven.Attempted, offeredFor))
	env.Value("load_capacity_operations_per_sec", stress.PerSecond(driven.Succeeded, max(driven.Took, offeredFor)))
	env.Value("max_concurrent_agents", float64(len(w.ids)))
	env.Value("load_balance", fairness(w.done))
	env.Latency("latency_ms", driven.Latency)
	return nil
}

// populate starts the agents. If a limit refuses some, it goes on with those
// that there are.
func (w *workload) populate(ctx context.Context, env *stress.Env, spec func() mabeam.Spec) error {
	wanted := env.Params.Int("agents")
	for i := range wanted {
		id, err := w.system.StartAgent(ctx, env.Agent(spec()))
		switch {
		case errors.Is(err, mabeam.ErrLimitReached) && i > 0:
			env.Finding(fmt.Sprintf("only %d of %d agents were started: %v", i, wanted, err), 1)
			return nil
		case err != nil:
			return fmt.Errorf("start agent %d of %d: %w", i+1, wanted, err)
		}
		w.ids = append(w.ids, id)
	}
	return nil
}

// carryOut carries out one operation, and says what it was.
func (w *workload) carryOut(ctx context.Context, op stress.Op) (kind string, err error) {
	id := w.ids[op.N%len(w.ids)]
	kind = w.kind(op.N)
	if kind == "publish" {
		return kind, w.system.Bus().Publish(ctx, mabeam.Event{
			Type: "load.event", Source: id, Data: &parcel{publisher: op.Worker, n: op.N, due: op.Due},
		})
	}
	_, err = w.system.Execute(ctx, id, kind, nil)
	return kind, err
}

// kind is what operation n is: random, the same for the same seed, and
// independent of which agent it is for.
func (w *workload) kind(n int) string {
	// The finalizer of SplitMix64 makes a random number of each n.
	x := w.seed + uint64(n)*0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	left := int((x ^ x>>31) % uint64(w.total))
	for i, weight := range w.weights {
		if left < weight {
			return mixKinds[i]
		}
		left -= weight
	}
	panic("weights do not add up")
}

// count notes what became of an operation in the window in which it ended.
// What ends after the load is in none.
func (w *workload) count(op stress.Op, err error) {
	if err == nil {
		w.done[op.N%len(w.ids)].Add(1)
	}
	i := int(w.now().Sub(w.start) / w.window)
	switch {
	case i >= len(w.windows):
	case err == nil:
		w.windows[i].succeeded.Add(1)
	default:
		w.windows[i].failed.Add(1)
	}
}

// evaluate reports what the windows say of the load's length, each held against what
// was due in it: a hand may have changed the rate, which is not the system's fault.
func (w *workload) evaluate(env *stress.Env, driven stress.Driven, length time.Duration) {
	windows := w.windows[:min(int(length/w.window), len(w.windows))]
	if len(windows) < 4 {
		why := fmt.Sprintf("the load lasted less than four windows of %v", w.window)
		env.Unmeasured("performance_degradation", why)
		env.Unmeasured("stability_score", why)
		return
	}
	due := make([]float64, len(windows))
	stable := int64(0)
	for i := range windows {
		from := time.Duration(i) * w.window
		due[i] = driven.DueBy(from+w.window) - driven.DueBy(from)
		succeeded, failed := float64(windows[i].succeeded.Load()), float64(windows[i].failed.Load())
		if succeeded >= 0.9*due[i] && failed < 0.01*(succeeded+failed) {
			stable++
		}
	}
	// carried is the share of what was due in some windows that succeeded in them:
	// two shares compare as the throughputs do where the same was due.
	carried := func(from, to int) float64 {
		succeeded := int64(0)
		for i := from; i < to; i++ {
			succeeded += windows[i].succeeded.Load()
		}
		return float64(succeeded) / max(sum(due[from:to]), 1e-9)
	}
	n := len(windows)
	env.Value("performance_degradation", degradation(carried(0, n/4), carried(n-n/4, n)))
	env.Value("stability_score", ratio(stable, int64(n)))
}

// tellEnded tells how many of the agents are not there any more.
func (w *workload) tellEnded(env *stress.Env) {
	ended := int64(0)
	for _, id := range w.ids {
		if _, ok := w.system.Registry().Lookup(id); !ok {
			ended++
		}
	}
	if ended > 0 {
		env.Finding(fmt.Sprintf("agents, of %d, that were gone at the load's end", len(w.ids)), ended)
	}
}

// fairness is Jain's index of how evenly something is spread; 0 of nothing.
func fairness(shares []atomic.Int64) float64 {
	var total, squares float64
	for i := range shares {
		x := float64(shares[i].Load())
		total += x
		squares += x * x
	}
	if squares == 0 {
		return 0
	}
	return total * total / (float64(len(shares)) * squares)
}
