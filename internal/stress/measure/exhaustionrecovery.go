package measure

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"sync/atomic"
	"time"

	mabeam "mabeam-top/internal/runtime"
	"mabeam-top/internal/runtime/supervision"
	"mabeam-top/internal/stress"
	"mabeam-top/internal/stress/conformance"
	"mabeam-top/internal/stress/load"
	"mabeam-top/internal/stress/report"
	"mabeam-top/internal/stress/resources"
	"mabeam-top/internal/stress/scenario"
)

const (
	// workParts is the number of loads before and after the exhaustion, whose rates are
	// compared.
	workParts = 16
	// spareAgents is how many agents fit besides the survivors.
	spareAgents = 100
	// smallMailbox is the capacity of the mailboxes that are filled.
	smallMailbox = 64
	// blockedAgents is how many agents block at the same time: more than the runtime gives
	// goroutines without delay.
	blockedAgents = 1100
	// spareMemory is how much more memory the process may use.
	spareMemory = 32 << 20
	// spareFiles is how many more files the process may open.
	spareFiles = 64
)

func exhaustionRecovery() *stress.Measurement {
	return &stress.Measurement{Measurement: scenario.Measurement{
		Name:      "exhaustion-recovery",
		Summary:   "Measures how soon a system works as before after a resource was exhausted, and checks that no data is lost.",
		Component: "resource_limits",
		Alone:     true,
		Params: []scenario.Param{
			{Name: "scenarios", Kind: scenario.Texts, Choices: []string{"agents", "mailboxes", "memory", "goroutines", "files"}, Default: []string{"agents", "mailboxes", "memory", "goroutines", "files"}, Doc: "Resources to exhaust, one after the other, each on a separate system."},
			{Name: "agents", Kind: scenario.Int, Default: 50, Min: 1, Max: 10_000, Doc: "Supervised agents whose data is checked and that must survive."},
			{Name: "operations", Kind: scenario.Int, Default: 50_000, Min: 1, Max: 100_000_000, Doc: "Actions of these agents before the exhaustion, after it, and on a new system, to compare the throughput."},
		},
		Metrics: []scenario.Metric{
			{Name: "recovery_time_ms", Unit: "ms", Better: report.Lower, Keyed: true, Doc: "Time from the release of the resource until it is available and every surviving agent answers; the worst of the scenarios, and with .SCENARIO that of one."},
			{Name: "data_consistent", Unit: "bool", Better: report.Higher, Must: "== true", Doc: "Whether the state of every surviving agent is exactly what it has acknowledged. Agents that faults ended have not survived."},
			{Name: "survivors", Unit: "ratio", Better: report.Higher, Must: "== 1", Timed: true, Aggregation: scenario.Worst, Doc: "Agents that answered in the end / agents that no fault ended."},
			{Name: "performance_restored", Unit: "ratio", Better: report.Higher, Keyed: true, Doc: "Throughput after the recovery / before, from the medians of sixteen loads each; the worst of the scenarios, and with .SCENARIO that of one."},
			{Name: "performance_lost", Unit: "ratio", Better: report.Lower, Must: "< 0.6", Expected: isComparable, Doc: "Relative loss of throughput of the recovered system compared with a new system that works in turn with it; the worst of the scenarios. It is estimated over all repetitions, and judged from 20,000 operations on."},
			mustBeZero("component_restarts", "Restarts of agents by their supervisor, and of components of the system after a crash."),
			timeDependent(mustBeZero("limits_broken", "Violations of limits: more or fewer agents than fit, agents refused in spite of free memory or started without it, or more actions accepted by a full mailbox. The errors name each.")),
			telemetryMismatches(),
			operationsNotBegun(),
		},
		Estimate: exhaustionEstimate,
		Targets:  []scenario.Target{scenario.TargetAgents, scenario.TargetComponents},
		// The limit on open files applies to the whole process.
		OwnProcess: func(p scenario.Params) (scenario.MemoryLimits, bool) {
			return scenario.MemoryLimits{}, slices.Contains(p.Texts("scenarios"), "files")
		},
	}, Run: func(ctx context.Context, env *stress.Env) error {
		return measureExhaustion(ctx, env, func() mabeam.Behaviour { return ledger{} }, nil)
	}}
}

func exhaustionEstimate(p scenario.Params) time.Duration {
	return time.Duration(len(p.Texts("scenarios"))) * (150*time.Millisecond + time.Duration(3*p.Int("operations"))*2*time.Microsecond)
}

// isComparable reports whether the operations are enough to compare throughputs.
func isComparable(p scenario.Params) bool { return p.Int("operations") >= 20_000 }

// A ledger is an agent whose state counts its add actions.
type ledger struct{ mabeam.Defaults }

