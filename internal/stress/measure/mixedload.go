package measure

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	mabeam "mabeam-top/internal/runtime"
	"mabeam-top/internal/stress"
	"mabeam-top/internal/stress/load"
	"mabeam-top/internal/stress/scenario"
)

// mixKinds are the kinds of operations of system-load.
var mixKinds = []string{"ping", "increment", "publish"}

// mixParam is the parameter with the mix of operations.
func mixParam() scenario.Param {
	mix := make([]scenario.Param, len(mixKinds))
	for i, doc := range []string{
		"Weight of requests that change nothing.",
		"Weight of actions that change the agent's state.",
		"Weight of events that an agent publishes to all subscribers.",
	} {
		mix[i] = scenario.Param{Name: mixKinds[i], Kind: scenario.Int, Default: 0, Min: 0, Max: 1_000_000, Doc: doc}
	}
	return scenario.Param{
		Name: "mix", Kind: scenario.Table, Default: scenario.Params{"ping": 70, "increment": 20, "publish": 10}, Fields: mix,
		Doc: "Weights of the kinds of operations, in a random order that depends on the seed.",
	}
}

// checkMix checks that a mix is not empty.
func checkMix(p scenario.Params) error {
	if _, total := mixWeights(p); total == 0 {
		return errors.New("mix has no weight above 0: there would be no operations")
	}
	return nil
}

// mixWeights returns the weights of mixKinds and their sum.
func mixWeights(p scenario.Params) (weights []int, total int) {
	for _, kind := range mixKinds {
		weights = append(weights, p.Table("mix").Int(kind))
		total += weights[len(weights)-1]
	}
	return weights, total
}

// A mixedLoad is the shared state of the operations of system-load.
type mixedLoad struct {
	system  *mabeam.System
	agents  []loadAgent
	weights []int
	total   int
	seed    uint64
	from    publishers

	sent, unsent atomic.Int64 // events that the bus accepted and refused
	actions      atomic.Int64 // successful ones
	wrongPings   atomic.Int64
}

// A loadAgent counts the operations of one agent.
type loadAgent struct {
	id   string
	done atomic.Int64 // successful operations
	// acknowledged counts successful increments, and sum adds up their answers, which are 1,
	// 2, 3 and so on in any order. A failed increment may have happened or not.
	acknowledged, sum, failed atomic.Int64
}

// loadEvent is the type of the published events.
const loadEvent = "load.event"

// populate starts the agents. If a limit refuses some, it continues with the others.
func (w *mixedLoad) populate(ctx context.Context, env *stress.Env, spec func() mabeam.Spec) error {
	wanted := env.Params.Int("agents")
	w.agents = make([]loadAgent, wanted)
	for i := range wanted {
		id, err := w.system.StartAgent(ctx, env.Agent(spec()))
		switch {
		case errors.Is(err, mabeam.ErrLimitReached) && i > 0:
			env.Detail(fmt.Sprintf("only %d of %d agents were started: %v", i, wanted, err), 1)
			w.agents = w.agents[:i]
			return nil
		case err != nil:
			return fmt.Errorf("start agent %d of %d: %w", i+1, wanted, err)
		}
		w.agents[i].id = id
	}
	return nil
}

// operate runs one operation.
func (w *mixedLoad) operate(ctx context.Context, op load.Op) error {
	a := &w.agents[op.N%len(w.agents)]
	kind := w.kind(op.N)
	if kind == "publish" {
		one := w.from.payload(op)
		one.timed = false
		err := w.system.Bus().Publish(ctx, mabeam.Event{Type: loadEvent, Source: a.id, Data: &one})
		if err != nil {
			w.unsent.Add(1)
			return err
		}
		w.sent.Add(1)
		a.done.Add(1)
		return nil
	}
	answer, err := w.system.Execute(ctx, a.id, kind, nil)
	switch {
	case err != nil && kind == "increment":
		a.failed.Add(1)
		return err
	case err != nil:
		return err
	case kind == "ping" && answer != "pong":
		w.wrongPings.Add(1)
	case kind == "increment":
		counter, _ := answer.(int)
		a.acknowledged.Add(1)
		a.sum.Add(int64(counter))
	}
	w.actions.Add(1)
	a.done.Add(1)
	return nil
}

// kind is the kind of operation n: random, the same for the same seed, and independent of
// the agent.
func (w *mixedLoad) kind(n int) string {
	// The finalizer of SplitMix64 turns each n into a random number.
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
