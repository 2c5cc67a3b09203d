package measure

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strconv"
	"sync/atomic"
	"time"

	mabeam "mabeam-top/internal/runtime"
	"mabeam-top/internal/stress"
	"mabeam-top/internal/stress/conformance"
	"mabeam-top/internal/stress/load"
	"mabeam-top/internal/stress/report"
	"mabeam-top/internal/stress/resources"
	"mabeam-top/internal/stress/scenario"
)

func processLimit() *stress.Measurement {
	return &stress.Measurement{Measurement: scenario.Measurement{
		Name:      "process-limit",
		Summary:   "Measures how a system behaves at its agent limit and recovers, and checks the rules of rates, circuits, mailboxes and deadlines.",
		Component: "resource_limits",
		Alone:     true,
		Params: []scenario.Param{
			{Name: "limit", Kind: scenario.Int, Default: 1000, Min: 1, Max: 1_000_000, Doc: "Maximum of live agents; it replaces the scenario's max_agents. An agent corresponds to a process of the BEAM. Threads and goroutines of the operating system process are not limited."},
			{Name: "limit_percentage", Kind: scenario.Ratio, Default: 0.9, Min: 0.01, Max: 1, Doc: "Share of the limit that starts first. The remaining agents start one by one, concurrently with other operations."},
			{Name: "overshoot", Kind: scenario.Ratio, Default: 0.2, Min: 0.001, Max: 100, Doc: "Agents to start above the limit, as a share of it; at least one. As many are replaced to measure the recovery."},
			{Name: "operations", Kind: scenario.Int, Default: 100000, Min: 10, Max: 1_000_000_000, Doc: "Operations from limit_percentage on. The starts are spread evenly among them; the others are in equal parts lookups of, actions of and events to running agents."},
			{Name: "concurrency", Kind: scenario.Int, Default: 4, Min: 1, Max: 10_000, Doc: "Concurrent operations."},
		},
		Metrics: append([]scenario.Metric{
			{Name: "limit_reached", Unit: "bool", Better: report.Higher, Must: "== true", Doc: "Whether exactly as many agents as the limit allows started, and all others were refused with ErrLimitReached."},
			{Name: "rejected", Unit: "count", Better: report.Neither, Doc: "Starts refused with ErrLimitReached. They count as successful operations, because the limit is meant to refuse them."},
			{Name: "graceful_degradation_score", Unit: "ratio", Better: report.Higher, Must: "== 1", Aggregation: scenario.Worst, Doc: "Successful share of the lookups, actions and events on running agents from the first refusal on. An event is successful when its agent receives it; a repeated event is a finding."},
			{Name: "recovery_successful", Unit: "bool", Better: report.Higher, Must: "== true", Timed: true, Doc: "Whether, after some agents were stopped, after some were killed, and after some crashed, as many could be started again, every one of them answered, and the next one was refused."},
			{Name: "recovery_time_ms", Unit: "ms", Better: report.Lower, Keyed: true, Doc: "Time from the end of agents until a new agent has started and answered; the worst, and with .stop, .kill and .crash that of one way to end. StopAgent returns when there is room; after a kill or a crash, room comes later."},
			mustBeZero("guard_rules_broken", "Violations of the rules of the other guards: rates that admit more or fewer operations than their tokens, circuits in the wrong state, mailboxes that accept more or less than their capacity, calls that return before their deadline, and refusals with the wrong error. The errors name each."),
			timeDependent(mustBeZero("deadlines_missed", "Kinds of calls that returned more than 30 ms after their deadline in each of 8 tries.")),
			telemetryMismatches(),
			operationsNotBegun(),
		}, leakMetrics()...),
		Estimate: func(p scenario.Params) time.Duration {
			return limitEstimate(p) + conformance.GuardChecksTime
		},
		Check: func(p scenario.Params) error {
			if starts := startsNearLimit(p); starts > p.Int("operations") {
				return fmt.Errorf("%d operations are fewer than the %d starts between limit_percentage and the overshoot", p.Int("operations"), starts)
			}
			return nil
		},
		Targets: []scenario.Target{scenario.TargetComponents},
	}, Run: func(ctx context.Context, env *stress.Env) error {
		return errors.Join(measureProcessLimit(ctx, env, nil), conformance.CheckGuards(ctx, env, env.Options(), nil))
	}}
}

func limitEstimate(p scenario.Params) time.Duration {
	return 100*time.Millisecond + time.Duration(p.Int("operations"))*2*time.Microsecond + time.Duration(p.Int("limit"))*10*time.Microsecond
}

// initialAgents is how many agents start first.
func initialAgents(p scenario.Params) int {
	return max(int(math.Round(float64(p.Int("limit"))*p.Float("limit_percentage"))), 1)
}

