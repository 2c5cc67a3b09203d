package mabeam

import (
	"mabeam-top/internal/runtime/internal/failure"
)

// requeueOrRefuse puts the rest of a batch, from a position on, back into the mailbox of an agent that is to be
// suspended, and refuses it if the agent has ended.
func (a *Agent) requeueOrRefuse(b *batch, from int) {
	mine := b.awaited && b.claimAll()
	if b.awaited && !mine || !a.mailbox.requeue(a, b, from) {
		a.refuseRest(b, from, mine)
	}
}

// refuseRest refuses the rest of a batch. Messages that somebody waits for are refused only if they are mine: the
// runner has to answer them.
func (a *Agent) refuseRest(b *batch, from int, mine bool) {
	t := tally{handled: len(b.messages) - from}
	for i := from; i < len(b.messages); i++ {
		if m := &b.messages[i]; mine || !m.isAwaited() {
			a.refuse(m)
		}
	}
	t.flush(a)
}

// abortBatch ends the agent because the message at i, if begun, has panicked or ended the goroutine. It refuses the
// messages after it.
func (a *Agent) abortBatch(b *batch, i int, begun bool, t *tally, panicked any) {
	if begun {
		a.abortItem(b, i, t, panicked)
		i++
	}
	t.flush(a)
	a.refuseRest(b, i, b.awaited && b.claimAll())
	if panicked == nil { // the goroutine ends after this
		a.clearAbandoned()
	}
}

// abortItem ends the agent because of the message at i.
func (a *Agent) abortItem(b *batch, i int, t *tally, panicked any) {
	switch m := &b.messages[i]; p := m.params.(type) {
	default:
		_ = a.actionPanicked(m.action, panicked) // nobody waits for it
		t.flush(a)
	case *call:
		p.endCallback()
		mine := b.claim(i) // before crash, which would answer with another reason
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
		// HandleEvent, Init or Terminate has ended the goroutine, and whoever called it has ended the
		// agent.
	}
}

// isAwaited reports whether somebody waits for an answer to a message.
func (m *workItem) isAwaited() bool {
	switch m.params.(type) {
	case *call, *restartRequest:
		return true
	}
	return false
}

// refuse refuses a message that will not be handled.
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

// answerAll answers everybody who waits for an agent that has ended: for the message that it was handling, for the
// rest of that batch, and for those that are still in the mailbox.
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

// refuseTaken answers the messages that the runner has taken, if somebody waits for them. The runner may have begun
// the first of them, unless it is itself the one that ends the agent. It has begun no later one.
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

// refuseTakenItem answers a message that somebody waits for. The runner may still use the call, so it is not
// reused.
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

// refuseWaiting refuses everything in the mailbox of an agent that has ended.
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

// actionPanicked ends the agent because an action has panicked, or has ended the goroutine if panicked is nil.
func (a *Agent) actionPanicked(action string, panicked any) error {
	err := failure.NewPanicError(panicked)
	a.recordAction(action, err)
	a.crash(err)
	return err
}
