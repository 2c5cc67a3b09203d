package mabeam

import (
	"runtime"
	"time"

	"mabeam-top/internal/runtime/internal/propagate"
)

// yield ends a run of the agent by a caller, and schedules the agent if work has come meanwhile.
func (a *Agent) yield() {
	if a.giveBack() && !a.mailbox.empty() {
		a.wake()
	}
}

// giveBack ends the run of the agent. It reports whether the agent is idle now.
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

// mayGoOn reports whether the runner may call the behaviour again.
func (a *Agent) mayGoOn() bool {
	s := a.state.load()
	return s == running || s.phase() == running && (s.wants(stopWanted) || !s.wants(suspendWanted))
}

// A runner is an agent as the scheduler runs it.
type runner Agent

// Run implements scheduler.Runnable.
func (r *runner) Run() (more bool) { return (*Agent)(r).run() }

// polls is how often an agent without work yields and looks again before it gives up its goroutine. Waking an
// agent costs more, and an agent that is as fast as its sender would have to be woken for every message.
const polls = 2

// run handles the messages and signals that wait in the mailbox.
func (a *Agent) run() (more bool) {
	// An agent that has just been run, and had more to do, is still running.
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

// enterRunning begins run for an agent that has been asked to stop or suspend, or is still running. It reports
// whether there is anything to run.
func (a *Agent) enterRunning() bool {
	before, moved := a.state.enter(running, func(s state) bool { return s.phase() == scheduled })
	if !moved && before.phase() != running {
		a.clearAbandoned()
		return false
	}
	return true
}

// takeBatch takes the waiting messages; nil if there are none. If somebody waits for an answer to any of them, the
// mailbox keeps the batch until the next one is taken, for whoever ends the agent.
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

// maxUncounted is how many actions that nobody waits for are counted together. Counting each would cost as much
// as a short action. In a short mailbox it is fewer, because their room becomes free only when they are
// counted.
const maxUncounted = 8

// A tally has the messages that an agent has handled and not yet counted.
type tally struct {
	handled, done int
	figures       *typeFigures // nil while there is no Inspector
}

// flush adds the tally to the counters and resets it.
func (t *tally) flush(a *Agent) {
	if t.done > 0 {
		a.countDone(t.done, t.figures)
	}
	if t.handled > 0 {
		// First the room, then the gauge: whoever ends the agent takes the rest of both.
		counted := a.mailbox.handled(t.handled, a.system.mailboxCapacity)
		a.system.queued.Add(-int64(counted))
	}
	t.handled, t.done = 0, 0
}

// slowAction is the duration from which actions are counted one by one, so that the counters do not lag for
// long.
const slowAction = 100 * time.Microsecond

// handleTimed is handleAll, and finds out whether the agent's actions are slow.
func (a *Agent) handleTimed(b *batch) {
	n := len(b.messages)
	began := time.Now()
	a.handleAll(b)
	if slow := time.Since(began) > time.Duration(n)*slowAction; slow != a.slow {
		a.slow = slow
	}
}

// handleAll handles the messages of a batch, as long as the agent may go on.
func (a *Agent) handleAll(b *batch) {
	var (
		t     tally
		i     int
		begun bool // whether the message at i is
	)
	// One recover for the whole batch costs less than one for each action, and after a panic the rest is
	// refused anyway.
	defer func() {
		if i < len(b.messages) {
			a.abortBatch(b, i, begun, &t, recover())
		}
	}()
	if b.figures != nil {
		t.figures = a.figures() // the Inspector may have been closed
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
