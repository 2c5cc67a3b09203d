package reference

import (
	"runtime"
	"strconv"
	"sync"
	"time"
)

var entryDescription = Description{
	Workload: EntryMemory,
	Unit:     "bytes",
	Doc:      "Live heap of one entry of a map: a pointer to a record with strings, two times, a slice of two strings and a map of two values, in bytes.",
}

// An entry holds what the registration of an agent holds, written in the simplest way.
type entry struct {
	id, kind, node, parent string
	capabilities           []string
	metadata               map[string]any
	created, updated       time.Time
}

const entryCount = 2000

// EntryBytes returns the live heap of one entry in bytes. The first call measures it,
// with several garbage collections, so call it early; later calls return the same value.
func EntryBytes() float64 { return entryBytes() }

var entryBytes = sync.OnceValue(func() float64 {
	return liveBytes(fillEntries)
})

// fillEntries returns a map of n entries.
func fillEntries(n int) any {
	now := time.Now()
	entries := make(map[string]*entry)
	for i := range n {
		id := "reference-" + strconv.Itoa(i)
		entries[id] = &entry{
			id:           id,
			kind:         "reference",
			node:         "node",
			capabilities: []string{"first", "second"},
			parent:       "",
			metadata:     map[string]any{"name": "reference", "number": i},
			created:      now,
			updated:      now,
		}
	}
	return entries
}

// liveBytes returns the live heap of fill(entryCount) per entry. Other goroutines may
// allocate at the same time, so it is the median of several measurements.
func liveBytes(fill func(n int) any) float64 {
	const n = entryCount
	sample := make([]float64, 5)
	for i := range sample {
		before := liveHeap()
		filled := fill(n)
		after := liveHeap()
		runtime.KeepAlive(filled)
		sample[i] = (float64(after) - float64(before)) / float64(n)
	}
	return median(sample)
}

// liveHeap returns the live heap after a garbage collection.
func liveHeap() uint64 {
	runtime.GC() // also finishes the sweep, so that no garbage counts
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
