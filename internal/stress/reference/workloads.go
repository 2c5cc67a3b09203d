package reference

import (
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// workloads are the workloads that a round measures, in the order of a round.
var workloads = []timedWorkload{
	{
		Description: Description{
			Workload: Allocation,
			Unit:     "ns",
			Doc:      "Time to allocate an object of 256 bytes with two pointers and to link it into a ring of 512, in ns per object.",
		},
		// A batch of 77 kB often fits into memory that the process has used
		// before. New memory costs a page fault for every 16 objects, which makes
		// them three times as expensive, and whether that happens depends on the
		// heap of the process. The fastest batch is the least likely to contain
		// page faults or a garbage collection.
		size: 300,
		run:  allocate,
		fold: slices.Min[[]float64],
	},
	{
		Description: Description{
			Workload: HandOver,
			Unit:     "ns",
			Doc:      "Time to hand a value to another goroutine and back over unbuffered channels, in ns per round trip.",
		},
		size: 400,
		run:  func(n int) time.Duration { took, _ := handOver(n); return took },
		fold: trimmedMean,
	},
	{
		Description: Description{
			Workload: GoroutineStart,
			Unit:     "ns",
			Doc:      "Time to start a goroutine that ends at once, when many start in a row, in ns per goroutine until all have ended.",
		},
		size: 400,
		run:  func(n int) time.Duration { took, _ := startGoroutines(n); return took },
		fold: trimmedMean,
	},
	{
		Description: Description{
			Workload: FanOut,
			Unit:     "ns",
			Doc:      "Time to send a value to each of 8 goroutines and to receive a reply from each, over buffered channels, in ns per value sent to all.",
		},
		size: 80,
		run:  func(n int) time.Duration { took, _ := fanOut(n); return took },
		fold: trimmedMean,
	},
	{
		Description: Description{
			Workload: MapLock,
			Unit:     "ns",
			Doc:      "Time of an operation on a map of 10,000 string keys behind a sync.RWMutex, of which 80 % are lookups and 20 % are replacements, in ns per operation.",
		},
		size: 2500,
		run:  func(n int) time.Duration { return table.operate(n) },
		fold: trimmedMean,
	},
	{
		Description: Description{
			Workload: Bandwidth,
			Unit:     "ns",
			Doc:      "Time to copy 1 MiB of a block of 8 MiB, in ns per MiB.",
		},
		size: 1,
		run:  copyBlock,
		fold: trimmedMean,
	},
	{
		Description: Description{
			Workload: Timer,
			Unit:     "ns",
			Doc:      "Time by which a sleep of 100 µs is too long, in ns.",
		},
		size: 1,
		run:  func(n int) time.Duration { return oversleep(n, time.Sleep) },
		fold: median,
	},
	{
		Description: Description{
			Workload: Computation,
			Unit:     "ns",
			Doc:      "Time of 64 steps of an integer hash that depend on each other, in ns.",
		},
		size: 1000,
		run:  compute,
		fold: trimmedMean,
	},
}

// prepare creates the data that the workloads need, so that no batch includes it.
var prepare = sync.OnceFunc(func() {
	table = newLockedMap()
	for i := range source {
		source[i] = byte(i) // pages that were never written share one zero page
	}
	copyBlock(blockSize / mebibyte)
})

// A node is an object that Allocation allocates.
type node struct {
	next, peer *node
	_          [240]byte
}

// ring keeps the newest nodes alive. Nodes point only to newer ones, so nothing but the
// ring keeps a node alive.
var ring [512]*node

func allocate(n int) time.Duration {
	began := time.Now()
	previous := new(node)
	for i := range n {
		slot := i % len(ring)
		fresh := new(node)
		previous.next = fresh
		if oldest := ring[slot]; oldest != nil {
			oldest.peer = fresh
		}
		ring[slot] = fresh
		previous = fresh
	}
	took := time.Since(began)
	clear(ring[:])
	return took
}

// handOver also returns the last reply, which is the number of round trips.
func handOver(n int) (took time.Duration, last int) {
	there, back := make(chan int), make(chan int)
	var partner sync.WaitGroup
	partner.Go(func() {
		for v := range there {
			back <- v + 1
		}
	})
	there <- 0 // the partner runs before the clock starts
	last = <-back - 1
	began := time.Now()
	for range n {
		there <- last
		last = <-back
	}
	took = time.Since(began)
	close(there)
	partner.Wait()
	return took, last
}

// startGoroutines also returns how many goroutines ran.
func startGoroutines(n int) (took time.Duration, ran int64) {
	var running sync.WaitGroup
	var count atomic.Int64
	began := time.Now()
	for range n {
		running.Go(func() { count.Add(1) })
	}
	running.Wait()
	return time.Since(began), count.Load()
}

// fanOut also returns the number of replies.
func fanOut(n int) (took time.Duration, answered int) {
	const receivers = 8
	answers := make(chan int, receivers)
	var values [receivers]chan int
	var running sync.WaitGroup
	for i := range values {
		values[i] = make(chan int, 1)
		running.Go(func() {
			for v := range values[i] {
				answers <- v
			}
		})
	}
	began := time.Now()
	for v := range n {
		for _, receiver := range values {
			receiver <- v
		}
		for range values {
			if <-answers == v {
				answered++
			}
		}
	}
	took = time.Since(began)
	for _, receiver := range values {
		close(receiver)
	}
	running.Wait()
	return took, answered
}

const tableSize = 10_000

// table is kept, because filling it takes longer than a round.
var table *lockedMap

// A lockedMap is a table as most programs implement it.
type lockedMap struct {
	mu      sync.RWMutex
	entries map[string]*entryValue
	keys    []string
	// values has two values for each key, one of which is in the map.
	values [2][]entryValue

	state                     uint64
	lookups, misses, replaced int
}

type entryValue struct{ key, replacements int }

func newLockedMap() *lockedMap {
	m := &lockedMap{entries: make(map[string]*entryValue, tableSize), keys: make([]string, tableSize), state: 1}
	for i := range m.values {
		m.values[i] = make([]entryValue, tableSize)
	}
	for i := range m.keys {
		m.keys[i] = "reference-" + strconv.Itoa(i)
		m.entries[m.keys[i]] = &m.values[0][i]
	}
	return m
}

func (m *lockedMap) operate(n int) time.Duration {
	began := time.Now()
	for i := range n {
		m.state = scramble(m.state)
		key := int(m.state % tableSize)
		if i%5 == 4 {
			m.replace(key)
		} else {
			m.lookup(key)
		}
	}
	return time.Since(began)
}

func (m *lockedMap) lookup(key int) {
	m.mu.RLock()
	found := m.entries[m.keys[key]]
	m.mu.RUnlock()
	m.lookups++
	if found == nil || found.key != 0 && found.key != key {
		m.misses++
	}
}

func (m *lockedMap) replace(key int) {
	m.replaced++
	value := &m.values[m.replaced%2][key]
	value.key = key
	value.replacements++
	m.mu.Lock()
	m.entries[m.keys[key]] = value
	m.mu.Unlock()
}

const (
	mebibyte  = 1 << 20
	blockSize = 8 * mebibyte
)

// The blocks are global variables, because 16 MiB on the heap would make the garbage
// collector run less often.
var (
	source, target [blockSize]byte
	copied         int // where the next copy begins
)

func copyBlock(n int) time.Duration {
	began := time.Now()
	for range n {
		copy(target[copied:copied+mebibyte], source[copied:])
		copied = (copied + mebibyte) % blockSize
	}
	return time.Since(began)
}

// oversleep returns the total time by which n sleeps were too long.
func oversleep(n int, sleep func(time.Duration)) time.Duration {
	const asked = 100 * time.Microsecond
	began := time.Now()
	for range n {
		sleep(asked)
	}
	return time.Since(began) - time.Duration(n)*asked
}

// hashed prevents the compiler from removing the computation.
var hashed uint64 = 1

func compute(n int) time.Duration {
	began := time.Now()
	h := hashed
	for range n {
		for range 64 {
			h = scramble(h)
		}
	}
	hashed = h
	return time.Since(began)
}

// scramble is a step of a xorshift generator (Marsaglia 2003). Each step depends on the
// previous one, so that a CPU cannot execute several at once.
func scramble(h uint64) uint64 {
	h ^= h << 13
	h ^= h >> 7
	h ^= h << 17
	return h
}
