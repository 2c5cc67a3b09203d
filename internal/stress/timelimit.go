package stress

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"
)

// A timeLimit is a context that ends after some time, unless the limit is lifted.
type timeLimit struct {
	context.Context
	deadline time.Time
	lifted   atomic.Bool
	timer    *time.Timer
	cancel   context.CancelCauseFunc
	expired  error // the cause of the end
}

// limitTime returns the context of a scenario with a timeout. While its load is
// steered, a scenario has no time limit: to look at a paused system takes as long as
// it takes.
func (r *run) limitTime(parent context.Context, timeout time.Duration) *timeLimit {
	ctx, cancel := context.WithCancelCause(parent)
	l := &timeLimit{Context: ctx, deadline: time.Now().Add(timeout), cancel: cancel}
	l.expired = fmt.Errorf("scenario timeout of %v", timeout)
	l.timer = time.AfterFunc(timeout, func() { cancel(l.expired) })
	r.setLimit(l)
	return l
}

func (r *run) setLimit(l *timeLimit) {
	r.steerMu.Lock()
	defer r.steerMu.Unlock()
	r.limit = l
}

// lift removes the limit.
func (l *timeLimit) lift() {
	l.lifted.Store(true)
	l.timer.Stop()
}

// end releases the context.
func (l *timeLimit) end() {
	l.timer.Stop()
	l.cancel(context.Canceled)
}

// Err implements context.Context. On a busy machine the timer is late, and others that
// know the deadline give up before: then the context has ended too.
func (l *timeLimit) Err() error {
	if !l.lifted.Load() && !time.Now().Before(l.deadline) {
		l.cancel(l.expired)
	}
	return l.Context.Err()
}

// Deadline implements context.Context.
func (l *timeLimit) Deadline() (time.Time, bool) {
	parent, limited := l.Context.Deadline()
	if l.lifted.Load() || limited && parent.Before(l.deadline) {
		return parent, limited
	}
	return l.deadline, true
}
