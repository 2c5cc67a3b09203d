package measure

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"mabeam-top/internal/probes"
	mabeam "mabeam-top/internal/runtime"
	"mabeam-top/internal/stress"
	"mabeam-top/internal/stress/load"
	"mabeam-top/internal/stress/report"
	"mabeam-top/internal/stress/resources"
	"mabeam-top/internal/stress/scenario"
)

const (
	// baseShare is the share of the limit that the agents hold before the pressure. A
	// smaller heap is collected so often that pressure would make the system faster.
	baseShare = 0.1
	// recoveredTolerance is how much more may be live after the pressure than before, as a
	// share of the limit.
	recoveredTolerance = 0.01
	// garbageShare is how much garbage is made to measure what a garbage collection frees,
	// as a share of the limit.
	garbageShare = 0.05
	// defaultHardShare is the default of hard_limit.
	defaultHardShare = 1.5
	// startEvery is the number of operations of which one starts and stops an agent.
	startEvery = 64
	// maxRoomyPressure is the share of memory_limit up to which pressure leaves room for new
	// agents.
	maxRoomyPressure = 0.95
)

func memoryPressure() *stress.Measurement {
	return &stress.Measurement{Measurement: scenario.Measurement{
		Name:      "memory-pressure",
		Summary:   "Measures how much slower a system is when most of its memory is in use, what it refuses, whether it survives, and how soon it recovers.",
		Component: "resource_limits",
		Alone:     true,
		Targets:   []scenario.Target{scenario.TargetComponents},
		Params: []scenario.Param{
			{Name: "memory_limit", Kind: scenario.Size, Default: int64(256e6), Min: 64e6, Max: 1e12, Doc: "Memory limit of the process: the soft limit of the Go runtime (GOMEMLIMIT), and the limit above which the runtime under test refuses new agents."},
			{Name: "hard_limit", Kind: scenario.Ratio, Default: defaultHardShare, Min: 1, Max: 100, Doc: "Limit at which the operating system ends the process, as a share of memory_limit. The soft limit alone can be exceeded."},
			{Name: "pressure", Kind: scenario.Ratio, Default: 0.9, Min: baseShare, Max: 100, Doc: "Share of memory_limit that is live under pressure; 10% is live before."},
			{Name: "duration", Kind: scenario.Duration, Default: 5 * time.Second, Min: 0.01, Max: 3600, Doc: "Length of the load under pressure; the load before takes a quarter of that."},
			{Name: "agents", Kind: scenario.Int, Default: 100, Min: 1, Max: 100_000, Doc: "Agents that work, and hold the memory in equal parts."},
			{Name: "allocation", Kind: scenario.Size, Default: int64(4096), Min: 1, Max: 1e9, Doc: "Garbage of each action."},
			{Name: "concurrency", Kind: scenario.Int, Default: 4, Min: 1, Max: 10_000, Doc: "Concurrent operations: actions, of which every 64th is replaced by the start and stop of an agent."},
		},
		Metrics: []scenario.Metric{
			{Name: "memory_limit_mb", Unit: "MB", Better: report.Neither, Doc: "memory_limit, in 1e6 bytes."},
			{Name: "peak_memory_mb", Unit: "MB", Better: report.Lower, Doc: "Maximum physical memory of the process according to the kernel, in 1e6 bytes. It includes memory outside the heap, such as the program itself."},
			{Name: "gc_effectiveness", Unit: "ratio", Better: report.Higher, Doc: "Bytes freed by a garbage collection under pressure / bytes of garbage, which is allocated for this measurement. It depends on the Go runtime, not the runtime under test, and is not judged."},
			{Name: "throughput_ratio", Unit: "ratio", Better: report.Higher, Doc: "Operations per second under pressure / before, with the same load. Most of the loss is garbage collection."},
			{Name: "latency_ratio", Unit: "ratio", Better: report.Lower, Doc: "99th percentile of the latency under pressure / before. The ratio of the means is the inverse of throughput_ratio, because the load is closed."},
			{Name: "allocation_failures", Unit: "count", Better: report.Lower, Must: "== 0", Aggregation: scenario.Sum, Expected: leavesRoom, Doc: "Agents that the runtime refused for lack of memory (ErrLimitReached) before and under pressure; they count as dropped. An allocation in Go cannot fail: the process ends instead. It must be 0 up to a pressure of 95 %."},
			{Name: "survived", Unit: "bool", Better: report.Higher, Must: "== true", Doc: "Whether the process survived the pressure. If it runs out of memory or a signal ends it, that is a result, reported with everything known until then."},
			{Name: "success_rate", Unit: "ratio", Better: report.Higher, Must: "== 1", Aggregation: scenario.Worst, Expected: isSurvivable, Doc: "Successful operations before and under pressure / operations that were not dropped."},
			pressureMismatches(),
			{Name: "recovery_time_ms", Unit: "ms", Better: report.Lower, Doc: "Time from the release of the memory, while agents continue to work, until a garbage collection finds no more live memory than before the pressure, an agent can be started, and all agents answer. No garbage collection is forced."},
		},
		Estimate: func(p scenario.Params) time.Duration {
			return p.Duration("duration")*5/4 + 500*time.Millisecond
		},
		OwnProcess: func(p scenario.Params) (scenario.MemoryLimits, bool) {
			soft := p.Size("memory_limit")
			return scenario.MemoryLimits{Soft: soft, Hard: int64(p.Float("hard_limit") * float64(soft))}, true
		},
	}, Died: reportPressureDeath, Run: func(ctx context.Context, env *stress.Env) error {
		return measureMemoryPressure(ctx, env, func() mabeam.Behaviour { return &memoryAgent{} }, func(garbage []*block) { clear(garbage) })
	}}
}

