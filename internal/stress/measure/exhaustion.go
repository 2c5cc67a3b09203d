package measure

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"runtime"
	"slices"
	"sync/atomic"
	"time"

	mabeam "mabeam-top/internal/runtime"
	"mabeam-top/internal/stress"
	"mabeam-top/internal/stress/report"
)

const (
	// exhaustionPatience is how long a system may take to recover before it counts
	// as one that does not.
	exhaustionPatience = 10 * time.Second
	// recoverEvery is how often it is asked whether it has.
	recoverEvery = 100 * time.Microsecond
	// spareAgents is how many agents there is room for besides the survivors.
	spareAgents = 100
	// fullMailbox is the capacity of the mailboxes that are filled.
	fullMailbox = 64
	// heldGoroutines is how many agents hang at once: more than the runtime
	// gives goroutines to without a pause.
	heldGoroutines = 1100
	// spareMemory is how much more memory the process may take.
	spareMemory = 32 << 20
	// spareFiles is how many more files the process may open.
	spareFiles = 64
)

func exhaustionRecovery() *stress.Measurement {
	return &stress.Measurement{
		Name:      "exhaustion-recovery",
		Summary:   "When a resource was used up and is free again, how soon does the system work as before, and is any data wrong?",
		Component: "resource_limits",
		Alone:     true,
		Params: []stress.Param{
			{
				Name: "scenarios", Kind: stress.Texts, Choices: []string{"agents", "mailboxes", "memory", "goroutines", "files"},
				Default: []string{"agents", "mailboxes", "memory", "goroutines", "files"},
				Doc:     "What is used up, one after the other, each on a system of its own.",
			},
			{Name: "agents", Kind: stress.Int, Default: 50, Min: 1, Max: 10_000, Doc: "Agents that live through it, under a supervisor; their data is checked."},
			{Name: "operations", Kind: stress.Int, Default: 50_000, Min: 1, Max: 100_000_000, Doc: "Actions of these agents before it, and as many after it, to compare the throughput."},
		},
		Metrics: []stress.Metric{
			{Name: "recovery_time_ms", Unit: "ms", Better: report.Lower, Keyed: true, Doc: "Time from the resource being let go until it can be had again and every surviving agent answers; the worst, and with .SCENARIO that of one."},
			{Name: "data_consistent", Unit: "bool", Better: report.Higher, Doc: "Whether the state of every surviving agent is exactly what it has acknowledged; those that faults have ended have not survived."},
			{Name: "performance_restored", Unit: "ratio", Better: report.Higher, Doc: "Throughput after the recovery / before; the worst of the scenarios."},
			{Name: "component_restarts", Unit: "count", Better: report.Lower, Doc: "Agents that their supervisor had to restart, and components of the system that crashed and were begun anew."},
		},
		Estimate: func(p stress.Params) time.Duration {
			return time.Duration(len(p.Texts("scenarios"))) * (150*time.Millisecond + time.Duration(2*p.Int("operations"))*2*time.Microsecond)
		},
		Targets: []stress.Target{stress.Agents, stress.Components},
		// How many files may be open is a matter of the whole process.
		OwnProcess: func(p stress.Params) (stress.Limits, bool) {
			return stress.Limits{}, slices.Contains(p.Texts("scenarios"), "files")
		},
		Run: func(ctx context.Context, env *stress.Env) error {
			return measureExhaustion(ctx, env, func() mabeam.Behaviour { return ledger{} })
		},
	}
}

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
		h := params.(*hang)
		h.entered.Add(1)
		select {
		case <-h.over:
		case <-ctx.Done():
		}
		return nil, nil
	}
	return nil, mabeam.ErrUnknownAction
}

// A hang keeps agents busy until it is over.
type hang struct {
	entered atomic.Int64
	over    chan struct{}
}

// An exhaustion is one scenario: a system with agents that live through it.
type exhaustion struct {
	env    *stress.Env
	system *mabeam.System
	behave func() mabeam.Behaviour
	ids    []string
	acked  []atomic.Int64 // what each agent has acknowledged
}

