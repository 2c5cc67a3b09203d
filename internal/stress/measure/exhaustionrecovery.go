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
	"mabeam-top/internal/stress/load"
	"mabeam-top/internal/stress/report"
	"mabeam-top/internal/stress/scenario"
)

const (
	// workParts is into how many loads the work before and after is divided, whose rates
	// are compared.
	workParts = 16
	// spareAgents is how many agents there is room for besides the survivors.
	spareAgents = 100
	// smallMailbox is the capacity of the mailboxes that are filled.
	smallMailbox = 64
	// blockedAgents is how many agents hang at once: more than the runtime
	// gives goroutines to without a pause.
	blockedAgents = 1100
	// spareMemory is how much more memory the process may take.
	spareMemory = 32 << 20
	// spareFiles is how many more files the process may open.
	spareFiles = 64
)

func exhaustionRecovery() *stress.Measurement {
	return &stress.Measurement{Measurement: scenario.Measurement{
		Name:      "exhaustion-recovery",
		Summary:   "When a resource was used up and is free again, how soon does the system work as before, and is any data wrong?",
		Component: "resource_limits",
		Alone:     true,
		Params: []scenario.Param{
			{
				Name: "scenarios", Kind: scenario.Texts, Choices: []string{"agents", "mailboxes", "memory", "goroutines", "files"},
				Default: []string{"agents", "mailboxes", "memory", "goroutines", "files"},
				Doc:     "What is used up, one after the other, each on a system of its own.",
			},
			{Name: "agents", Kind: scenario.Int, Default: 50, Min: 1, Max: 10_000, Doc: "Agents that live through it, under a supervisor; their data is checked."},
			{Name: "operations", Kind: scenario.Int, Default: 50_000, Min: 1, Max: 100_000_000, Doc: "Actions of these agents before it, and as many after it, to compare the throughput; and as many of those of a fresh system."},
		},
		Metrics: []scenario.Metric{
			{Name: "recovery_time_ms", Unit: "ms", Better: report.Lower, Keyed: true, Doc: "Time from the resource being let go until it can be had again and every surviving agent answers; the worst, and with .SCENARIO that of one."},
			{Name: "data_consistent", Unit: "bool", Better: report.Higher, Must: "== true", Doc: "Whether the state of every surviving agent is exactly what it has acknowledged; those that faults have ended have not survived."},
			{Name: "survivors", Unit: "ratio", Better: report.Higher, Must: "== 1", Timed: true, Aggregation: scenario.Worst, Doc: "Agents that answered in the end / agents that no fault has ended."},
			{Name: "performance_restored", Unit: "ratio", Better: report.Higher, Keyed: true, Doc: "Throughput after the recovery / before, of the medians of sixteen loads each; the worst of the scenarios, and with .SCENARIO that of one."},
			{Name: "performance_lost", Unit: "ratio", Better: report.Lower, Must: "< 0.6", Expected: isComparable, Doc: "By what share the throughput of a recovered system is lower than that of a fresh one, which does the same work in turn with it; the worst of the scenarios. An estimate over all repetitions; it is judged with 20,000 operations and more."},
			{Name: "component_restarts", Unit: "count", Better: report.Lower, Must: "== 0", Aggregation: scenario.Sum, Doc: "Agents that their supervisor had to restart, and components of the system that crashed and were begun anew."},
			timeDependent(mustBeZero("limits_broken", "Violations of the limits: more or fewer agents than there was room for, agents refused though memory was left or started though none was, or a full mailbox that accepted more. The errors name each.")),
			telemetryMismatches(),
			operationsNotBegun(),
		},
		Estimate: exhaustionEstimate,
		Targets:  []scenario.Target{scenario.TargetAgents, scenario.TargetComponents},
		// How many files may be open is a matter of the whole process.
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

// isComparable says whether there are operations enough to compare two throughputs.
func isComparable(p scenario.Params) bool { return p.Int("operations") >= 20_000 }

// A ledger is an agent whose state is how often it was asked to add.
type ledger struct{ mabeam.Defaults }

// Init implements mabeam.Behaviour.
func (ledger) Init(_ context.Context, self *mabeam.Agent) error {
	self.SetState(int64(0))
	return nil
}

// HandleAction implements mabeam.Behaviour: add, get, and hang until the
// channel that is its parameter is closed.
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

// A hang keeps agents busy until it is over.
type blockedAction struct {
	entered atomic.Int64
	release chan struct{}
}

// An exhaustion is one scenario: a system with agents that live through it.
type exhaustionRun struct {
	env          *stress.Env
	system       *mabeam.System
	newBehaviour func() mabeam.Behaviour
	wrap         func(startFunc) startFunc
	loads        budget
	checks       *checker
	// isFresh says that nothing is used up on its system.
	isFresh      bool
	ids          []string
	acknowledged []atomic.Int64 // what each agent has acknowledged
	next         int            // of the agent that adds next

	// What was counted, for the telemetry.
	started, refused, done atomic.Int64
}

// An exhausted resource can be let go, and had again after that.
type exhaustedResource struct {
	release  func(context.Context) error
	isUsable func(context.Context) error
}

var (
	// errNoRecovery tells that a system did not recover.
	errNoRecovery = fmt.Errorf("there was no recovery within %v", recoveryTimeout)
	// errUnlimited tells that a limit of the system refused nothing.
	errUnlimited = errors.New("the limit refused nothing")
)

// A startFunc starts an agent.
type startFunc = func(context.Context, mabeam.Spec) (string, error)

// measureExhaustion puts wrap, if given, around how agents are started until a limit
// refuses them.
func measureExhaustion(ctx context.Context, env *stress.Env, behave func() mabeam.Behaviour, wrap func(startFunc) startFunc) error {
	limits, loads := newChecker(env, "limits_broken"), newBudget(env, exhaustionEstimate(env.Params))
	worst := exhaustionResult{restored: math.Inf(1), lost: math.Inf(-1)}
	defer limits.report()
	defer loads.report()
	for _, name := range env.Params.Texts("scenarios") {
		x := &exhaustionRun{env: env, newBehaviour: behave, wrap: wrap, loads: loads, checks: limits}
		o, err := x.run(ctx, name)
		if errors.Is(err, errUnlimited) {
			limits.add(1, fmt.Sprintf("%s could not be used up: %v", name, err))
		}
		if errors.Is(err, errNoRecovery) || errors.Is(err, errUnlimited) {
			why := fmt.Sprintf("%s were to be used up: %v", name, err)
			unmeasured(env, why, "recovery_time_ms."+name, "recovery_time_ms", "data_consistent", "survivors", "performance_restored", "performance_lost", "component_restarts", "telemetry_mismatches")
			return nil
		}
		if err != nil {
			return fmt.Errorf("use up all %s: %w", name, err)
		}
		env.Value("recovery_time_ms."+name, load.Milliseconds(o.recovery))
		env.Value("performance_restored."+name, o.restored)
		worst.merge(o)
	}
	worst.report(env)
	return nil
}

// exhaust carries the scenario out on a system of its own.
func (x *exhaustionRun) run(ctx context.Context, name string) (o exhaustionResult, err error) {
	options := x.env.Options()
	use := x.agents
	switch name {
	case "agents":
		options.MaxAgents = x.env.Params.Int("agents") + spareAgents
	case "mailboxes":
		options.Mailbox, use = smallMailbox, x.mailboxes
	case "memory":
		options.MemoryLimit, use = heapBytes()+spareMemory, x.memory
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

// start starts the agents that live through it.
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

// target is the spec of an agent that faults can hit, unless its system is fresh.
func (x *exhaustionRun) target() mabeam.Spec {
	if x.isFresh {
		return x.spec()
	}
	return x.env.Agent(x.spec())
}

// work has the agents do a part of the work as fast as they can, and adds how many
// actions a second that were.
func (x *exhaustionRun) work(ctx context.Context, part int, rates *[]float64) error {
	n := partSize(x.env.Count(x.env.Params.Int("operations")), part, workParts)
	if n == 0 {
		return nil
	}
	driven, err := x.loads.run(ctx, load.Load{Workers: 1, Operations: n},
		func(context.Context, load.Op) error {
			x.next++
			return x.add(x.next % len(x.ids))
		})
	*rates = append(*rates, driven.PerSecond())
	return err
}

// add has an agent add one. It is not given up half-way, so that what was not
// acknowledged was not done either.
func (x *exhaustionRun) add(i int) error {
	_, err := x.execute(context.Background(), x.ids[i], "add")
	if err == nil {
		x.acknowledged[i].Add(1)
	}
	return err
}

// ask asks an agent for an action, and counts it if it was done.
func (x *exhaustionRun) execute(ctx context.Context, id, action string) (any, error) {
	result, err := x.system.Execute(ctx, id, action, nil)
	if err == nil {
		x.done.Add(1)
	}
	return result, err
}

// workOnce has each agent add one while the resource is used up.
func (x *exhaustionRun) workOnce() {
	var failed int64
	for i := range x.ids {
		if err := x.add(i); err != nil {
			failed++
			x.env.Failed(fmt.Errorf("while it was used up: %w", err))
		}
	}
	x.env.Operations(int64(len(x.ids))-failed, failed, 0)
}

// recover lets the resource go and waits until it can be had again and every
// agent answers.
func (x *exhaustionRun) recover(ctx context.Context, up exhaustedResource) (time.Duration, error) {
	began := time.Now()
	if err := up.release(ctx); err != nil {
		return 0, fmt.Errorf("let them go: %w", err)
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

// audit counts the agents that no fault has ended, those of them that still answer, and
// those of these whose state is not what they have acknowledged.
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
			x.env.Failed(fmt.Errorf("ask an agent for its state: %w", err))
			continue
		}
		o.survivors++
		if got != x.acknowledged[i].Load() {
			o.wrong++
		}
	}
	return nil
}
