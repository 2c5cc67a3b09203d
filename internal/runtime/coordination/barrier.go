package coordination

import (
	"context"
	"errors"
	"fmt"

	mabeam "mabeam-top/internal/runtime"
)

// ErrBarrierBroken means that not all came to a barrier, or that not all of
// them could be told to go on.
var ErrBarrierBroken = errors.New("barrier broken")

// A BarrierResult says what became of a barrier.
type BarrierResult struct {
	// Arrived are the answers to ActionArrive. Those who did not arrive are
	// among them, with the reason.
	Arrived mabeam.Answers
	// Told are those who were told to go on. If all had arrived these are all
	// agents, with their answers to ActionRelease. If the barrier broke, they
	// are those who got ActionBreak; nobody waits for their answers, and an
	// error says that the agent could not be told.
	Told mabeam.Answers
}

// Barrier lets agents wait for each other. It asks all of them to come
// (ActionArrive, with params); an agent arrives by answering. When the last
// one has, all are told at once to go on (ActionRelease, with params), and
// Barrier returns when all have answered to that.
//
// If one has not arrived by the deadline, has refused to or has ended before it did, the
// barrier is broken: those who did arrive, and those who may still do because
// their time was up before they answered, get ActionBreak (with the params
// map[string]any{"missing": the ids of those who were not there, as a
// []string}), and the error is ErrBarrierBroken. It is that too if all arrived
// but not all have answered to their release, because they have ended since,
// say; the others have then gone on.
//
// The deadline of the whole is that of ctx, or mabeam.CoordinationTimeout from
// now if it has none. Any other error says that nobody was asked.
func Barrier(ctx context.Context, system *mabeam.System, ids []string, params any) (BarrierResult, error) {
	r, err := system.BeginRound(ctx, ids)
	if err != nil {
		return BarrierResult{}, fmt.Errorf("barrier: %w", err)
	}
	defer r.End()
	b := BarrierResult{Arrived: r.Ask(ActionArrive, params)}
	if missing := b.Arrived.Missing(); len(missing) > 0 {
		b.Told = breakUp(r, b.Arrived, missing)
		return b, brokenError(len(ids), missing, "did not arrive")
	}
	b.Told = r.Ask(ActionRelease, params)
	if missing := b.Told.Missing(); len(missing) > 0 {
		return b, brokenError(len(ids), missing, "did not answer to their release")
	}
	return b, nil
}

// brokenError says how many of a barrier's agents failed, and how the first of
// them did.
func brokenError(agents int, missing mabeam.Answers, what string) error {
	return fmt.Errorf("%w: %d of %d agents %s, the first: %w", ErrBarrierBroken, len(missing), agents, what, missing[0].Err)
}

// breakUp tells all who are at the barrier, or on their way to it, that it
// broke. Mailboxes keep the order, so an agent that is late hears it after
// what has made it arrive.
func breakUp(r mabeam.Round, arrived, missing mabeam.Answers) mabeam.Answers {
	names := make([]string, len(missing))
	for i, m := range missing {
		names[i] = m.Agent
	}
	params := map[string]any{"missing": names}
	var told mabeam.Answers
	for _, a := range arrived {
		late := errors.Is(a.Err, context.DeadlineExceeded) || errors.Is(a.Err, context.Canceled)
		if a.Err != nil && !late {
			continue
		}
		told = append(told, mabeam.Answer{Agent: a.Agent, Err: r.Tell(a.Agent, ActionBreak, params)})
	}
	return told
}
