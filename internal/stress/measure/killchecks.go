package measure

import (
	"context"
	"errors"

	mabeam "mabeam-top/internal/runtime"
)

// killedCallers is how many callers wait for an agent that is killed.
const killedCallers = 3

// checkKillReplies kills an agent during the first of several actions that it took from
// its mailbox together. All callers must get their error while that action still runs.
func (f *fixture) checkKillReplies(ctx context.Context) {
	id, s := f.startSpy(ctx)
	take, ok := f.block(ctx, id)
	defer take()
	work := newBlockRequest(fixtureTimeout)
	defer close(work.release)
	replies := make(chan error, killedCallers)
	execute := func(action string, params any) {
		_, err := f.system.Execute(ctx, id, action, params)
		replies <- err
	}
	go execute("block", work)
	started := f.awaitDepth(ctx, id, 2)
	for range killedCallers - 1 {
		go execute("note", 0)
	}
	started = f.awaitDepth(ctx, id, 1+killedCallers) && started
	take()
	select {
	case <-work.entered:
	case <-ctx.Done():
		started = false
	}
	f.expect(ok && started, "an agent did not start the actions that it had accepted")
	f.system.KillAgent(id)
	for range killedCallers {
		f.expect(errors.Is(<-replies, mabeam.ErrKilled), "a caller of a killed agent did not get ErrKilled while the agent's action still ran")
	}
	f.expect(len(s.takeNotes()) == 0, "a killed agent handled an action")
}

// checkKillEndsContext kills an agent whose action waits for the end of its context.
func (f *fixture) checkKillEndsContext(ctx context.Context) {
	id, _ := f.startSpy(ctx)
	w := newContextWaiter()
	f.expect(f.system.Tell(ctx, id, "wait", w) == nil, "an agent with free mailbox capacity did not accept an action")
	var cause error
	select {
	case <-w.entered:
		f.system.KillAgent(id)
	case <-ctx.Done():
	}
	select {
	case cause = <-w.ended:
	case <-ctx.Done():
	}
	f.expect(errors.Is(cause, mabeam.ErrKilled), "the context of an action did not end with ErrKilled when its agent was killed")
}
