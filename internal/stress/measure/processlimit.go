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
	"mabeam-top/internal/stress/report"
)

const (
	// recoverWithin is how long there may be no room for a new agent, after
	// some have stopped, before that counts as not recovered.
	recoverWithin = 10 * time.Second
	// retryEvery is the time between two attempts to start an agent then.
	retryEvery = 100 * time.Microsecond
)

func processLimit() *stress.Measurement {
	return &stress.Measurement{
		Name:      "process-limit",
		Summary:   "At the limit on agents, are new ones refused and nothing else, and is there room again when some have stopped?",
		Component: "resource_limits",
		Alone:     true,
		Params: []stress.Param{
			{Name: "limit", Kind: stress.Int, Default: 1000, Min: 1, Max: 1_000_000, Doc: "The limit on live agents, in the place of the scenario's max_agents. An agent is what a process is on the BEAM: the threads and goroutines of the operating system's process are not limited."},
			{Name: "limit_percentage", Kind: stress.Ratio, Default: 0.9, Min: 0.01, Max: 1, Doc: "Share of the limit that is filled at once, and must be; from there on, agents are started one by one beside other work."},
			{Name: "overshoot", Kind: stress.Ratio, Default: 0.2, Min: 0.001, Max: 100, Doc: "Agents that are to be started beyond the limit, as a share of it; at least one. As many make room later."},
			{Name: "operations", Kind: stress.Int, Default: 100000, Min: 10, Max: 1_000_000_000, Doc: "Operations in all from limit_percentage on, the starts evenly among them: a third each of the others looks up a running agent, asks it for an action, or publishes an event to it."},
			{Name: "concurrency", Kind: stress.Int, Default: 4, Min: 1, Max: 10_000, Doc: "Operations under way at once."},
		},
		Metrics: []stress.Metric{
			{Name: "limit_reached", Unit: "bool", Better: report.Higher, Doc: "Whether exactly as many agents as the limit allows were started, and the rest refused with the error that tells the limit."},
			{Name: "rejected", Unit: "count", Better: report.Neither, Doc: "Starts that were refused with that error. They count as succeeded operations: it is what the limit is for."},
			{Name: "graceful_degradation_score", Unit: "ratio", Better: report.Higher, Doc: "Share of the lookups, actions and events on running agents that succeeded from the first refusal on; an event has succeeded when its agent got it."},
			{Name: "recovery_successful", Unit: "bool", Better: report.Higher, Doc: "Whether after some agents were stopped just as many could be started, every one of them answered, and the next was refused again."},
			{Name: "recovery_time_ms", Unit: "ms", Better: report.Lower, Doc: "Time from when they were stopped until a new agent was started and had answered an action."},
			{Name: "leaked_goroutines", Unit: "count", Better: report.Lower, Doc: "Goroutines more than before the first start, but for those that the system keeps to run agents, at most a second after all agents were stopped."},
		},
		Estimate: func(p stress.Params) time.Duration {
			return 100*time.Millisecond + time.Duration(p.Int("operations"))*2*time.Microsecond + time.Duration(p.Int("limit"))*10*time.Microsecond
		},
		Check: func(p stress.Params) error {
			if starts := startsNearLimit(p); starts > p.Int("operations") {
				return fmt.Errorf("%d operations are fewer than the %d starts from limit_percentage on to the overshoot", p.Int("operations"), starts)
			}
			return nil
		},
		Targets: []stress.Target{stress.Components},
		Run:     func(ctx context.Context, env *stress.Env) error { return measureProcessLimit(ctx, env, nil) },
	}
}

// atOnce is how many agents are started before the rest.
func atOnce(p stress.Params) int {
	return max(int(math.Round(float64(p.Int("limit"))*p.Float("limit_percentage"))), 1)
}

// beyond is how many agents are to be started beyond the limit.
func beyond(p stress.Params) int {
	return max(int(math.Round(float64(p.Int("limit"))*p.Float("overshoot"))), 1)
}

// startsNearLimit is how many agents are to be started after atOnce.
func startsNearLimit(p stress.Params) int { return p.Int("limit") - atOnce(p) + beyond(p) }

// asked is what is asked of a system at its limit.
type asked struct {
	start   func(context.Context, mabeam.Spec) (string, error)
	lookup  func(id string) (*mabeam.Record, bool)
	act     func(ctx context.Context, id, action string, params any) (any, error)
	publish func(context.Context, mabeam.Event) error
}

