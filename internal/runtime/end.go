package mabeam

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"
)

// Stop asks the agent to stop after the work accepted so far, and does not
// wait: an agent that stops itself must go on to do so. Its supervisor, if it
// has one, takes that for a normal end.
func (a *Agent) Stop() {
	if claimed, idle := a.beginStop(); claimed {
		a.scheduleStop(idle)
	}
}

// stop asks the agent to stop after the work accepted so far, and waits until
// it has stopped or ctx ends. The timeout is for a ctx without a deadline; 0 means none.
func (a *Agent) stop(ctx context.Context, timeout time.Duration) error {
	switch claimed, idle := a.beginStop(); {
	case !claimed:
	case ctx.Done() != nil:
		a.scheduleStop(idle)
	case idle:
		// The caller waits anyway, so it may as well do the rest.
		if a.finish() {
			return nil
		}
	default:
		for more := true; more; {
			more = a.run()
		}
	}
	gone := a.done()
	select {
	case <-gone: // it matters more than a ctx that has ended too
		return nil
	default:
	}
	if timeout > 0 {
		limited, cancel := withDefaultTimeout(ctx, timeout)
		defer cancel()
		ctx = limited
	}
	select {
	case <-gone:
		return nil
	case <-ctx.Done():
		return CallError(ctx)
	}
}

// stopFor is stop for whoever has asked for it, an agent's callback perhaps.
func (a *Agent) stopFor(ctx context.Context) error {
	w, err := callbackOf(ctx).waitFor(a)
	if err != nil {
		a.Stop()
		return err
	}
	defer w.end()
	return a.stop(ctx, a.system.options.WaitTimeout)
}

// beginStop closes the mailbox. It says whether the agent was not running, and
// is now the caller's to run, and whether it was idle: then the caller has to
// see to its end. Otherwise the wish to stop is the mailbox's last message.
func (a *Agent) beginStop() (claimed, isIdle bool) {
	before := a.state.want(stopWanted)
	if before.wants(stopWanted) || before.phase() == over {
		return false, false
	}
	if before.phase() != initializing { // else it is told when it has started
		a.announceStopping()
	}
	a.mailbox.mu.Lock()
	if a.isOver() { // killed or crashed meanwhile: nobody would take it
		a.mailbox.mu.Unlock()
		return false, false
	}
	a.mailbox.closeLocked(ErrStopping)
	a.leaveGroups()
	claimed = a.claim()
	if claimed && a.mailbox.empty() {
		a.mailbox.mu.Unlock()
		return true, true
	}
	uncounted := a.mailbox.append(a, stopRequest{})
	a.mailbox.mu.Unlock()
	a.system.queued.add(int64(uncounted))
	return claimed || a.claim(), false
}

func (a *Agent) announceStopping() {
	a.system.announceLifecycle(EventAgentStopping, a, "", &a.stopNews)
}

// claim makes an agent that nobody runs, suspended ones too, the caller's to
// run.
func (a *Agent) claim() bool {
	_, claimed := a.state.enter(running, func(s state) bool { return s.phase() == idle || s.phase() == suspended })
	return claimed
}

// scheduleStop has an agent that is the caller's to run stop on a worker.
func (a *Agent) scheduleStop(isIdle bool) {
	if isIdle {
		a.push(stopRequest{})
	}
	a.system.scheduler.schedule(a)
}

// finish is the end of a graceful stop, unless the agent has come to another one
// meanwhile, which it says. The agent is not its runner's any longer.
func (a *Agent) finish() (stopped bool) {
	a.drainSubscriptions()
	if !a.isOver() { // its last events may have cost it its life
		stopped = a.terminate(ErrStopping) && a.end(ErrStopping, nil)
	}
	a.comeBack()
	return stopped
}

// terminate calls the behaviour's Terminate while the agent lives; a panic in it is a
// crash. It says whether there was none.
func (a *Agent) terminate(reason error) (finished bool) {
	a.terminated = true
	defer func() {
		if !finished {
			a.crash(newPanicError(recover()))
		}
	}()
	a.behaviour.Terminate(a.callback(), a, reason)
	return true
}

