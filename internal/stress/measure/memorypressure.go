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
	"mabeam-top/internal/stress/scenario"
)

const (
	// baseShare is the share of the limit that the agents hold before the
	// pressure: a heap of next to nothing is collected so often that pressure
	// would make it faster.
	baseShare = 0.1
	// recoveredTolerance is how much more may be live after the pressure than before it.
	recoveredTolerance = 0.01
	// garbageShare is how much garbage is made to see what a collection frees
	// of it, as a share of the limit.
	garbageShare = 0.05
	// defaultHardShare is the default of hard_limit.
	defaultHardShare = 1.5
	// startEvery is how many actions there are for each agent that is started.
	startEvery = 64
	// maxRoomyPressure is the share of memory_limit up to which pressure leaves room for new
	// agents.
	maxRoomyPressure = 0.95
)

func memoryPressure() *stress.Measurement {
	return &stress.Measurement{Measurement: scenario.Measurement{
		Name:      "memory-pressure",
		Summary:   "When most of the memory is in use, how much slower is the system, what is refused, does it survive, and how soon is it free again?",
		Component: "resource_limits",
		Alone:     true,
		Targets:   []scenario.Target{scenario.TargetComponents},
		Params: []scenario.Param{
			{Name: "memory_limit", Kind: scenario.Size, Default: int64(256e6), Min: 64e6, Max: 1e12, Doc: "What the memory of its process is limited to: the Go runtime's soft limit (GOMEMLIMIT), and the runtime's own, beyond which new agents are refused."},
			{Name: "hard_limit", Kind: scenario.Ratio, Default: defaultHardShare, Min: 1, Max: 100, Doc: "Where the operating system ends the process, as a share of memory_limit: the soft limit alone is passed rather than kept."},
			{Name: "pressure", Kind: scenario.Ratio, Default: 0.9, Min: baseShare, Max: 100, Doc: "Share of memory_limit that is live under pressure; 10% is live before."},
			{Name: "duration", Kind: scenario.Duration, Default: 5 * time.Second, Min: 0.01, Max: 3600, Doc: "How long the load lasts under pressure; before it lasts a quarter of that."},
			{Name: "agents", Kind: scenario.Int, Default: 100, Min: 1, Max: 100_000, Doc: "Agents that work, and that hold the memory in equal parts."},
			{Name: "allocation", Kind: scenario.Size, Default: int64(4096), Min: 1, Max: 1e9, Doc: "Garbage that each action makes."},
			{Name: "concurrency", Kind: scenario.Int, Default: 4, Min: 1, Max: 10_000, Doc: "Operations under way at once: actions, and for each 64 of them an agent that is started and stopped."},
		},
		Metrics: []scenario.Metric{
			{Name: "memory_limit_mb", Unit: "MB", Better: report.Neither, Doc: "memory_limit, in 1e6 bytes."},
			{Name: "peak_memory_mb", Unit: "MB", Better: report.Lower, Doc: "The most physical memory that the process held, as the kernel counts it, in 1e6 bytes: what is no heap, such as the program itself, is in it."},
			{Name: "gc_effectiveness", Unit: "ratio", Better: report.Higher, Doc: "Bytes that a collection under pressure freed / bytes that were garbage then: an amount that was made for it, when there was no other. It is a figure of Go's collector, not of the runtime under test, and is not judged."},
			{Name: "throughput_ratio", Unit: "ratio", Better: report.Higher, Doc: "Operations per second under pressure / before it, of the same load. Most of what it loses goes to Go's collector."},
			{Name: "latency_ratio", Unit: "ratio", Better: report.Lower, Doc: "99th percentile of their latency under pressure / before it. Their mean is the inverse of throughput_ratio, as the load is closed."},
			{Name: "allocation_failures", Unit: "count", Better: report.Lower, Must: "== 0", Aggregation: scenario.Sum, Expected: leavesRoom, Doc: "Agents that the runtime refused for want of memory (ErrLimitReached), before and under pressure; they count as dropped. An allocation in Go itself cannot fail: the process ends instead. It must be 0 while pressure is at most 95 %."},
			{Name: "survived", Unit: "bool", Better: report.Higher, Must: "== true", Doc: "Whether the process outlived the pressure. If it ran out of memory or a signal ended it, what is known until then is told, and that is a result."},
			{Name: "success_rate", Unit: "ratio", Better: report.Higher, Must: "== 1", Aggregation: scenario.Worst, Expected: isSurvivable, Doc: "Operations before and under pressure that succeeded / those that were not dropped."},
			pressureMismatches(),
			{Name: "recovery_time_ms", Unit: "ms", Better: report.Lower, Doc: "Time from the pressure being let go, while agents go on working, until a collection found no more live memory than before it, an agent could be started, and all agents answered. No collection is asked for."},
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

// leavesRoom says whether the pressure leaves room for new agents.
func leavesRoom(p scenario.Params) bool { return p.Float("pressure") <= maxRoomyPressure }

// isSurvivable says whether the pressure is less than what ends the process.
func isSurvivable(p scenario.Params) bool { return p.Float("pressure") < p.Float("hard_limit") }

// pressureMismatches describes what a witness reports, which a process that was to end
// does not live to report.
func pressureMismatches() scenario.Metric {
	m := telemetryMismatches()
	m.Expected = isSurvivable
	return m
}

// reportPressureDeath tells what is known of a process that did not survive.
func reportPressureDeath(env *stress.Env, d *stress.Death) error {
	if !d.OutOfMemory && !d.Signal {
		return d
	}
	env.Operations(0, 1, 0) // what it was at
	env.Detail(d.Error(), 1)
	env.Bool("survived", false)
	env.Value("memory_limit_mb", float64(env.Params.Size("memory_limit"))/1e6)
	if d.PeakBytes > 0 {
		env.Value("peak_memory_mb", float64(d.PeakBytes)/1e6)
	} else {
		env.Unmeasured("peak_memory_mb", "what the process held that has ended is not known here")
	}
	env.Unmeasured("recovery_time_ms", "the process did not survive the pressure")
	return nil
}

// holdBlock is what held memory consists of: as large as one of the Go
// runtime's size classes, so that it takes no more than that.
const holdBlock = 8 << 10

type block [holdBlock]byte

// newBlock returns memory that the operating system has really given.
func newBlock() *block {
	b := new(block)
	for i := 0; i < len(b); i += 1 << 10 {
		b[i] = 1
	}
	return b
}

// A hoarder is an agent that makes garbage with each action, and holds memory.
type memoryAgent struct {
	mabeam.Defaults
	held    []*block
	garbage []byte
}

// HandleAction implements mabeam.Behaviour: work makes as many bytes of garbage
// as its parameter says, and hold holds as many blocks from then on.
func (h *memoryAgent) HandleAction(_ context.Context, _ *mabeam.Agent, action string, params any) (any, error) {
	n, ok := params.(int)
	if !ok {
		return nil, fmt.Errorf("%s: its parameter is a %T, not a number", action, params)
	}
	switch action {
	case "work":
		h.garbage = make([]byte, n) // that of the action before is garbage now
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
	work    any          // the parameter of each action
	refused atomic.Int64 // agents, for want of memory
	started atomic.Int64
}

// measureMemoryPressure lets garbage go with letGo.
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

	calm, err := t.hold(ctx, baseShare, collectTwice())
	if err != nil {
		return err
	}
	duration := p.Duration("duration")
	// A process that has just begun is slower.
	if err := load.Rehearse(ctx, t.load(duration/20), t.operate); err != nil {
		return err
	}
	before, err := env.RunLoad(ctx, t.load(duration/4), t.operate)
	if err != nil {
		return err
	}
	live := collectTwice()
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

// hold has all agents hold so many blocks each that a share of the limit is
// live, with what is live besides, and returns how many that are.
func (t *pressureTest) hold(ctx context.Context, share float64, besides int64) (blocks int, err error) {
	blocks = int(max(t.share(share)-besides, 0) / int64(len(t.ids)*holdBlock))
	return blocks, t.holdEach(ctx, blocks)
}

// share is a share of the limit, in bytes.
func (t *pressureTest) share(of float64) int64 {
	return int64(of * float64(t.env.Params.Size("memory_limit")))
}

// held is what all agents hold if each holds so many blocks.
func (t *pressureTest) heldBytes(blocks int) int64 {
	return int64(len(t.ids)) * int64(blocks) * holdBlock
}

func (t *pressureTest) holdEach(ctx context.Context, blocks int) error {
	for i, id := range t.ids {
		if _, err := t.system.Execute(ctx, id, "hold", blocks); err != nil {
			return fmt.Errorf("have agent %d of %d hold memory: %w", i+1, len(t.ids), err)
		}
	}
	t.env.Operations(int64(len(t.ids)), 0, 0)
	return nil
}

// load is what the agents have to do, for some time.
func (t *pressureTest) load(d time.Duration) load.Load {
	return load.Load{Workers: t.env.Params.Int("concurrency"), For: d}
}

// operate carries out an operation of the load.
func (t *pressureTest) operate(ctx context.Context, op load.Op) error {
	if op.N%startEvery == startEvery-1 {
		return t.startStop(ctx)
	}
	_, err := t.system.Execute(ctx, t.ids[op.N%len(t.ids)], "work", t.work)
	return err
}

// startStop starts an agent and stops it. One that is refused for want of
// memory is dropped.
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

// compare reports how the load went under pressure, held against before.
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

// measureGCEffectiveness makes so many blocks of garbage, lets them go, and returns the
// share of it that one collection frees.
func measureGCEffectiveness(blocks int, letGo func([]*block)) float64 {
	garbage := make([]*block, max(blocks, 1))
	collectTwice() // there is no other
	for i := range garbage {
		garbage[i] = newBlock()
	}
	before := readBytes(heapObjects)
	letGo(garbage)
	freed := before - heapBytes()
	runtime.KeepAlive(garbage) // what was not let go
	return float64(freed) / float64(len(garbage)*holdBlock)
}

// recover lets the pressure go, while the load goes on, and reports how soon
// everything is as it was when each agent held the calm number of blocks, and so
// many bytes were live.
func (t *pressureTest) recover(ctx context.Context, calm int, live int64) error {
	loading, cancel := context.WithCancel(ctx)
	defer cancel()
	began := t.env.Now()
	var took time.Duration
	var err error
	var release sync.WaitGroup
	release.Go(func() {
		defer cancel() // the load is over, too
		if err = t.holdEach(ctx, calm); err == nil {
			// An agent's list of what it held keeps its size.
			took, err = t.awaitRecovery(ctx, began, live+t.share(recoveredTolerance))
		}
	})
	_, _ = t.env.RunLoad(loading, t.load(2*recoveryTimeout), t.operate) // it ends with loading
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

// errNotRecovered tells that the memory was not let go.
var errNotRecovered = fmt.Errorf("what was live under pressure was not free again within %v", recoveryTimeout)

// untilFree waits until a collection has found no more than so many bytes alive,
// an agent can be started and all answer, and returns how long that took.
func (t *pressureTest) awaitRecovery(ctx context.Context, began time.Time, enough int64) (time.Duration, error) {
	for {
		free := readBytes(heapLive) <= enough && t.startStop(ctx) == nil && t.allAnswer(ctx) == nil
		took := t.env.Now().Sub(began)
		switch {
		case free:
			return took, nil
		case took > recoveryTimeout || !load.Sleep(ctx, recoveryInterval):
			return 0, errNotRecovered
		}
	}
}

// allAnswer asks each agent for an action.
func (t *pressureTest) allAnswer(ctx context.Context) error {
	for _, id := range t.ids {
		if _, err := t.system.Execute(ctx, id, "work", t.work); err != nil {
			return err
		}
	}
	return nil
}