// A resident is an agent that answers an action, and counts the events of its
// own.
type resident struct {
	mabeam.Defaults
	event string
	heard *atomic.Int64
}

func (r *resident) Init(_ context.Context, self *mabeam.Agent) error {
	_, err := self.Subscribe(r.event)
	return err
}

func (r *resident) HandleAction(context.Context, *mabeam.Agent, string, any) (any, error) {
	return "here", nil
}

// HandleEvent counts the events that were published at the limit.
func (r *resident) HandleEvent(_ context.Context, _ *mabeam.Agent, e mabeam.Event) {
	if atLimit, _ := e.Data.(bool); atLimit {
		r.heard.Add(1)
	}
}

// A limitTest is one repetition of process-limit.
type limitTest struct {
	env    *stress.Env
	system *mabeam.System
	ask    asked
	ids    []string     // of the agents started at once
	heard  atomic.Int64 // events at the limit
	born   atomic.Int64 // agents that were to be started

	started, rejected atomic.Int64
	// Operations on running agents from the first refusal on.
	tried, succeeded, published atomic.Int64
}

// measureProcessLimit puts wrap, if given, around what is asked of the system.
func measureProcessLimit(ctx context.Context, env *stress.Env, wrap func(asked) asked) (err error) {
	options := env.Options()
	options.MaxAgents = env.Params.Int("limit")
	system, err := mabeam.Start(options)
	if err != nil {
		return fmt.Errorf("start the system: %w", err)
	}
	env.Watch(system)
	defer stopWatched(ctx, env, system, &err)
	t := &limitTest{env: env, system: system, ask: asked{
		start: system.StartAgent, lookup: system.Registry().Lookup, act: system.Execute, publish: system.Bus().Publish,
	}}
	if wrap != nil {
		t.ask = wrap(t.ask)
	}
	before := countHeld(system)
	if err := t.fill(ctx); err != nil {
		return err
	}
	if err := t.overshoot(ctx); err != nil {
		return err
	}
	if err := t.makeRoom(ctx); err != nil {
		return err
	}
	return t.cleanUp(ctx, before)
}

// start starts one more agent.
func (t *limitTest) start(ctx context.Context) (string, error) {
	event := "limit." + strconv.FormatInt(t.born.Add(1), 10)
	return t.ask.start(ctx, mabeam.Spec{Type: "resident", Behaviour: &resident{event: event, heard: &t.heard}})
}

// fill starts the agents that the others are started beside.
func (t *limitTest) fill(ctx context.Context) error {
	t.ids = make([]string, atOnce(t.env.Params))
	driven, err := t.env.Drive(ctx, stress.Load{Workers: 1, Operations: len(t.ids)}, func(ctx context.Context, op stress.Op) (err error) {
		t.ids[op.N], err = t.start(ctx)
		return err
	})
	if err != nil {
		return err
	}
	if missing := int64(len(t.ids)) - driven.Succeeded; missing > 0 {
		return fmt.Errorf("%d of %d agents did not start, though the limit is %d", missing, len(t.ids), t.env.Params.Int("limit"))
	}
	t.started.Add(driven.Succeeded)
	return nil
}

// overshoot starts agents up to the limit and beyond while others work, and
// reports what became of both.
func (t *limitTest) overshoot(ctx context.Context) error {
	p := t.env.Params
	starts := startsNearLimit(p)
	operations := max(t.env.Count(p.Int("operations")), starts)
	_, err := t.env.Drive(ctx, stress.Load{Workers: p.Int("concurrency"), Operations: operations}, func(ctx context.Context, op stress.Op) error {
		// Evenly among the others, beginning with the first.
		if op.N*starts%operations < starts {
			return t.startBeyond(ctx)
		}
		return t.work(ctx, op.N)
	})
	if err != nil {
		return err
	}
	settle(ctx, func() bool { return t.heard.Load() < t.published.Load() })
	if lost := t.published.Load() - t.heard.Load(); lost > 0 {
		t.env.Detail("events at the limit that did not reach their agent", lost)
	}
	limit := int64(p.Int("limit"))
	switch over := t.started.Load() - limit; {
	case over > 0:
		t.env.Detail("agents were started beyond the limit", over)
	case over < 0:
		t.env.Detail("agents were refused below the limit", -over)
	}
	t.env.Bool("limit_reached", t.started.Load() == limit && t.rejected.Load() == int64(beyond(p)))
	t.env.Value("rejected", float64(t.rejected.Load()))
	if tried := t.tried.Load(); tried > 0 {
		t.env.Value("graceful_degradation_score", ratio(t.succeeded.Load()+t.heard.Load(), tried))
	} else {
		t.env.Unmeasured("graceful_degradation_score", "nothing was refused, or nothing was asked of running agents from then on")
	}
	return nil
}