// crash ends the agent because a callback panicked, or could not be carried out. If it has
// ended before, nothing but the log tells of the panic.
func (a *Agent) crash(failure error) {
	if a.end(ErrCrashed, failure) {
		return
	}
	if _, panicked := failure.(*PanicError); panicked { //nolint:errorlint // one that is wrapped was told when it came
		a.logAgent(slog.LevelError, "callback panicked after its agent's end", failure)
	}
}

// kill ends the agent at once. What waits for it is refused, and what it is just doing
// goes on unheeded.
func (a *Agent) kill() {
	if !a.end(ErrKilled, nil) {
		<-a.done() // somebody else is taking it down, and runs no code of its own
	}
}

// end takes the agent out of the system, for a reason: ErrStopping, ErrKilled or
// ErrCrashed, with what that came of. It does so once; it says whether this was the
// time. It runs no code of the agent's and waits for nobody. When it returns,
//
//   - no event, lookup or action finds the agent any more;
//   - everybody who waited for an answer has it, with the reason;
//   - what its callbacks do has been told to end;
//   - that it has ended has been told, last to the owner of its place.
func (a *Agent) end(reason, failure error) bool {
	s := a.system
	s.ending.Add(1)
	defer s.ending.Add(-1)
	left := a.closeFor(reason, failure)
	if left.phase == over {
		return false
	}
	for _, sub := range left.subs {
		sub.end(nil)
	}
	s.registry.leave(&a.registration)
	s.alive.Add(-1)
	if a.place == nil {
		s.limits.leave() // else its owner has the room
	}
	a.answerAll(left.taken)
	a.endLife(left.err)
	if left.phase != initializing { // else who starts it tells so, after telling that it started
		a.tellEnd(reason, failure)
	}
	a.closeGone()
	left.bonds.leave(a.ID(), left.err)
	switch {
	case left.phase == initializing:
	case is(reason, ErrCrashed) && !a.terminated:
		s.scheduler.schedule(&lastWork{agent: a})
	default:
		a.tellOwner()
	}
	return true
}

// tellEnd counts and publishes the end.
func (a *Agent) tellEnd(reason, failure error) {
	switch {
	case is(reason, ErrCrashed):
		a.system.agentsCrashed.add(1)
		a.logAgent(slog.LevelError, "agent crashed", failure)
		a.system.announceLifecycle(EventAgentCrashed, a, failure.Error(), nil)
	case is(reason, ErrKilled):
		a.system.agentsStopped.add(1)
		why := "killed"
		if failure != nil {
			why += ": " + failure.Error()
		}
		a.system.announceLifecycle(EventAgentStopped, a, why, nil)
	default:
		a.system.agentsStopped.add(1)
		a.system.announceLifecycle(EventAgentStopped, a, "", &a.stopNews)
	}
}

// isAbnormal says whether an end is one that was not asked for.
func isAbnormal(reason error) bool { return !errors.Is(reason, ErrStopping) }

// is says whether a reason of end is the one of the three that is named.
func is(reason, named error) bool { return reason == named } //nolint:errorlint // as it was given

// A legacy is what an agent leaves when its life is over.
type legacy struct {
	phase state // that it was in
	err   error // why its life is over
	subs  []*Subscription
	bonds *bonds
	taken *batch // that somebody waits for some of
}

// closeFor marks the agent as over and closes its mailbox, at once: whoever
// sees the one must see the other, or a message could be accepted that nobody
// answers. It returns what is to be ended and answered.
func (a *Agent) closeFor(reason, failure error) (left legacy) {
	a.mailbox.mu.Lock()
	defer a.mailbox.mu.Unlock()
	for {
		was, next := a.state.load(), over|stopWanted
		left.phase = was.phase()
		if left.phase == over {
			return left
		}
		if is(reason, ErrKilled) && (left.phase == running || left.phase == initializing) {
			next |= abandoned
		}
		if a.state.move(was, next) {
			break
		}
	}
	if a.state.load().wants(abandoned) {
		a.system.abandoned.add(a)
	}
	a.mailbox.closeLocked(reason)
	a.leaveGroups()
	if failure != nil {
		a.failed = &endError{reason, failure}
	}
	left.err = a.errLocked()
	left.subs, a.subs = a.subs, nil
	left.bonds, a.bonds = a.bonds, nil
	left.taken, a.mailbox.taken = a.mailbox.taken, nil
	return left
}

