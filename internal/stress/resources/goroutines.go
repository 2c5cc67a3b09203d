// Package resources reads the resources of this process that a leak would show in:
// goroutines and live memory.
package resources

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

// SettleTimeout is how long released resources may take to be gone before they count as
// leaked.
const SettleTimeout = time.Second

// WaitWhile polls pending every millisecond until it returns false, SettleTimeout is over,
// or ctx has ended.
func WaitWhile(ctx context.Context, pending func() bool) {
	for deadline := time.Now().Add(SettleTimeout); pending() && time.Now().Before(deadline); {
		if !load.Sleep(ctx, time.Millisecond) {
			return
		}
	}
}