// leavesRoom reports whether the pressure leaves room for new agents.
func leavesRoom(p scenario.Params) bool { return p.Float("pressure") <= maxRoomyPressure }

// isSurvivable reports whether the pressure is below the hard limit.
func isSurvivable(p scenario.Params) bool { return p.Float("pressure") < p.Float("hard_limit") }

// pressureMismatches describes telemetry_mismatches, which a process that must end does
// not report.
func pressureMismatches() scenario.Metric {
	m := telemetryMismatches()
	m.Expected = isSurvivable
	return m
}

// reportPressureDeath reports what is known of a process that did not survive.
func reportPressureDeath(env *stress.Env, d *stress.Death) error {
	if !d.OutOfMemory && !d.Signal {
		return d
	}
	env.Operations(0, 1, 0) // the operation in progress
	env.Detail(d.Error(), 1)
	env.Bool("survived", false)
	env.Value("memory_limit_mb", float64(env.Params.Size("memory_limit"))/1e6)
	if d.PeakBytes > 0 {
		env.Value("peak_memory_mb", float64(d.PeakBytes)/1e6)
	} else {
		env.Unmeasured("peak_memory_mb", "the memory of a process that has ended is not known here")
	}
	env.Unmeasured("recovery_time_ms", "the process did not survive the pressure")
	return nil
}

// holdBlock is the unit of held memory. It is one of the size classes of the Go runtime,
// so that nothing is wasted.
const holdBlock = 8 << 10

type block [holdBlock]byte

// newBlock returns memory that the operating system has actually provided.
func newBlock() *block {
	b := new(block)
	for i := 0; i < len(b); i += 1 << 10 {
		b[i] = 1
	}
	return b
}

// A memoryAgent is an agent that makes garbage with each action, and holds memory.
type memoryAgent struct {
	mabeam.Defaults
	held    []*block
	garbage []byte
}

// HandleAction handles work, which makes params bytes of garbage, and hold, which holds
// params blocks from then on.
func (h *memoryAgent) HandleAction(_ context.Context, _ *mabeam.Agent, action string, params any) (any, error) {
	n, ok := params.(int)
	if !ok {
		return nil, fmt.Errorf("%s: params are a %T, want an int", action, params)
	}
	switch action {
	case "work":
		h.garbage = make([]byte, n) // the previous one becomes garbage
		for i := 0; i < n; i += 1 << 10 {
			h.garbage[i] = 1
		}
	case "hold":
		for len(h.held) < n {
			h.held = append(h.held, newBlock())
		}
		clear(h.held[n:])
		h.held = h.held[:n]
	default:
		return nil, mabeam.ErrUnknownAction
	}
	return nil, nil
}

