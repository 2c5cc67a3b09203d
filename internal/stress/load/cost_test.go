package load

import (
	"fmt"
	"testing"
	"time"

	"mabeam-top/internal/probes"
)

// BenchmarkClosedLoad measures what a closed load adds to an operation.
func BenchmarkClosedLoad(b *testing.B) {
	for _, workers := range []int{1, 4, 16, 64} {
		b.Run(fmt.Sprintf("workers=%d", workers), func(b *testing.B) {
			b.ReportAllocs()
			run := runEmpty(Load{Workers: workers, Operations: b.N})
			if run.err != nil {
				b.Fatal(run.err)
			}
			b.ReportMetric(run.seconds*1e9/float64(b.N), "cpu-ns/op")
		})
	}
}

// BenchmarkClock measures one reading of the clock, which BenchmarkClosedLoad includes.
func BenchmarkClock(b *testing.B) {
	start := time.Now()
	before, err := probes.ProcessCPUSeconds()
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		_ = time.Since(start)
	}
	after, err := probes.ProcessCPUSeconds()
	if err != nil {
		b.Fatal(err)
	}
	b.ReportMetric((after-before)*1e9/float64(b.N), "cpu-ns/op")
}

// BenchmarkOpenLoad measures the CPU time of an open load, and how late its operations start.
func BenchmarkOpenLoad(b *testing.B) {
	for _, rate := range []float64{100, 1000, 10_000, 50_000, 200_000} {
		b.Run(fmt.Sprintf("rate=%.0f", rate), func(b *testing.B) {
			const length = 2 * time.Second
			for b.Loop() {
				run := runEmpty(Load{Workers: 64, Stages: []Stage{{Rate: rate, For: length}}})
				if run.err != nil {
					b.Fatal(run.err)
				}
				h := run.latency
				b.ReportMetric(100*run.seconds/length.Seconds(), "cpu-%")
				for name, q := range map[string]float64{"p50-µs": 0.5, "p99-µs": 0.99, "p999-µs": 0.999} {
					b.ReportMetric(float64(h.Quantile(q))/1e3, name)
				}
				b.ReportMetric(100*float64(run.late)/float64(h.Count()), "late-%")
			}
		})
	}
}