func (ledger) Init(_ context.Context, self *mabeam.Agent) error {
	self.SetState(int64(0))
	return nil
}

// HandleAction handles add, get, and hang, which blocks until it is released.
func (ledger) HandleAction(ctx context.Context, self *mabeam.Agent, action string, params any) (any, error) {
	switch action {
	case "add":
		n := self.State().(int64) + 1
		self.SetState(n)
		return n, nil
	case "get":
		return self.State(), nil
	case "hang":
		h := params.(*blockedAction)
		h.entered.Add(1)
		select {
		case <-h.release:
		case <-ctx.Done():
		}
		return nil, nil
	}
	return nil, mabeam.ErrUnknownAction
}

// A blockedAction keeps agents busy until it is released.
type blockedAction struct {
	entered atomic.Int64
	release chan struct{}
}

// An exhaustionRun is one scenario: a system with the agents that must survive.
type exhaustionRun struct {
	env          *stress.Env
	system       *mabeam.System
	newBehaviour func() mabeam.Behaviour
	wrap         conformance.CallWrap
	calls        conformance.Calls
	loads        budget
	checks       *conformance.Checker
	// isFresh marks a system on which nothing is exhausted.
	isFresh      bool
	ids          []string
	acknowledged []atomic.Int64 // by agent
	next         int            // of the agent that adds next

	// Counts to compare with the telemetry.
	started, refused, done atomic.Int64
}

// An exhaustedResource can be released, and is usable again some time later.
type exhaustedResource struct {
	release  func(context.Context) error
	isUsable func(context.Context) error
}

var (
	// errNoRecovery is the error of a system that does not recover.
	errNoRecovery = fmt.Errorf("the system did not recover within %v", recoveryTimeout)
	// errUnlimited is the error of a limit that refuses nothing.
	errUnlimited = errors.New("the limit refused nothing")
)

// measureExhaustion runs the scenarios; wrap may replace how agents are started until a
// limit refuses them.
func measureExhaustion(ctx context.Context, env *stress.Env, behave func() mabeam.Behaviour, wrap conformance.CallWrap) error {
	limits, loads := conformance.NewChecker(env, "limits_broken"), newBudget(env, exhaustionEstimate(env.Params))
	worst := exhaustionResult{restored: math.Inf(1), lost: math.Inf(-1)}
	defer limits.Report()
	defer loads.report()
	for _, name := range env.Params.Texts("scenarios") {
		x := &exhaustionRun{env: env, newBehaviour: behave, wrap: wrap, loads: loads, checks: limits}
		o, err := x.run(ctx, name)
		if errors.Is(err, errUnlimited) {
			limits.Add(1, fmt.Sprintf("%s could not be exhausted: %v", name, err))
		}
		if errors.Is(err, errNoRecovery) || errors.Is(err, errUnlimited) {
			why := fmt.Sprintf("exhausting %s: %v", name, err)
			unmeasured(env, why, "recovery_time_ms."+name, "recovery_time_ms", "data_consistent", "survivors", "performance_restored", "performance_lost", "component_restarts", "telemetry_mismatches")
			return nil
		}
		if err != nil {
			return fmt.Errorf("exhaust %s: %w", name, err)
		}
		env.Value("recovery_time_ms."+name, load.Milliseconds(o.recovery))
		env.Value("performance_restored."+name, o.restored)
		worst.merge(o)
	}
	worst.report(env)
	return nil
}

// run runs the scenario on a separate system.
func (x *exhaustionRun) run(ctx context.Context, name string) (o exhaustionResult, err error) {
	options := x.env.Options()
	use := x.agents
	switch name {
	case "agents":
		options.MaxAgents = x.env.Params.Int("agents") + spareAgents
	case "mailboxes":
		options.Mailbox, use = smallMailbox, x.mailboxes
	case "memory":
		options.MemoryLimit, use = resources.HeapBytes()+spareMemory, x.memory
	case "goroutines":
		use = x.goroutines
	case "files":
		use = x.files
	}
	var stop func()
	if x.system, stop, err = startWatched(ctx, x.env, options); err != nil {
		return o, err
	}
	defer stop()
	x.calls = conformance.CallsOf(x.system, x.wrap)
	w := newTelemetryCheck(x.env, x.system)
	if err := x.start(ctx); err != nil {
		return o, err
	}
	var before []float64
	for part := range workParts {
		if err := x.work(ctx, part, &before); err != nil {
			return o, err
		}
	}
	up, err := use(ctx)
	if err != nil {
		return o, err
	}
	if o.recovery, err = x.recover(ctx, up); err != nil {
		return o, err
	}
	if err := x.compare(ctx, &o); err != nil {
		return o, err
	}
	t := x.system.Telemetry()
	o.restored, o.restarts = report.Median(o.after)/max(report.Median(before), 1e-9), t.AgentsRestarted+t.ComponentsRestarted
	if err := x.audit(ctx, &o); err != nil {
		return o, err
	}
	w.expect(ctx, map[string]int64{"AgentsStarted": x.started.Load() + t.AgentsRestarted, "LimitReached": x.refused.Load(), "ActionsDone": x.done.Load()})
	o.mismatches = w.mismatches
	return o, nil
}

