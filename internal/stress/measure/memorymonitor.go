package measure

import (
	"context"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"strings"
	"time"

	"mabeam-top/internal/stress"
	"mabeam-top/internal/stress/load"
	"mabeam-top/internal/stress/resources"
)

// A memoryMonitor reads memory while agents work.
type memoryMonitor struct {
	// The fields belong to run until it returns.
	readings         []float64
	pauses           *load.Histogram
	collections      int64      // recorded in pauses so far
	allocated, freed [2]float64 // at the first and the last reading
	stats            debug.GCStats
}

// newMemoryMonitor returns a monitor that allocates no more memory for n readings.
func newMemoryMonitor(n int) *memoryMonitor {
	m := &memoryMonitor{readings: make([]float64, 0, n), pauses: load.NewHistogram()}
	debug.ReadGCStats(&m.stats) // allocates the list of pauses
	return m
}

// run reads at once, after each interval, and once more when ctx ends.
func (m *memoryMonitor) run(ctx context.Context, interval time.Duration) {
	debug.ReadGCStats(&m.stats)
	m.collections = m.stats.NumGC
	m.read()
	for next := time.Now().Add(interval); load.Sleep(ctx, time.Until(next)); next = next.Add(interval) {
		m.read()
	}
}

// read takes one reading.
func (m *memoryMonitor) read() {
	m.readings = append(m.readings, resources.LiveBytes())
	bytes := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}, {Name: "/gc/heap/frees:bytes"}}
	metrics.Read(bytes)
	last := 1
	if len(m.readings) == 1 {
		last = 0
	}
	m.allocated[last], m.freed[last] = float64(bytes[0].Value.Uint64()), float64(bytes[1].Value.Uint64())
	debug.ReadGCStats(&m.stats)
	fresh := min(m.stats.NumGC-m.collections, int64(len(m.stats.Pause)))
	for _, pause := range m.stats.Pause[:fresh] { // newest first
		m.pauses.Record(pause)
	}
	m.collections = m.stats.NumGC
}

// report reports the readings; without is the live memory without the agents.
func (m *memoryMonitor) report(env *stress.Env, without float64, agents int) {
	env.Value("total_samples", float64(len(m.readings)))
	env.Value("average_memory", (sum(m.readings)/float64(len(m.readings))-without)/float64(agents))
	env.Latency("gc_pause_ms", m.pauses)
	if len(m.readings) < 3 {
		why := "memory was read fewer than three times"
		unmeasured(env, why, "memory_growth_rate", "gc_reclaimed_ratio")
		return
	}
	env.Growth("memory_growth_rate", m.readings)
	if allocated := m.allocated[1] - m.allocated[0]; allocated > 0 {
		env.Value("gc_reclaimed_ratio", min((m.freed[1]-m.freed[0])/allocated, 1))
	}
}

// heapBySite returns the live heap by the function that allocated it, as far as the
// profiler has sampled it.
func heapBySite() map[string]int64 {
	var records []runtime.MemProfileRecord
	for n, ok := runtime.MemProfile(nil, false); !ok; {
		records = make([]runtime.MemProfileRecord, n+50) // more may appear meanwhile
		if n, ok = runtime.MemProfile(records, false); ok {
			records = records[:n]
		}
	}
	sites := map[string]int64{}
	for _, r := range records {
		sites[allocatingFunction(r.Stack())] += r.InUseBytes()
	}
	return sites
}

// allocatingFunction returns the innermost function of a stack that is not part of the Go
// runtime.
func allocatingFunction(stack []uintptr) string {
	frames := runtime.CallersFrames(stack)
	for {
		f, more := frames.Next()
		if !strings.HasPrefix(f.Function, "runtime.") || !more {
			return f.Function
		}
	}
}

// largestGrowth names the site whose live heap has grown most since before; it is empty if
// the profiler has seen none.
func largestGrowth(before map[string]int64) string {
	best, most := "", int64(0)
	for site, n := range heapBySite() {
		if site == "" {
			continue // the stack was not kept
		}
		if n -= before[site]; n > most || n == most && n > 0 && site < best {
			best, most = site, n
		}
	}
	if best == "" {
		return ""
	}
	return ", most of it allocated in " + best
}
