package measure

import (
	"fmt"
	"runtime"
	"runtime/metrics"
	"slices"
)

// Metrics of the Go runtime.
const (
	// heapObjects is the size of all objects on the heap, including dead ones that are not
	// yet swept.
	heapObjects = "/memory/classes/heap/objects:bytes"
	// heapLive is the size of the objects that the last garbage collection found alive.
	heapLive = "/gc/heap/live:bytes"
	// stackBytes is the size of the goroutine stacks.
	stackBytes = "/memory/classes/heap/stacks:bytes"
)

// readBytes reads one of these metrics.
func readBytes(metric string) int64 {
	s := [1]metrics.Sample{{Name: metric}}
	metrics.Read(s[:])
	return int64(s[0].Value.Uint64())
}

// heapBytes returns the size of the objects on the heap after a garbage collection.
func heapBytes() int64 {
	runtime.GC()
	return readBytes(heapObjects)
}

// collectTwice returns the live heap. The first garbage collection may leave what
// finalizers and pools still held.
func collectTwice() int64 {
	runtime.GC()
	return heapBytes()
}

// readAfterGC takes three readings of the sum of some metrics, each after two garbage
// collections.
func readAfterGC(metrics ...string) []float64 {
	readings := make([]float64, 3)
	for i := range readings {
		collectTwice()
		for _, m := range metrics {
			readings[i] += float64(readBytes(m))
		}
	}
	return readings
}

// liveBytes returns the live heap and the goroutine stacks after two garbage collections.
// It is the least of three readings, because some include what the probes hold while they
// are read.
func liveBytes() float64 { return slices.Min(readAfterGC(heapLive, stackBytes)) }

// liveHeap returns three readings of the live heap. It excludes goroutine stacks: how many
// goroutines rest is up to the scheduler.
func liveHeap() []float64 { return readAfterGC(heapLive) }

// minLiveHeap is the least of three readings, as in liveBytes.
func minLiveHeap() float64 { return slices.Min(liveHeap()) }

// memoryNoise is the maximum difference between two readings of live memory in a process
// that does nothing else.
const memoryNoise = 128 << 10

// belowNoise explains why the memory of something is unmeasured.
func belowNoise(what string) string {
	return fmt.Sprintf("%s hold less than the %d KiB by which live memory varies; use more", what, memoryNoise>>10)
}

// stableGrowth is the growth rate below which memory counts as stable.
const stableGrowth = 0.1