// A pressureTest is one repetition of memory-pressure.
type pressureTest struct {
	env     *stress.Env
	system  *mabeam.System
	behave  func() mabeam.Behaviour
	ids     []string
	work    any          // params of each action
	refused atomic.Int64 // agents refused for lack of memory
	started atomic.Int64
}

// measureMemoryPressure runs one repetition; letGo releases garbage.
func measureMemoryPressure(ctx context.Context, env *stress.Env, behave func() mabeam.Behaviour, letGo func([]*block)) (err error) {
	p := env.Params
	options := env.Options()
	options.MemoryLimit = p.Size("memory_limit")
	system, stop, err := startWatched(ctx, env, options)
	if err != nil {
		return err
	}
	defer stop()
	t := &pressureTest{env: env, system: system, behave: behave, work: int(p.Size("allocation"))}
	w := newTelemetryCheck(env, system)
	if t.ids, err = startAgents(ctx, system, p.Int("agents"), t.spec); err != nil {
		return err
	}
	t.started.Add(int64(len(t.ids)))

	calm, err := t.hold(ctx, baseShare, resources.CollectTwice())
	if err != nil {
		return err
	}
	duration := p.Duration("duration")
	// A new process is slower.
	if err := load.Rehearse(ctx, t.load(duration/20), t.operate); err != nil {
		return err
	}
	before, err := env.RunLoad(ctx, t.load(duration/4), t.operate)
	if err != nil {
		return err
	}
	live := resources.CollectTwice()
	if _, err := t.hold(ctx, p.Float("pressure"), live-t.heldBytes(calm)); err != nil {
		return err
	}
	under, err := env.RunLoad(ctx, t.load(duration), t.operate)
	if err != nil {
		return err
	}
	t.compare(before, under)
	env.Value("allocation_failures", float64(t.refused.Load()))
	env.Value("gc_effectiveness", measureGCEffectiveness(int(t.share(garbageShare)/holdBlock), letGo))
	if err := t.recover(ctx, calm, live); err != nil {
		return err
	}
	env.Value("memory_limit_mb", float64(p.Size("memory_limit"))/1e6)
	if peak, err := probes.PeakMemory(); err != nil {
		env.Unmeasured("peak_memory_mb", err.Error())
	} else {
		env.Value("peak_memory_mb", float64(peak)/1e6)
	}
	env.Bool("survived", true)
	w.expect(ctx, map[string]int64{"AgentsStarted": t.started.Load(), "LimitReached": t.refused.Load()})
	w.report()
	return nil
}

func (t *pressureTest) spec() mabeam.Spec { return mabeam.Spec{Type: "hoarder", Behaviour: t.behave()} }

// hold lets all agents hold so many blocks that a share of the limit is live, including
// what is live besides. It returns the blocks of each.
func (t *pressureTest) hold(ctx context.Context, share float64, besides int64) (blocks int, err error) {
	blocks = int(max(t.share(share)-besides, 0) / int64(len(t.ids)*holdBlock))
	return blocks, t.holdEach(ctx, blocks)
}

// share returns a share of the limit in bytes.
func (t *pressureTest) share(of float64) int64 {
	return int64(of * float64(t.env.Params.Size("memory_limit")))
}

// heldBytes is what all agents hold with so many blocks each.
func (t *pressureTest) heldBytes(blocks int) int64 {
	return int64(len(t.ids)) * int64(blocks) * holdBlock
}

func (t *pressureTest) holdEach(ctx context.Context, blocks int) error {
	for i, id := range t.ids {
		if _, err := t.system.Execute(ctx, id, "hold", blocks); err != nil {
			return fmt.Errorf("let agent %d of %d hold memory: %w", i+1, len(t.ids), err)
		}
	}
	t.env.Operations(int64(len(t.ids)), 0, 0)
	return nil
}

// load returns a load of that length.
func (t *pressureTest) load(d time.Duration) load.Load {
	return load.Load{Workers: t.env.Params.Int("concurrency"), For: d}
}

