package resources

import (
	"runtime"
	"runtime/metrics"
	"slices"
)

// Metrics of the Go runtime.
const (
	// HeapObjects is the size of all objects on the heap, including dead ones that are not
	// yet swept.
	HeapObjects = "/memory/classes/heap/objects:bytes"
	// HeapLive is the size of the objects that the last garbage collection found alive.
	HeapLive = "/gc/heap/live:bytes"
	// stackBytes is the size of the goroutine stacks.
	stackBytes = "/memory/classes/heap/stacks:bytes"
)

// ReadBytes reads HeapObjects or HeapLive.
func ReadBytes(metric string) int64 {
	s := [1]metrics.Sample{{Name: metric}}
	metrics.Read(s[:])
	return int64(s[0].Value.Uint64())
}

// HeapBytes returns the size of the objects on the heap after a garbage collection.
func HeapBytes() int64 {
	runtime.GC()
	return ReadBytes(HeapObjects)
}

// CollectTwice returns the live heap. The first garbage collection may leave what
// finalizers and pools still held.
func CollectTwice() int64 {
	runtime.GC()
	return HeapBytes()
}

// readAfterGC takes three readings of the sum of some metrics, each after two garbage
// collections.
func readAfterGC(metrics ...string) []float64 {
	readings := make([]float64, 3)
	for i := range readings {
		CollectTwice()
		for _, m := range metrics {
			readings[i] += float64(ReadBytes(m))
		}
	}
	return readings
}

// LiveBytes returns the live heap and the goroutine stacks after two garbage collections.
// It is the least of three readings, because some include what the probes hold while they
// are read.
func LiveBytes() float64 { return slices.Min(readAfterGC(HeapLive, stackBytes)) }

// LiveHeap returns three readings of the live heap. It excludes goroutine stacks: how many
// goroutines rest is up to the scheduler.
func LiveHeap() []float64 { return readAfterGC(HeapLive) }

// MinLiveHeap is the least of three readings, as in LiveBytes.
func MinLiveHeap() float64 { return slices.Min(LiveHeap()) }

// MemoryNoise is the maximum difference between two readings of live memory in a process
// that does nothing else.
const MemoryNoise = 128 << 10
