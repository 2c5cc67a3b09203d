package stress

import (
	"context"
	"runtime"
	"time"
)

// A waiter waits for points in time, at no cost of a processor. It is for one
// goroutine at a time.
//
// The timers of the Go runtime alone are not exact enough: on an idle machine a
// thread of its scheduler waits for the next timer in epoll_wait, whose timeout
// is in milliseconds. The kernel timer ends that wait at the right time. It needs no
// goroutine and is not needed for correctness: where there is none, and in a test
// with a synthetic clock, the timer alone tells when the time has come.
type waiter struct {
	timer  *time.Timer
	kernel *kernelTimer
}

func newWaiter() *waiter { return &waiter{kernel: newKernelTimer()} }

// close gives back what the waiter holds.
func (w *waiter) close() {
	if w.timer != nil {
		w.timer.Stop()
	}
	w.kernel.close()
}

// until returns at the given time, or earlier when turned is closed. It returns
// what the time is then, or false if ctx has ended.
func (w *waiter) until(ctx context.Context, at time.Time, turned <-chan struct{}) (now time.Time, ok bool) {
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
	w.kernel.set(wait) // after the timer, so that it finds the timer due
	select {
	case <-w.timer.C:
	case <-turned:
	case <-ctx.Done():
	}
	return time.Now(), ctx.Err() == nil
}

// Goroutines counts the process's goroutines, without those that have ended. The Go
// runtime alone counts a goroutine for a moment after others find that it has ended: long if
// its thread loses its processor there, and any time where the clock is synthetic.
// Stopping the world waits for that moment.
func Goroutines() int {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return runtime.NumGoroutine()
}

// Settle looks every millisecond, for as long as within, whether anything is left to
// wait for. It also returns when ctx has ended.
func Settle(ctx context.Context, within time.Duration, left func() bool) {
	for deadline := time.Now().Add(within); left() && time.Now().Before(deadline); {
		if !Sleep(ctx, time.Millisecond) {
			return
		}
	}
}

// Sleep waits for a duration. It returns false if ctx ended before.
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
