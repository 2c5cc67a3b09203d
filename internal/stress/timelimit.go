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
}

// limitTime returns the context of a scenario with a timeout. While its load is
// steered, a scenario has no time limit: to look at a paused system takes as long as
// it takes.
func (r *run) limitTime(parent context.Context, timeout time.Duration) *timeLimit {
	ctx, cancel := context.WithCancelCause(parent)
	l := &timeLimit{Context: ctx, deadline: time.Now().Add(timeout), cancel: cancel}
	l.timer = time.AfterFunc(timeout, func() { cancel(fmt.Errorf("scenario timeout of %v", timeout)) })
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

// Deadline implements context.Context.
func (l *timeLimit) Deadline() (time.Time, bool) {
	parent, limited := l.Context.Deadline()
	if l.lifted.Load() || limited && parent.Before(l.deadline) {
		return parent, limited
	}
	return l.deadline, true
}
