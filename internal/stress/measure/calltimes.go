package measure

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	mabeam "mabeam-top/internal/runtime"
	"mabeam-top/internal/runtime/agents"
	"mabeam-top/internal/stress"
	"mabeam-top/internal/stress/conformance"
	"mabeam-top/internal/stress/report"
	"mabeam-top/internal/stress/scenario"
)

const (
	// callBlock is how many calls of one kind are timed together.
	callBlock = 20
	// callSetTime is roughly how long one call of each kind takes.
	callSetTime = 40 * time.Microsecond
	// callTimeout limits the time for slow calls.
	callTimeout = 2 * time.Second
	// listedRecords is how many entries the listing has.
	listedRecords = 100
)

var (
	errListing              = errors.New("a listing has the wrong number of entries")
	errUnknownAgentAnswered = errors.New("an unknown agent has answered")
)

// A call is one kind of runtime call that is timed. It undoes its changes, so that a
// thousand calls leave as much as one.
type call struct {
	name string
	do   func(ctx context.Context) error
}

// callTargets are the agents that calls are about, and the calls.
type callTargets struct {
	system               *mabeam.System
	busy, inbox, resting string // ids; only the calls use resting
	calls                []call
}

// withCallTargets runs a check with call targets on a separate system with default
// options.
func withCallTargets(ctx context.Context, env *stress.Env, check func(*callTargets) error) error {
	return conformance.WithSystem(ctx, env, mabeam.Options{}, nil, func(system *mabeam.System) error {
		c, err := newCallTargets(ctx, system)
		if err != nil {
			return fmt.Errorf("start the agents of the timed calls: %w", err)
		}
		return check(c)
	})
}

// newCallTargets starts the agents, registers the entries and subscribes.
func newCallTargets(ctx context.Context, system *mabeam.System) (*callTargets, error) {
	ids, err := startAgents(ctx, system, 3, agents.Demo)
	if err != nil {
		return nil, err
	}
	c := &callTargets{system: system, busy: ids[0], inbox: ids[1], resting: ids[2]}
	for i := range listedRecords {
		if err := system.Registry().Register(mabeam.Record{ID: fmt.Sprint("listed-", i), Type: "listed"}); err != nil {
			return nil, err
		}
	}
	bus, registry, ignore := system.Bus(), system.Registry(), func(context.Context, mabeam.Event) {}
	if _, err := bus.Subscribe("call.heard", ignore, mabeam.SubscribeOptions{}); err != nil {
		return nil, err
	}
	c.calls = []call{
		{"tell", func(ctx context.Context) error { return system.Tell(ctx, c.busy, "ping", nil) }},
		{"signal", func(context.Context) error { return system.Signal(mabeam.Signal{Type: "call"}, c.busy) }},
		{"request", func(ctx context.Context) error {
			_, err := system.Request(ctx, mabeam.Message{Type: "ping", Target: c.busy})
			return err
		}},
		{"send", func(context.Context) error {
			return system.Send(mabeam.Message{Type: "ping", Target: c.busy, ReplyTo: c.inbox})
		}},
		{"publish", func(ctx context.Context) error { return bus.Publish(ctx, mabeam.Event{Type: "call.heard"}) }},
		{"subscribe", func(context.Context) error {
			s, err := bus.Subscribe("call.subscribed", ignore, mabeam.SubscribeOptions{})
			if err == nil {
				s.Unsubscribe()
			}
			return err
		}},
		{"register", func(context.Context) error {
			err := registry.Register(mabeam.Record{ID: "call", Type: "call"})
			if err == nil {
				err = unregister(registry, "call")
			}
			return err
		}},
		{"update", func(context.Context) error {
			return registry.Update(c.resting, func(*mabeam.Record) error { return nil })
		}},
		{"list", func(context.Context) error {
			if len(registry.ByType("listed")) != listedRecords {
				return errListing
			}
			return nil
		}},
		{"suspend", func(context.Context) error {
			if err := system.SuspendAgent(c.resting); err != nil {
				return err
			}
			return system.ResumeAgent(c.resting)
		}},
		{"inspect", func(context.Context) error { _, err := system.Agent(c.resting); return err }},
		{"restart", func(ctx context.Context) error { return system.RestartAgent(ctx, c.inbox) }},
		{"gather", func(ctx context.Context) error {
			answers, err := system.Gather(ctx, []string{c.busy, c.inbox}, "ping", nil)
			for _, a := range answers {
				err = cmp.Or(err, a.Err)
			}
			return err
		}},
		{"history", func(context.Context) error { bus.History(10); return nil }},
		{"telemetry", func(context.Context) error { system.Telemetry(); return nil }},
		{"refuse", func(ctx context.Context) error {
			if _, err := system.Execute(ctx, "nobody", "ping", nil); !errors.Is(err, mabeam.ErrUnknownAgent) {
				return errUnknownAgentAnswered
			}
			return nil
		}},
	}
	return c, nil
}

// sync waits until the agents have handled everything that was sent so far.
func (c *callTargets) sync(ctx context.Context) error {
	for _, id := range []string{c.busy, c.inbox} { // inbox last, because it gets the replies of busy
		if _, err := c.system.Execute(ctx, id, "ping", nil); err != nil {
			return err
		}
	}
	return nil
}

// callMetrics describes what checkCallTimes reports.
func callMetrics() []scenario.Metric {
	return []scenario.Metric{{
		Name: "call_time_ms", Unit: "ms", Better: report.Lower, Keyed: true, Given: timesCalls,
		Doc: "With .KIND, time of one call of that kind: the median of call_probes calls on a separate system, of which 20 are timed together. Kinds: tell, signal and send until they return; request until its reply; publish to one subscriber; subscribe with unsubscribe; register with unregister; update of a record; list of 100 records by type; suspend with resume; inspect (System.Agent); restart; gather from two agents; history of ten events; telemetry; refuse (an action of an unknown agent). Without .KIND, their sum.",
	}}
}

func timesCalls(p scenario.Params) bool { return p.Int("call_probes") >= callBlock }

// checkCallTimes times calls of each kind, in turn.
func checkCallTimes(ctx context.Context, env *stress.Env, wrong *conformance.Checker) error {
	if !timesCalls(env.Params) {
		return nil
	}
	return withCallTargets(ctx, env, func(c *callTargets) error { return timeCalls(ctx, env, c, wrong) })
}

func timeCalls(ctx context.Context, env *stress.Env, c *callTargets, wrong *conformance.Checker) error {
	limited, cancel := context.WithTimeout(ctx, 2*callTimeout) // of calls that hang
	defer cancel()
	took, began := make([][]float64, len(c.calls)), time.Now()
	for range env.Params.Int("call_probes") / callBlock {
		for i, kind := range c.calls {
			if err := c.sync(limited); err != nil {
				return wrong.CountError(ctx, fmt.Errorf("agents did not finish what the calls requested: %w", err))
			}
			var err error
			start := time.Now()
			for range callBlock {
				err = cmp.Or(err, kind.do(limited))
			}
			took[i] = append(took[i], float64(time.Since(start))/callBlock)
			if err != nil && ctx.Err() == nil {
				wrong.Add(1, fmt.Sprintf("calls of kind %s failed: %v", kind.name, err))
			}
		}
		if time.Since(began) > callTimeout {
			break
		}
	}
	total := 0.0
	for i, kind := range c.calls {
		one := report.Median(took[i]) / 1e6
		env.Value("call_time_ms."+kind.name, one)
		total += one
	}
	env.Value("call_time_ms", total)
	return nil
}