// overshootAgents is how many agents to start above the limit.
func overshootAgents(p scenario.Params) int {
	return max(int(math.Round(float64(p.Int("limit"))*p.Float("overshoot"))), 1)
}

// startsNearLimit is how many agents to start after initialAgents.
func startsNearLimit(p scenario.Params) int {
	return p.Int("limit") - initialAgents(p) + overshootAgents(p)
}

// A limitEvent is the data of an event at the limit: its number among the events to the
// same agent, so that a repeated event does not replace a lost one.
type limitEvent int

// A limitAgent is an agent that answers actions, and counts its own events.
type limitAgent struct {
	mabeam.Defaults
	event      string
	received   *atomic.Int64 // distinct events at the limit
	duplicates *atomic.Int64 // repeated events, and events of other agents
	seen       []uint64      // a bit for each number
}

// note marks a number as seen and reports whether it is new.
func (r *limitAgent) note(n limitEvent) bool {
	word, bit := int(n)/64, uint64(1)<<(n%64)
	if missing := word + 1 - len(r.seen); missing > 0 {
		r.seen = append(r.seen, make([]uint64, missing)...)
	}
	isNew := r.seen[word]&bit == 0
	r.seen[word] |= bit
	return isNew
}

func (r *limitAgent) Init(_ context.Context, self *mabeam.Agent) error {
	_, err := self.Subscribe(r.event)
	return err
}

// HandleAction panics for crash, and otherwise returns the agent's id.
func (r *limitAgent) HandleAction(_ context.Context, self *mabeam.Agent, action string, _ any) (any, error) {
	if action == "crash" {
		panic("panics on purpose")
	}
	return self.ID(), nil
}

// HandleEvent counts the events at the limit.
func (r *limitAgent) HandleEvent(_ context.Context, _ *mabeam.Agent, e mabeam.Event) {
	switch n, atLimit := e.Data.(limitEvent); {
	case !atLimit:
	case e.Type == r.event && r.note(n):
		r.received.Add(1)
	default:
		r.duplicates.Add(1)
	}
}

// A limitRun is one repetition of process-limit.
type limitRun struct {
	env        *stress.Env
	system     *mabeam.System
	calls      conformance.Calls
	ids        []string     // of the initial agents
	received   atomic.Int64 // distinct events at the limit
	duplicates atomic.Int64 // repeated events, and events to other agents
	attempted  atomic.Int64 // attempted starts

	loads budget
	leaks *leakCheck // since before the first start

	started, rejected atomic.Int64 // in the overshoot
	// Counts of the whole repetition, to compare with the telemetry.
	startedTotal, refused, stopped, crashed atomic.Int64
	// Operations on running agents from the first refusal on.
	tried, succeeded, published atomic.Int64
}

// measureProcessLimit runs one repetition; wrap may replace the calls.
func measureProcessLimit(ctx context.Context, env *stress.Env, wrap conformance.CallWrap) (err error) {
	options := env.Options()
	options.MaxAgents = env.Params.Int("limit")
	system, stop, err := startWatched(ctx, env, options)
	if err != nil {
		return err
	}
	defer stop()
	t := &limitRun{env: env, system: system, loads: newBudget(env, limitEstimate(env.Params)), calls: conformance.CallsOf(system, wrap)}
	defer t.loads.report()
	w := newTelemetryCheck(env, system)
	t.leaks = newLeakCheck(env, system)
	full, err := t.fill(ctx)
	if err != nil {
		return err
	}
	if full {
		if err := t.overshoot(ctx); err != nil {
			return err
		}
		if err := t.recover(ctx); err != nil {
			return err
		}
	}
	if err := t.cleanUp(ctx); err != nil {
		return err
	}
	if extra := t.duplicates.Load(); extra > 0 {
		env.Finding("events at the limit that were repeated, or reached another agent", extra)
	}
	w.expect(ctx, map[string]int64{
		"AgentsStarted": t.startedTotal.Load(), "AgentsStopped": t.stopped.Load(), "AgentsCrashed": t.crashed.Load(),
		"LimitReached": t.refused.Load(), "Agents": 0,
	})
	w.report()
	return nil
}

// start starts one more agent.
func (t *limitRun) start(ctx context.Context) (string, error) {
	event := "limit." + strconv.FormatInt(t.attempted.Add(1), 10)
	id, err := t.calls.Start(ctx, mabeam.Spec{Type: "resident", Behaviour: &limitAgent{event: event, received: &t.received, duplicates: &t.duplicates}})
	switch {
	case err == nil:
		t.startedTotal.Add(1)
	case errors.Is(err, mabeam.ErrLimitReached):
		t.refused.Add(1)
	}
	return id, err
}

