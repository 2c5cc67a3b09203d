package measure

import (
	"context"
	"fmt"
	"slices"
	"strconv"

	mabeam "mabeam-top/internal/runtime"
	"mabeam-top/internal/stress"
)

// startEvents is how many start events checkRuntimeEvents causes, for a queue of
// startQueue.
const startEvents, startQueue = 64, 8

// checkRuntimeEvents stalls a blocking subscriber to start events, and starts more agents
// than its queue has room for. The agents must start meanwhile, and the subscriber must
// lose the oldest events.
func checkRuntimeEvents(ctx context.Context, env *stress.Env) error {
	change := func(o *mabeam.Options) { o.BusQueue, o.WaitTimeout = startQueue, 2*stallTimeout }
	return withSystem(ctx, env, change, func(system *mabeam.System) error {
		reader, policy := newStalledSubscriber(), mabeam.Block
		s, err := system.Bus().Subscribe(mabeam.EventAgentStarted, reader.handleStart, mabeam.SubscribeOptions{Policy: &policy})
		if err != nil {
			return err
		}
		if err := startNumberedAgents(ctx, system, 0, 1); err != nil {
			return err
		}
		if err := reader.awaitFirst(ctx); err != nil {
			return err
		}
		err = startWhileStalled(ctx, system)
		close(reader.release)
		if err != nil {
			return err
		}
		isThrough := func() bool { return len(reader.received())+int(s.Dropped()) == startEvents }
		waitWhile(ctx, func() bool { return !isThrough() })
		got := reader.received()
		if !isThrough() || !slices.IsSorted(got) || !slices.Contains(got, startEvents-1) {
			return fmt.Errorf("of the start events 0 to %d with room for %d it received %v and lost %d", startEvents-1, startQueue, got, s.Dropped())
		}
		return nil
	})
}

// handleStart handles the start event of an agent whose id is a number.
func (r *stalledSubscriber) handleStart(ctx context.Context, e mabeam.Event) {
	n, err := strconv.Atoi(e.Source)
	if err != nil {
		n = -1
	}
	r.handle(ctx, mabeam.Event{Data: n})
}

// startWhileStalled starts all agents but the first while the subscriber stalls. If that
// takes stallTimeout, they wait for the subscriber.
func startWhileStalled(ctx context.Context, system *mabeam.System) error {
	limited, cancel := context.WithTimeout(ctx, stallTimeout)
	defer cancel()
	started := make(chan error, 1)
	go func() { started <- startNumberedAgents(limited, system, 1, startEvents) }()
	select {
	case err := <-started:
		return err
	case <-limited.Done():
		return fmt.Errorf("agents did not start for %v while a subscriber to their start events had no room", stallTimeout)
	}
}

// startNumberedAgents starts agents whose ids are the numbers from first to end, without
// end.
func startNumberedAgents(ctx context.Context, system *mabeam.System, first, end int) error {
	for i := first; i < end; i++ {
		if _, err := system.StartAgent(ctx, mabeam.Spec{ID: strconv.Itoa(i), Type: "numbered", Behaviour: &spy{}}); err != nil {
			return err
		}
	}
	return nil
}
