package load

import (
	"context"
	"time"
)

// A waiter waits for points in time without using a processor. One goroutine at a
// time uses it.
//
// The timers of the Go runtime alone are not exact enough: on an idle machine a
// thread of its scheduler waits for the next timer in epoll_wait, whose timeout
// is in milliseconds. The kernel timer ends that wait at the right time. It needs no
// goroutine, and correctness does not depend on it: where there is none, and in a
// test with a synthetic clock, the timer alone ends the wait.
type waiter struct {
	timer  *time.Timer
	kernel *kernelTimer
}

func newWaiter() *waiter { return &waiter{kernel: newKernelTimer()} }

// close releases what the waiter holds.
func (w *waiter) close() {
	if w.timer != nil {
		w.timer.Stop()
	}
	w.kernel.close()
}

// until waits until the given time, or until changed is closed. It returns the
// time then, or false if ctx has ended.
func (w *waiter) until(ctx context.Context, at time.Time, changed <-chan struct{}) (now time.Time, ok bool) {
	now = time.Now()
	wait := at.Sub(now)
	if wait <= 0 {
		return now, ctx.Err() == nil
	}
	if w.timer == nil {
		w.timer = time.NewTimer(wait)
	} else {
		w.timer.Reset(wait)
	}
	w.kernel.set(wait) // after the timer, which must be due when it expires
	select {
	case <-w.timer.C:
	case <-changed:
	case <-ctx.Done():
	}
	return time.Now(), ctx.Err() == nil
}

// Sleep waits for a duration. It returns false if ctx ends first.
func Sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
	}
	return false
}