// checkAlive calls an agent.
func (t *limitRun) checkAlive(ctx context.Context, id string) error {
	got, err := t.calls.Execute(ctx, id, "here", nil)
	if err == nil && got != id {
		return errWrongAnswer
	}
	return err
}

// fill starts the initial agents. It returns false, and reports why, if not all of them
// start.
func (t *limitRun) fill(ctx context.Context) (full bool, err error) {
	t.ids = make([]string, initialAgents(t.env.Params))
	result, err := t.loads.run(ctx, load.Load{Workers: 1, Operations: len(t.ids)}, func(ctx context.Context, op load.Op) (err error) {
		t.ids[op.N], err = t.start(ctx)
		return err
	})
	if err != nil {
		return false, err
	}
	t.started.Add(result.Succeeded)
	if missing := int64(len(t.ids)) - result.Succeeded; missing > 0 {
		why := fmt.Sprintf("%d of %d agents did not start with a limit of %d", missing, len(t.ids), t.env.Params.Int("limit"))
		t.env.Detail(why, 1)
		t.env.Bool("limit_reached", false)
		t.env.Bool("recovery_successful", false)
		unmeasured(t.env, why, "rejected", "graceful_degradation_score", "recovery_time_ms")
		return false, nil
	}
	return true, nil
}

// overshoot starts agents up to the limit and above it concurrently with other operations,
// and reports the results.
func (t *limitRun) overshoot(ctx context.Context) error {
	p := t.env.Params
	starts := startsNearLimit(p)
	operations := max(t.env.Count(p.Int("operations")), starts)
	_, err := t.loads.run(ctx, load.Load{Workers: p.Int("concurrency"), Operations: operations}, func(ctx context.Context, op load.Op) error {
		// Evenly spread, beginning with the first operation.
		if op.N*starts%operations < starts {
			return t.startBeyond(ctx)
		}
		return t.work(ctx, op.N)
	})
	if err != nil {
		return err
	}
	// If the system was too slow, the remaining starts follow without other operations.
	if left := starts - int(t.attempted.Load()) + len(t.ids); left > 0 {
		_, err := t.env.RunLoad(ctx, load.Load{Workers: 1, Operations: left, For: recoveryTimeout}, func(ctx context.Context, _ load.Op) error {
			return t.startBeyond(ctx)
		})
		if err != nil {
			return err
		}
	}
	resources.WaitWhile(ctx, func() bool { return t.received.Load() < t.published.Load() })
	if lost := t.published.Load() - t.received.Load(); lost > 0 {
		t.env.Detail("events at the limit that did not reach their agent", lost)
	}
	limit := int64(p.Int("limit"))
	switch over := t.started.Load() - limit; {
	case over > 0:
		t.env.Detail("agents were started beyond the limit", over)
	case over < 0:
		t.env.Detail("agents were refused below the limit", -over)
	}
	t.env.Bool("limit_reached", t.started.Load() == limit && t.rejected.Load() == int64(overshootAgents(p)))
	t.env.Value("rejected", float64(t.rejected.Load()))
	if tried := t.tried.Load(); tried > 0 {
		t.env.Value("graceful_degradation_score", ratio(t.succeeded.Load()+t.received.Load(), tried))
	} else {
		t.env.Unmeasured("graceful_degradation_score", "nothing was refused, or no operation on running agents followed")
	}
	return nil
}

// startBeyond starts an agent that may exceed the limit.
func (t *limitRun) startBeyond(ctx context.Context) error {
	_, err := t.start(ctx)
	switch {
	case err == nil:
		t.started.Add(1)
	case errors.Is(err, mabeam.ErrLimitReached):
		t.rejected.Add(1)
		return nil
	}
	return err
}

// work runs an operation on a running agent.
func (t *limitRun) work(ctx context.Context, n int) (err error) {
	i := n / 3 % len(t.ids)
	atLimit := t.rejected.Load() > 0
	event := false
	switch n % 3 {
	case 0:
		e, ok := t.calls.Lookup(t.ids[i])
		switch {
		case !ok:
			err = errNotThere
		case e.ID() != t.ids[i]:
			err = errOtherRecord
		}
	case 1:
		err = t.checkAlive(ctx, t.ids[i])
	default:
		event = true
		e := mabeam.Event{Type: "limit." + strconv.Itoa(i+1)}
		if atLimit {
			e.Data = limitEvent(n / 3 / len(t.ids))
		}
		err = t.calls.Publish(ctx, e)
	}
	if !atLimit {
		return err
	}
	t.tried.Add(1)
	switch {
	case err != nil:
	case event: // its agent counts it
		t.published.Add(1)
	default:
		t.succeeded.Add(1)
	}
	return err
}
