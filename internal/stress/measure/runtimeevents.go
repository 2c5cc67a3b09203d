package measure

import (
	"context"
	"fmt"
	"slices"
	"strconv"

	mabeam "mabeam-top/internal/runtime"
	"mabeam-top/internal/stress"
)

// startEvents is how many of the runtime's own events checkRuntimeEvents has published, for a
// queue of startQueue.
const startEvents, startQueue = 64, 8

// checkRuntimeEvents stalls a subscriber that is waited for to the events that tell of starts, and
// starts more agents than it has room for. They start meanwhile, and it loses what has waited longest.
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
			return fmt.Errorf("of the starts 0 to %d, with room for %d, it was told %v, and lost %d", startEvents-1, startQueue, got, s.Dropped())
		}
		return nil
	})
}

// handleStart is handle for the event of the start of an agent, whose id is a number.
func (r *stalledSubscriber) handleStart(ctx context.Context, e mabeam.Event) {
	n, err := strconv.Atoi(e.Source)
	if err != nil {
		n = -1
	}
	r.handle(ctx, mabeam.Event{Data: n})
}

// startWhileStalled starts all agents but the first while a reader stalls. If that takes as
// long as stallTimeout, they wait for it.
func startWhileStalled(ctx context.Context, system *mabeam.System) error {
	limited, cancel := context.WithTimeout(ctx, stallTimeout)
	defer cancel()
	started := make(chan error, 1)
	go func() { started <- startNumberedAgents(limited, system, 1, startEvents) }()
	select {
	case err := <-started:
		return err
	case <-limited.Done():
		return fmt.Errorf("agents did not start for %v while a subscriber to the event of it had no room", stallTimeout)
	}
}

// startNumberedAgents starts agents whose ids are the numbers from first up to, and without, end.
func startNumberedAgents(ctx context.Context, system *mabeam.System, first, end int) error {
	for i := first; i < end; i++ {
		if _, err := system.StartAgent(ctx, mabeam.Spec{ID: strconv.Itoa(i), Type: "numbered", Behaviour: &spy{}}); err != nil {
			return err
		}
	}
	return nil
}
