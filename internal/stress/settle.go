package stress

import (
	"context"
	"runtime"
	"time"

	"mabeam-top/internal/stress/load"
)

// Goroutines counts the goroutines of the process, without those that have ended.
// The Go runtime counts a goroutine for a moment longer than others can see it:
// much longer if its thread loses its processor there, and without a bound where
// the clock is synthetic. Stopping the world waits for that moment.
func Goroutines() int {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return runtime.NumGoroutine()
}

// Settle polls pending every millisecond until it returns false, the timeout is
// over, or ctx has ended.
func Settle(ctx context.Context, timeout time.Duration, pending func() bool) {
	for deadline := time.Now().Add(timeout); pending() && time.Now().Before(deadline); {
		if !load.Sleep(ctx, time.Millisecond) {
			return
		}
	}
}