// startBeyond starts an agent that may be one too many.
func (t *limitTest) startBeyond(ctx context.Context) error {
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

// work carries out an operation on a running agent.
func (t *limitTest) work(ctx context.Context, n int) (err error) {
	i := n / 3 % len(t.ids)
	atLimit := t.rejected.Load() > 0
	event := false
	switch n % 3 {
	case 0:
		if _, ok := t.ask.lookup(t.ids[i]); !ok {
			err = errNotThere
		}
	case 1:
		_, err = t.ask.act(ctx, t.ids[i], "here", nil)
	default:
		event = true
		err = t.ask.publish(ctx, mabeam.Event{Type: "limit." + strconv.Itoa(i+1), Data: atLimit})
	}
	if !atLimit {
		return err
	}
	t.tried.Add(1)
	switch {
	case err != nil:
	case event: // its agent will tell
		t.published.Add(1)
	default:
		t.succeeded.Add(1)
	}
	return err
}

// makeRoom stops some agents and reports how soon others can take their place.
func (t *limitTest) makeRoom(ctx context.Context) error {
	room := min(beyond(t.env.Params), len(t.ids))
	for _, id := range t.ids[:room] {
		if err := t.system.StopAgent(ctx, id); err != nil {
			return fmt.Errorf("make room: %w", err)
		}
	}
	stopped := time.Now()
	again, first := 0, time.Duration(0)
	var failure error
	for again < room && time.Since(stopped) < recoverWithin {
		id, err := t.start(ctx)
		if err == nil {
			_, err = t.ask.act(ctx, id, "here", nil)
		}
		if err == nil {
			if again++; again == 1 {
				first = time.Since(stopped)
			}
			continue
		}
		failure = err
		if !stress.Sleep(ctx, retryEvery) {
			return ctx.Err()
		}
	}
	_, err := t.start(ctx)
	refused := errors.Is(err, mabeam.ErrLimitReached)
	switch {
	case again < room:
		t.env.Detail(fmt.Sprintf("after %d agents had stopped, only %d could be started within %v; the last attempt: %v", room, again, recoverWithin, failure), 1)
	case !refused:
		t.env.Detail("after the recovery, an agent beyond the limit was not refused", 1)
	}
	t.env.Operations(int64(again), int64(room-again), 0)
	t.env.Bool("recovery_successful", again == room && refused)
	if again > 0 {
		t.env.Value("recovery_time_ms", stress.Milliseconds(first))
	} else {
		t.env.Unmeasured("recovery_time_ms", "no agent could be started again")
	}
	return nil
}

// cleanUp stops all agents and reports what they have left behind.
func (t *limitTest) cleanUp(ctx context.Context, before held) error {
	left := t.system.Registry().All()
	_, err := t.env.Drive(ctx, stress.Load{Workers: 1, Operations: max(len(left), 1)}, func(ctx context.Context, op stress.Op) error {
		if op.N >= len(left) {
			return nil // none was left
		}
		return t.system.StopAgent(ctx, left[op.N].ID)
	})
	if err != nil {
		return err
	}
	var now held
	settle(ctx, func() bool {
		now = countHeld(t.system)
		return now.goroutines > before.goroutines
	})
	if now.registrations > before.registrations || now.subscriptions > before.subscriptions {
		t.env.Finding("registrations and subscriptions of stopped agents are still there",
			now.registrations-before.registrations+now.subscriptions-before.subscriptions)
	}
	leaked := max(now.goroutines-before.goroutines, 0)
	t.env.Value("leaked_goroutines", float64(leaked))
	if leaked > 0 {
		t.env.Detail("leaked goroutines: they are still there after all agents were stopped", leaked)
	}
	return nil
}
