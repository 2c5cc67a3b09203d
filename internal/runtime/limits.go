package mabeam

import (
	"fmt"
	"runtime"
	"runtime/metrics"
	"sync"
	"sync/atomic"
	"time"
)

// The limits bound what a system takes on: agents, and the memory of the
// process. That on the messages of one mailbox is kept by the mailbox.
//
// An agent has a place from before its Init until its end. That of a supervisor's child
// is its supervisor's, who has it from the child's start until there is to be no further
// life: a restart needs no room. A callback that goes on after its agent's end has one
// until it returns.
type limits struct {
	agents  int64        // 0: none
	places  atomic.Int64 // those that are taken, if there is a limit on agents
	memory  *memoryLimit // nil: none
	refused atomic.Int64 // agents that were not started for want of room
}

func newLimits(o Options) *limits {
	l := &limits{agents: int64(o.MaxAgents)}
	if o.MemoryLimit > 0 {
		l.memory = newMemoryLimit(o.MemoryLimit, heapInUse, runtime.GC)
	}
	return l
}

// enter takes a place for a new agent, or says which limit it meets.
func (l *limits) enter() error {
	if l.memory != nil {
		if err := l.memory.check(); err != nil {
			l.refused.Add(1)
			return err
		}
	}
	if l.agents == 0 {
		return nil
	}
	// Adding one and taking it back if it is too many could make another
	// agent meet the limit that has room.
	for {
		n := l.places.Load()
		if n >= l.agents {
			l.refused.Add(1)
			return fmt.Errorf("%w: agents: %d of %d", ErrLimitReached, n, l.agents)
		}
		if l.places.CompareAndSwap(n, n+1) {
			return nil
		}
	}
}

// enterAnyway takes a place for what is there already.
func (l *limits) enterAnyway() {
	if l.agents != 0 {
		l.places.Add(1)
	}
}

// leave gives a place back.
func (l *limits) leave() {
	if l.agents != 0 {
		l.places.Add(-1)
	}
}

const (
	// readEvery is how old a reading of the memory may be. At a million new
	// agents a second, a thousand of them go by one reading.
	readEvery = time.Millisecond
	// collectEvery is the least time from the end of one collection that a
	// memory limit has asked for to the next, and collectShare what the pause
	// is at least in terms of that collection: so they take no more than a
	// fifth of the time.
	collectEvery = 100 * time.Millisecond
	collectShare = 4
)

// A memoryLimit compares the heap of the process with a limit. Freed memory
// shows only after a collection: a heap that seems to be at the limit is
// collected, if that has not been done just before, and looked at again. So
// memory that was let go makes room at the first look that is allowed to
// collect.
type memoryLimit struct {
	max     int64
	read    func() int64 // the bytes of the heap's objects
	collect func()
	began   time.Time

	heap atomic.Int64 // as it was read last
	due  atomic.Int64 // when to read it again, in nanoseconds since began

	mu         sync.Mutex // held by the one who reads; nobody waits for it
	collectDue time.Duration
}

func newMemoryLimit(limit int64, read func() int64, collect func()) *memoryLimit {
	m := &memoryLimit{max: limit, read: read, collect: collect, began: time.Now()}
	m.heap.Store(read())
	return m
}

// check returns ErrLimitReached if the heap is at the limit. One of those who
// find the last reading too old reads anew, and may have to collect; the
// others go by the last.
func (m *memoryLimit) check() error {
	if time.Since(m.began) >= time.Duration(m.due.Load()) && m.mu.TryLock() {
		m.look()
		m.mu.Unlock()
	}
	if heap := m.heap.Load(); heap >= m.max {
		return fmt.Errorf("%w: memory: %d bytes of heap, of %d", ErrLimitReached, heap, m.max)
	}
	return nil
}

// look reads the heap, and once more after a collection if that may make room.
func (m *memoryLimit) look() {
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

// heapInUse is the memory of the objects on the heap of the process, in bytes:
// those that live, and those that died since the last collection.
func heapInUse() int64 {
	sample := [1]metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	metrics.Read(sample[:])
	return int64(sample[0].Value.Uint64())
}
