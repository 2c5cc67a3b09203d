package probes

import (
	"runtime/metrics"
	"time"

	"mabeam-top/internal/probes/probe"
)

// goMetrics reads the metrics of all goProbes with one call into one reused slice.
type goMetrics struct {
	probes  []goProbe
	samples []metrics.Sample
}

// A goProbe derives one or more probes from metrics of the Go runtime.
type goProbe struct {
	metrics []string
	// read gets the values of the metrics in their order.
	read func(now time.Time, values []metrics.Sample, put func(probe.Name, float64))
}

// GoMetrics returns the source of the metrics of the Go runtime. Reading it does not
// stop the program. Metrics that this version of the runtime does not have are absent.
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
		goGauge(probe.Goroutines, "/sched/goroutines:goroutines"),
		goGauge(probe.GoroutinesRunning, "/sched/goroutines/running:goroutines"),
		goGauge(probe.GoroutinesRunnable, "/sched/goroutines/runnable:goroutines"),
		goGauge(probe.GoroutinesWaiting, "/sched/goroutines/waiting:goroutines"),
		goRate(probe.GoroutinesCreatedPerSecond, "/sched/goroutines-created:goroutines"),
		goGauge(probe.Threads, "/sched/threads/total:threads"),
		goGauge(probe.HeapBytes, "/memory/classes/heap/objects:bytes"),
		goLiveHeap(),
		goGauge(probe.StackBytes, "/memory/classes/heap/stacks:bytes"),
		goGauge(probe.HeapReleasedBytes, "/memory/classes/heap/released:bytes"),
		goRate(probe.AllocBytesPerSecond, "/gc/heap/allocs:bytes"),
		goGauge(probe.GCCycles, "/gc/cycles/total:gc-cycles"),
		goQuantiles("/sched/pauses/total/gc:seconds", map[probe.Name]float64{probe.GCPauseP99MS: 0.99}),
		goCPURatio(),
		goQuantiles("/sched/latencies:seconds", map[probe.Name]float64{probe.SchedLatencyP50MS: 0.50, probe.SchedLatencyP99MS: 0.99}),
		goGauge(probe.MutexWaitSeconds, "/sync/mutex/wait/total:seconds"),
	}
}

func (g *goMetrics) Read(now time.Time, put func(name probe.Name, value float64)) {
	metrics.Read(g.samples)
	rest := g.samples
	for _, p := range g.probes {
		n := len(p.metrics)
		values := rest[:n]
		rest = rest[n:]
		if known(values) {
			p.read(now, values, put)
		}
	}
}

// known reports whether the runtime has all of the metrics.
func known(values []metrics.Sample) bool {
	for _, v := range values {
		if v.Value.Kind() == metrics.KindBad {
			return false
		}
	}
	return true
}

// number returns the value of a metric that is a single number. Integers beyond 2^53
// lose their last digits.
func number(v metrics.Value) float64 {
	if v.Kind() == metrics.KindUint64 {
		return float64(v.Uint64())
	}
	return v.Float64()
}

func goGauge(name probe.Name, metric string) goProbe {
	return goProbe{[]string{metric}, func(_ time.Time, values []metrics.Sample, put func(probe.Name, float64)) {
		put(name, number(values[0].Value))
	}}
}

func goRate(name probe.Name, metric string) goProbe {
	var r rate
	return goProbe{[]string{metric}, func(now time.Time, values []metrics.Sample, put func(probe.Name, float64)) {
		if perSecond, ok := r.next(now, number(values[0].Value)); ok {
			put(name, perSecond)
		}
	}}
}

// goLiveHeap reads the live heap, which is zero until the first garbage collection.
func goLiveHeap() goProbe {
	names := []string{"/gc/heap/live:bytes", "/gc/cycles/total:gc-cycles"}
	return goProbe{names, func(_ time.Time, values []metrics.Sample, put func(probe.Name, float64)) {
		if values[1].Value.Uint64() > 0 {
			put(probe.HeapLiveBytes, number(values[0].Value))
		}
	}}
}

// goQuantiles reads quantiles, in ms, of the values that were added to a histogram of
// seconds since the previous sample.
func goQuantiles(metric string, quantiles map[probe.Name]float64) goProbe {
	var w window
	return goProbe{[]string{metric}, func(_ time.Time, values []metrics.Sample, put func(probe.Name, float64)) {
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

// goCPURatio reads the share of the CPU time that the garbage collector used. The
// runtime updates these times only when a collection ends, so the probe is absent
// unless one ended since the previous sample. The share covers the time since the
// collection that the sample before saw last, or since the process started.
func goCPURatio() goProbe {
	var (
		gc, total float64
		read      bool
	)
	names := []string{"/cpu/classes/gc/total:cpu-seconds", "/cpu/classes/total:cpu-seconds"}
	return goProbe{names, func(_ time.Time, values []metrics.Sample, put func(probe.Name, float64)) {
		gcBefore, totalBefore := gc, total
		gc, total = number(values[0].Value), number(values[1].Value)
		if read && total > totalBefore {
			put(probe.GCCPURatio, max(0, gc-gcBefore)/(total-totalBefore))
		}
		read = true
	}}
}
