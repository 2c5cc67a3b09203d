package mabeam

import (
	"context"
	"errors"
	"time"

	"mabeam-top/internal/runtime/internal/failure"
)

// execute carries out an action for a caller that waits. The asker is the agent that calls; nil if none does.
func (a *Agent) execute(ctx context.Context, asker *Agent, action string, params any) (any, error) {
	// A caller whose context cannot end cannot leave before the answer, so it may run the agent itself. But
	// messages that wait come first: the caller may have sent them. An action that an agent calls runs on
	// another goroutine, so that a call of runtime.Goexit does not end the calling agent too.
	if ctx.Done() == nil && asker == nil && callbackOf(ctx) == nil && a.state.move(idle, running) {
		if a.mailbox.empty() {
			return a.actInline(ctx, action, params)
		}
		a.yield()
	}
	if ctx.Err() != nil {
		return nil, notBegun{failure.ContextError(ctx)}
	}
	c := a.system.newCall(ctx, params)
	if err := c.send(a, asker, action); err != nil {
		return nil, notBegun{err}
	}
	return c.await(a.ID(), action)
}

// tell puts an action into the mailbox. It waits for its turn, if there is a rate, and for room, until ctx ends;
// if ctx has no deadline, for Options.WaitTimeout.
func (a *Agent) tell(ctx context.Context, action string, params any) error {
	if ctx.Err() != nil {
		return failure.ContextError(ctx)
	}
	if s := a.system; !s.plainTell {
		if err := s.actionRate.WaitAtMost(ctx, s.options.WaitTimeout); err != nil {
			return err
		}
		params = s.propagate.Wrap(ctx, params)
	}
	err := a.put(action, params, false)
	if err == nil {
		return nil
	}
	return a.tellWhenRoom(ctx, action, params, err)
}

// tellWhenRoom continues tell after an error, which it returns unless it is that the mailbox is full.
func (a *Agent) tellWhenRoom(ctx context.Context, action string, params any, err error) error {
	began := time.Now()
	for waits := 0; errors.Is(err, ErrMailboxFull); waits++ {
		if waits == 1 { // the first wait is short and usually the only one
			limited, cancel := failure.WithDefaultTimeout(ctx, a.system.options.WaitTimeout-time.Since(began))
			defer cancel()
			ctx = limited
		}
		if err := a.mailbox.wait(ctx, a.system.mailboxCapacity); err != nil {
			return err
		}
		err = a.send(action, params)
	}
	return err
}

// send puts an action that nobody waits for into the mailbox, if there is room.
func (a *Agent) send(action string, params any) error {
	return a.put(action, params, false)
}

// sendAwaited puts a *call or a *restartRequest into the mailbox, if there is room.
func (a *Agent) sendAwaited(action string, request any) error {
	return a.put(action, request, true)
}

func (a *Agent) put(action string, params any, awaited bool) error {
	uncounted, depth, err := a.mailbox.offer(a, action, params, awaited)
	if err != nil {
		return err
	}
	if uncounted > 0 {
		a.system.countQueued(uncounted, depth)
	}
	a.wake()
	return nil
}

// push puts a message of the runtime's own into the mailbox. It returns false if the agent has ended, so that
// nobody would take it.
func (a *Agent) push(request any) bool {
	a.mailbox.mu.Lock()
	if a.isOver() {
		a.mailbox.mu.Unlock()
		return false
	}
	uncounted := a.mailbox.append(a, request)
	a.mailbox.mu.Unlock()
	a.system.queued.Add(int64(uncounted))
	a.wake()
	return true
}

// wake makes the agent run because there is work. Most senders find it running already.
func (a *Agent) wake() {
	if a.state.load().phase() == idle {
		a.schedule()
	}
}

// schedule makes the agent run if it is still idle.
func (a *Agent) schedule() {
	if _, moved := a.state.enter(scheduled, isIdle); moved {
		a.system.scheduler.Schedule((*runner)(a))
	}
}

func isIdle(s state) bool { return s.phase() == idle }
