package probes

import (
	"runtime/metrics"
	"time"
)

// goMetrics reads all metrics of goProbes in one go into one reused slice.
type goMetrics struct {
	probes  []goProbe
	samples []metrics.Sample
}

// A goProbe tells one or more probes from some metrics of the Go runtime.
type goProbe struct {
	metrics []string
	// tell gets the values of the metrics in their order.
	tell func(now time.Time, values []metrics.Sample, put func(string, float64))
}

// GoMetrics returns the source of what the Go runtime tells about itself.
// Reading it stops nobody. What this version of the runtime does not know is
// absent.
func GoMetrics() Source {
	g := &goMetrics{probes: goProbes()}
	for _, p := range g.probes {
		for _, name := range p.metrics {
			g.samples = append(g.samples, metrics.Sample{Name: name})
		}
	}
	return g
}

func goProbes() []goProbe {
	return []goProbe{
		goGauge("goroutines", "/sched/goroutines:goroutines"),
		goGauge("goroutines_running", "/sched/goroutines/running:goroutines"),
		goGauge("goroutines_runnable", "/sched/goroutines/runnable:goroutines"),
		goGauge("goroutines_waiting", "/sched/goroutines/waiting:goroutines"),
		goRate("goroutines_created_per_second", "/sched/goroutines-created:goroutines"),
		goGauge("threads", "/sched/threads/total:threads"),
		goGauge("heap_bytes", "/memory/classes/heap/objects:bytes"),
		goLiveHeap(),
		goGauge("stack_bytes", "/memory/classes/heap/stacks:bytes"),
		goGauge("heap_released_bytes", "/memory/classes/heap/released:bytes"),
		goRate("alloc_bytes_per_second", "/gc/heap/allocs:bytes"),
		goGauge("gc_cycles", "/gc/cycles/total:gc-cycles"),
		goQuantiles("/sched/pauses/total/gc:seconds", map[string]float64{"gc_pause_p99_ms": 0.99}),
		goCPURatio(),
		goQuantiles("/sched/latencies:seconds", map[string]float64{"sched_latency_p50_ms": 0.50, "sched_latency_p99_ms": 0.99}),
		goGauge("mutex_wait_seconds", "/sync/mutex/wait/total:seconds"),
	}
}

func (g *goMetrics) Read(now time.Time, put func(name string, value float64)) {
	metrics.Read(g.samples)
	rest := g.samples
	for _, p := range g.probes {
		n := len(p.metrics)
		values := rest[:n]
		rest = rest[n:]
		if known(values) {
			p.tell(now, values, put)
		}
	}
}

// known says whether the runtime knows all of the metrics.
func known(values []metrics.Sample) bool {
	for _, v := range values {
		if v.Value.Kind() == metrics.KindBad {
			return false
		}
	}
	return true
}

// number returns a metric that is a single number; bytes and counts beyond
// 2^53 lose their last digits.
func number(v metrics.Value) float64 {
	if v.Kind() == metrics.KindUint64 {
		return float64(v.Uint64())
	}
	return v.Float64()
}

func goGauge(name, metric string) goProbe {
	return goProbe{[]string{metric}, func(_ time.Time, values []metrics.Sample, put func(string, float64)) {
		put(name, number(values[0].Value))
	}}
}

func goRate(name, metric string) goProbe {
	var r rate
	return goProbe{[]string{metric}, func(now time.Time, values []metrics.Sample, put func(string, float64)) {
		if perSecond, ok := r.next(now, number(values[0].Value)); ok {
			put(name, perSecond)
		}
	}}
}

// goLiveHeap tells the live heap, which the runtime gives as zero as long as
// no collection has looked.
func goLiveHeap() goProbe {
	names := []string{"/gc/heap/live:bytes", "/gc/cycles/total:gc-cycles"}
	return goProbe{names, func(_ time.Time, values []metrics.Sample, put func(string, float64)) {
		if values[1].Value.Uint64() > 0 {
			put("heap_live_bytes", number(values[0].Value))
		}
	}}
}

// goQuantiles tells quantiles of what a histogram of seconds gained since the
// reading before, in ms, by the name of each.
func goQuantiles(metric string, quantiles map[string]float64) goProbe {
	var w window
	return goProbe{[]string{metric}, func(_ time.Time, values []metrics.Sample, put func(string, float64)) {
		histogram := values[0].Value.Float64Histogram()
		added, ok := w.next(histogram)
		if !ok {
			return
		}
		for name, q := range quantiles {
			if seconds, ok := quantile(q, added, histogram.Buckets); ok {
				put(name, seconds*1000)
			}
		}
	}}
}

// goCPURatio tells the garbage collector's share of the CPU time. The runtime
// adds these times up only when a collection ends, so that there is nothing to
// tell unless one has ended since the reading before; the share is then of the
// time between that collection and the last one before it that was seen, or
// the process's start.
func goCPURatio() goProbe {
	var (
		gc, total float64
		read      bool
	)
	names := []string{"/cpu/classes/gc/total:cpu-seconds", "/cpu/classes/total:cpu-seconds"}
	return goProbe{names, func(_ time.Time, values []metrics.Sample, put func(string, float64)) {
		gcBefore, totalBefore := gc, total
		gc, total = number(values[0].Value), number(values[1].Value)
		if read && total > totalBefore {
			put("gc_cpu_ratio", max(0, gc-gcBefore)/(total-totalBefore))
		}
		read = true
	}}
}
