package measure

import (
	"fmt"
	"runtime"
	"runtime/metrics"
	"slices"
)

// Metrics of the Go runtime.
const (
	// heapObjects is the bytes of the objects on the heap, dead ones that were not
	// swept too.
	heapObjects = "/memory/classes/heap/objects:bytes"
	// heapLive is the bytes of those that the last collection found alive.
	heapLive = "/gc/heap/live:bytes"
	// stackBytes is the bytes of the stacks of goroutines.
	stackBytes = "/memory/classes/heap/stacks:bytes"
)

// readBytes reads one of them.
func readBytes(metric string) int64 {
	s := [1]metrics.Sample{{Name: metric}}
	metrics.Read(s[:])
	return int64(s[0].Value.Uint64())
}

// heapBytes is the memory of the objects on the heap after a collection.
func heapBytes() int64 {
	runtime.GC()
	return readBytes(heapObjects)
}

// collectTwice returns the bytes that live on the heap: the first collection may
// leave behind what finalizers and pools still held.
func collectTwice() int64 {
	runtime.GC()
	return heapBytes()
}

// readAfterGC takes three readings of the sum of some metrics one after the other, each
// after two collections.
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

// liveBytes is the memory in live heap objects and goroutine stacks, after two
// collections. It is the least of three readings: what the probes hold while they are
// being read is in some of them.
func liveBytes() float64 { return slices.Min(readAfterGC(heapLive, stackBytes)) }

// liveHeap are three readings of the live heap. Goroutine stacks are not in them: how
// many rest is the scheduler's choice.
func liveHeap() []float64 { return readAfterGC(heapLive) }

// minLiveHeap is the least of three readings, as liveBytes is.
func minLiveHeap() float64 { return slices.Min(liveHeap()) }

// memoryNoise is by how many bytes live memory differs between two readings
// of a process that does nothing else, at most.
const memoryNoise = 128 << 10

// belowNoise explains why the memory of something was not measured.
func belowNoise(what string) string {
	return fmt.Sprintf("%s hold less than the %d KiB by which live memory varies; use more", what, memoryNoise>>10)
}

// stableGrowth is the growth rate below which memory counts as stable.
const stableGrowth = 0.1
