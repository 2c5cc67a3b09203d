//go:build unix

package stress

import (
	"context"
	"fmt"
	"syscall"
	"testing"
	"time"
)

// processorTime returns the CPU time of this process. On a machine that others
// use too it says more of a cost than the time that has passed.
func processorTime() time.Duration {
	var usage syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &usage)
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// drive carries a load of operations that do nothing out, and returns their
// latencies and the CPU time that it took.
func driveNothing(l Load) (h *Histogram, c *loadCounters, cpu time.Duration) {
	recorder, counters, gate := NewRecorder(), &loadCounters{}, newGate(newHelm())
	workers := newWorkers(l, recorder)
	ctx, cancel := context.WithCancel(context.Background()) // as Env.Drive has
	defer cancel()
	gate.begin(ctx, l)
	cpu = processorTime()
	l.drive(ctx, func(context.Context, Op) error { return nil }, workers, counters, gate, func(error) {})
	return recorder.Total(), counters, processorTime() - cpu
}

// What a closed load adds to an operation.
func BenchmarkClosedLoad(b *testing.B) {
	for _, workers := range []int{1, 4, 16, 64} {
		b.Run(fmt.Sprintf("workers=%d", workers), func(b *testing.B) {
			b.ReportAllocs()
			_, _, cpu := driveNothing(Load{Workers: workers, Operations: b.N})
			b.ReportMetric(float64(cpu)/float64(b.N), "cpu-ns/op")
		})
	}
}

// BenchmarkClock is one reading of the clock, which is part of BenchmarkClosedLoad.
func BenchmarkClock(b *testing.B) {
	start, cpu := time.Now(), processorTime()
	for b.Loop() {
		_ = time.Since(start)
	}
	b.ReportMetric(float64(processorTime()-cpu)/float64(b.N), "cpu-ns/op")
}

// What an open load takes of a processor, and how late its operations begin.
func BenchmarkOpenLoad(b *testing.B) {
	for _, rate := range []float64{100, 1000, 10_000, 50_000, 200_000} {
		b.Run(fmt.Sprintf("rate=%.0f", rate), func(b *testing.B) {
			const length = 2 * time.Second
			for b.Loop() {
				h, c, cpu := driveNothing(Load{Workers: 64, Stages: []Stage{{Rate: rate, For: length}}})
				b.ReportMetric(100*cpu.Seconds()/length.Seconds(), "cpu-%")
				for name, q := range map[string]float64{"p50-µs": 0.5, "p99-µs": 0.99, "p999-µs": 0.999} {
					b.ReportMetric(float64(h.Quantile(q))/1e3, name)
				}
				b.ReportMetric(100*float64(c.late.Load())/float64(h.Count()), "late-%")
			}
		})
	}
}
