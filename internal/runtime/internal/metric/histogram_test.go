package metric

import (
	"math"
	"reflect"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// Every duration is in the bucket that ends at or above it, whose end is not 3.2 % more.
func TestBuckets(t *testing.T) {
	if recorded.Of(longestRecorded) != recordedBuckets-1 {
		t.Errorf("an hour is in bucket %d of %d", recorded.Of(longestRecorded), recordedBuckets)
	}
	for b := range recordedBuckets {
		end := recorded.End(b)
		if got := recorded.Of(int64(end)); got != b {
			t.Fatalf("bucket %d ends at %v, which is in bucket %d", b, end, got)
		}
		if got := recorded.Of(int64(end) + 1); got != b+1 {
			t.Fatalf("bucket %d ends at %v, and what comes after is in bucket %d", b, end, got)
		}
		if b == 0 {
			continue
		}
		if first := recorded.End(b-1) + 1; float64(end-first) > 0.032*float64(first) {
			t.Fatalf("bucket %d is from %v to %v", b, first, end)
		}
	}
}

func histogramOf(durations []time.Duration) Histogram {
	var d Distribution
	for _, took := range durations {
		d.Record(took)
	}
	return d.Read()
}

// A histogram says what a sorted list of all durations does, and merging two is the same as
// recording all in one.
func TestHistogram(t *testing.T) {
	duration := rapid.Map(rapid.Int64Range(0, int64(time.Hour)), func(n int64) time.Duration { return time.Duration(n) })
	short := rapid.Map(rapid.Int64Range(0, int64(time.Millisecond)), func(n int64) time.Duration { return time.Duration(n) })
	list := rapid.SliceOf(rapid.OneOf(duration, short))
	rapid.Check(t, func(t *rapid.T) {
		left, right := list.Draw(t, "left"), list.Draw(t, "right")
		all := slices.Concat(left, right)
		h := histogramOf(all)
		if merged := histogramOf(left).Merge(histogramOf(right)); !reflect.DeepEqual(merged, h) {
			t.Fatalf("merged %+v, want %+v", merged, h)
		}
		if len(all) == 0 {
			if !reflect.DeepEqual(h, Histogram{}) || h.Quantile(0.5) != 0 || h.Mean() != 0 {
				t.Fatalf("nothing is %+v", h)
			}
			return
		}
		slices.Sort(all)
		var sum time.Duration
		for _, d := range all {
			sum += d
		}
		if h.Count != int64(len(all)) || h.Sum != sum || h.Mean() != sum/time.Duration(len(all)) || h.Min != all[0] || h.Max != all[len(all)-1] {
			t.Fatalf("%+v of %v", h, all)
		}
		q := rapid.Float64Range(0, 1).Draw(t, "q")
		want := all[max(int(math.Ceil(q*float64(len(all)))), 1)-1]
		if got := h.Quantile(q); got < want || float64(got-want) > 0.032*float64(want) {
			t.Fatalf("quantile %v is %v, want %v", q, got, want)
		}
	})
}

// What is beyond the buckets is in the first and the last.
func TestHistogramBeyondItsBuckets(t *testing.T) {
	h := histogramOf([]time.Duration{-time.Second, 3 * time.Hour})
	want := Histogram{Count: 2, Sum: 3 * time.Hour, Max: 3 * time.Hour, Buckets: []Bucket{{0, 1}, {recorded.End(recordedBuckets - 1), 1}}}
	if !reflect.DeepEqual(h, want) || h.Quantile(1) < time.Hour {
		t.Errorf("%+v, want %+v", h, want)
	}
}