// comeBack is the last thing that the runner of an agent that is over does.
func (a *Agent) comeBack() {
	if !a.state.load().wants(abandoned) {
		return
	}
	a.mailbox.mu.Lock() // whoever has set that adds the agent before it unlocks
	defer a.mailbox.mu.Unlock()
	a.system.abandoned.remove(a)
}

// closeGone lets go of those who wait for the agent's end.
func (a *Agent) closeGone() {
	a.mailbox.mu.Lock()
	defer a.mailbox.mu.Unlock()
	if a.gone == nil {
		a.gone = closedChannel
	} else {
		close(a.gone)
	}
}

var closedChannel = func() chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}()

// done is closed when the agent has ended.
func (a *Agent) done() <-chan struct{} {
	a.mailbox.mu.Lock()
	defer a.mailbox.mu.Unlock()
	if a.gone == nil {
		a.gone = make(chan struct{})
	}
	return a.gone
}

// err is why the life is over; nil while it is not.
func (a *Agent) err() error {
	a.mailbox.mu.Lock()
	defer a.mailbox.mu.Unlock()
	return a.errLocked()
}

// errLocked is err for one who holds mailbox.mu.
func (a *Agent) errLocked() error {
	switch {
	case !a.isOver():
		return nil
	case a.failed != nil:
		return a.failed
	}
	return a.mailbox.closed
}

// endFailure is what the agent crashed of, or was killed for; nil if nothing is known.
func (a *Agent) endFailure() error {
	a.mailbox.mu.Lock()
	defer a.mailbox.mu.Unlock()
	if a.failed == nil {
		return nil
	}
	return a.failed.failure
}

// An endError is an ErrCrashed or ErrKilled, and what it came of.
type endError struct{ reason, failure error }

func (e *endError) Error() string   { return fmt.Sprintf("%v: %v", e.reason, e.failure) }
func (e *endError) Unwrap() []error { return []error{e.reason, e.failure} }

// Failure is what the end came of.
func (e *endError) Failure() error { return e.failure }

// tellOwner tells the owner of the agent's place, if it has one, of the end.
func (a *Agent) tellOwner() {
	if a.place != nil {
		a.place.owner.Ended(a.place, Ref{a})
	}
}

// survivePanic, deferred, lets a panic of Terminate change nothing any more.
func (a *Agent) survivePanic() {
	if v := recover(); v != nil {
		a.logAgent(slog.LevelError, "terminate panicked", newPanicError(v))
	}
}

// lastWork is the Terminate of an agent that has crashed. It is on a goroutine of its
// own because the one that the agent crashed on may be its caller's, or end.
type lastWork struct{ agent *Agent }

// run calls Terminate. The owner of its place is told afterwards, so that the next life finds
// what this one held free; or when the time is up, so that it does not wait in vain.
func (l *lastWork) run() (more bool) {
	a := l.agent
	ctx, cancel := context.WithTimeout(a.system.ctx, a.system.options.WaitTimeout)
	defer cancel()
	tell := sync.OnceFunc(a.tellOwner)
	defer tell()
	defer a.survivePanic() // it has crashed already
	noted := make(chan struct{})
	inTime := context.AfterFunc(ctx, func() {
		a.system.abandoned.add(a)
		close(noted)
		tell()
	})
	defer func() {
		if !inTime() {
			<-noted
			a.system.abandoned.remove(a)
		}
	}()
	a.behaviour.Terminate(ctx, a, a.err())
	return false
}
