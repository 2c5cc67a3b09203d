package stress

import (
	"context"
	"runtime"
	"time"

	mabeam "mabeam-top/internal/runtime"
	"mabeam-top/internal/stress/load"
	"mabeam-top/internal/stress/scenario"
)

// leftWithin is how long goroutines of a system that has stopped may take to be gone.
const goroutineTimeout = time.Second

// tellLeftBehind tells of goroutines that are there after the repetition's system has
// stopped and were not before it started. What keeps them, a system that counts its
// own goroutines cannot hide.
func reportLeftGoroutines(ctx context.Context, parts []*partRun, before int) {
	left := 0
	Settle(ctx, goroutineTimeout, func() bool {
		left = Goroutines() - before
		return left > 0
	})
	if left <= 0 {
		return
	}
	for _, p := range parts {
		p.env.Finding("goroutines are still there after the system was stopped that were not before it started", int64(left))
	}
}

// systemOptions returns the runtime's options for a system of this kind.
func systemOptions(s scenario.System) (mabeam.Options, error) {
	policy, err := mabeam.ParseQueuePolicy(s.BusPolicy)
	return mabeam.Options{MaxAgents: s.MaxAgents, Mailbox: s.Mailbox, BusQueue: s.Mailbox, BusPolicy: policy}, err
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
		if !load.Sleep(ctx, time.Millisecond) {
			return
		}
	}
}
