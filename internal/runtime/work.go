package runtime

import (
	"context"
	"errors"
	goruntime "runtime"
	"time"
)

// execute carries out an action for a caller who waits.
func (a *Agent) execute(ctx context.Context, action string, params any) (any, error) {
	if ctx.Done() == nil && a.status.CompareAndSwap(statusIdle, statusScheduled) {
		// Nobody else can touch the agent now, and the caller could not leave
		// before the answer anyway. But what already waits goes first: the
		// caller may have sent it.
		if !a.closing.Load() && a.mailbox.empty() {
			return a.actInline(ctx, action, params)
		}
		a.yield()
	}
	if err := ctx.Err(); err != nil {
		return nil, callError(ctx)
	}
	c := a.system.newCall(ctx, params)
	if err := a.send(action, c); err != nil {
		c.refused()
		return nil, err
	}
	return c.wait()
}

// tell leaves an action in the mailbox, waiting for room until ctx ends.
func (a *Agent) tell(ctx context.Context, action string, params any) error {
	for {
		err := a.send(action, params)
		if err == nil || !errors.Is(err, ErrMailboxFull) {
			return err
		}
		if err := a.waitForRoom(ctx); err != nil {
			return err
		}
	}
}

// waitForRoom returns when there may be room in the mailbox.
func (a *Agent) waitForRoom(ctx context.Context) error {
	ctx, cancel := withPatience(ctx, a.system.options.WaitTimeout)
	defer cancel()
	return a.mailbox.wait(ctx, a.system.mailboxCapacity)
}

// send puts an action into the mailbox if there is room.
func (a *Agent) send(action string, params any) error {
	uncounted, depth, err := a.mailbox.offer(action, params, a.system.mailboxCapacity)
	if err != nil {
		return err
	}
	if uncounted > 0 {
		a.system.countQueued(uncounted, depth)
	}
	a.wake()
	return nil
}

// push puts a message of the runtime's own into the mailbox, unless the agent
// has ended: nobody would take it.
func (a *Agent) push(request any) {
	a.mailbox.mu.Lock()
	if a.ended.Load() {
		a.mailbox.mu.Unlock()
		return
	}
	uncounted := a.mailbox.append(request)
	a.mailbox.mu.Unlock()
	a.system.queued.add(int64(uncounted))
	a.wake()
}

// wake makes the agent run because there is work.
func (a *Agent) wake() {
	// Most senders find it running: a look is cheaper than the attempt.
	if a.status.Load() == statusIdle && a.status.CompareAndSwap(statusIdle, statusScheduled) {
		a.system.scheduler.schedule(a)
	}
}

// yield gives the agent back after running it, and has it run elsewhere if
// work has come meanwhile.
func (a *Agent) yield() {
	if a.ended.Load() {
		a.refuseWaiting()
		return
	}
	a.status.Store(statusIdle)
	if !a.mailbox.empty() {
		a.wake()
	}
}

// polls is how often an agent or a sender that has nothing to do lets others
// run and looks again, before it gives up its goroutine: being woken costs
// more, and between two that are equally fast it would be for every message.
const polls = 2

// run handles what waits in the mailbox.
func (a *Agent) run() (more bool) {
	if a.mailbox.signalled.Load() {
		a.handleSignals()
	}
	b, uncounted := a.mailbox.take()
	if b != nil {
		a.system.queued.add(int64(uncounted))
		if len(b.messages) < a.system.countEvery {
			a.handleAll(b.messages)
		} else {
			a.handleTimed(b.messages)
		}
		b.release()
	}
	if a.ended.Load() {
		if !a.mailbox.empty() {
			a.refuseWaiting()
		}
		return false
	}
	for range polls {
		if !a.mailbox.empty() {
			return true
		}
		goruntime.Gosched()
	}
	a.status.Store(statusIdle)
	return !a.mailbox.empty() && a.status.CompareAndSwap(statusIdle, statusScheduled)
}

// maxUncounted is the most actions that nobody waits for which are not counted
// at once. Counting each would cost as much as a short action. In a short
// mailbox it is fewer, because their room is free only then.
const maxUncounted = 8

// A tally is what an agent has done and not yet counted.
type tally struct{ handled, done int }

// flush adds the tally to the counters, and starts it anew.
func (t *tally) flush(a *Agent) {
	if t.done > 0 {
		a.countDone(t.done)
	}
	if t.handled > 0 {
		a.system.queued.add(-int64(t.handled))
		a.mailbox.handled(t.handled, a.system.mailboxCapacity)
	}
	t.handled, t.done = 0, 0
}

// slowAction is from when on actions count as slow: so slow that each is counted
// by itself, lest the counters stand still.
const slowAction = 100 * time.Microsecond

// handleTimed is handleAll, and notes whether the agent's actions are slow.
func (a *Agent) handleTimed(messages []message) {
	began := time.Now()
	a.handleAll(messages)
	if slow := time.Since(began) > time.Duration(len(messages))*slowAction; slow != a.slow {
		a.slow = slow
	}
}

