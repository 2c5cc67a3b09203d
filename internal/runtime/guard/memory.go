package guard

import (
	"fmt"
	"runtime"
	"runtime/metrics"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// readEvery is how old a reading of the heap may be. Of a million checks a
	// second, a thousand rely on one reading.
	readEvery = time.Millisecond
	// collectEvery is the least time from the end of one collection that a
	// MemoryLimit has caused to the next. That pause is also at least
	// collectShare times as long as the collection: so they take no more than a
	// fifth of the time.
	collectEvery = 100 * time.Millisecond
	collectShare = 4
)

// A MemoryLimit is a limit on the memory of the objects on the heap of the whole
// process. Freed memory shows only after a collection: a heap that seems to be at
// the limit is collected, unless that was done just before, and read again. So
// memory that was let go makes room at the first check that may collect. The
// methods may be called from several goroutines at once.
type MemoryLimit struct {
	max     int64
	read    func() int64 // the bytes of the heap's objects
	collect func()
	began   time.Time

	heap atomic.Int64 // as it was read last
	due  atomic.Int64 // when to read it again, in nanoseconds since began

	mu         sync.Mutex // held by the one who reads; nobody waits for it
	collectDue time.Duration
}

// NewMemoryLimit returns a limit of so many bytes.
func NewMemoryLimit(bytes int64) *MemoryLimit {
	return newMemoryLimit(bytes, heapObjects, runtime.GC)
}

// newMemoryLimit is NewMemoryLimit for any heap.
func newMemoryLimit(bytes int64, read func() int64, collect func()) *MemoryLimit {
	m := &MemoryLimit{max: bytes, read: read, collect: collect, began: time.Now()}
	m.heap.Store(read())
	return m
}

// Check returns an error that is ErrLimitReached if the heap is at the limit. It
// reads the heap at most once a millisecond. It collects the heap, and the caller
// waits for that, at most ten times a second and no more than a fifth of the time; meanwhile
// other callers go by the last reading.
func (m *MemoryLimit) Check() error {
	if time.Since(m.began) >= time.Duration(m.due.Load()) && m.mu.TryLock() {
		m.update()
		m.mu.Unlock()
	}
	if heap := m.heap.Load(); heap >= m.max {
		return fmt.Errorf("%w: memory: %d bytes of heap, of %d", ErrLimitReached, heap, m.max)
	}
	return nil
}

// update reads the heap, and once more after a collection if that may make room.
func (m *MemoryLimit) update() {
	heap := m.read()
	if began := time.Since(m.began); heap >= m.max && began >= m.collectDue {
		m.collect()
		now := time.Since(m.began)
		m.collectDue = now + max(collectEvery, collectShare*(now-began))
		heap = m.read()
	}
	m.heap.Store(heap)
	m.due.Store(int64(time.Since(m.began) + readEvery))
}

// heapObjects is the memory of the objects on the heap, in bytes: those that live,
// and those that died since the last collection.
func heapObjects() int64 {
	sample := [1]metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	metrics.Read(sample[:])
	return int64(sample[0].Value.Uint64())
}
