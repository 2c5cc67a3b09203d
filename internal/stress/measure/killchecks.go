package measure

import (
	"context"
	"errors"

	mabeam "mabeam-top/internal/runtime"
)

// checkKillAtWork kills agents at work: those who wait are told, and so is the work.
func checkKillAtWork(ctx context.Context, o *fixture, broken *checker) {
	checkKillAnswers(ctx, o, broken)
	checkKillEndsContext(ctx, o, broken)
}

// killedCallers is how many callers wait for an agent that is killed.
const killedCallers = 3

// checkKillAnswers kills an agent that is at work on the first of several actions that it
// has taken out of its mailbox together. Their callers are told while it still is.
func checkKillAnswers(ctx context.Context, o *fixture, broken *checker) {
	id, b := o.startSpy(ctx, broken)
	take, ok := o.block(ctx, id)
	defer take()
	work := newBlockRequest(fixtureTimeout)
	defer close(work.release)
	answers := make(chan error, killedCallers)
	ask := func(action string, params any) {
		_, err := o.system.Execute(ctx, id, action, params)
		answers <- err
	}
	go ask("block", work)
	waiting := o.awaitDepth(ctx, id, 2)
	for range killedCallers - 1 {
		go ask("note", 0)
	}
	waiting = o.awaitDepth(ctx, id, 1+killedCallers) && waiting
	take()
	select {
	case <-work.entered:
	case <-ctx.Done():
		waiting = false
	}
	broken.expect(ok && waiting, "an agent did not begin the actions that it had accepted")
	o.system.KillAgent(id)
	for range killedCallers {
		broken.expect(errors.Is(<-answers, mabeam.ErrKilled), "who waited for an agent that was killed at work was not told so with ErrKilled while the work went on")
	}
	broken.expect(len(b.takeNotes()) == 0, "an agent that was killed carried out an action")
}

// checkKillEndsContext kills an agent whose action waits for the end of its context.
func checkKillEndsContext(ctx context.Context, o *fixture, broken *checker) {
	id, _ := o.startSpy(ctx, broken)
	h := newContextWaiter()
	broken.expect(o.system.Tell(ctx, id, "heed", h) == nil, "an agent did not accept an action although it had room")
	var cause error
	select {
	case <-h.entered:
		o.system.KillAgent(id)
	case <-ctx.Done():
	}
	select {
	case cause = <-h.ended:
	case <-ctx.Done():
	}
	broken.expect(errors.Is(cause, mabeam.ErrKilled), "the context of an action did not end with ErrKilled when its agent was killed")
}
