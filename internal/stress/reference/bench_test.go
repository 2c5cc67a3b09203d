package reference

import "testing"

func BenchmarkMeasure(b *testing.B) {
	for b.Loop() {
		Measure()
	}
}

// BenchmarkWorkloads reports the median figure of each workload.
func BenchmarkWorkloads(b *testing.B) {
	prepare()
	for _, w := range workloads {
		b.Run(string(w.Workload), func(b *testing.B) {
			var sample []float64
			b.ReportAllocs()
			for b.Loop() {
				sample = append(sample, w.figure(w.size))
			}
			b.ReportMetric(median(sample), "ns/unit")
		})
	}
}

func BenchmarkEntryBytes(b *testing.B) {
	for b.Loop() {
		b.ReportMetric(liveBytes(fillEntries), "bytes/entry")
	}
}
