package metric

import (
	"cmp"
	"math"
	"slices"
	"sync/atomic"
	"time"

	"mabeam-top/internal/buckets"
)

// A Histogram is a distribution of durations. Count, sum, minimum and maximum are exact, and
// quantiles have an error of up to 3.2 %. All histograms have the same bucket limits, so that those
// of several types, systems or nodes can be merged. The zero value is empty.
type Histogram struct {
	Count    int64
	Sum      time.Duration
	Min, Max time.Duration // 0 if it is empty
	// Buckets are the buckets that are not empty, in the order of their limits.
	Buckets []Bucket
}

// A Bucket counts the durations up to UpTo and above the limit of the previous bucket.
type Bucket struct {
	UpTo  time.Duration
	Count int64
}

// Mean returns the mean; 0 if the histogram is empty.
func (h Histogram) Mean() time.Duration {
	if h.Count == 0 {
		return 0
	}
	return h.Sum / time.Duration(h.Count)
}

// Quantile returns the duration that a share q of all durations, from 0 to 1, does not exceed; 0 if
// the histogram is empty.
func (h Histogram) Quantile(q float64) time.Duration {
	rank := max(int64(math.Ceil(q*float64(h.Count))), 1)
	for _, b := range h.Buckets {
		if rank -= b.Count; rank <= 0 {
			return min(max(b.UpTo, h.Min), h.Max) // the limit may be beyond the recorded values
		}
	}
	return h.Max
}

// Merge returns the distribution of the durations of both histograms.
func (h Histogram) Merge(other Histogram) Histogram {
	switch {
	case h.Count == 0:
		return other
	case other.Count == 0:
		return h
	}
	all := slices.Concat(h.Buckets, other.Buckets)
	slices.SortFunc(all, func(x, y Bucket) int { return cmp.Compare(x.UpTo, y.UpTo) })
	merged := all[:1]
	for _, b := range all[1:] {
		if last := &merged[len(merged)-1]; last.UpTo == b.UpTo {
			last.Count += b.Count
			continue
		}
		merged = append(merged, b)
	}
	return Histogram{
		Count: h.Count + other.Count, Sum: h.Sum + other.Sum,
		Min: min(h.Min, other.Min), Max: max(h.Max, other.Max), Buckets: merged,
	}
}

const (
	// recorded is the layout of every distribution.
	recorded buckets.Layout = 6
	// longestRecorded is the limit of the last bucket, which counts longer durations too.
	longestRecorded = int64(time.Hour)
	// recordedBuckets is the number of buckets up to that limit. They take 10 KB.
	recordedBuckets = 1205
)

// A Distribution is a Histogram that many goroutines record into.
type Distribution struct {
	buckets  [recordedBuckets]atomic.Int64
	sum      atomic.Int64
	min, max atomic.Int64 // min is stored plus 1: 0 means none
}

// Record adds a duration. A negative one counts as 0.
func (d *Distribution) Record(took time.Duration) {
	ns := max(int64(took), 0)
	d.buckets[recorded.Of(min(ns, longestRecorded))].Add(1)
	d.sum.Add(ns)
	for seen := d.max.Load(); ns > seen && !d.max.CompareAndSwap(seen, ns); {
		seen = d.max.Load()
	}
	for seen := d.min.Load(); (seen == 0 || ns+1 < seen) && !d.min.CompareAndSwap(seen, ns+1); {
		seen = d.min.Load()
	}
}

// Read returns the histogram. A concurrent Record may be included in part.
func (d *Distribution) Read() (h Histogram) {
	for i := range d.buckets {
		if n := d.buckets[i].Load(); n > 0 {
			h.Count += n
			h.Buckets = append(h.Buckets, Bucket{UpTo: recorded.End(i), Count: n})
		}
	}
	h.Sum, h.Max = time.Duration(d.sum.Load()), time.Duration(d.max.Load())
	h.Min = time.Duration(max(d.min.Load()-1, 0))
	return h
}
