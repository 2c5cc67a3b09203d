package mabeam

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"mabeam-top/internal/runtime/internal/failure"
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
	case <-gone: // takes precedence over a ctx that has ended too
		return nil
	default:
	}
	if timeout > 0 {
		limited, cancel := failure.WithDefaultTimeout(ctx, timeout)
		defer cancel()
		ctx = limited
	}
	select {
	case <-gone:
		return nil
	case <-ctx.Done():
		return failure.ContextError(ctx)
	}
}

// stopFor is stop for any caller, which may be an agent's callback.
func (a *Agent) stopFor(ctx context.Context) error {
	w, err := callbackOf(ctx).waitFor(a)
	if err != nil {
		a.Stop()
		return err
	}
	defer w.end()
	return a.stop(ctx, a.system.options.WaitTimeout)
}

// beginStop closes the mailbox. It returns claimed if the agent was not running and the
// caller is now its runner, and isIdle if the mailbox is empty, so that the caller has to call
// finish. Otherwise the stop request is the last message in the mailbox.
func (a *Agent) beginStop() (claimed, isIdle bool) {
	before := a.state.want(stopWanted)
	if before.wants(stopWanted) || before.phase() == over {
		return false, false
	}
	if before.phase() != initializing { // else beReady announces it
		a.announceStopping()
	}
	a.mailbox.mu.Lock()
	if a.isOver() { // killed or crashed meanwhile: nobody would handle the request
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
	a.system.queued.Add(int64(uncounted))
	return claimed || a.claim(), false
}

func (a *Agent) announceStopping() {
	a.system.announceLifecycle(EventAgentStopping, a, "", &a.stopNews)
}

// claim makes the caller the runner of an agent that is idle or suspended.
func (a *Agent) claim() bool {
	_, claimed := a.state.enter(running, func(s state) bool { return s.phase() == idle || s.phase() == suspended })
	return claimed
}

// scheduleStop stops an agent on a worker. The caller is its runner.
func (a *Agent) scheduleStop(isIdle bool) {
	if isIdle {
		a.push(stopRequest{})
	}
	a.system.scheduler.Schedule((*runner)(a))
}

// finish completes a graceful stop. It returns false if the agent has ended otherwise
// meanwhile. The caller is not the agent's runner any longer.
func (a *Agent) finish() (stopped bool) {
	a.drainSubscriptions()
	if !a.isOver() { // its last events may have cost it its life
		stopped = a.terminate(ErrStopping) && a.end(ErrStopping, nil)
	}
	a.clearAbandoned()
	return stopped
}

// terminate calls the behaviour's Terminate while the agent lives. It returns false if that
// panicked, which is a crash.
func (a *Agent) terminate(reason error) (finished bool) {
	a.terminated = true
	defer func() {
		if !finished {
			a.crash(failure.NewPanicError(recover()))
		}
	}()
	a.behaviour.Terminate(a.callback(), a, reason)
	return true
}

// crash ends the agent because a callback panicked or failed. If the agent has ended before,
// a panic is only logged.
func (a *Agent) crash(failure error) {
	if a.end(ErrCrashed, failure) {
		return
	}
	if _, panicked := failure.(*PanicError); panicked { //nolint:errorlint // a wrapped one was logged before
		a.logAgent(slog.LevelError, "callback panicked after its agent's end", failure)
	}
}

// kill ends the agent at once. Its waiting messages are refused, and a callback that is
// running is abandoned.
func (a *Agent) kill() {
	if !a.end(ErrKilled, nil) {
		<-a.done() // somebody else is ending it, and runs no code of the agent's meanwhile
	}
}

// end removes the agent from the system. The reason is ErrStopping, ErrKilled or ErrCrashed,
// and failure its cause, or nil. Only the first call has an effect, and returns true. It runs
// no code of the agent's and waits for nobody. When it returns,
//
//   - no event, lookup or action finds the agent any more;
//   - everybody who waited for an answer has an error with the reason;
//   - the contexts of its callbacks have ended;
//   - the end has been reported, last to the holder of its reservation.
func (a *Agent) end(reason, failure error) bool {
	s := a.system
	s.ending.Add(1)
	defer s.ending.Add(-1)
	left := a.closeFor(reason, failure)
	if left.phase == over {
		return false
	}
	for _, sub := range left.subs {
		sub.End(nil)
	}
	s.agents.Leave(&a.entry)
	s.alive.Add(-1)
	if a.reservation == nil {
		s.limits.release() // else the reservation has the room
	}
	a.answerAll(left.taken)
	a.endLife(left.err)
	if left.phase != initializing { // else beReady reports the end, after the start
		a.reportEnd(reason, failure)
	}
	a.closeGone()
	left.bonds.leave(a.ID(), left.err)
	switch {
	case left.phase == initializing:
	case is(reason, ErrCrashed) && !a.terminated:
		s.scheduler.Schedule(&crashTermination{agent: a})
	default:
		a.notifyHolder()
	}
	return true
}

// reportEnd counts, logs and publishes the end.
func (a *Agent) reportEnd(reason, failure error) {
	switch {
	case is(reason, ErrCrashed):
		a.system.agentsCrashed.Add(1)
		a.logAgent(slog.LevelError, "agent crashed", failure)
		a.system.announceLifecycle(EventAgentCrashed, a, failure.Error(), nil)
	case is(reason, ErrKilled):
		a.system.agentsStopped.Add(1)
		why := "killed"
		if failure != nil {
			why += ": " + failure.Error()
		}
		a.system.announceLifecycle(EventAgentStopped, a, why, nil)
	default:
		a.system.agentsStopped.Add(1)
		a.system.announceLifecycle(EventAgentStopped, a, "", &a.stopNews)
	}
}

// IsAbnormal reports whether an agent ended for another reason than that it was asked to stop.
func IsAbnormal(reason error) bool { return !errors.Is(reason, ErrStopping) }

// is reports whether a reason for an end is ErrStopping, ErrKilled or ErrCrashed itself.
func is(reason, named error) bool { return reason == named } //nolint:errorlint // reasons are never wrapped

// A teardown is what is left to end and to answer when a life is over.
type teardown struct {
	phase state // before the end
	err   error // the reason for the end
	subs  []*Subscription
	bonds *bonds
	taken *batch // the batch being handled, if somebody waits for an answer to any of it
}

// closeFor marks the agent as over and closes its mailbox in one step: otherwise a message
// could be accepted that nobody answers. It returns what is left to end and to answer; its
// phase is over if the agent had ended before.
func (a *Agent) closeFor(reason, failure error) (left teardown) {
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

// clearAbandoned is the last thing that the runner of an agent that is over does: its
// callback, if it was abandoned, has returned.
func (a *Agent) clearAbandoned() {
	if !a.state.load().wants(abandoned) {
		return
	}
	a.mailbox.mu.Lock() // closeFor adds the agent to the list before it unlocks
	defer a.mailbox.mu.Unlock()
	a.system.abandoned.remove(a)
}

// closeGone closes the channel of done.
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

// done returns a channel that is closed when the agent has ended.
func (a *Agent) done() <-chan struct{} {
	a.mailbox.mu.Lock()
	defer a.mailbox.mu.Unlock()
	if a.gone == nil {
		a.gone = make(chan struct{})
	}
	return a.gone
}

// err returns why the life is over; nil while it is not.
func (a *Agent) err() error {
	a.mailbox.mu.Lock()
	defer a.mailbox.mu.Unlock()
	return a.errLocked()
}

// errLocked is err for a caller that holds mailbox.mu.
func (a *Agent) errLocked() error {
	switch {
	case !a.isOver():
		return nil
	case a.failed != nil:
		return a.failed
	}
	return a.mailbox.closed
}

// endFailure returns what the crash or the kill was caused by; nil if that is not known.
func (a *Agent) endFailure() error {
	a.mailbox.mu.Lock()
	defer a.mailbox.mu.Unlock()
	if a.failed == nil {
		return nil
	}
	return a.failed.failure
}

// An endError is an ErrCrashed or ErrKilled together with its cause.
type endError struct{ reason, failure error }

func (e *endError) Error() string   { return fmt.Sprintf("%v: %v", e.reason, e.failure) }
func (e *endError) Unwrap() []error { return []error{e.reason, e.failure} }

// Failure returns the cause of the end.
func (e *endError) Failure() error { return e.failure }

// notifyHolder reports the end to the holder of the agent's reservation, if it has one.
func (a *Agent) notifyHolder() {
	if a.reservation != nil {
		a.reservation.holder.Ended(a.reservation, Ref{a})
	}
}

// survivePanic, when deferred, recovers and logs a panic of Terminate.
func (a *Agent) survivePanic() {
	if v := recover(); v != nil {
		a.logAgent(slog.LevelError, "terminate panicked", failure.NewPanicError(v))
	}
}

// A crashTermination calls the Terminate of an agent that has crashed. It has a goroutine of
// its own because the one that the agent crashed on may be the caller's, or may be exiting.
type crashTermination struct{ agent *Agent }

// Run calls Terminate. The holder of the reservation is notified when Terminate has returned, so that the
// next life finds all resources of this one released, or when the time is up.
func (l *crashTermination) Run() (more bool) {
	a := l.agent
	ctx, cancel := context.WithTimeout(a.system.ctx, a.system.options.WaitTimeout)
	defer cancel()
	tell := sync.OnceFunc(a.notifyHolder)
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
