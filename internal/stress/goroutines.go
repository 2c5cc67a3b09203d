package stress

import (
	"context"
	"runtime"
	"time"

	"mabeam-top/internal/stress/load"
)

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
