package probes

import (
	goruntime "runtime"
	"runtime/debug"
	"runtime/metrics"
	"sync"
	"testing"
	"time"

	"mabeam-top/internal/probes/probe"
)

const mib = 1 << 20

// await reads the source until done returns true, and returns that sample. Each reading
// yields to the scheduler.
func await(t *testing.T, s Source, done func(sample probe.Sample) bool) probe.Sample {
	t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for {
		sample := read(s, time.Now())
		if done(sample) {
			return sample
		}
		if time.Now().After(deadline) {
			t.Fatalf("it never came to pass: %v", sample)
		}
		goruntime.Gosched()
	}
}

// park starts n goroutines that call f and then wait. The returned function ends them.
func park(n int, f func()) (end func()) {
	var begun, ended sync.WaitGroup
	release := make(chan struct{})
	for range n {
		begun.Add(1)
		ended.Go(func() {
			f()
			begun.Done()
			<-release
		})
	}
	begun.Wait()
	return func() { close(release); ended.Wait() }
}

func TestGoroutines(t *testing.T) {
	g := GoMetrics()
	before := read(g, epoch)
	absent(t, before, "goroutines_created_per_second")
	end := park(1000, func() {})

	// Allow for ten goroutines of the runtime and the test.
	after := await(t, g, func(s probe.Sample) bool {
		return s["goroutines_waiting"] >= before["goroutines_waiting"]+990
	})
	within(t, "goroutines risen", after["goroutines"]-before["goroutines"], 990, 1010)
	within(t, "goroutines_waiting risen", after["goroutines_waiting"]-before["goroutines_waiting"], 990, 1010)
	within(t, "goroutines_running", after["goroutines_running"], 1, float64(goruntime.GOMAXPROCS(0)))
	end()
	await(t, g, func(s probe.Sample) bool { return s["goroutines"] <= before["goroutines"]+10 })
}

func TestGoroutinesRunnable(t *testing.T) {
	g := GoMetrics()
	defer goruntime.GOMAXPROCS(goruntime.GOMAXPROCS(1))
	// With one CPU, which this goroutine uses, the others can only wait for it, unless
	// the scheduler preempts this goroutine.
	var started sync.WaitGroup
	await(t, g, func(probe.Sample) bool {
		started.Wait()
		for range 1000 {
			started.Go(func() {})
		}
		runnable := read(g, epoch)["goroutines_runnable"]
		return 990 <= runnable && runnable <= 1010
	})
	started.Wait()
}

func TestGoroutinesCreated(t *testing.T) {
	g := GoMetrics()
	read(g, epoch)
	park(1000, func() {})()
	created := read(g, epoch.Add(2*time.Second))["goroutines_created_per_second"]
	within(t, "goroutines_created_per_second", created, 500, 505)
}

func TestThreads(t *testing.T) {
	g := GoMetrics()
	end := park(30, goruntime.LockOSThread)
	defer end()
	threads := read(g, epoch)["threads"]
	within(t, "threads", threads, 30, 130)

	own, err := Process()
	if err != nil {
		t.Fatal(err)
	}
	known, err := own.(*ownProcess).process.NumThreads()
	if err != nil {
		t.Skipf("the platform does not count threads: %v", err)
	}
	// The race detector has its own thread, and another one may have just started.
	within(t, "threads compared with the operating system's count", float64(known)-threads, -3, 3)
}

func TestHeap(t *testing.T) {
	g := GoMetrics()
	goruntime.GC()
	before := read(g, epoch)
	block := make([]byte, 64*mib)
	goruntime.GC()
	held := read(g, epoch.Add(2*time.Second))
	within(t, "heap_bytes risen", held["heap_bytes"]-before["heap_bytes"], 60*mib, 68*mib)
	within(t, "heap_live_bytes risen", held["heap_live_bytes"]-before["heap_live_bytes"], 60*mib, 68*mib)
	within(t, "alloc_bytes_per_second", held["alloc_bytes_per_second"], 32*mib, 34*mib)
	within(t, "gc_cycles risen", held["gc_cycles"]-before["gc_cycles"], 1, 20)
	goruntime.KeepAlive(block)

	debug.FreeOSMemory()
	freed := read(g, epoch.Add(3*time.Second))
	within(t, "heap_live_bytes fallen", held["heap_live_bytes"]-freed["heap_live_bytes"], 60*mib, 68*mib)
	if freed["heap_released_bytes"] < 60*mib {
		t.Errorf("heap_released_bytes = %v after 64 MiB were given back", freed["heap_released_bytes"])
	}
}