// handleAll does the work of a batch.
func (a *Agent) handleAll(messages []message) {
	var (
		t     tally
		i     int
		begun bool // the message at i
	)
	// One guard for the whole batch costs less than one for each action, and
	// after a panic there is nothing left to do but to refuse.
	defer func() {
		if i < len(messages) {
			a.breakOff(messages[i:], begun, &t, recover())
		}
	}()
	for ; i < len(messages); i++ {
		if a.mailbox.signalled.Load() {
			begun = false
			t.flush(a)
			a.handleSignals()
		}
		m := &messages[i]
		t.handled++
		begun = true
		if a.ended.Load() {
			a.refuse(m)
			continue
		}
		switch p := m.params.(type) {
		default:
			if _, err := a.act(a.system.ctx, m.action, p); err == nil {
				t.done++
			}
			if a.slow || t.handled >= a.system.countEvery {
				t.flush(a)
			}
		case *call:
			p.begin()
			result, err := a.act(p.ctx, m.action, p.params)
			if err == nil {
				t.done++
			}
			// There is room for another one before the caller hears of this
			// one: the mailbox shall not be full of what is done.
			t.flush(a)
			p.reply(result, err)
		case *pendingEvents:
			t.flush(a)
			if s := (*Subscription)(p); s.drain(a.system.ctx) || !s.park() {
				a.push(p)
			}
		case *restartRequest:
			t.flush(a)
			a.restart(p)
		case stopRequest:
			t.flush(a)
			a.finish()
		}
	}
	t.flush(a)
}

// breakOff ends the agent because the first message, if begun, panicked or ended
// the goroutine, and refuses the others.
func (a *Agent) breakOff(messages []message, begun bool, t *tally, panicked any) {
	if begun {
		a.breakOffAt(&messages[0], t, panicked)
		messages = messages[1:]
	}
	for i := range messages {
		t.handled++
		a.refuse(&messages[i])
	}
	t.flush(a)
	if panicked == nil { // nobody goes on after this
		a.refuseWaiting()
	}
}

// breakOffAt ends the agent because of one message.
func (a *Agent) breakOffAt(first *message, t *tally, panicked any) {
	switch p := first.params.(type) {
	default:
		_ = a.actionPanicked(a.system.ctx, first.action, panicked) // nobody waits for it
		t.flush(a)
	case *call:
		err := a.actionPanicked(p.ctx, first.action, panicked)
		t.flush(a)
		p.reply(nil, err)
	case *pendingEvents, *restartRequest, stopRequest:
		// HandleEvent, Init or Terminate has ended the goroutine, and who called
		// it the agent.
	}
}

// drainSubscriptions handles the events that were published before the agent
// was asked to stop: they are accepted work too.
func (a *Agent) drainSubscriptions() {
	a.mailbox.mu.Lock()
	subs := a.subs
	a.mailbox.mu.Unlock()
	for _, s := range subs {
		for left := s.Waiting(); left > 0 && s.drain(a.system.ctx); {
			left -= deliveryBatch
		}
	}
}

// refuse answers a message that will not be handled.
func (a *Agent) refuse(m *message) {
	switch p := m.params.(type) {
	case *restartRequest:
		p.done <- a.mailbox.reason()
		return
	case *pendingEvents, stopRequest:
		return
	}
	a.system.actionsFailed.add(1)
	if c, ok := m.params.(*call); ok {
		c.reply(nil, a.mailbox.reason())
	}
}

// refuseWaiting empties the mailbox of an agent that has ended.
func (a *Agent) refuseWaiting() {
	for {
		if _, ok := a.mailbox.nextSignal(); !ok {
			break
		}
		a.system.signals.dropped.add(1)
	}
	b, uncounted := a.mailbox.take()
	if b == nil {
		return
	}
	a.system.queued.add(int64(uncounted))
	for i := range b.messages {
		a.refuse(&b.messages[i])
	}
	(&tally{handled: len(b.messages)}).flush(a)
	b.release()
}

// act carries out one action. One that succeeds is counted by the caller, and
// a panic is the caller's to handle.
func (a *Agent) act(ctx context.Context, action string, params any) (any, error) {
	result, err := a.behaviour.HandleAction(ctx, a, action, params)
	if err != nil {
		a.actionFailed(ctx, action, err)
	} else if t := a.system.executed; t.wanted() {
		a.announceAction(ctx, t, action, nil)
	}
	return result, err
}

// actInline carries out one action on the goroutine of its caller, who has
// taken the agent, and gives the agent back.
func (a *Agent) actInline(ctx context.Context, action string, params any) (result any, err error) {
	finished := false
	defer func() {
		if !finished {
			err = a.actionPanicked(ctx, action, recover())
		}
		a.yield()
	}()
	result, err = a.act(ctx, action, params)
	finished = true
	if err == nil {
		a.countDone(1)
	}
	return result, err
}

// countDone counts actions that succeeded.
func (a *Agent) countDone(n int) {
	a.system.actionsDone.add(int64(n))
	if a.system.inspectors.Load() > 0 {
		a.acted.Add(int64(n))
	}
}

// actionFailed counts and tells that an action failed.
func (a *Agent) actionFailed(ctx context.Context, action string, err error) {
	a.system.actionsFailed.add(1)
	if t := a.system.failed; t.wanted() {
		a.announceAction(ctx, t, action, err)
	}
}

// actionPanicked ends the agent whose action panicked, or ended its goroutine
// if it did not.
func (a *Agent) actionPanicked(ctx context.Context, action string, panicked any) error {
	err := newPanicError(panicked)
	a.actionFailed(ctx, action, err)
	a.crash(err)
	return err
}

// announceAction publishes what became of an action.
func (a *Agent) announceAction(ctx context.Context, t *topic, action string, err error) {
	data := ActionData{AgentID: a.ID(), Action: action}
	if err != nil {
		data.Error = err.Error()
	}
	// That nobody has room for the news is counted by the bus and no failure
	// of the action.
	_ = a.system.bus.publish(ctx, t, a.system.options.WaitTimeout, &Event{Type: t.name, Source: data.AgentID, Data: data})
}