// operate runs an operation of the load.
func (t *pressureTest) operate(ctx context.Context, op load.Op) error {
	if op.N%startEvery == startEvery-1 {
		return t.startStop(ctx)
	}
	_, err := t.system.Execute(ctx, t.ids[op.N%len(t.ids)], "work", t.work)
	return err
}

// startStop starts and stops an agent. If it is refused for lack of memory, it counts as
// dropped.
func (t *pressureTest) startStop(ctx context.Context) error {
	id, err := t.system.StartAgent(ctx, t.spec())
	if errors.Is(err, mabeam.ErrLimitReached) {
		t.refused.Add(1)
		return fmt.Errorf("%w: %w", load.ErrDropped, err)
	}
	if err != nil {
		return err
	}
	t.started.Add(1)
	return t.system.StopAgent(ctx, id)
}

// compare reports the load under pressure relative to the load before.
func (t *pressureTest) compare(before, under load.Result) {
	began := before.Succeeded + before.Failed + under.Succeeded + under.Failed
	t.env.Value("success_rate", ratio(before.Succeeded+under.Succeeded, began))
	if before.Succeeded == 0 || under.Succeeded == 0 {
		unmeasured(t.env, fmt.Sprintf("%d operations succeeded before the pressure and %d under it", before.Succeeded, under.Succeeded), "throughput_ratio", "latency_ratio")
		return
	}
	t.env.Value("throughput_ratio", under.PerSecond()/before.PerSecond())
	t.env.Value("latency_ratio", float64(under.Latency.Quantile(0.99))/float64(max(before.Latency.Quantile(0.99), 1)))
}

// measureGCEffectiveness makes blocks of garbage, releases them, and returns the share
// that one garbage collection frees.
func measureGCEffectiveness(blocks int, letGo func([]*block)) float64 {
	garbage := make([]*block, max(blocks, 1))
	resources.CollectTwice() // there is no other garbage
	for i := range garbage {
		garbage[i] = newBlock()
	}
	before := resources.ReadBytes(resources.HeapObjects)
	letGo(garbage)
	freed := before - resources.HeapBytes()
	runtime.KeepAlive(garbage) // the blocks that were not released
	return float64(freed) / float64(len(garbage)*holdBlock)
}

// recover releases the memory while the load continues, and reports how soon the agents
// hold baseline blocks each and no more than live bytes are alive.
func (t *pressureTest) recover(ctx context.Context, calm int, live int64) error {
	loading, cancel := context.WithCancel(ctx)
	defer cancel()
	began := time.Now()
	var took time.Duration
	var err error
	var release sync.WaitGroup
	release.Go(func() {
		defer cancel() // ends the load too
		if err = t.holdEach(ctx, calm); err == nil {
			// The list of an agent's blocks keeps its capacity.
			took, err = t.awaitRecovery(ctx, began, live+t.share(recoveredTolerance))
		}
	})
	_, _ = t.env.RunLoad(loading, t.load(2*recoveryTimeout), t.operate) // ends with loading
	release.Wait()
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, errNotRecovered):
		t.env.Unmeasured("recovery_time_ms", err.Error())
	case err != nil:
		return err
	default:
		t.env.Value("recovery_time_ms", load.Milliseconds(took))
	}
	return nil
}

// errNotRecovered is the error of memory that was not released.
var errNotRecovered = fmt.Errorf("the memory under pressure was not released within %v", recoveryTimeout)

// awaitRecovery waits until a garbage collection has found at most enough bytes alive, an
// agent can be started and all answer, and returns how long that took.
func (t *pressureTest) awaitRecovery(ctx context.Context, began time.Time, enough int64) (time.Duration, error) {
	for {
		free := resources.ReadBytes(resources.HeapLive) <= enough && t.startStop(ctx) == nil && t.allAnswer(ctx) == nil
		took := time.Since(began)
		switch {
		case free:
			return took, nil
		case took > recoveryTimeout || !load.Sleep(ctx, recoveryInterval):
			return 0, errNotRecovered
		}
	}
}

// allAnswer requests an action of each agent.
func (t *pressureTest) allAnswer(ctx context.Context) error {
	for _, id := range t.ids {
		if _, err := t.system.Execute(ctx, id, "work", t.work); err != nil {
			return err
		}
	}
	return nil
}
