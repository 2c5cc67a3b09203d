package conformance

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	mabeam "mabeam-top/internal/runtime"
	"mabeam-top/internal/runtime/coordination"
)

const (
	// waitTimeout is how long calls without an answer wait.
	waitTimeout = 10 * time.Millisecond
	// maxDeadlineLateness is how much later than its deadline a call may return in the best
	// of deadlineTries. A busy machine delays some of them, a faulty runtime all.
	maxDeadlineLateness = 30 * time.Millisecond
	deadlineTries       = 8
)

// A waitLimit is what ends a blocked call.
type waitLimit int

const (
	byDeadline waitLimit = iota // of its context
	byCancel                    // of its context
	byItself                    // a timeout that is not of its context
)

// A blockedCall is a call that waits in vain.
type blockedCall struct {
	name string
	by   waitLimit
	want error
	call func(ctx context.Context) error
}

// checkDeadlines checks that blocked calls return at their deadline: not before, soon
// after, and with the documented error.
func (t *guardChecks) checkDeadlines(ctx context.Context) error {
	options := func(o *mabeam.Options) {
		o.Mailbox, o.BusQueue, o.WaitTimeout, o.BusPolicy = 64, 4, waitTimeout, mabeam.Block
	}
	return t.withSystem(ctx, options, func(s *mabeam.System, g Calls) error {
		over := make(chan struct{})
		defer close(over)
		hanging := &guardAgent{}
		full, err := g.Start(ctx, mabeam.Spec{Type: "guarded", Behaviour: hanging})
		if err != nil {
			return err
		}
		silent, err := g.Start(ctx, mabeam.Spec{Type: "guarded", Behaviour: &guardAgent{}})
		if err != nil {
			return err
		}
		if err := errors.Join(g.Tell(ctx, full, "hang", over), s.SuspendAgent(silent)); err != nil {
			return err
		}
		defer func() { _ = s.ResumeAgent(silent) }()
		sub, err := s.Bus().Subscribe("guard", func(context.Context, mabeam.Event) { <-over }, mabeam.SubscribeOptions{})
		if err != nil {
			return err
		}
		defer sub.Unsubscribe()
		for _, w := range blockedCalls(s, g, full, silent) {
			if err := t.checkDeadline(ctx, w); err != nil {
				return err
			}
		}
		return nil
	})
}

// blockedCalls returns calls that wait in vain: for room in the mailbox of the blocked
// agent full, for room in the queue of a blocked subscriber, and for an answer of the
// suspended agent silent.
func blockedCalls(s *mabeam.System, g Calls, full, silent string) []blockedCall {
	execute := func(ctx context.Context) error {
		_, err := g.Execute(ctx, silent, "work", nil)
		return err
	}
	return []blockedCall{
		{"Execute", byDeadline, mabeam.ErrTimeout, execute},
		{"Execute", byCancel, context.Canceled, execute},
		{"Execute without a deadline", byItself, mabeam.ErrTimeout, execute},
		{"Tell", byDeadline, mabeam.ErrTimeout, func(ctx context.Context) error {
			return repeatUntilError(func() error { return g.Tell(ctx, full, "work", nil) })
		}},
		{"Publish", byDeadline, context.DeadlineExceeded, func(ctx context.Context) error {
			return repeatUntilError(func() error { return g.Publish(ctx, mabeam.Event{Type: "guard"}) })
		}},
		{"Request", byItself, mabeam.ErrTimeout, func(ctx context.Context) error {
			_, err := s.Request(ctx, mabeam.Message{Type: "work", Target: silent, Timeout: waitTimeout})
			return err
		}},
		{"Gather", byDeadline, mabeam.ErrTimeout, func(ctx context.Context) error {
			answers, err := s.Gather(ctx, []string{silent}, "work", nil)
			if err == nil {
				err = answers[0].Err
			}
			return err
		}},
		{"Barrier", byDeadline, coordination.ErrBarrierBroken, func(ctx context.Context) error {
			_, err := coordination.Barrier(ctx, s, []string{silent}, nil)
			return err
		}},
	}
}

// errNeverFull is the error of a queue that accepts much more than its capacity.
var errNeverFull = fmt.Errorf("%d calls found room", maxAccepted)

// maxAccepted limits the calls of repeatUntilError. It exceeds the capacity of the queues
// in all tries.
const maxAccepted = 1000

// repeatUntilError repeats a call until it fails, and returns the error.
func repeatUntilError(call func() error) error {
	for range maxAccepted {
		if err := call(); err != nil {
			return err
		}
	}
	return errNeverFull
}

// checkDeadline checks one call.
func (t *guardChecks) checkDeadline(ctx context.Context, w blockedCall) error {
	for range deadlineTries {
		var waiting context.Context
		cancel := func() {}
		var end atomic.Pointer[time.Time] // when the call has to end
		at := time.Now().Add(waitTimeout)
		switch w.by {
		case byDeadline:
			waiting, cancel = context.WithDeadline(ctx, at)
			end.Store(&at)
		case byItself: // the context of a scenario has a deadline
			waiting = context.WithoutCancel(ctx)
			end.Store(&at)
		case byCancel:
			waiting, cancel = context.WithCancel(ctx)
			time.AfterFunc(waitTimeout, func() {
				now := time.Now()
				end.Store(&now)
				cancel()
			})
		}
		err := w.call(waiting)
		told := time.Now()
		cancel()
		if ctx.Err() != nil {
			return ctx.Err()
		}
		t.checks.Expect(errors.Is(err, w.want), fmt.Sprintf("%s returns the wrong error at its deadline: %v", w.name, err))
		due := end.Load()
		if !t.checks.Expect(due != nil && !told.Before(*due), w.name+" returns before its deadline") {
			return nil
		}
		if told.Sub(*due) < maxDeadlineLateness {
			return nil
		}
	}
	t.late.Add(1, fmt.Sprintf("%s returns more than %v after its deadline in each of %d tries", w.name, maxDeadlineLateness, deadlineTries))
	return nil
}