// start starts the agents that must survive.
func (x *exhaustionRun) start(ctx context.Context) error {
	v, err := supervision.Start(ctx, x.system, supervision.Spec{Intensity: &supervision.Intensity{Restarts: 1 << 20}})
	if err != nil {
		return err
	}
	x.ids = make([]string, x.env.Params.Int("agents"))
	x.acknowledged = make([]atomic.Int64, len(x.ids))
	for i := range x.ids {
		if x.ids[i], err = v.StartChild(ctx, supervision.Child{New: x.target}); err != nil {
			return fmt.Errorf("start agent %d of %d: %w", i+1, len(x.ids), err)
		}
		x.started.Add(1)
	}
	return nil
}

func (x *exhaustionRun) spec() mabeam.Spec {
	return mabeam.Spec{Type: "ledger", Behaviour: x.newBehaviour()}
}

// target returns the spec of an agent that faults can hit, unless its system is fresh.
func (x *exhaustionRun) target() mabeam.Spec {
	if x.isFresh {
		return x.spec()
	}
	return x.env.Agent(x.spec())
}

// work runs a part of the work at full speed, and appends its rate.
func (x *exhaustionRun) work(ctx context.Context, part int, rates *[]float64) error {
	n := load.PartSize(x.env.Count(x.env.Params.Int("operations")), part, workParts)
	if n == 0 {
		return nil
	}
	loadResult, err := x.loads.run(ctx, load.Load{Workers: 1, Operations: n},
		func(context.Context, load.Op) error {
			x.next++
			return x.add(x.next % len(x.ids))
		})
	*rates = append(*rates, loadResult.PerSecond())
	return err
}

// add lets an agent add one. It never gives up, so that an unacknowledged add did not
// happen.
func (x *exhaustionRun) add(i int) error {
	_, err := x.execute(context.Background(), x.ids[i], "add")
	if err == nil {
		x.acknowledged[i].Add(1)
	}
	return err
}

// execute runs an action, and counts it if it succeeds.
func (x *exhaustionRun) execute(ctx context.Context, id, action string) (any, error) {
	result, err := x.system.Execute(ctx, id, action, nil)
	if err == nil {
		x.done.Add(1)
	}
	return result, err
}

// workOnce lets each agent add one while the resource is exhausted.
func (x *exhaustionRun) workOnce() {
	var failed int64
	for i := range x.ids {
		if err := x.add(i); err != nil {
			failed++
			x.env.Failed(fmt.Errorf("during the exhaustion: %w", err))
		}
	}
	x.env.Operations(int64(len(x.ids))-failed, failed, 0)
}

// recover releases the resource and waits until it is usable and every agent answers.
func (x *exhaustionRun) recover(ctx context.Context, up exhaustedResource) (time.Duration, error) {
	began := time.Now()
	if err := up.release(ctx); err != nil {
		return 0, fmt.Errorf("release the resource: %w", err)
	}
	limited, cancel := context.WithTimeout(ctx, recoveryTimeout)
	defer cancel()
	succeed := func(try func() error) bool {
		for try() != nil {
			if !load.Sleep(limited, recoveryInterval) {
				return false
			}
		}
		return true
	}
	works := succeed(func() error { return up.isUsable(limited) })
	for _, id := range x.ids {
		works = works && succeed(func() error {
			_, err := x.execute(limited, id, "get")
			return err
		})
	}
	took := time.Since(began)
	switch {
	case ctx.Err() != nil:
		return 0, ctx.Err()
	case !works:
		return 0, errNoRecovery
	}
	return took, nil
}

// audit counts the agents that no fault ended, those of them that still answer, and those
// of these whose state does not match their acknowledgements.
func (x *exhaustionRun) audit(ctx context.Context, o *exhaustionResult) error {
	for i, id := range x.ids {
		if x.env.EndedByFault(id) {
			continue
		}
		o.agents++
		got, err := x.execute(ctx, id, "get")
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil:
			x.env.Failed(fmt.Errorf("get the state of an agent: %w", err))
			continue
		}
		o.survivors++
		if got != x.acknowledged[i].Load() {
			o.wrong++
		}
	}
	return nil
}
