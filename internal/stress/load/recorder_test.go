package load

import (
	"math"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestHistogramOfKnownDurations(t *testing.T) {
	h := NewHistogram()
	for i := 1; i <= 1000; i++ {
		h.Record(time.Duration(i) * time.Millisecond)
	}
	d := h.Distribution()
	for _, c := range []struct {
		name           string
		got, want, tol float64
	}{
		{"min", d.Min, 1, 0},
		{"mean", d.Mean, 500.5, 0},
		{"max", d.Max, 1000, 0},
		{"stddev", d.Stddev, math.Sqrt((1000*1000 - 1) / 12.0), 1e-6},
		{"p50", d.P50, 500, 5},
		{"p90", d.P90, 900, 9},
		{"p95", d.P95, 950, 9.5},
		{"p99", d.P99, 990, 9.9},
		{"p999", d.P999, 999, 9.99},
	} {
		if math.Abs(c.got-c.want) > c.tol+1e-9 {
			t.Errorf("%s = %v, want %v ± %v", c.name, c.got, c.want, c.tol)
		}
	}
	if d.Count != 1000 {
		t.Errorf("count %d", d.Count)
	}
}

// The buckets have no gaps, and none is wider than 1 %.
func TestBuckets(t *testing.T) {
	for bucket := range histogramBuckets {
		end := histogramLayout.End(bucket)
		if histogramLayout.Of(int64(end)) != bucket || histogramLayout.Of(int64(end)+1) != bucket+1 {
			t.Fatalf("bucket %d ends at %d ns, which is in bucket %d, and the next ns in %d", bucket, end, histogramLayout.Of(int64(end)), histogramLayout.Of(int64(end)+1))
		}
		if bucket > 0 {
			first := histogramLayout.End(bucket-1) + 1
			if width := end - first; float64(width) > 0.01*float64(first) {
				t.Fatalf("bucket %d is from %d to %d ns", bucket, first, end)
			}
		}
	}
}

// For any durations in any number of shards, the quantiles are in order and within bounds, and
// nothing is lost.
func TestRecorder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		durations := rapid.SliceOfN(rapid.Int64Range(-10, int64(3*time.Hour)), 1, 200).Draw(t, "durations")
		shards := rapid.IntRange(1, 4).Draw(t, "shards")
		r := NewRecorder()
		var wg sync.WaitGroup
		for s := range shards {
			shard := r.Shard()
			wg.Go(func() {
				for i := s; i < len(durations); i += shards {
					shard.Record(time.Duration(durations[i]))
				}
			})
		}
		recent := NewHistogram()
		r.Recent(recent.Merge)
		wg.Wait()
		r.Recent(recent.Merge)
		total := r.Total()
		if total.Count() != int64(len(durations)) || recent.Count() != total.Count() {
			t.Fatalf("%d of %d recorded, %d seen on the way", total.Count(), len(durations), recent.Count())
		}
		sum := 0.0
		for _, d := range durations {
			sum += float64(d)
		}
		if want := sum / float64(len(durations)); math.Abs(float64(total.Mean())-want) > 1+math.Abs(want)*1e-9 {
			t.Fatalf("mean %v, want %v", total.Mean(), want)
		}
		last := total.min
		for _, q := range []float64{0, 0.5, 0.9, 0.99, 0.999, 1} {
			v := total.Quantile(q)
			if v < last || v > total.max {
				t.Fatalf("quantile %v is %v, after %v, at most %v", q, v, last, total.max)
			}
			last = v
		}
	})
}

func BenchmarkRecord(b *testing.B) {
	shard := NewRecorder().Shard()
	b.ReportAllocs()
	for b.Loop() {
		shard.Record(1234)
	}
}
