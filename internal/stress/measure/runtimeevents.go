package measure

import (
	"context"
	"fmt"
	"slices"
	"strconv"

	mabeam "mabeam-top/internal/runtime"
	"mabeam-top/internal/stress"
)

// ownEvents is how many of the runtime's own events checkOwnEvents has published, for a
// queue of ownQueue.
const ownEvents, ownQueue = 64, 8

// checkOwnEvents stalls a subscriber that is waited for to the events that tell of starts, and
// starts more agents than it has room for. They start meanwhile, and it loses what has waited longest.
func checkOwnEvents(ctx context.Context, env *stress.Env) error {
	change := func(o *mabeam.Options) { o.BusQueue, o.WaitTimeout = ownQueue, 2*stalledAfter }
	return onOwnSystem(ctx, env, change, func(system *mabeam.System) error {
		reader, policy := newStalledReader(), mabeam.Block
		s, err := system.Bus().Subscribe(mabeam.EventAgentStarted, reader.handleStart, mabeam.SubscribeOptions{Policy: &policy})
		if err != nil {
			return err
		}
		if err := startNumbered(ctx, system, 0, 1); err != nil {
			return err
		}
		if err := reader.awaitFirst(ctx); err != nil {
			return err
		}
		err = startBeside(ctx, system)
		close(reader.release)
		if err != nil {
			return err
		}
		isThrough := func() bool { return len(reader.received())+int(s.Dropped()) == ownEvents }
		settle(ctx, func() bool { return !isThrough() })
		got := reader.received()
		if !isThrough() || !slices.IsSorted(got) || !slices.Contains(got, ownEvents-1) {
			return fmt.Errorf("of the starts 0 to %d, with room for %d, it was told %v, and lost %d", ownEvents-1, ownQueue, got, s.Dropped())
		}
		return nil
	})
}

// handleStart is handle for the event of the start of an agent, whose id is a number.
func (r *stalledReader) handleStart(ctx context.Context, e mabeam.Event) {
	n, err := strconv.Atoi(e.Source)
	if err != nil {
		n = -1
	}
	r.handle(ctx, mabeam.Event{Data: n})
}

// startBeside starts all agents but the first while a reader stalls. If that takes as
// long as stalledAfter, they wait for it.
func startBeside(ctx context.Context, system *mabeam.System) error {
	limited, cancel := context.WithTimeout(ctx, stalledAfter)
	defer cancel()
	started := make(chan error, 1)
	go func() { started <- startNumbered(limited, system, 1, ownEvents) }()
	select {
	case err := <-started:
		return err
	case <-limited.Done():
		return fmt.Errorf("agents did not start for %v while a subscriber to the event of it had no room", stalledAfter)
	}
}

// startNumbered starts agents whose ids are the numbers from first up to, and without, end.
func startNumbered(ctx context.Context, system *mabeam.System, first, end int) error {
	for i := first; i < end; i++ {
		if _, err := system.StartAgent(ctx, mabeam.Spec{ID: strconv.Itoa(i), Type: "numbered", Behaviour: &observer{}}); err != nil {
			return err
		}
	}
	return nil
}
