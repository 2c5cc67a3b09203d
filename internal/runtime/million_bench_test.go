package mabeam

import (
	"context"
	"runtime"
	"testing"
	"time"
)

// BenchmarkMillion starts a million demo agents, each with its registration and
// subscription, and stops them (run it with -benchtime 1x). B/agent is what is
// live then, and peak-MB all memory that the process has taken from the system
// so far.
func BenchmarkMillion(b *testing.B) {
	const n = 1_000_000
	for range b.N {
		s, stop := peerSystem(b)
		before := peerLiveBytes()
		b.StartTimer()
		start := time.Now()
		ids := make([]string, n)
		for i := range ids {
			id, err := s.StartAgent(context.Background(), DemoSpec())
			if err != nil {
				b.Fatal(err)
			}
			ids[i] = id
		}
		started := time.Since(start)
		b.StopTimer()
		live := (peerLiveBytes() - before) / n
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		b.StartTimer()
		start = time.Now()
		for _, id := range ids {
			if err := s.StopAgent(context.Background(), id); err != nil {
				b.Fatal(err)
			}
		}
		stopped := time.Since(start)
		stop()
		b.ReportMetric(started.Seconds(), "start-s")
		b.ReportMetric(stopped.Seconds(), "stop-s")
		b.ReportMetric(live, "B/agent")
		b.ReportMetric(float64(m.Sys)/1e6, "peak-MB")
	}
}