// An exhausted resource can be let go, and had again after that.
type exhausted struct {
	release func(context.Context) error
	usable  func(context.Context) error
}

// errNoRecovery tells that a system did not recover.
var errNoRecovery = fmt.Errorf("there was no recovery within %v", exhaustionPatience)

func measureExhaustion(ctx context.Context, env *stress.Env, behave func() mabeam.Behaviour) error {
	worst := outcome{restored: math.Inf(1)}
	for _, name := range env.Params.Texts("scenarios") {
		o, err := exhaust(ctx, env, name, behave)
		if errors.Is(err, errNoRecovery) {
			for _, metric := range []string{"recovery_time_ms." + name, "recovery_time_ms", "data_consistent", "performance_restored", "component_restarts"} {
				env.Unmeasured(metric, fmt.Sprintf("%s were used up, and %v", name, err))
			}
			return nil
		}
		if err != nil {
			return fmt.Errorf("use up all %s: %w", name, err)
		}
		env.Value("recovery_time_ms."+name, stress.Milliseconds(o.recovery))
		worst.recovery = max(worst.recovery, o.recovery)
		worst.restored = min(worst.restored, o.restored)
		worst.wrong += o.wrong
		worst.survivors += o.survivors
		worst.restarts += o.restarts
	}
	if worst.wrong > 0 {
		env.Detail("agents whose state is not what they had acknowledged", worst.wrong)
	}
	env.Value("recovery_time_ms", stress.Milliseconds(worst.recovery))
	if worst.survivors > 0 {
		env.Bool("data_consistent", worst.wrong == 0)
	} else {
		env.Unmeasured("data_consistent", "no agent survived the faults")
	}
	env.Value("performance_restored", worst.restored)
	env.Value("component_restarts", float64(worst.restarts))
	return nil
}

// An outcome is what one scenario says, or all of them at their worst.
type outcome struct {
	recovery  time.Duration
	restored  float64 // throughput after / before
	survivors int64   // agents that no fault has ended
	wrong     int64   // of them, those with a state that is not what they acknowledged
	restarts  int64   // of agents and components
}

// exhaust carries one scenario out on a system of its own.
func exhaust(ctx context.Context, env *stress.Env, name string, behave func() mabeam.Behaviour) (o outcome, err error) {
	x := &exhaustion{env: env, behave: behave}
	options := env.Options()
	use := x.agents
	switch name {
	case "agents":
		options.MaxAgents = env.Params.Int("agents") + spareAgents
	case "mailboxes":
		options.Mailbox, use = fullMailbox, x.mailboxes
	case "memory":
		options.MemoryLimit, use = heapBytes()+spareMemory, x.memory
	case "goroutines":
		use = x.goroutines
	case "files":
		use = x.files
	}
	if x.system, err = mabeam.Start(options); err != nil {
		return o, err
	}
	env.Watch(x.system)
	defer stopWatched(ctx, env, x.system, &err)
	if err := x.start(ctx); err != nil {
		return o, err
	}
	before, err := x.work(ctx)
	if err != nil {
		return o, err
	}
	up, err := use(ctx)
	if err != nil {
		return o, err
	}
	if o.recovery, err = x.recover(ctx, up); err != nil {
		return o, err
	}
	after, err := x.work(ctx)
	if err != nil {
		return o, err
	}
	t := x.system.Telemetry()
	o.restored, o.restarts = after/max(before, 1e-9), t.AgentsRestarted+t.ComponentsRestarted
	o.survivors, o.wrong, err = x.audit(ctx)
	return o, err
}

// start starts the agents that live through it.
func (x *exhaustion) start(ctx context.Context) error {
	v, err := x.system.StartSupervisor(ctx, mabeam.SupervisorSpec{MaxRestarts: 1 << 20})
	if err != nil {
		return err
	}
	x.ids = make([]string, x.env.Params.Int("agents"))
	x.acked = make([]atomic.Int64, len(x.ids))
	for i := range x.ids {
		if x.ids[i], err = v.StartChild(ctx, mabeam.Child{New: func() mabeam.Spec { return x.env.Agent(x.spec()) }}); err != nil {
			return fmt.Errorf("start agent %d of %d: %w", i+1, len(x.ids), err)
		}
	}
	return nil
}

