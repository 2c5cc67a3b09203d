package mabeam

import (
	"context"
	"errors"
	"runtime"
	"time"

	"mabeam-top/internal/runtime/internal/failure"

	"mabeam-top/internal/runtime/internal/propagate"

	"mabeam-top/internal/runtime/eventbus"
)

// execute carries out an action for a caller who waits: an agent, or nobody that is
// one.
func (a *Agent) execute(ctx context.Context, asker *Agent, action string, params any) (any, error) {
	// Nobody else can touch an agent that its caller has taken, and who cannot give up
	// could not leave before the answer anyway. But what already waits goes first: the
	// caller may have sent it. Agents have theirs handed over, so that none shares the
	// fate of another's goroutine.
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

// tell leaves an action in the mailbox. It waits for its turn, if there is a rate, and for
// room, until ctx ends, or, if it has no deadline, for Options.WaitTimeout.
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

// tellLater is tell for an action that was refused for an error, if that is for want of
// room.
func (a *Agent) tellWhenRoom(ctx context.Context, action string, params any, err error) error {
	began := time.Now()
	for waits := 0; errors.Is(err, ErrMailboxFull); waits++ {
		if waits == 1 { // the first is short, and mostly the last
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

// send puts an action that nobody waits for into the mailbox if there is room.
func (a *Agent) send(action string, params any) error {
	return a.put(action, params, false)
}

// sendAwaited puts a *call or a *restartRequest into the mailbox if there is room.
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

// push puts a message of the runtime's own into the mailbox. It returns false if the agent
// has ended: nobody would take it.
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

// wake makes the agent run because there is work. Most senders find it running.
func (a *Agent) wake() {
	if a.state.load().phase() == idle {
		a.schedule()
	}
}

// schedule makes the agent run if it still is idle.
func (a *Agent) schedule() {
	if _, moved := a.state.enter(scheduled, isIdle); moved {
		a.system.scheduler.Schedule((*runner)(a))
	}
}

func isIdle(s state) bool { return s.phase() == idle }

// yield gives the agent back after running it, and has it run elsewhere if
// work has come meanwhile.
func (a *Agent) yield() {
	if a.giveBack() && !a.mailbox.empty() {
		a.wake()
	}
}

// giveBack makes the agent nobody's. It reports whether it is idle then.
func (a *Agent) giveBack() bool {
	for {
		s := a.state.load()
		switch {
		case s.phase() == over:
			a.clearAbandoned()
			return false
		case s.wants(suspendWanted) && !s.wants(stopWanted):
			if a.state.move(s, suspended) {
				return false
			}
		case a.state.move(s, idle|s&stopWanted):
			return true
		}
	}
}

// mayGoOn reports whether its runner may call the behaviour once more.
func (a *Agent) mayGoOn() bool {
	s := a.state.load()
	return s == running || s.phase() == running && (s.wants(stopWanted) || !s.wants(suspendWanted))
}

// A runner is an agent as the scheduler runs it.
type runner Agent

// Run implements scheduler.Runnable.
func (r *runner) Run() (more bool) { return (*Agent)(r).run() }

// polls is how often an agent or a sender that has nothing to do lets others
// run and looks again, before it gives up its goroutine: being woken costs
// more, and between two that are equally fast it would be for every message.
const polls = 2

// run handles what waits in the mailbox.
func (a *Agent) run() (more bool) {
	// One that has been run just before, and had more to do, is still running.
	if a.state.load() != running && !a.state.move(scheduled, running) && !a.enterRunning() {
		return false
	}
	if a.mailbox.signalled.Load() {
		a.handleSignals()
	}
	if b := a.takeBatch(); b != nil {
		if len(b.messages) < a.system.countEvery {
			a.handleAll(b)
		} else {
			a.handleTimed(b)
		}
		if !b.awaited {
			b.release()
		}
	}
	if a.mayGoOn() {
		for range polls {
			if !a.mailbox.empty() {
				return true
			}
			runtime.Gosched()
		}
	}
	if a.hasTaken {
		a.hasTaken = false
		a.mailbox.forget()
	}
	if !a.giveBack() || a.mailbox.empty() {
		return false
	}
	_, more = a.state.enter(running, isIdle)
	return more
}

// enterRunning is the beginning of run for an agent that something is wanted of, or that has
// been run before. It reports whether there is anything to run.
func (a *Agent) enterRunning() bool {
	before, moved := a.state.enter(running, func(s state) bool { return s.phase() == scheduled })
	if !moved && before.phase() != running {
		a.clearAbandoned()
		return false
	}
	return true
}

// takeBatch takes what waits; nil if nothing does. A batch that somebody waits for some of
// stays in the mailbox, for who ends the agent, until the next is taken.
func (a *Agent) takeBatch() *batch {
	if !a.mayGoOn() {
		return nil
	}
	b, uncounted := a.mailbox.takeToHandle()
	if b == nil {
		a.hasTaken = false
		return nil
	}
	a.hasTaken = b.awaited
	if uncounted > 0 {
		a.system.queued.Add(int64(uncounted))
	}
	return b
}

// maxUncounted is the most actions that nobody waits for which are not counted
// at once. Counting each would cost as much as a short action. In a short
// mailbox it is fewer, because their room is free only then.
const maxUncounted = 8

// A tally is what an agent has done and not yet counted.
type tally struct {
	handled, done int
	figures       *typeFigures // nil while nobody looks
}

// flush adds the tally to the counters, and starts it anew.
func (t *tally) flush(a *Agent) {
	if t.done > 0 {
		a.countDone(t.done, t.figures)
	}
	if t.handled > 0 {
		// First the room, then the gauge: who ends the agent takes what is left of both.
		counted := a.mailbox.handled(t.handled, a.system.mailboxCapacity)
		a.system.queued.Add(-int64(counted))
	}
	t.handled, t.done = 0, 0
}

// slowAction is from when on actions count as slow: so slow that each is counted
// by itself, lest the counters stand still.
const slowAction = 100 * time.Microsecond

// handleTimed is handleAll, and notes whether the agent's actions are slow.
func (a *Agent) handleTimed(b *batch) {
	n := len(b.messages)
	began := time.Now()
	a.handleAll(b)
	if slow := time.Since(began) > time.Duration(n)*slowAction; slow != a.slow {
		a.slow = slow
	}
}

// handleAll does the work of a batch, as long as the agent may go on.
func (a *Agent) handleAll(b *batch) {
	var (
		t     tally
		i     int
		begun bool // the message at i
	)
	// One guard for the whole batch costs less than one for each action, and
	// after a panic there is nothing left to do but to refuse.
	defer func() {
		if i < len(b.messages) {
			a.abortBatch(b, i, begun, &t, recover())
		}
	}()
	if b.figures != nil {
		t.figures = a.figures() // those who looked may be gone
	}
	for ; i < len(b.messages); i++ {
		begun = false
		if a.mailbox.signalled.Load() {
			t.flush(a)
			a.handleSignals()
		}
		if !a.mayGoOn() {
			t.flush(a)
			a.requeueOrRefuse(b, i)
			break
		}
		m := &b.messages[i]
		t.handled++
		begun = true
		switch p := m.params.(type) {
		default:
			t.figures.noteWait(a.system, b, i)
			if err := a.act(a.callback(), m.action, p, t.figures); err == nil {
				t.done++
			}
			if a.slow || t.handled >= a.system.countEvery {
				t.flush(a)
				t.figures = a.figures() // it takes long, or there are many
			}
		case *propagate.Envelope:
			t.figures.noteWait(a.system, b, i)
			if err := a.act(propagate.WithValues(a.callback(), p.Values), m.action, p.Content, t.figures); err == nil {
				t.done++
			}
			t.flush(a)
		case *call:
			a.answer(b, i, p, &t)
		case *Subscription:
			t.flush(a)
			if a.drain(p, t.figures) || !p.Park() {
				a.push(p)
			}
		case *askAnswer:
			t.flush(a)
			t.figures.noteWait(a.system, b, i)
			_ = t.figures.work(func() error {
				handleAnswer(propagate.WithValues(a.callback(), p.values), a.behaviour, a, p.AskResult)
				return nil
			})
		case *restartRequest:
			t.flush(a)
			a.restart(b, i, p)
		case stopRequest:
			t.flush(a)
			a.finish()
		}
	}
	i = len(b.messages)
	t.flush(a)
}

// answer carries out an action that somebody waits for. Whoever ends the agent meanwhile
// has answered it, and counted it as failed.
func (a *Agent) answer(b *batch, i int, c *call, t *tally) {
	c.begin(a)
	if i > 0 {
		t.figures = a.figures()
	}
	var result any
	var err error
	if t.figures == nil {
		result, err = a.behaviour.HandleAction(c.callback, a, b.messages[i].action, c.params)
	} else {
		t.figures.noteWait(a.system, b, i)
		result, err = a.handleMeasured(c.callback, b.messages[i].action, c.params, t.figures)
	}
	c.endCallback()
	if !b.claim(i) {
		return
	}
	if err != nil || a.system.executed.Wanted() {
		a.recordAction(b.messages[i].action, err)
	}
	if err == nil {
		t.done++
	}
	// There is room for another one before the caller hears of this one: the mailbox
	// shall not be full of what is done.
	t.flush(a)
	if c.reply(result, err) {
		a.system.lateAnswer(b.messages[i].action, a.ID())
	}
}

// requeueOrRefuse does away with what is left of a batch, from one message on: an agent that is
// to be suspended finds it in its mailbox again, and one that is over refuses it.
func (a *Agent) requeueOrRefuse(b *batch, from int) {
	mine := b.awaited && b.claimAll()
	if b.awaited && !mine || !a.mailbox.requeue(a, b, from) {
		a.refuseRest(b, from, mine)
	}
}

// refuseRest refuses what is left of a batch; what somebody waits for only if that is the
// runner's to answer.
func (a *Agent) refuseRest(b *batch, from int, mine bool) {
	t := tally{handled: len(b.messages) - from}
	for i := from; i < len(b.messages); i++ {
		if m := &b.messages[i]; mine || !m.isAwaited() {
			a.refuse(m)
		}
	}
	t.flush(a)
}

// abortBatch ends the agent because a message of a batch, if begun, panicked or ended
// the goroutine, and refuses what comes after it.
func (a *Agent) abortBatch(b *batch, i int, begun bool, t *tally, panicked any) {
	if begun {
		a.abortItem(b, i, t, panicked)
		i++
	}
	t.flush(a)
	a.refuseRest(b, i, b.awaited && b.claimAll())
	if panicked == nil { // nobody goes on after this
		a.clearAbandoned()
	}
}

// abortItem ends the agent because of one message.
func (a *Agent) abortItem(b *batch, i int, t *tally, panicked any) {
	switch m := &b.messages[i]; p := m.params.(type) {
	default:
		_ = a.actionPanicked(m.action, panicked) // nobody waits for it
		t.flush(a)
	case *call:
		p.endCallback()
		mine := b.claim(i) // before the end, which would answer it with another reason
		err := failure.NewPanicError(panicked)
		if mine {
			a.recordAction(m.action, err)
		}
		a.crash(err)
		t.flush(a)
		if mine {
			p.fail(err)
		}
	case *askAnswer:
		a.crash(failure.NewPanicError(panicked))
		t.flush(a)
	case *Subscription, *restartRequest, stopRequest:
		// HandleEvent, Init or Terminate has ended the goroutine, and who called
		// it the agent.
	}
}

// isAwaited reports whether somebody waits for an answer to the message.
func (m *workItem) isAwaited() bool {
	switch m.params.(type) {
	case *call, *restartRequest:
		return true
	}
	return false
}

// refuse answers a message that will not be handled.
func (a *Agent) refuse(m *workItem) {
	reason := a.mailbox.reason()
	switch p := m.params.(type) {
	case *Subscription, stopRequest:
	case *restartRequest:
		p.answer(reason)
	case *askAnswer:
		a.system.deadLetter(DeadLetter{Kind: "answer", Name: p.Action, To: a.ID(), Reason: deadReason(reason)})
	case *call:
		a.system.actionsFailed.Add(1)
		p.fail(notBegun{reason})
	default:
		a.system.actionsFailed.Add(1)
		a.system.deadLetter(DeadLetter{Kind: "action", Name: m.action, To: a.ID(), Reason: deadReason(reason)})
	}
}

// answerAll answers everybody who waits for an agent that is over: for what is at work,
// for what was taken out of its mailbox with that, and for what is still there.
func (a *Agent) answerAll(taken *batch) {
	if taken != nil {
		left, _ := taken.takeOver()
		a.refuseTaken(left)
	}
	if !a.mailbox.empty() {
		a.refuseWaiting()
	}
	if forgotten := a.mailbox.forgetTaken(); forgotten > 0 {
		a.system.queued.Add(-int64(forgotten))
	}
}

// refuseTaken answers the messages that its runner has, if somebody waits for them. The runner
// may be at the first of these, if it is not itself the one that ends the agent: it has not
// begun any after that.
func (a *Agent) refuseTaken(messages []workItem) {
	reason := a.mailbox.reason()
	begun := is(reason, ErrKilled)
	for i := range messages {
		if messages[i].isAwaited() {
			a.refuseTakenItem(&messages[i], reason, begun)
			begun = false
		}
	}
}

// refuseTakenItem answers one message that somebody waits for. It may be used by the runner, so
// that it is not used again.
func (a *Agent) refuseTakenItem(m *workItem, reason error, begun bool) {
	switch p := m.params.(type) {
	case *restartRequest:
		p.answer(reason)
	case *call:
		if !begun {
			reason = notBegun{reason}
		}
		a.system.actionsFailed.Add(1)
		p.answerInstead(reason)
	}
}

// refuseWaiting empties the mailbox of an agent that is over.
func (a *Agent) refuseWaiting() {
	for {
		signal, ok := a.mailbox.nextSignal()
		if !ok {
			break
		}
		a.system.signals.dropped.Add(1)
		a.system.deadLetter(DeadLetter{Kind: "signal", Name: signal.Type, To: a.ID(), Reason: deadReason(a.mailbox.reason())})
	}
	b, uncounted := a.mailbox.take()
	if b == nil {
		return
	}
	a.system.queued.Add(int64(uncounted))
	for i := range b.messages {
		a.refuse(&b.messages[i])
	}
	(&tally{handled: len(b.messages)}).flush(a)
	b.release()
}

// handleMeasured has the behaviour carry out an action while somebody looks.
func (a *Agent) handleMeasured(ctx context.Context, action string, params any, f *typeFigures) (result any, err error) {
	err = f.work(func() (err error) {
		result, err = a.behaviour.HandleAction(ctx, a, action, params)
		return err
	})
	return result, err
}

// act carries out one action. One that succeeds is counted by the caller, and
// a panic is the caller's to handle.
func (a *Agent) act(ctx context.Context, action string, params any, f *typeFigures) (err error) {
	if f == nil {
		_, err = a.behaviour.HandleAction(ctx, a, action, params)
	} else {
		_, err = a.handleMeasured(ctx, action, params, f)
	}
	if err != nil || a.system.executed.Wanted() {
		a.recordAction(action, err)
	}
	return err
}

// actInline carries out one action on the goroutine of its caller, who has
// taken the agent, and gives the agent back.
func (a *Agent) actInline(ctx context.Context, action string, params any) (result any, err error) {
	ctx = a.callbackFor(ctx)
	finished := false
	defer func() {
		if !finished {
			err = a.actionPanicked(action, recover())
		}
		endCallback(ctx)
		a.yield()
	}()
	figures := a.figures()
	if figures == nil {
		result, err = a.behaviour.HandleAction(ctx, a, action, params)
	} else {
		figures.inMailbox.Record(0)
		result, err = a.handleMeasured(ctx, action, params, figures)
	}
	finished = true
	a.recordAction(action, err)
	if err == nil {
		a.countDone(1, figures)
	}
	return result, err
}

// countDone counts actions that succeeded.
func (a *Agent) countDone(n int, f *typeFigures) {
	a.system.actionsDone.Add(int64(n))
	if f != nil {
		a.acted.Add(int64(n))
	}
}

// tellAction counts an action that failed, and publishes what became of it.
func (a *Agent) recordAction(action string, err error) {
	t := a.system.executed
	if err != nil {
		a.system.actionsFailed.Add(1)
		t = a.system.failed
	}
	if t.Wanted() {
		a.publishAction(t, action, err)
	}
}

// actionPanicked ends the agent whose action panicked, or ended its goroutine
// if it did not.
func (a *Agent) actionPanicked(action string, panicked any) error {
	err := failure.NewPanicError(panicked)
	a.recordAction(action, err)
	a.crash(err)
	return err
}

// announceAction publishes what became of an action.
func (a *Agent) publishAction(t *eventbus.Topic, action string, err error) {
	data := ActionData{AgentID: a.ID(), Action: action}
	if err != nil {
		data.Error = err.Error()
	}
	a.system.bus.Announce(t, data.AgentID, data)
}