func TestStacks(t *testing.T) {
	g := GoMetrics()
	goruntime.GC()
	before := read(g, epoch)["stack_bytes"]
	end := park(50, func() { deep(512) })
	defer end()
	// 512 frames of at least 1 KiB need a stack of 1 MiB each.
	risen := read(g, epoch)["stack_bytes"] - before
	within(t, "stack_bytes risen", risen, 45*mib, 250*mib)
}

// deep uses more than depth KiB of stack.
func deep(depth int) byte {
	var frame [1024]byte
	frame[depth] = 1
	if depth == 0 {
		return frame[0]
	}
	return frame[depth] + deep(depth-1)
}

func TestGarbageCollection(t *testing.T) {
	defer debug.SetGCPercent(debug.SetGCPercent(-1)) // only on request
	defer debug.SetMemoryLimit(debug.SetMemoryLimit(1 << 50))
	g := GoMetrics()
	goruntime.GC()
	first := read(g, epoch)
	absent(t, first, "gc_pause_p99_ms", "gc_cpu_ratio")
	quiet := read(g, epoch.Add(time.Second))
	absent(t, quiet, "gc_pause_p99_ms", "gc_cpu_ratio")

	goruntime.GC()
	busy := read(g, epoch.Add(2*time.Second))
	if pause, ok := busy["gc_pause_p99_ms"]; !ok || pause <= 0 || pause > 10_000 {
		t.Errorf("gc_pause_p99_ms = %v, %v", pause, ok)
	}
	if ratio, ok := busy["gc_cpu_ratio"]; !ok || ratio <= 0 || ratio > 1 {
		t.Errorf("gc_cpu_ratio = %v, %v", ratio, ok)
	}
}

func TestSchedulerLatency(t *testing.T) {
	g := GoMetrics()
	absent(t, read(g, epoch), "sched_latency_p50_ms", "sched_latency_p99_ms")
	// The runtime times one transition in eight.
	park(10_000, func() {})()
	s := read(g, epoch)
	p50, p99 := s["sched_latency_p50_ms"], s["sched_latency_p99_ms"]
	if p50 <= 0 || p99 < p50 || p99 > 60_000 {
		t.Errorf("p50 %v ms, p99 %v ms", p50, p99)
	}
}

func TestMutexWait(t *testing.T) {
	g := GoMetrics()
	before := read(g, epoch)["mutex_wait_seconds"]
	const held = 20 * time.Millisecond
	// The runtime times one wait in eight and counts it eightfold. With 64 waiting
	// goroutines and several rounds, some of them are timed.
	var (
		lock   sync.Mutex
		waited int
	)
	sample := await(t, g, func(s probe.Sample) bool {
		if s["mutex_wait_seconds"]-before >= held.Seconds() {
			return true
		}
		lock.Lock()
		end := make(chan struct{})
		go func() {
			defer close(end)
			park(64, func() {
				lock.Lock()
				waited++
				lock.Unlock()
			})()
		}()
		burn(t, held)
		lock.Unlock()
		<-end
		return false
	})
	within(t, "mutex_wait_seconds risen", sample["mutex_wait_seconds"]-before, held.Seconds(), 60)
}

func TestUnknownMetricsAreLeftOut(t *testing.T) {
	g := &goMetrics{
		probes: []goProbe{
			goGauge("gone", "/no/such:metric"),
			goRate("gone_per_second", "/no/such:metric"),
			goQuantiles("/no/such:metric", map[probe.Name]float64{"gone_ms": 0.5}),
			goGauge("goroutines", "/sched/goroutines:goroutines"),
		},
		samples: []metrics.Sample{
			{Name: "/no/such:metric"},
			{Name: "/no/such:metric"},
			{Name: "/no/such:metric"},
			{Name: "/sched/goroutines:goroutines"},
		},
	}
	for i := range 2 {
		s := read(g, epoch.Add(time.Duration(i)*time.Second))
		if len(s) != 1 || s["goroutines"] < 1 {
			t.Errorf("reading %d: %v", i, s)
		}
	}
}

// The runtime of this Go version has all metrics that the probes read.
func TestEveryMetricIsKnown(t *testing.T) {
	g := GoMetrics().(*goMetrics)
	metrics.Read(g.samples)
	for _, s := range g.samples {
		if s.Value.Kind() == metrics.KindBad {
			t.Errorf("%s is not known", s.Name)
		}
	}
}
