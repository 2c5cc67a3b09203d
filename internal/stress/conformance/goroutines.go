package conformance

import (
	mabeam "mabeam-top/internal/runtime"
	"mabeam-top/internal/stress/resources"
)

// maxIdleGoroutines is the documented maximum of goroutines that an idle system keeps for
// later work.
const maxIdleGoroutines = 64

// Goroutines counts the goroutines of the process while no agent works, without the
// idle ones of the system. It excludes no more of these than the runtime documents: a
// system that keeps every goroutine leaks, whatever it says.
func Goroutines(system *mabeam.System) int {
	return resources.Goroutines() - min(system.Goroutines(), maxIdleGoroutines)
}