func (x *exhaustion) spec() mabeam.Spec { return mabeam.Spec{Type: "ledger", Behaviour: x.behave()} }

// work has the agents do as much as they can, and returns how many actions a
// second they did.
func (x *exhaustion) work(ctx context.Context) (float64, error) {
	driven, err := x.env.Drive(ctx, stress.Load{Workers: 1, Operations: x.env.Params.Int("operations")},
		func(_ context.Context, op stress.Op) error { return x.add(op.N % len(x.ids)) })
	return driven.PerSecond(), err
}

// add has an agent add one. It is not given up half-way, so that what was not
// acknowledged was not done either.
func (x *exhaustion) add(i int) error {
	_, err := x.system.Execute(context.Background(), x.ids[i], "add", nil)
	if err == nil {
		x.acked[i].Add(1)
	}
	return err
}

// workOnce has each agent add one while the resource is used up.
func (x *exhaustion) workOnce() {
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
func (x *exhaustion) recover(ctx context.Context, up exhausted) (time.Duration, error) {
	began := time.Now()
	if err := up.release(ctx); err != nil {
		return 0, fmt.Errorf("let them go: %w", err)
	}
	limited, cancel := context.WithTimeout(ctx, exhaustionPatience)
	defer cancel()
	succeed := func(try func() error) bool {
		for try() != nil {
			if !stress.Sleep(limited, recoverEvery) {
				return false
			}
		}
		return true
	}
	works := succeed(func() error { return up.usable(limited) })
	for _, id := range x.ids {
		works = works && succeed(func() error {
			_, err := x.system.Execute(limited, id, "get", nil)
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

// audit counts the agents that no fault has ended, and those of them whose state
// is not what they have acknowledged.
func (x *exhaustion) audit(ctx context.Context) (survivors, wrong int64, err error) {
	for i, id := range x.ids {
		if x.env.Ended(id) {
			continue
		}
		survivors++
		got, err := x.system.Execute(ctx, id, "get", nil)
		if err != nil {
			return survivors, wrong, fmt.Errorf("ask agent %d for its state: %w", i+1, err)
		}
		if got != x.acked[i].Load() {
			wrong++
		}
	}
	return survivors, wrong, nil
}

// startStop is how to see that agents can be started again.
func (x *exhaustion) startStop(ctx context.Context) error {
	id, err := x.system.StartAgent(ctx, x.spec())
	if err != nil {
		return err
	}
	return x.system.StopAgent(ctx, id)
}

// agents starts agents until the system takes no more.
func (x *exhaustion) agents(ctx context.Context) (exhausted, error) {
	var extra []string
	for range 2 * spareAgents {
		id, err := x.system.StartAgent(ctx, x.spec())
		if errors.Is(err, mabeam.ErrLimitReached) {
			x.workOnce()
			return exhausted{
				release: func(ctx context.Context) error { return x.system.StopAgents(ctx, extra, runtime.GOMAXPROCS(0)) },
				usable:  x.startStop,
			}, nil
		}
		if err != nil {
			return exhausted{}, err
		}
		extra = append(extra, id)
	}
	return exhausted{}, errors.New("the limit on agents refused none")
}

// memory holds memory until the system takes no more agents.
func (x *exhaustion) memory(ctx context.Context) (exhausted, error) {
	const piece = 1 << 20
	var held [][]byte
	for range 4 * spareMemory / piece {
		err := x.startStop(ctx)
		if errors.Is(err, mabeam.ErrLimitReached) {
			x.workOnce()
			return exhausted{
				release: func(context.Context) error {
					clear(held)
					return nil
				},
				usable: x.startStop,
			}, nil
		}
		if err != nil {
			return exhausted{}, err
		}
		held = append(held, make([]byte, piece))
	}
	return exhausted{}, errors.New("the limit on memory refused no agent")
}

// heapBytes is the memory of the objects on the heap after a collection.
func heapBytes() int64 {
	runtime.GC()
	return readBytes(heapObjects)
}

// mailboxes makes every agent hang, and fills its mailbox with work. What a
// mailbox has accepted is acknowledged.
func (x *exhaustion) mailboxes(ctx context.Context) (exhausted, error) {
	h := &hang{over: make(chan struct{})}
	err := x.hangAll(ctx, h, x.ids)
	for i := 0; i < len(x.ids) && err == nil; i++ {
		err = x.fill(ctx, i)
	}
	if err != nil {
		close(h.over)
		return exhausted{}, err
	}
	return exhausted{
		release: func(context.Context) error {
			close(h.over)
			return nil
		},
		usable: func(context.Context) error { return nil }, // it is when all answer
	}, nil
}

// fill tells an agent to add until it takes no more.
func (x *exhaustion) fill(ctx context.Context, i int) error {
	for range 4 * fullMailbox {
		limited, cancel := context.WithTimeout(ctx, time.Millisecond)
		err := x.system.Tell(limited, x.ids[i], "add", nil)
		cancel()
		switch {
		case err == nil:
			x.acked[i].Add(1)
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.Is(err, mabeam.ErrTimeout):
			_, err := x.system.Execute(ctx, x.ids[i], "get", nil)
			if !errors.Is(err, mabeam.ErrMailboxFull) {
				return errors.Join(errors.New("a full mailbox refused nothing"), err)
			}
			return nil
		default:
			return err
		}
	}
	return errors.New("a mailbox took four times its capacity")
}

// hangAll makes agents hang, and returns when they do.
func (x *exhaustion) hangAll(ctx context.Context, h *hang, ids []string) error {
	for _, id := range ids {
		if err := x.system.Tell(ctx, id, "hang", h); err != nil {
			return err
		}
	}
	for began := time.Now(); h.entered.Load() < int64(len(ids)); {
		if time.Since(began) > exhaustionPatience {
			return fmt.Errorf("only %d of %d agents hang after %v", h.entered.Load(), len(ids), exhaustionPatience)
		}
		if !stress.Sleep(ctx, recoverEvery) {
			return ctx.Err()
		}
	}
	return nil
}

// goroutines makes more agents hang than the system runs at once without
// waiting, each on a goroutine.
func (x *exhaustion) goroutines(ctx context.Context) (exhausted, error) {
	ids, err := startEach(ctx, x.system, heldGoroutines, x.spec)
	if err != nil {
		return exhausted{}, err
	}
	h := &hang{over: make(chan struct{})}
	if err := x.hangAll(ctx, h, ids); err != nil {
		close(h.over)
		return exhausted{}, err
	}
	x.workOnce()
	return exhausted{
		release: func(context.Context) error {
			close(h.over)
			return nil
		},
		usable: func(ctx context.Context) error {
			_, err := x.system.Gather(ctx, ids, "get", nil)
			return err
		},
	}, nil
}

// files opens files until the process may open no more.
func (x *exhaustion) files(ctx context.Context) (exhausted, error) {
	restore, err := limitFiles(spareFiles)
	if err != nil {
		return exhausted{}, err
	}
	var open []*os.File
	for range 4 * spareFiles {
		f, err := os.Open(os.DevNull)
		if err == nil {
			open = append(open, f)
			continue
		}
		if !isTooManyFiles(err) || ctx.Err() != nil {
			return exhausted{}, errors.Join(err, closeAll(open), restore())
		}
		x.workOnce()
		return exhausted{
			release: func(context.Context) error { return errors.Join(closeAll(open), restore()) },
			usable: func(context.Context) error {
				f, err := os.Open(os.DevNull)
				if err != nil {
					return err
				}
				return f.Close()
			},
		}, nil
	}
	return exhausted{}, errors.Join(errors.New("the limit on files refused none"), closeAll(open), restore())
}

func closeAll(files []*os.File) (err error) {
	for _, f := range files {
		err = errors.Join(err, f.Close())
	}
	return err
}
